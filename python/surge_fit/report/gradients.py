"""Gradient-noise statistics: of one checkpoint in full, of several as a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from surge_fit._support.wording import listing, number, plural
from surge_fit.gradients.noise import GradientStatistics, Quantity, cautions
from surge_fit.gradients.noise.value import PROBABILITY
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import plain

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"


def blocks(checkpoints: Sequence[GradientStatistics]) -> list[Block]:
    """Tell the statistics of one checkpoint in full, those of several as a series."""
    return _one(checkpoints[0]) if len(checkpoints) == 1 else _series(checkpoints)


def record(checkpoints: Sequence[GradientStatistics]) -> dict[str, Any]:
    """Tell the statistics of one checkpoint, or of several, as a dict for strict JSON.

    Parameters
    ----------
    checkpoints : sequence of GradientStatistics

    Returns
    -------
    dict
        For one checkpoint ``source, step, loss, unit, probability, batch_size, total, tensors, groups,
        dropped_examples, skipped, notes``; for several ``checkpoints``, a list of these.
    """
    records = [{**one.to_dict(), "notes": list(cautions(one))} for one in checkpoints]
    return records[0] if len(records) == 1 else {"checkpoints": records}


def _one(checkpoint: GradientStatistics) -> list[Block]:
    text: list[Block] = [
        Line(_heading(checkpoint), "heading"),
        None,
        _noise_table(checkpoint),
        None,
        _storage_table(checkpoint),
    ]
    text += [
        None,
        Line(noise_scale_sentence(checkpoint.total.simple_noise_scale, checkpoint.unit)),
        Line(_resolvable(checkpoint)),
        Line(ADAM_HINT, "faint"),
    ]
    notes = cautions(checkpoint)
    text += [None] if notes else []
    return text + [Line(sentence, "warning", "Note: ") for sentence in notes]


def _heading(checkpoint: GradientStatistics) -> str:
    parts = [
        f"{number(checkpoint.examples)} {checkpoint.unit}",
        f"{checkpoint.total.parameters:,} parameters",
    ]
    parts += [f"step {number(checkpoint.step)}"] if checkpoint.step is not None else []
    parts += [f"loss {plain(checkpoint.loss, 4)}"] if checkpoint.loss is not None else []
    return f"{checkpoint.source}: {', '.join(parts)}"


def _noise_table(checkpoint: GradientStatistics) -> Table:
    rows = [
        (
            f"{row.parameters:,}",
            plain(row.gradient_norm_squared.value, 3),
            plain(row.gradient_covariance_trace.value, 3),
            *value_and_interval(row.simple_noise_scale),
            _rounded(row.examples_needed),
            row.name,
        )
        for row in (*checkpoint.tensors, *checkpoint.groups, checkpoint.total)
    ]
    headers = (
        "parameters",
        "|G|²",
        "tr Σ",
        f"noise scale\n[{checkpoint.unit}]",
        _INTERVAL,
        f"{checkpoint.unit} for\n±20 %",
        "tensor",
    )
    return Table(headers, tuple(rows), 1)


def _storage_table(checkpoint: GradientStatistics) -> Table:
    columns: dict[str, Any] = {
        "signal to\nnoise": lambda row: plain(row.signal_to_noise),
        "resolvable\nbatch size": lambda row: _rounded(row.resolvable_batch_size.value),
        "zeros": lambda row: _percent(row.zero_fraction),
        "sub-\nnormal": lambda row: _percent(row.subnormal_fraction),
        "not\nfinite": lambda row: _percent(row.non_finite_fraction),
    }
    size = checkpoint.batch_size
    if size is not None:
        columns[f"skewness\nat {number(size)}"] = lambda row: _scaled(row.skewness, math.sqrt(size))
        columns[f"kurtosis\nat {number(size)}"] = lambda row: _scaled(row.excess_kurtosis, size)
    columns["tensor"] = lambda row: row.name
    rows = (*checkpoint.tensors, *checkpoint.groups, checkpoint.total)
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


def _resolvable(checkpoint: GradientStatistics) -> str:
    bound, unit = checkpoint.total.resolvable_batch_size, checkpoint.unit
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
    for checkpoint in checkpoints:
        total = checkpoint.total
        rows.append(
            (
                "" if checkpoint.step is None else number(checkpoint.step),
                "" if checkpoint.loss is None else plain(checkpoint.loss, 4),
                number(checkpoint.examples),
                plain(total.gradient_norm_squared.value, 3),
                plain(total.gradient_covariance_trace.value, 3),
                *value_and_interval(total.simple_noise_scale),
                checkpoint.source,
            )
        )
    headers = ("step", "loss", "examples", "|G|²", "tr Σ", "noise scale", _INTERVAL, "files")
    text: list[Block] = [Line(f"{plural(len(checkpoints), 'checkpoint')}, all tensors together", "heading")]
    text += [None, Table(headers, tuple(rows), 1), None]
    steps: dict[str, list[str]] = {}
    for checkpoint in checkpoints:
        for sentence in cautions(checkpoint):
            name = checkpoint.source if checkpoint.step is None else number(checkpoint.step)
            steps.setdefault(sentence, []).append(name)
    for sentence, names in steps.items():
        where = "" if len(names) == len(checkpoints) else f" (step {listing(names, 3)})"
        text.append(Line(sentence, "warning", f"Note{where}: "))
    return text


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
