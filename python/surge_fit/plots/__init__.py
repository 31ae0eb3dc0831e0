"""Figures: the law with its uncertainty over batch sizes, and the loss valleys that it was read from.

Matplotlib is imported when something is drawn.

>>> from surge_fit.plots import plot_recommendation
>>> recommendations = sf.recommend(posterior, batch_size=[64, 4096])
>>> plot_recommendation(posterior, recommendations).savefig("law.svg")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from surge_fit.decisions.recommendation import Recommendation
from surge_fit.plots.comparison import plot_comparison, save_comparison
from surge_fit.plots.curve import plot_learning_rate_curve, save_learning_rate_curve
from surge_fit.plots.gradients import plot_gradient_noise, save_gradient_noise
from surge_fit.plots.law import draw_law, plot_law
from surge_fit.plots.population import plot_population
from surge_fit.plots.priors import plot_priors, save_priors
from surge_fit.plots.saving import save_figure
from surge_fit.plots.steps import plot_steps
from surge_fit.plots.style import STYLE
from surge_fit.plots.valleys import draw_valleys, grid, plot_valleys, valley_axes, valley_legend
from surge_fit.posterior.value import Posterior
from surge_fit.typing import Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "plot_comparison",
    "plot_gradient_noise",
    "plot_law",
    "plot_learning_rate_curve",
    "plot_population",
    "plot_priors",
    "plot_recommendation",
    "plot_steps",
    "plot_valleys",
    "save_comparison",
    "save_fit",
    "save_gradient_noise",
    "save_learning_rate_curve",
    "save_priors",
    "save_recommendation",
]


def plot_recommendation(posterior: Posterior, recommendations: Sequence[Recommendation] = ()) -> Figure:
    """Draw the law and, where losses were fitted, the valleys below it; of one batch size its valley alone.

    Parameters
    ----------
    posterior : Posterior
    recommendations : sequence of Recommendation

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    if posterior.has_one_batch_size and posterior.has_surface and posterior.has_own_runs:
        return plot_valleys(posterior)
    with plt.rc_context(STYLE):
        if not (posterior.has_surface and posterior.has_own_runs):
            figure = plt.figure(figsize=(7.6, 5.0), layout="constrained")
            draw_law(figure.add_subplot(), posterior, recommendations)
            return figure
        count = len(posterior.observations.batch_size)
        rows, _ = grid(count)
        figure = plt.figure(figsize=(9.2, 5.0 + 2.6 * rows), layout="constrained")
        halves: Any = figure.subfigures(2, 1, height_ratios=[5.0, 2.6 * rows], hspace=0.04)
        top, bottom = halves
        draw_law(top.add_subplot(), posterior, recommendations)
        axes = valley_axes(bottom, count)
        draw_valleys(axes, posterior)
        valley_legend(bottom, axes)
    return figure


def save_fit(posterior: Posterior, path: Path) -> None:
    """Write the figure of what was fitted to a file, whole or not at all, and without a display.

    Parameters
    ----------
    posterior : Posterior
        Drawn by `plot_recommendation`; by `plot_steps` where steps to a target are all there is; where it
        holds several groups, by `plot_population`.
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    if posterior.is_pooled:
        save_figure(lambda: _figure(plot_population, posterior), path)
    elif posterior.has_law:
        save_recommendation(posterior, (), path)
    else:
        save_figure(lambda: _figure(plot_steps, posterior), path)


def _figure(plot: Callable[[Posterior, Axes], Axes], posterior: Posterior) -> Figure:
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(7.6, 5.0), layout="constrained")
        plot(posterior, figure.add_subplot())
    return figure


def save_recommendation(posterior: Posterior, recommendations: Sequence[Recommendation], path: Path) -> None:
    """Write `plot_recommendation` to a file, whole or not at all, and without a display.

    Parameters
    ----------
    posterior : Posterior
    recommendations : sequence of Recommendation
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    save_figure(lambda: plot_recommendation(posterior, recommendations), path)
