"""The noise scale that logged gradient norms give."""

from __future__ import annotations

from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit._support.wording import number, plural
from surge_fit.gradients.noise import LoggedNoise, NormLog
from surge_fit.gradients.noise.value import PROBABILITY
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.gradients import ADAM_HINT, noise_scale_sentence, value_and_interval


def blocks(noise: LoggedNoise, log: NormLog) -> list[Block]:
    """Tell the noise scale from the norms of a log as text."""
    sizes = f"batch sizes {_sizes(log.small_batch_size)} and {_sizes(log.big_batch_size)}"
    rows = [
        (name, *value_and_interval(quantity))
        for name, quantity in (
            ("|G|²", noise.gradient_norm_squared),
            ("tr Σ", noise.gradient_covariance_trace),
            ("noise scale [examples]", noise.simple_noise_scale),
        )
    ]
    interval = f"{100 * PROBABILITY:.0f} % interval"
    return [
        Line(f"{log.source}: norms of {plural(len(log.big_norm_squared), 'step')}, {sizes}", "heading"),
        None,
        Table(("", "value", interval), tuple(rows)),
        None,
        Line(noise_scale_sentence(noise.simple_noise_scale, "examples")),
        Line(ADAM_HINT, "faint"),
        None,
        *(Line(note, "warning", "Note: ") for note in log.notes),
    ]


def _sizes(sizes: tuple[float, ...]) -> str:
    low, high = number(min(sizes)), number(max(sizes))
    return low if low == high else f"{low} to {high}"


def record(noise: LoggedNoise, log: NormLog) -> dict[str, Any]:
    """Tell the noise scale from the norms of a log as a dict for strict JSON.

    Parameters
    ----------
    noise : LoggedNoise
    log : NormLog
        Where it comes from.

    Returns
    -------
    dict
        ``source, steps, small_batch_size, big_batch_size, unit, probability``, the three quantities with
        their intervals, ``notes``.
    """
    quantities = {
        "gradient_norm_squared": noise.gradient_norm_squared,
        "gradient_covariance_trace": noise.gradient_covariance_trace,
        "simple_noise_scale": noise.simple_noise_scale,
    }
    values: dict[str, Any] = {
        "source": log.source,
        "steps": len(log.big_norm_squared),
        "small_batch_size": [min(log.small_batch_size), max(log.small_batch_size)],
        "big_batch_size": [min(log.big_batch_size), max(log.big_batch_size)],
        "unit": "examples",
        "probability": PROBABILITY,
    }
    for name, quantity in quantities.items():
        values |= {name: quantity.value, f"{name}_interval": quantity.interval}
    return strict_dict(values | {"notes": log.notes})
