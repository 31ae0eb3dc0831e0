"""Every prior beside the posterior: what the runs added, and where they added next to nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from surge_fit.errors import InputError
from surge_fit.plots.saving import save_figure
from surge_fit.plots.style import BLUE, GREY, NARROW, RED, STYLE
from surge_fit.posterior.value import Posterior
from surge_fit.priors import LogNormal, Prior
from surge_fit.typing import FloatArray, Path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HARDLY_NARROWER = 0.8
"""Width of the posterior's 90 % interval over that of the prior from which on the runs told little."""

_COLUMNS = 5
_POINTS, _BINS = 200, 30
_PRIOR_DRAWS = 4000


def plot_priors(posterior: Posterior) -> Figure:
    """Draw the density of every prior and a histogram of its posterior, each scaled to the same height.

    Where the 90 % interval of the posterior is hardly narrower than that of the prior (0.8 of it or more),
    histogram and title are red. Parameters of several cells or covariates are shown together, of several
    groups the mean of the population. Log-normal priors have a logarithmic axis.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If the posterior is one group's of a fit of several, whose priors are those of the population.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if posterior.chosen_group is not None:
        msg = (
            f"Priors belong to the fit of all groups; this posterior is about {posterior.group_label!r} "
            "alone. Draw those of the fit that it was taken from."
        )
        raise InputError(msg)
    rows = math.ceil(len(posterior.priors) / _COLUMNS)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(2.3 * _COLUMNS, 1.7 * rows + 0.6), layout="constrained")
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for ax, (name, prior) in zip(axes, posterior.priors.items(), strict=False):
            _draw(ax, name, prior, _posterior_draws(posterior, name))
        for spare in axes[len(posterior.priors) :]:
            spare.set_visible(False)
        handles = [
            Line2D([], [], color=GREY, label="prior"),
            Patch(color=BLUE, alpha=NARROW, label="posterior"),
            Patch(color=RED, alpha=NARROW, label="hardly narrower than its prior"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def save_priors(posterior: Posterior, path: Path) -> None:
    """Write `plot_priors` to a file, whole or not at all, and without a display.

    Parameters
    ----------
    posterior : Posterior
    path : path-like
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    """
    save_figure(lambda: plot_priors(posterior), path)


def hardly_narrower(prior: Prior, draws: FloatArray) -> bool:
    """Whether draws of the posterior are about as wide as the prior, in logarithms of log-normal ones.

    Parameters
    ----------
    prior : Prior
    draws : ndarray
        Any shape; all of one parameter.
    """
    scale = np.log if isinstance(prior, LogNormal) else np.asarray
    low, high = np.quantile(scale(draws), [0.05, 0.95])
    prior_low, prior_high = np.quantile(scale(_prior_draws(prior)), [0.05, 0.95])
    return bool(high - low >= HARDLY_NARROWER * (prior_high - prior_low))


def _posterior_draws(posterior: Posterior, name: str) -> FloatArray:
    """All draws of what has this prior: of several groups, the mean of the population."""
    mean = f"{name}_mean"
    return posterior.draws(mean if mean in posterior.draw_groups["posterior"] else name).ravel()


def _prior_draws(prior: Prior) -> FloatArray:
    return prior.draw(np.random.default_rng(0), _PRIOR_DRAWS)


def _draw(ax: Axes, name: str, prior: Prior, draws: FloatArray) -> None:
    from matplotlib.ticker import LogLocator, NullLocator

    logarithmic = isinstance(prior, LogNormal)
    prior_draws = _prior_draws(prior)
    ends = [np.quantile(prior_draws, [0.005, 0.995]), np.quantile(draws, [0.001, 0.999])]
    low, high = (float(end) for end in (min(low for low, _ in ends), max(high for _, high in ends)))
    space = np.geomspace if logarithmic else np.linspace
    x = space(low, high, _POINTS)
    # Density per unit of the axis.
    density = np.exp(prior.log_density(x) + (np.log(x) if logarithmic else 0.0))
    first, last = np.quantile(draws, [0.001, 0.999])
    counts, edges = np.histogram(draws, space(float(first), float(last), _BINS + 1))
    color = RED if hardly_narrower(prior, draws) else BLUE
    ax.stairs(counts / counts.max(), edges, fill=True, color=color, alpha=NARROW)
    ax.plot(x, density / density.max(), color=GREY, linewidth=1.4)
    ax.set(xlim=(low, high), ylim=(0, 1.08), yticks=[], xscale="log" if logarithmic else "linear")
    if logarithmic:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_locator(NullLocator())
    ax.spines["left"].set_visible(False)
    ax.set_title(name, fontsize=8, color=RED if color == RED else "black")
    ax.tick_params(labelsize=7.5)
