"""The loss over the learning rate at every batch size tried, with the fitted valleys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from surge_fit._support.wording import number, plural
from surge_fit.errors import InputError
from surge_fit.model.loss_surface import valley
from surge_fit.plots.style import BLUE, NARROW, ORANGE, QUANTILES, RED, STYLE, WIDE
from surge_fit.posterior.value import Posterior
from surge_fit.report.numbers import scientific
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_VALLEY_POINTS = 160
_MOST_COLUMNS = 4


def plot_valleys(posterior: Posterior, ax: Sequence[Axes] | None = None) -> Figure:
    """Draw the loss over the learning rate at every batch size tried, with the fitted valley.

    Dots are finished runs, arrows runs whose loss is off the scale, crosses at the top diverged ones. The
    line with its bands is the posterior's valley (median, 50 % and 90 %); the vertical line its optimum.

    Parameters
    ----------
    posterior : Posterior
        A posterior of runs with losses.
    ax : sequence of matplotlib.axes.Axes, optional
        One for every batch size tried; a new figure without.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If no losses were fitted (optimum points), or the axes are not one per batch size.
    """
    import matplotlib.pyplot as plt

    if not (posterior.has_surface and posterior.has_own_runs):
        msg = (
            "Valleys need a sweep of runs with losses; this posterior has optimum points alone. Use plot_law."
        )
        raise InputError(msg)
    count = len(posterior.observations.batch_size)
    with plt.rc_context(STYLE):
        if ax is not None and len(ax) != count:
            msg = f"'ax' must hold one Axes for each of {plural(count, 'batch size')}; got {len(ax)}."
            raise InputError(msg)
        if ax is not None:
            draw_valleys(ax, posterior)
            return cast("Figure", ax[0].get_figure(root=True))
        rows, columns = grid(count)
        # Wide enough for the legend and for ticks of a narrow range, however few valleys there are.
        figure = plt.figure(figsize=(max(2.6 * columns + 0.6, 7.6), 2.5 * rows + 0.9), layout="constrained")
        axes = valley_axes(figure, count)
        draw_valleys(axes, posterior)
        valley_legend(figure, axes)
    return figure


def grid(count: int) -> tuple[int, int]:
    """Return rows and columns for so many valleys."""
    columns = min(count, _MOST_COLUMNS)
    return math.ceil(count / columns), columns


def valley_axes(figure: Figure | SubFigure, count: int) -> list[Axes]:
    """Make one Axes per valley, all with the same scales."""
    rows, columns = grid(count)
    axes = figure.subplots(rows, columns, sharey=True, sharex=True, squeeze=False).ravel()
    for spare in axes[count:]:
        spare.set_visible(False)
    for above in axes[max(0, count - columns) : count]:
        above.tick_params(labelbottom=True)
    return list(axes[:count])


def valley_legend(figure: Figure | SubFigure, axes: Sequence[Axes]) -> None:
    """Explain every mark once, below the valleys."""
    handles: dict[str, Any] = {}
    for ax in axes:
        handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))


def draw_valleys(axes: Sequence[Axes], posterior: Posterior) -> None:
    """Draw one valley per batch size tried."""
    rates = posterior.sweep.learning_rate
    span = (float(rates.min()) / 1.5, float(rates.max()) * 1.5)
    observations = posterior.observations
    top = _loss_top(posterior)
    bottom = float(np.quantile(posterior.draws("floor"), 0.05, axis=0).min())
    margin = 0.06 * (top - bottom)
    for index, ax in enumerate(axes):
        _draw_valley(ax, posterior, index, np.geomspace(*span, _VALLEY_POINTS))
        ax.set(xscale="log", xlim=span, ylim=(bottom - margin, top + 2 * margin))
        _draw_off_scale(ax, posterior, index, top + margin)
        optimum = np.exp(np.quantile(posterior.draws("log_optimal_learning_rate")[:, index], QUANTILES))
        ax.set_title(f"B = {number(observations.batch_size[index])}: best at {scientific(float(optimum[2]))}")
        ax.label_outer()
        ax.set_xlabel("learning rate")
    for ax in axes:
        if ax.get_subplotspec() is None or ax.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            ax.set_ylabel(f"loss [{posterior.sweep.loss_unit}]")


def _draw_valley(ax: Axes, posterior: Posterior, index: int, rates: FloatArray) -> None:
    observations = posterior.observations
    centre = posterior.draws("log_optimal_learning_rate")[:, index]
    log_distance = observations.log_batch_size[index] - observations.log_reference_batch_size
    curvature = np.exp(posterior.draws("log_curvature") + posterior.draws("curvature_slope") * log_distance)
    shape = valley(
        np,
        np.log(rates)[None, :] - centre[:, None],
        posterior.draws("valley_rate")[:, None],
        posterior.draws("valley_asymmetry")[:, None],
    )
    loss = posterior.draws("floor")[:, index, None] + curvature[:, None] * shape
    bands = np.quantile(loss, QUANTILES, axis=0)
    ax.fill_between(rates, bands[0], bands[4], color=BLUE, alpha=WIDE, linewidth=0, label="90 % of valley")
    ax.fill_between(rates, bands[1], bands[3], color=BLUE, alpha=NARROW, linewidth=0, label="50 %")
    ax.plot(rates, bands[2], color=BLUE, linewidth=1.5, label="median")
    low, middle, high = np.exp(np.quantile(centre, [0.05, 0.5, 0.95]))
    ax.axvspan(low, high, color=ORANGE, alpha=0.3, linewidth=0, zorder=0, label="optimum, 90 %")
    ax.axvline(middle, color=ORANGE, linewidth=1.2, zorder=1)
    here = observations.finished.cell_index == index
    ax.plot(
        np.exp(observations.finished.log_learning_rate[here]),
        observations.finished.value[here],
        "o",
        color="black",
        markersize=4,
        zorder=4,
        label="run",
    )


def _draw_off_scale(ax: Axes, posterior: Posterior, index: int, top: float) -> None:
    """Mark at the top what is too high to show, and what diverged."""
    observations = posterior.observations
    high = (observations.finished.cell_index == index) & (observations.finished.value > top)
    censored = observations.censored.cell_index == index
    arrows = np.concatenate(
        [observations.finished.log_learning_rate[high], observations.censored.log_learning_rate[censored]]
    )
    crosses = observations.wall.log_learning_rate[
        (observations.wall.cell_index == index) & (observations.wall.value == 1)
    ]
    for rates, marker, label in ((arrows, "^", "loss off the scale"), (crosses, "x", "diverged")):
        if len(rates):
            ax.plot(
                np.exp(rates),
                np.full(len(rates), top),
                marker,
                color=RED,
                markersize=6,
                label=label,
                zorder=5,
            )


def _loss_top(posterior: Posterior) -> float:
    """The highest loss worth showing: a few depths of the valleys above the floor, or all losses."""
    losses = posterior.observations.finished.value
    low, typical = float(losses.min()), float(np.quantile(losses, 0.75))
    return min(float(losses.max()), low + 2.5 * max(typical - low, 1e-12))
