"""A plan of next runs as text, as a dict for strict JSON, and as CSV to make the runs from."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict
from typing import Any

from surge_fit._support.wording import listing
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.planning import NextRuns
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.numbers import batch_size, plain, scientific
from surge_fit.report.records import strict_dict
from surge_fit.report.statements import cost

_CSV = ("batch_size", "learning_rate", "cost", "expected_regret_after", "value_per_cost")


def plan_to_text(plan: NextRuns, *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Tell a plan as text.

    Parameters
    ----------
    plan : NextRuns
    width : int
        Of the terminal [columns]; at most 100 are used.
    color : bool
        Whether it shows colours.

    Returns
    -------
    str
    """
    blocks: list[Block] = [
        Line(plan.advice, "warning" if plan.stop else "heading"),
        None,
        _table(plan),
        None,
        *(Line(run.reason, bullet=f"{i:>2}: ") for i, run in enumerate(plan.runs, 1)),
        None,
        Line(_provenance(plan), "faint"),
    ]
    return render(blocks, width=width, color=color)


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
    kept = [i for i in range(len(headers)) if priced or i != 3]
    return Table(tuple(headers[i] for i in kept), tuple(tuple(row[i] for i in kept) for row in rows))


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


def plan_to_json(plan: NextRuns) -> dict[str, Any]:
    """Tell a plan as a dict of JSON types.

    Parameters
    ----------
    plan : NextRuns

    Returns
    -------
    dict
        The fields of `NextRuns` and `NextRun`, and the ``probability`` of the intervals.
    """
    return strict_dict({**asdict(plan), "probability": PROBABILITY})


def plan_to_csv(plan: NextRuns) -> str:
    """Tell the runs of a plan as a table, one row per run, with the header that `read_sweep` reads.

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
