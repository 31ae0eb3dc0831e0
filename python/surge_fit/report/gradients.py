"""Gradient dumps and their statistics as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from surge_fit._support.wording import listing, number, plural
from surge_fit.gradients.dump import Dump
from surge_fit.gradients.noise import GradientStatistics, Quantity, cautions
from surge_fit.gradients.noise.value import PROBABILITY
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.numbers import plain
from surge_fit.report.progress import amount_of_bytes

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"


def checkpoints_to_text(
    checkpoints: Sequence[GradientStatistics], *, width: int = MAX_WIDTH, color: bool = False
) -> str:
    """Tell the statistics of one checkpoint in full; of several, as a series.

    Parameters
    ----------
    checkpoints : sequence of GradientStatistics
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks = _one(checkpoints[0]) if len(checkpoints) == 1 else _series(checkpoints)
    return render(blocks, width=width, color=color)


def _one(held: GradientStatistics) -> list[Block]:
    blocks: list[Block] = [
        Line(_heading(held), "heading"),
        None,
        _noise_table(held),
        None,
        _storage_table(held),
    ]
    blocks += [
        None,
        Line(noise_scale_sentence(held.total.simple_noise_scale, held.unit)),
        Line(_resolvable(held)),
        Line(ADAM_HINT, "faint"),
    ]
    found = cautions(held)
    blocks += [None] if found else []
    return blocks + [Line(sentence, "warning", "Note: ") for sentence in found]


def _heading(held: GradientStatistics) -> str:
    parts = [f"{number(held.examples)} {held.unit}", f"{held.total.parameters:,} parameters"]
    parts += [f"step {number(held.step)}"] if held.step is not None else []
    parts += [f"loss {plain(held.loss, 4)}"] if held.loss is not None else []
    return f"{held.source}: {', '.join(parts)}"


def _noise_table(held: GradientStatistics) -> Table:
    rows = [
        (
            f"{row.parameters:,}",
            plain(row.gradient_norm_squared.value, 3),
            plain(row.gradient_covariance_trace.value, 3),
            *value_and_interval(row.simple_noise_scale),
            _rounded(row.examples_needed),
            row.name,
        )
        for row in (*held.tensors, *held.groups, held.total)
    ]
    headers = (
        "parameters",
        "|G|²",
        "tr Σ",
        f"noise scale\n[{held.unit}]",
        _INTERVAL,
        f"{held.unit} for\n±20 %",
        "tensor",
    )
    return Table(headers, tuple(rows), 1)


def _storage_table(held: GradientStatistics) -> Table:
    columns: dict[str, Any] = {
        "signal to\nnoise": lambda row: plain(row.signal_to_noise),
        "resolvable\nbatch size": lambda row: _rounded(row.resolvable_batch_size.value),
        "zeros": lambda row: _percent(row.zero_fraction),
        "sub-\nnormal": lambda row: _percent(row.subnormal_fraction),
        "not\nfinite": lambda row: _percent(row.non_finite_fraction),
    }
    size = held.batch_size
    if size is not None:
        columns[f"skewness\nat {number(size)}"] = lambda row: _scaled(row.skewness, math.sqrt(size))
        columns[f"kurtosis\nat {number(size)}"] = lambda row: _scaled(row.excess_kurtosis, size)
    columns["tensor"] = lambda row: row.name
    rows = (*held.tensors, *held.groups, held.total)
    return Table(tuple(columns), tuple(tuple(write(row) for write in columns.values()) for row in rows), 1)


def noise_scale_sentence(noise: Quantity, unit: str) -> str:
    """Tell the simple noise scale as a sentence."""
    value, interval = value_and_interval(noise)
    if math.isinf(noise.value):
        return (
            "Simple noise scale tr Σ/|G|²: not identified, the unbiased |G|² is not positive; "
            f"{interval} {unit} "
            f"({100 * PROBABILITY:.0f} %)."
        )
    return f"Simple noise scale tr Σ/|G|²: {value} {unit} ({_INTERVAL} {interval})."


def _resolvable(held: GradientStatistics) -> str:
    bound, unit = held.total.resolvable_batch_size, held.unit
    if math.isinf(bound.value):
        return "No parameter's mean gradient stands out of the noise: no batch size resolves its sign."
    interval = "" if math.isnan(bound.interval[0]) else f" ({_INTERVAL} {_span(bound)})"
    return (
        f"Signs of gradients become signal at a batch size of about {_rounded(bound.value)} {unit}{interval}."
    )


