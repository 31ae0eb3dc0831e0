"""Steps to a target as text: what they say of each batch size, and what was seen there."""

from __future__ import annotations

import math

import numpy as np

from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.model.steps import StraightLine
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.fit import StepsReport
from surge_fit.report.numbers import batch_size, plain, together
from surge_fit.sweep import Sweep

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_SEEN_DIGITS = 4


def steps_blocks(steps: StepsReport) -> list[Block]:
    """Tell the steps and examples at every batch size tried, and the straight line beside them."""
    unit = steps.predictions[0].batch_unit
    columns: dict[str, list[str]] = {
        f"batch size\n[{unit}]": [batch_size(held.batch_size) for held in steps.predictions],
        "steps\nseen": [plain(value, _SEEN_DIGITS) for value in steps.seen],
    }
    law = [together(held.steps, held.interval, plain) for held in steps.predictions]
    of_run = [together(held.steps, held.run_interval, plain) for held in steps.predictions]
    examples = [together(held.examples, held.examples_interval, plain) for held in steps.predictions]
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


def _cross_check(line: StraightLine, unit: str) -> str:
    if math.isnan(line.min_steps) or math.isnan(line.critical_batch_size):
        found = "has no positive answer here"
    else:
        found = (
            f"gives a critical batch size of {plain(line.critical_batch_size)} {unit} and "
            f"{plain(line.min_steps)} steps at least"
        )
    return (
        f"Cross-check: the straight line 1/S = 1/S_min − B_crit/E, fitted by least squares, {found}. It is "
        "not the answer: E = B·S carries the error of S into both axes, and equal errors of 1/S are not what "
        "steps have."
    )


def steps_table(sweep: Sweep) -> Table:
    """Tell what a sweep of steps to a target holds, one row for each batch size."""
    rows = []
    for size in sweep.batch_sizes:
        here = sweep.where(sweep.batch_size == size)
        reached = here.steps_when_reached[np.isfinite(here.steps_when_reached)]
        ends = dict.fromkeys((float(reached.min()), float(reached.max())) if reached.size else ())
        rows.append(
            (
                batch_size(float(size)),
                str(len(here)),
                str(reached.size),
                " … ".join(plain(steps, _SEEN_DIGITS) for steps in ends) or "none",
                plain(float(size * reached.min()), _SEEN_DIGITS) if reached.size else "",
            )
        )
    unit = sweep.batch_unit
    headers = (
        *(f"batch size\n[{unit}]", "runs", "reached\nthe target", "after steps"),
        f"fewest examples\n[{unit}]",
    )
    return Table(headers, tuple(rows))
