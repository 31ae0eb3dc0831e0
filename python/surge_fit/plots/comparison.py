"""Figure of a comparison: how far each law is behind the best one, by the batch size left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surge_fit._support.wording import number
from surge_fit.decisions.comparison import LawComparison
from surge_fit.plots.saving import save_figure
from surge_fit.plots.style import BEYOND, BLUE, GREY, ORANGE, RED, STYLE
from surge_fit.typing import Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = {"best": BLUE, "tie": ORANGE, "loses": RED}
_MARKERS = "osD^vP*X"
_HALF = 0.32
"""Half of the space between two batch sizes, over which the marks of the laws are spread."""


def plot_comparison(comparison: LawComparison) -> Figure:
    """Draw the differences in predictive density to the best law: in total, and by batch size.

    Left, the total difference of every law with two standard errors; right, what each left-out batch size
    contributes. Above zero a law predicts a batch size better than the law that is best in total.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        height = max(3.4, 1.7 + 0.3 * len(comparison.scores))
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(9.6, height), width_ratios=[1.0, 1.25], layout="constrained"
        )
        _draw_totals(left, comparison)
        _draw_batch_sizes(right, comparison)
    return figure


def save_comparison(comparison: LawComparison, path: Path) -> None:
    """Write `plot_comparison` to a file, whole or not at all, and without a display.

    Parameters
    ----------
    comparison : LawComparison
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    save_figure(lambda: plot_comparison(comparison), path)


def _draw_totals(ax: Axes, comparison: LawComparison) -> None:
    for position, score in enumerate(comparison.scores):
        ax.errorbar(
            score.difference,
            position,
            xerr=2 * score.standard_error,
            fmt=_MARKERS[position % len(_MARKERS)],
            color=_COLORS[score.verdict],
            markersize=6,
            elinewidth=1.6,
            capsize=3,
        )
    ax.axvline(0.0, color=GREY, linewidth=0.9, linestyle=":", zorder=0)
    names = [f"{score.law.name}: {score.verdict}" for score in comparison.scores]
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(comparison.scores) - 0.4, -0.6)
    ax.set_xlabel("elpd less that of the best law [nats]")
    ax.set_title("In total, with two standard errors")


def _draw_batch_sizes(ax: Axes, comparison: LawComparison) -> None:
    count = len(comparison.batch_sizes)
    places = np.arange(count)
    for place in places[::2]:
        ax.axvspan(place - 0.5, place + 0.5, color=BEYOND, linewidth=0, zorder=0)
    shifts = np.linspace(-_HALF, _HALF, len(comparison.scores))
    best = np.array(comparison.best.pointwise)
    for position, (score, shift) in enumerate(zip(comparison.scores, shifts, strict=True)):
        ax.plot(
            places + shift,
            np.array(score.pointwise) - best,
            _MARKERS[position % len(_MARKERS)],
            color=_COLORS[score.verdict],
            markersize=6,
            markeredgecolor="white",
            label=score.law.name,
        )
    ax.axhline(0.0, color=GREY, linewidth=0.9, linestyle=":", zorder=1)
    ax.set_xticks(places, [number(size) for size in comparison.batch_sizes])
    ax.set_xlim(-0.5, count - 0.5)
    ax.set_xlabel(f"batch size left out [{comparison.batch_unit}]")
    ax.set_ylabel("elpd less that of the best law [nats]")
    ax.set_title("By batch size")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="law")