ADAM_HINT = (
    "The simple noise scale takes every direction of the loss for equally curved. For Adam it is at most "
    "a hint: the "
    "noise scale of its learning rate holds the curvature too."
)


def _series(checkpoints: Sequence[GradientStatistics]) -> list[Block]:
    rows = []
    for held in checkpoints:
        total = held.total
        rows.append(
            (
                "" if held.step is None else number(held.step),
                "" if held.loss is None else plain(held.loss, 4),
                number(held.examples),
                plain(total.gradient_norm_squared.value, 3),
                plain(total.gradient_covariance_trace.value, 3),
                *value_and_interval(total.simple_noise_scale),
                held.source,
            )
        )
    headers = ("step", "loss", "examples", "|G|²", "tr Σ", "noise scale", _INTERVAL, "files")
    blocks: list[Block] = [Line(f"{plural(len(checkpoints), 'checkpoint')}, all tensors together", "heading")]
    blocks += [None, Table(headers, tuple(rows), 1), None]
    said: dict[str, list[str]] = {}
    for held in checkpoints:
        for sentence in cautions(held):
            name = held.source if held.step is None else number(held.step)
            said.setdefault(sentence, []).append(name)
    for sentence, names in said.items():
        where = "" if len(names) == len(checkpoints) else f" (step {listing(names, 3)})"
        blocks.append(Line(sentence, "warning", f"Note{where}: "))
    return blocks


def value_and_interval(quantity: Quantity) -> tuple[str, str]:
    """Tell a quantity and its interval."""
    return _rounded(quantity.value), _span(quantity)


def _span(quantity: Quantity) -> str:
    low, high = quantity.interval
    if math.isnan(low):
        return "n/a"
    if math.isinf(low):
        return "not resolved"
    return f"≥ {_rounded(low)}" if math.isinf(high) else f"{_rounded(low)} … {_rounded(high)}"


def _rounded(value: float) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else "n/a"
    return number(round(value)) if 100 <= abs(value) < 1e6 else plain(value)


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{plain(100 * share)} %"


def _scaled(value: float | None, by: float) -> str:
    return "n/a" if value is None else plain(value / by)


def dumps_to_text(dumps: Sequence[Dump], *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Tell what gradient dumps hold, and what would be assumed of them.

    Parameters
    ----------
    dumps : sequence of Dump
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks: list[Block] = []
    for dump in dumps:
        blocks += [None] if blocks else []
        blocks += [Line(_dump_heading(dump), "heading"), None, _dump_table(dump), None]
        blocks += [Line(said, bullet="  ") for said in _dump_facts(dump)]
        blocks += [Line(sentence, "warning", "Note: ") for sentence in dump.assumptions]
        blocks += [Line(f"{name}: {why}.", "faint", "Left out: ") for name, why in dump.skipped]
    return render(blocks, width=width, color=color)


def _dump_heading(dump: Dump) -> str:
    return (
        f"{dump.source}: {plural(dump.rows, 'row')}, {dump.parameters:,} parameters in "
        f"{plural(len(dump.tensors), 'tensor')}, {amount_of_bytes(dump.bytes)}"
    )


def _dump_table(dump: Dump) -> Table:
    rows = [
        (
            str(tensor.rows),
            f"{tensor.parameters:,}",
            tensor.dtype,
            "×".join(map(str, tensor.shape)) or "scalar",
            str(len(tensor.segments)),
            tensor.name,
        )
        for tensor in dump.tensors
    ]
    return Table(("rows", "parameters", "dtype", "shape", "arrays", "tensor"), tuple(rows), 1)


def _dump_facts(dump: Dump) -> list[str]:
    sizes = dump.microbatch_size
    low, high = number(float(sizes.min())), number(float(sizes.max()))
    mean = low if low == high else f"{low} to {high}"
    along = {
        "examples": "along the first axis of every array",
        "rows": "one file per row",
        "items": "one item of the list per row",
    }[dump.layout]
    facts = [f"Rows: {along}; each the mean of {mean} {'example' if mean == '1' else 'examples'}."]
    facts.append(f"Stored numbers are multiplied by {dump.scale:.6g}.")
    facts += ["Gradients were clipped."] if dump.clipped else []
    facts += [f"Step {number(dump.step)}."] if dump.step is not None else []
    facts += [f"Loss {plain(dump.loss, 4)}."] if dump.loss is not None else []
    groups = len(set(dump.row_groups or ()))
    return facts + ([f"Rows are correlated within {plural(groups, 'group')}."] if groups else [])
