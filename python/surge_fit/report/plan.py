"""A plan of next runs: also as CSV, to make the runs from."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from surge_fit._support.wording import listing
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.planning import NextRuns
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import batch_size, plain, scientific
from surge_fit.report.statements import cost

_CSV = ("batch_size", "learning_rate", "cost", "expected_regret_after", "value_per_cost")


def blocks(plan: NextRuns) -> list[Block]:
    """Tell a plan as text."""
    return [
        Line(plan.advice, "warning" if plan.stop else "heading"),
        None,
        _table(plan),
        None,
        *(Line(run.reason, bullet=f"{i:>2}: ") for i, run in enumerate(plan.runs, 1)),
        None,
        Line(_provenance(plan), "faint"),
    ]


def record(plan: NextRuns) -> dict[str, Any]:
    """Tell a plan as a dict for strict JSON: `NextRuns.to_dict`."""
    return plan.to_dict()


def _table(plan: NextRuns) -> Table:
    """Tell the plan row by row; the first row is what is known now."""
    priced = plan.cost_unit != "runs"
    spent, rows = 0.0, [("now", "", "", "", cost(plan.expected_regret), _within(plan.interval_width), "")]
    for position, run in enumerate(plan.runs, 1):
        spent += run.cost
        rows.append(
            (
                str(position),
                batch_size(run.batch_size),
                scientific(run.learning_rate),
                plain(spent),
                cost(run.expected_regret_after),
                _within(run.expected_interval_width),
                plain(run.value_per_cost),
            )
        )
    per = "per cost" if priced else "per run"
    headers = (
        "run",
        f"batch size\n[{plan.batch_unit}]",
        "learning\nrate",
        f"cost so far\n[{plan.cost_unit}]",
        f"expected\nregret [{plan.loss_unit}]",
        f"{100 * PROBABILITY:.0f} % interval\nwithin a factor",
        f"worth [{plan.loss_unit}]\n{per}",
    )
    shown = [i for i in range(len(headers)) if priced or i != 3]
    return Table(tuple(headers[i] for i in shown), tuple(tuple(row[i] for i in shown) for row in rows))


def _within(log_width: float) -> str:
    return plain(math.exp(log_width))


def _provenance(plan: NextRuns) -> str:
    noun = "batch size" if len(plan.targets) == 1 else "batch sizes"
    mean = "" if len(plan.targets) == 1 else ", averaged over them"
    return (
        f"Expected regret and interval of the optimum at {noun} "
        f"{listing([batch_size(target) for target in plan.targets])}{mean}, expected after each run and "
        f"those before it; {plan.candidates} runs and blocks weighed; seed {plan.random_seed}"
    )


def to_csv(plan: NextRuns) -> str:
    """Tell the runs of a plan as CSV, one row per run, with the header that `read_sweep` reads.

    Parameters
    ----------
    plan : NextRuns

    Returns
    -------
    str
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(_CSV)
    table.writerows([f"{getattr(run, name):.6g}" for name in _CSV] for run in plan.runs)
    return out.getvalue()
