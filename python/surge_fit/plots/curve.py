"""Figure of a learning-rate curve: theory and resampling over the batch size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from surge_fit.gradients.curve import LearningRateCurve
from surge_fit.plots.saving import save_figure
from surge_fit.plots.style import BLUE, GREY, ORANGE, STYLE
from surge_fit.typing import Path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = {"sgd": "SGD", "sign": "sign descent", "adam": "Adam"}


def plot_learning_rate_curve(curve: LearningRateCurve) -> Figure:
    """Draw the best learning rate over the batch size, by theory and by resampling, with 95 % intervals.

    For sign descent and Adam, thin lines show Theorem 2 at the moments as they are, with exact expected signs
    and, dashed, with approximate ones.

    Parameters
    ----------
    curve : LearningRateCurve

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(7.6, 4.8), layout="constrained")
        series = (
            ("theory", ORANGE, "s", [(p.batch_size, p.theory.best, p.theory.interval) for p in curve.points]),
            (
                "resampled",
                BLUE,
                "o",
                [(p.batch_size, p.resampled.learning_rate, p.resampled.interval) for p in curve.points],
            ),
        )
        sizes = [point.batch_size for point in curve.points]
        for name, color, marker, points in series:
            defined = [(size, value) for size, value, _ in points if value is not None]
            axis.plot(
                *zip(*defined, strict=True), marker, ls="-", lw=0.9, ms=4.5, color=color, label=name
            ) if defined else None
            for size, _, interval in points:
                if interval is not None:
                    axis.plot([size, size], interval, color=color, lw=1.4, solid_capstyle="butt")
        for name, style, rates in (
            ("Theorem 2, moments as they are", "-", [p.theory.learning_rate for p in curve.points]),
            ("the same, approximate signs", "--", [p.theory.approximate_learning_rate for p in curve.points]),
        ):
            if curve.optimizer != "sgd":
                shown = [math.nan if rate is None else rate for rate in rates]
                axis.plot(sizes, shown, style, color=ORANGE, lw=0.7, label=name)
        if curve.limit is not None and curve.optimizer != "sgd":
            axis.axhline(curve.limit, color=GREY, lw=0.9, ls=":", label="Theorem 4")
        beyond = [p.batch_size for p in curve.points if "beyond_quarter_of_rows" in p.flags]
        if beyond:
            axis.axvspan(
                min(beyond) / 1.2, max(beyond) * 1.2, color="#EEEEEE", zorder=0, label="few rows left"
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set(
            xlabel="batch size [examples]",
            ylabel="best learning rate" + ("" if curve.scale_known else " (shape only)"),
        )
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.grid(color="#E4E4E4", lw=0.6)
        axis.set_axisbelow(True)
        axis.legend(loc="best")
        at_step = "" if curve.step is None else f", step {curve.step:g}"
        axis.set_title(f"Best next step of {_NAMES[curve.optimizer]}{at_step}")
    return figure


def save_learning_rate_curve(curve: LearningRateCurve, path: Path) -> None:
    """Write `plot_learning_rate_curve` to a file, whole or not at all, and without a display.

    Parameters
    ----------
    curve : LearningRateCurve
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    save_figure(lambda: plot_learning_rate_curve(curve), path)
