"""Figures of gradient noise: noise scale by tensor, and over the checkpoints of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surge_fit.gradients.noise import GradientStatistics, Quantity
from surge_fit.plots.saving import save_figure
from surge_fit.plots.style import BLUE, GREY, ORANGE, STYLE
from surge_fit.typing import Path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LABELS = 60
_BEYOND = 3.0
"""An interval without an upper end is drawn to this many times the largest number that there is."""


def plot_gradient_noise(checkpoints: Sequence[GradientStatistics]) -> Figure:
    """Draw the simple noise scale: of one checkpoint by tensor, of several over the steps.

    Parameters
    ----------
    checkpoints : sequence of GradientStatistics

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        if len(checkpoints) == 1:
            return _by_tensor(checkpoints[0])
        return _over_steps(checkpoints)


def save_gradient_noise(checkpoints: Sequence[GradientStatistics], path: Path) -> None:
    """Write `plot_gradient_noise` to a file, whole or not at all, and without a display.

    Parameters
    ----------
    checkpoints : sequence of GradientStatistics
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    save_figure(lambda: plot_gradient_noise(checkpoints), path)


def _by_tensor(checkpoint: GradientStatistics) -> Figure:
    import matplotlib.pyplot as plt

    rows = (*checkpoint.tensors, *checkpoint.groups, checkpoint.total)
    count = len(rows)
    figure, axis = plt.subplots(
        figsize=(7.6, 1.6 + 0.24 * min(count, 3 * _MOST_LABELS)), layout="constrained"
    )
    end = _end([row.simple_noise_scale for row in rows])
    for position, row in enumerate(rows):
        special = position >= len(checkpoint.tensors)
        _interval(axis, row.simple_noise_scale, position, end, ORANGE if special else BLUE)
    axis.axvline(checkpoint.examples, color=GREY, lw=0.9, ls=":", label=f"{checkpoint.unit} dumped")
    axis.set(ylim=(count - 0.4, -0.6), xlabel=f"simple noise scale tr Σ/|G|² [{checkpoint.unit}]")
    _plain_log_scale(axis, "x")
    step = math.ceil(count / _MOST_LABELS)
    shown = [position for position in range(count) if position % step == 0 or position == count - 1]
    axis.set_yticks(shown, [rows[position].name for position in shown])
    axis.grid(axis="x", color="#E4E4E4", lw=0.6)
    axis.set_axisbelow(True)
    axis.legend(loc="best")
    at_step = "" if checkpoint.step is None else f", step {checkpoint.step:g}"
    axis.set_title(f"Gradient noise by tensor{at_step}: estimate and 95 % interval")
    return figure


def _interval(axis: Any, quantity: Quantity, position: int, end: float, color: str) -> None:
    low, high = quantity.interval
    if math.isfinite(low) and low > 0:
        axis.plot([low, min(high, end)], [position, position], color=color, lw=1.6, solid_capstyle="butt")
        if math.isinf(high):
            axis.plot(end, position, marker=">", color=color, ms=5, clip_on=False)
    if math.isfinite(quantity.value):
        axis.plot(quantity.value, position, "o", color=color, ms=4.5)


def _over_steps(checkpoints: Sequence[GradientStatistics]) -> Figure:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
    noise = [checkpoint.total.simple_noise_scale for checkpoint in checkpoints]
    end = _end(noise)
    steps = [
        float(k) if checkpoint.step is None else checkpoint.step for k, checkpoint in enumerate(checkpoints)
    ]
    for step, quantity in zip(steps, noise, strict=True):
        low, high = quantity.interval
        axis.plot([step, step], [min(low, end), min(high, end)], color=BLUE, lw=1.6, solid_capstyle="butt")
        if math.isinf(high):
            axis.plot(step, end, marker="^", color=BLUE, ms=5, clip_on=False)
    values = [quantity.value if math.isfinite(quantity.value) else math.nan for quantity in noise]
    axis.plot(steps, values, "o-", color=BLUE, ms=4.5, lw=0.8, label="estimate and 95 % interval")
    axis.set(xlabel="optimizer step", ylabel=f"simple noise scale tr Σ/|G|² [{checkpoints[0].unit}]")
    _plain_log_scale(axis, "y")
    axis.grid(axis="y", color="#E4E4E4", lw=0.6)
    axis.set_axisbelow(True)
    axis.legend(loc="best")
    axis.set_title("Gradient noise over training, all tensors together")
    return figure


def _plain_log_scale(axis: Any, which: str) -> None:
    """Scale an axis in logarithms, with ticks at 1, 2 and 5 times powers of ten, written in full."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    getattr(axis, f"set_{which}scale")("log")
    ticks: Any = getattr(axis, f"{which}axis")
    ticks.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ticks.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ticks.set_minor_formatter(NullFormatter())


def _end(quantities: Sequence[Quantity]) -> float:
    """Return the value up to which unbounded intervals are drawn."""
    ends = [end for q in quantities for end in (q.value, *q.interval) if math.isfinite(end) and end > 0]
    return _BEYOND * max(ends, default=1.0)
