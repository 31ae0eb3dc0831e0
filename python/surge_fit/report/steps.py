"""Steps to a target: the prediction at each batch size, and the steps seen there."""

from __future__ import annotations

import math
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.model.steps import StraightLine
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.composition import StepsReport
from surge_fit.report.numbers import batch_size, plain, together

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_SEEN_DIGITS = 4


def blocks(steps: StepsReport) -> list[Block]:
    """Tell the steps and examples at every batch size tried, and the straight line beside them."""
    unit = steps.predictions[0].batch_unit
    columns: dict[str, list[str]] = {
        f"batch size\n[{unit}]": [batch_size(p.batch_size) for p in steps.predictions],
        "steps\nseen": [plain(value, _SEEN_DIGITS) for value in steps.seen],
    }
    law = [together(p.steps, p.interval, plain) for p in steps.predictions]
    of_run = [together(p.steps, p.run_interval, plain) for p in steps.predictions]
    examples = [together(p.examples, p.examples_interval, plain) for p in steps.predictions]
    known = {header: cells for header, cells in columns.items() if cells}
    headers = (*known, "steps\nby the law", _INTERVAL, "of one run,\n90 %", f"examples\n[{unit}]", _INTERVAL)
    rows = zip(
        *known.values(),
        *zip(*law, strict=True),
        [interval for _, interval in of_run],
        *zip(*examples, strict=True),
        strict=True,
    )
    return [
        Line("Steps and examples to the target, at the best learning rate", "heading"),
        Table(headers, tuple(rows)),
        *([] if steps.line is None else [None, Line(_cross_check(steps.line, unit), "faint")]),
    ]


def record(steps: StepsReport) -> dict[str, Any]:
    """Tell the same as a dict for strict JSON: ``predictions``, each with ``steps_seen``, and the line."""
    return {
        "predictions": [
            {**prediction.to_dict(), "steps_seen": seen}
            for prediction, seen in zip_longest(steps.predictions, steps.seen)
        ],
        "straight_line": None if steps.line is None else strict_dict(asdict(steps.line)),
    }


def _cross_check(line: StraightLine, unit: str) -> str:
    if math.isnan(line.min_steps) or math.isnan(line.critical_batch_size):
        outcome = "has no positive answer here"
    else:
        outcome = (
            f"gives a critical batch size of {plain(line.critical_batch_size)} {unit} and "
            f"{plain(line.min_steps)} steps at least"
        )
    return (
        f"Cross-check: the straight line 1/S = 1/S_min − B_crit/E, fitted by least squares, {outcome}. It is "
        "not the answer: E = B·S carries the error of S into both axes, and equal errors of 1/S are not what "
        "steps have."
    )
