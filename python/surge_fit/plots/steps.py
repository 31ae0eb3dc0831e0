"""Steps to a target loss over the batch size, and the critical batch size, with their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surge_fit.decisions.estimates import estimate_parameters
from surge_fit.plots.style import BEYOND, BLUE, GREY, NARROW, ORANGE, QUANTILES, WIDE, styled
from surge_fit.posterior.value import Posterior
from surge_fit.report.statements import statement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REACH = 4.0
_CURVE_POINTS = 120


def plot_steps(posterior: Posterior, ax: Axes | None = None) -> Axes:
    """Draw the steps to the target over the batch size.

    Median, 50 % and 90 % band of the law; its two limits, the fewest steps and the fewest examples, which
    meet at the critical batch size, and the 90 % interval of that; the runs, with triangles where one ended
    before the target. Batch sizes outside those tried are shaded.

    Parameters
    ----------
    posterior : Posterior
        A posterior of steps to a target.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the sweep has no steps to a target.
    """
    with styled(ax) as drawn:
        _draw(drawn, posterior)
        return drawn


def _draw(ax: Axes, posterior: Posterior) -> None:
    observations = posterior.observations
    tried = observations.batch_size[
        np.union1d(observations.steps.cell_index, observations.censored_steps.cell_index)
    ]
    low, high = tried[0] / _REACH, tried[-1] * _REACH
    sizes = np.geomspace(low, high, _CURVE_POINTS)
    bands = np.exp(np.quantile(posterior.log_steps(sizes), QUANTILES, axis=0))
    for label, edge in (("not tried", (low, tried[0])), (None, (tried[-1], high))):
        ax.axvspan(*edge, color=BEYOND, zorder=0, linewidth=0, label=label)
    ax.fill_between(sizes, bands[0], bands[4], color=BLUE, alpha=WIDE, linewidth=0, label="90 % of the steps")
    ax.fill_between(sizes, bands[1], bands[3], color=BLUE, alpha=NARROW, linewidth=0, label="50 %")
    ax.plot(sizes, bands[2], color=BLUE, linewidth=1.8, label="median")
    estimates = {estimate.name: estimate for estimate in estimate_parameters(posterior)}
    fewest, examples = estimates["min_steps"].median, estimates["min_examples"].median
    ax.axhline(fewest, color=GREY, linewidth=1.0, linestyle=":", zorder=2, label="fewest steps")
    ax.plot(sizes, examples / sizes, "--", color=GREY, linewidth=1.0, zorder=2, label="fewest examples")
    critical = estimates["critical_batch_size"]
    ax.axvspan(
        *np.clip(critical.interval, low, high),
        color=ORANGE,
        alpha=WIDE,
        linewidth=0,
        zorder=1,
        label="critical batch size, 90 %",
    )
    for runs, marker, label in (
        (observations.steps, "o", "runs"),
        (observations.censored_steps, "^", "ended before"),
    ):
        if len(runs) and posterior.has_own_runs:
            sizes_of_runs = observations.batch_size[runs.cell_index]
            ax.plot(
                sizes_of_runs, np.exp(runs.value), marker, color="black", markersize=5, zorder=4, label=label
            )
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(bands[2].min() / 2, bands[2].max() * 1.6))
    ax.set_xlabel(f"batch size [{posterior.sweep.batch_unit}]")
    ax.set_ylabel("optimizer steps to the target")
    title = statement(critical, posterior.sweep.batch_unit)
    ax.set_title(title[0].upper() + title[1:])
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.8)
