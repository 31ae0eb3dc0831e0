"""The optimal learning rate over the batch size, with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from surge_fit._support.wording import number
from surge_fit.decisions.recommendation import Recommendation
from surge_fit.plots.style import BEYOND, BLUE, GREY, NARROW, QUANTILES, RED, WIDE, styled
from surge_fit.posterior.value import Posterior
from surge_fit.report.numbers import together
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REACH = 4.0
_CURVE_POINTS = 120
_MOST_NAMED = 3
_LARGEST_POWER_OF_TWO = 2.0**16


def plot_law(
    posterior: Posterior, recommendations: Sequence[Recommendation] = (), ax: Axes | None = None
) -> Axes:
    """Draw the optimal learning rate over the batch size, with its uncertainty.

    Median, 50 % and 90 % band of the posterior; the runs, the best of every batch size filled; the
    recommendations with the 90 % interval of the optimum; the square-root and linear rules from the best
    run. Batch sizes outside those tried are shaded.

    Parameters
    ----------
    posterior : Posterior
    recommendations : sequence of Recommendation
        From `surge_fit.recommend`.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    matplotlib.axes.Axes
    """
    with styled(ax) as drawn:
        draw_law(drawn, posterior, recommendations)
        return drawn


def draw_law(ax: Axes, posterior: Posterior, recommendations: Sequence[Recommendation]) -> None:
    """Draw what `plot_law` promises."""
    tried = posterior.observations.batch_size
    recommended = [recommendation.batch_size for recommendation in recommendations]
    low, high = (
        min(tried[0] / _REACH, *recommended, tried[0]),
        max(tried[-1] * _REACH, *recommended, tried[-1]),
    )
    low, high = (low if low not in recommended else low / 2), (high if high not in recommended else high * 2)
    sizes = np.geomspace(low, high, _CURVE_POINTS)
    bands = np.exp(np.quantile(posterior.log_optimal_learning_rate(sizes), QUANTILES, axis=0))
    for label, edge in (("not tried", (low, tried[0])), ("", (tried[-1], high))):
        ax.axvspan(*edge, color=BEYOND, zorder=0, linewidth=0, label=label or None)
    ax.fill_between(sizes, bands[0], bands[4], color=BLUE, alpha=WIDE, linewidth=0, label="90 % of optimum")
    ax.fill_between(sizes, bands[1], bands[3], color=BLUE, alpha=NARROW, linewidth=0, label="50 %")
    ax.plot(sizes, bands[2], color=BLUE, linewidth=1.8, label="median")
    if posterior.has_own_runs:
        _draw_runs(ax, posterior)
        _draw_rules(ax, posterior, sizes)
    if recommendations:
        rate = np.array([recommendation.learning_rate for recommendation in recommendations])
        ends = np.array([recommendation.interval_90 for recommendation in recommendations]).T
        error = np.clip(np.stack([rate - ends[0], ends[1] - rate]), 0, None)
        ax.errorbar(
            recommended,
            rate,
            yerr=error,
            fmt="D",
            color=RED,
            markersize=6,
            markeredgecolor="white",
            elinewidth=1.6,
            capsize=3.5,
            zorder=6,
            label="recommended, 90 %",
        )
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=_rate_limits(posterior, bands))
    _batch_size_ticks(ax, low, high)
    ax.set_xlabel(f"batch size [{posterior.sweep.batch_unit}]")
    ax.set_ylabel("learning rate")
    ax.set_title(_law_title(posterior, recommendations))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.8)


def _draw_runs(ax: Axes, posterior: Posterior) -> None:
    sweep = posterior.sweep
    if sweep.kind == "optimum_points":
        ax.plot(
            sweep.batch_size, sweep.learning_rate, "o", color="black", markersize=5, label="optimum points"
        )
        return
    diverged = sweep.is_diverged
    ax.plot(
        sweep.batch_size[~diverged],
        sweep.learning_rate[~diverged],
        "o",
        color=GREY,
        markersize=3,
        alpha=0.8,
        zorder=3,
        label="runs",
    )
    if diverged.any():
        ax.plot(
            sweep.batch_size[diverged],
            sweep.learning_rate[diverged],
            "x",
            color=GREY,
            markersize=5.5,
            zorder=3,
            label="diverged",
        )
    winners = [_winner(posterior, size) for size in sweep.batch_sizes]
    best = np.array([winner for winner in winners if winner is not None])
    if len(best):
        ax.plot(*best.T, "o", color="black", markersize=5.5, zorder=4, label="best of its batch size")


def _winner(posterior: Posterior, size: float) -> tuple[float, float] | None:
    sweep = posterior.sweep
    outcome = np.where(sweep.batch_size == size, sweep.outcome, np.nan)
    return (size, float(sweep.learning_rate[np.nanargmin(outcome)])) if np.isfinite(outcome).any() else None


def _draw_rules(ax: Axes, posterior: Posterior, sizes: FloatArray) -> None:
    if posterior.sweep.kind == "optimum_points":
        return
    best = posterior.sweep.best_run()
    for name, exponent, dashes in (("√ rule", 0.5, "--"), ("linear rule", 1.0, ":")):
        rates = best.learning_rate * (sizes / best.batch_size) ** exponent
        ax.plot(sizes, rates, dashes, color=GREY, linewidth=1.0, zorder=2, label=name)


def _rate_limits(posterior: Posterior, bands: FloatArray) -> tuple[float, float]:
    """Show the band and the runs of the group, not the far ends of the reference lines."""
    if not posterior.has_own_runs:
        return float(bands[0].min()) / 1.6, float(bands[4].max()) * 1.6
    rates = posterior.sweep.learning_rate
    return float(min(bands[0].min(), rates.min())) / 1.6, float(max(bands[4].max(), rates.max())) * 1.6


def _batch_size_ticks(ax: Axes, low: float, high: float) -> None:
    """Label batch sizes as people say them: 64, 1024; 2e5, 5e5; powers of ten over many decades."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    if high <= _LARGEST_POWER_OF_TWO:
        step = max(1, math.ceil(math.log2(high / low) / 9))
        ticks = [2.0**k for k in range(math.ceil(math.log2(low)), 20) if k % step == 0]
    elif high / low < 10**2.5:
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        ticks = [factor * 10.0**k for k in exponents for factor in (1, 2, 5)]
    else:
        return
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("e+0", "e").replace("e+", "e")))
    ax.xaxis.set_minor_locator(FixedLocator([]))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _law_title(posterior: Posterior, recommendations: Sequence[Recommendation]) -> str:
    if recommendations:
        parts = []
        for recommendation in recommendations[:_MOST_NAMED]:
            rate, interval = together(recommendation.learning_rate, recommendation.interval_90)
            spread = f" ({interval})" if len(recommendations) == 1 else ""
            parts.append(f"{rate}{spread} at batch size {number(recommendation.batch_size)}")
        return "Use " + ", ".join(parts) + (", …" if len(recommendations) > _MOST_NAMED else "")
    tried = posterior.observations.batch_size
    ends = posterior.log_optimal_learning_rate(tried[[0, -1]])
    factor = np.exp(np.quantile(ends[:, 1] - ends[:, 0], [0.05, 0.5, 0.95]))
    low, middle, high = (f"{value:.2g}" for value in factor)
    return (
        f"From batch size {number(tried[0])} to {number(tried[-1])} the optimum changes by a factor of "
        f"{middle} ({low} … {high})"
    )
