"""The critical batch size, or noise scale, of every group over the first covariate, with the population."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from surge_fit.decisions.estimates import ParameterEstimate
from surge_fit.decisions.trends import estimate_population
from surge_fit.errors import InputError
from surge_fit.plots.style import BEYOND, BLUE, NARROW, QUANTILES, WIDE, styled
from surge_fit.posterior.value import Posterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REACH = 3.0
_CURVE_POINTS = 40


def plot_population(posterior: Posterior, ax: Axes | None = None) -> Axes:
    """Draw the critical batch size of every group over the first covariate of the fit.

    Its 90 % interval for every group, and the median, 50 % and 90 % band for a group that was never run, the
    other covariates at their geometric mean. Where no steps to a target were fitted, the noise scale; where
    the law has none, the learning rate at the reference batch size, without the groups. Covariates outside
    those seen are shaded.

    Parameters
    ----------
    posterior : Posterior
        A posterior of several groups.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on; a new figure without.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the posterior is not of several groups, or has no covariates.
    """
    if not posterior.covariates:
        msg = "The figure of a population is drawn over a covariate; this fit has none. Name one."
        raise InputError(msg)
    with styled(ax) as drawn:
        _draw(drawn, posterior)
        return drawn


def _draw(ax: Axes, posterior: Posterior) -> None:
    name = _variable(posterior)
    covariates = posterior.observations.covariates
    values = np.exp(covariates.log_value[:, 0])
    low, high = values.min() / _REACH, values.max() * _REACH
    grid = np.geomspace(low, high, _CURVE_POINTS)
    others = dict(zip(covariates.names, np.exp(covariates.log_centre).tolist(), strict=True))
    drawn = [posterior.group(others | {covariates.names[0]: float(value)}).draws(name) for value in grid]
    bands = np.exp(np.quantile(np.array(drawn), QUANTILES, axis=1))
    for label, edge in (("not seen", (low, values.min())), (None, (values.max(), high))):
        ax.axvspan(*edge, color=BEYOND, zorder=0, linewidth=0, label=label)
    ax.fill_between(
        grid, bands[0], bands[4], color=BLUE, alpha=WIDE, linewidth=0, label="90 %, group never run"
    )
    ax.fill_between(grid, bands[1], bands[3], color=BLUE, alpha=NARROW, linewidth=0, label="50 %")
    ax.plot(grid, bands[2], color=BLUE, linewidth=1.8, label="median")
    title = name.removeprefix("log_")
    estimates = [
        {estimate.name: estimate for estimate in parameters}.get(title)
        for _, parameters in estimate_population(posterior).groups
    ]
    _draw_groups(ax, values.tolist(), estimates)
    unit = "" if name == "log_reference_learning_rate" else f" [{posterior.sweep.batch_unit}]"
    ax.set(xscale="log", yscale="log", xlim=(low, high))
    ax.set_xlabel(covariates.names[0])
    ax.set_ylabel(title.replace("_", " ") + unit)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.8)


def _variable(posterior: Posterior) -> str:
    names = ("log_critical_batch_size", "log_noise_scale", "log_reference_learning_rate")
    return next(name for name in names if name in posterior.draw_groups["posterior"])


def _draw_groups(ax: Axes, covariate: list[float], estimates: list[ParameterEstimate | None]) -> None:
    points = [
        (at, estimate) for at, estimate in zip(covariate, estimates, strict=True) if estimate is not None
    ]
    if points:
        median = np.array([estimate.median for _, estimate in points])
        ends = np.array([estimate.interval for _, estimate in points]).T
        error = np.stack([median - ends[0], ends[1] - median])
        at = [value for value, _ in points]
        ax.errorbar(
            at, median, yerr=error, fmt="o", color="black", markersize=5, capsize=3.5, label="groups, 90 %"
        )
