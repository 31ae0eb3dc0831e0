"""A sweep: its runs by batch size, and the findings of its checks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from surge_fit._support.json_text import strict_dict
from surge_fit._support.wording import plural
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import batch_size, plain, scientific
from surge_fit.sweep import Sweep
from surge_fit.sweep.schema import STATUSES


def blocks(sweep: Sweep) -> list[Block]:
    """Tell the contents of a sweep, and the findings of its checks, as text."""
    text: list[Block] = [Line(f"{sweep.source}: {_contents(sweep)}", "heading"), None]
    table = _steps_table if sweep.kind == "steps_to_target" else _batch_table
    text += [_group_table(sweep) if len(sweep.groups) > 1 else table(sweep), None]
    checks = sweep.checks()
    names: dict[str, tuple[str, str]] = {
        "error": ("error", "Error: "),
        "warning": ("warning", "Warning: "),
        "note": ("plain", "Note: "),
    }
    for check in checks:
        style, bullet = names[check.severity]
        text.append(Line(str(check), style, bullet))  # type: ignore[arg-type]
    if not checks:
        text.append(Line("Nothing found that weakens a fit."))
    if sweep.ignored_columns:
        text.append(Line(", ".join(sweep.ignored_columns) + ".", "faint", "Columns not used: "))
    text += [Line(decision.message, "faint", "Read: ") for decision in sweep.reading if not decision.is_doubt]
    return text


def record(sweep: Sweep) -> dict[str, Any]:
    """Tell the contents of a sweep, and the findings of its checks, as a dict for strict JSON."""
    checks = sweep.checks()
    return strict_dict(
        {
            "source": sweep.source,
            "kind": sweep.kind,
            "batch_unit": sweep.batch_unit,
            "protocol": sweep.protocol,
            "runs": len(sweep),
            "batch_sizes": sweep.batch_sizes,
            "status": {status: sweep.status.count(status) for status in STATUSES},
            "groups": sweep.groups,
            "loss_unit": sweep.loss_unit,
            "ignored_columns": sweep.ignored_columns,
            "reading": [asdict(decision) for decision in sweep.reading],
            "checks": [asdict(check) for check in checks],
            "fittable": all(check.severity != "error" for check in checks),
        }
    )


def _contents(sweep: Sweep) -> str:
    what = "optimum point" if sweep.kind == "optimum_points" else "run"
    parts = [plural(len(sweep), what), f"batch sizes in {sweep.batch_unit}"]
    parts += [f"protocol {sweep.protocol}"] if sweep.protocol else ["protocol unknown"]
    parts += [plural(len(sweep.groups), "group")] if sweep.groups else []
    return ", ".join(parts)


def _batch_table(sweep: Sweep) -> Table:
    rows = []
    for size in sweep.batch_sizes:
        here = sweep.where(sweep.batch_size == size)
        rates = np.unique(here.learning_rate)
        rows.append(
            (
                batch_size(float(size)),
                str(rates.size),
                " … ".join(scientific(float(rate)) for rate in dict.fromkeys((rates[0], rates[-1]))),
                *_ends(here),
                *_best(here),
            )
        )
    headers = (
        f"batch size\n[{sweep.batch_unit}]",
        "learning\nrates",
        "from … to",
        *_ENDS,
        "best learning\nrate",
        "its loss or\nsteps",
    )
    return Table(headers, tuple(rows))


_STEPS_DIGITS = 4


def _steps_table(sweep: Sweep) -> Table:
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
                " … ".join(plain(steps, _STEPS_DIGITS) for steps in ends) or "none",
                plain(float(size * reached.min()), _STEPS_DIGITS) if reached.size else "",
            )
        )
    unit = sweep.batch_unit
    headers = (
        *(f"batch size\n[{unit}]", "runs", "reached\nthe target", "after steps"),
        f"fewest examples\n[{unit}]",
    )
    return Table(headers, tuple(rows))


_ENDS = ("finished", "diverged", "others")


def _ends(sweep: Sweep) -> tuple[str, str, str]:
    counts = {status: sweep.status.count(status) for status in STATUSES}
    finished, diverged = counts.pop("finished"), counts.pop("diverged")
    return str(finished), str(diverged), str(sum(counts.values()))


def _best(sweep: Sweep) -> tuple[str, str]:
    if sweep.kind == "optimum_points":
        return scientific(float(sweep.learning_rate[0])), ""
    if not np.isfinite(sweep.outcome).any():
        return "none", ""
    best = int(np.nanargmin(sweep.outcome))
    return scientific(float(sweep.learning_rate[best])), plain(float(sweep.outcome[best]), 5)


def _group_table(sweep: Sweep) -> Table:
    rows = []
    for label in sweep.groups:
        here = sweep.select(label)
        sizes = here.batch_sizes
        span = " … ".join(dict.fromkeys(batch_size(float(size)) for size in (sizes[0], sizes[-1])))
        rows.append((str(len(here)), str(sizes.size), span, *_ends(here), label))
    headers = ("runs", "batch\nsizes", f"from … to\n[{sweep.batch_unit}]", *_ENDS, "group")
    return Table(headers, tuple(rows), 1)
