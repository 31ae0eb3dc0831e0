"""Parameters of the laws in the user's units, and whether the runs identify them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from surge_fit._support.intervals import Interval
from surge_fit._support.results import Result
from surge_fit.law import LawDraws
from surge_fit.model.steps import OVERHEAD
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray

PROBABILITY = 0.9
"""Probability of the intervals; one end of them is then a 95 % bound."""

TAIL = (1 - PROBABILITY) / 2
"""Probability of each side outside of them."""

MAX_CONTRACTION = 0.5
"""A number is identified when the runs at least halve the width of its prior interval."""

MAX_NONE = 0.05
"""… and when the probability that it does not exist is at most this."""

_EXCLUDED = 0.2
"""Share of the prior below (above) a bound from which on the bound is worth saying.

A number is identified only if both of its bounds are: where the runs cut the prior off on one side, what is
left of it is narrow too, but its far end is the prior's alone.
"""

CURVE_LAW = "broken_power"
"""The law whose posterior tells what the curve does: it holds the other shapes."""

Bound: TypeAlias = Literal["lower", "upper"]


@dataclass(frozen=True, slots=True)
class ParameterEstimate(Result):
    """One number of a law, in the user's units.

    Attributes
    ----------
    name : str
        ``noise_scale`` [batch unit] or ``max_learning_rate`` of the law of the learning rate;
        ``critical_batch_size`` [batch unit], ``overhead_batch_size`` (0.2 of it, where a run takes 20 % more
        examples than the fewest), ``min_steps`` and ``min_examples`` [batch unit] of that of the steps.
    median : float
        Infinite where the number more likely than not does not exist.
    interval : tuple of float
        Central 90 % interval.
    probability : float
        0.9.
    identified : bool
        Whether the runs add much to the prior.
    bound : {"lower", "upper"} or None
        Where it is not identified: the side from which the runs bound it, if any.
    probability_none : float
        Probability that the law has no such number: no maximum, for ``max_learning_rate``.
    """

    name: str
    median: float
    interval: tuple[float, float]
    probability: float
    identified: bool
    bound: Bound | None
    probability_none: float

    def __repr__(self) -> str:
        low, high = self.interval
        known = "identified" if self.identified else "not identified"
        return (
            f"ParameterEstimate({self.name} {self.median:.3g}, {100 * self.probability:.0f} % interval "
            f"{low:.3g} … {high:.3g}, {known})"
        )

    def _record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CurveStatements:
    """Shape of the curve, from a fit of the default law to all runs.

    Attributes
    ----------
    probability_falls : float
        That the optimal learning rate falls at the largest batch size tried, its peak behind it.
    probability_peak_inside : float
        That it peaks between the smallest and the largest batch size tried.
    small_batch_slope : float
        Median of the log-log slope in the limit of small batch sizes.
    slope_interval : tuple of float
        Its central 90 % interval.
    probability_below_half, probability_above_one : float
        That this slope is less than ½, and more than 1.
    slope_resolved : bool
        Whether the interval excludes ½ (square-root scaling) or 1 (linear scaling).
    trustworthy : bool
        Whether the chains of the fit agree.
    """

    probability_falls: float
    probability_peak_inside: float
    small_batch_slope: float
    slope_interval: tuple[float, float]
    probability_below_half: float
    probability_above_one: float
    slope_resolved: bool
    trustworthy: bool


def estimate_parameters(posterior: Posterior) -> tuple[ParameterEstimate, ...]:
    """Estimate the parameters of the fitted laws, in the user's units.

    The law of the learning rate has a maximum and, where it bends, a noise scale; that of the steps to a
    target a critical batch size and the fewest steps and examples.

    Parameters
    ----------
    posterior : Posterior

    Returns
    -------
    tuple of ParameterEstimate

    Examples
    --------
    >>> for estimate in sf.estimate_parameters(posterior):
    ...     print(f"{estimate.name}: {'identified' if estimate.identified else 'not identified'}")
    noise_scale: not identified
    max_learning_rate: not identified
    critical_batch_size: not identified
    overhead_batch_size: not identified
    min_steps: not identified
    min_examples: identified
    """
    # One batch size shows no law, and its best rate is no maximum over batch sizes.
    has_law = posterior.has_law and not posterior.has_one_batch_size
    estimates = _of_learning_rate(posterior) if has_law else []
    return (*estimates, *(_of_steps(posterior) if posterior.has_steps else ()))


def _before(posterior: Posterior, name: str) -> FloatArray:
    """Prior draws of a variable, shape (draw,)."""
    return np.asarray(posterior.draw_groups["prior"][name], dtype=np.float64).reshape(-1)


def _of_learning_rate(posterior: Posterior) -> list[ParameterEstimate]:
    law = posterior.law
    before = {p.name: _before(posterior, p.name) for p in law.parameters}
    estimates = []
    if "log_noise_scale" in posterior.law_draws:
        estimates.append(
            _estimate("noise_scale", posterior.law_draws["log_noise_scale"], before["log_noise_scale"])
        )
    prior_supremum = LawDraws.of(law, before).supremum()
    estimates.append(_estimate("max_learning_rate", posterior.law_draws.supremum(), prior_supremum))
    return estimates


def _of_steps(posterior: Posterior) -> list[ParameterEstimate]:
    critical, least = posterior.draws("log_critical_batch_size"), posterior.draws("log_min_steps")
    before, examples, shift = (
        _before(posterior, "log_critical_batch_size"),
        critical + least,
        np.log(OVERHEAD),
    )
    return [
        _estimate("critical_batch_size", critical, before),
        _estimate("overhead_batch_size", critical + shift, before + shift),
        # Batch sizes far from B_crit tell one of these two; the other is then as well known as B_crit, their
        # ratio, and is judged by the prior of that: its own is wide on purpose.
        _estimate("min_steps", least, np.median(examples) - before),
        _estimate("min_examples", examples, np.median(least) + before),
    ]


def curve_statements(posterior: Posterior) -> CurveStatements:
    """Say what a posterior of the default law knows of the curve.

    Parameters
    ----------
    posterior : Posterior
        A fit of the law `CURVE_LAW`.

    Returns
    -------
    CurveStatements
    """
    log_tried = posterior.observations.log_batch_size
    peak = posterior.law_draws.peak()
    slope = posterior.law_draws["small_batch_slope"]
    interval = Interval.of(slope, TAIL)
    return CurveStatements(
        probability_falls=float(np.mean(peak < log_tried[-1])),
        probability_peak_inside=float(np.mean((peak > log_tried[0]) & (peak < log_tried[-1]))),
        small_batch_slope=interval.median,
        slope_interval=interval.ends,
        probability_below_half=float(np.mean(slope < 0.5)),
        probability_above_one=float(np.mean(slope > 1.0)),
        slope_resolved=not (interval.low <= 0.5 and interval.high >= 1.0),
        trustworthy=posterior.diagnostics.trustworthy,
    )


def _estimate(name: str, log_draws: FloatArray, log_prior: FloatArray) -> ParameterEstimate:
    interval = Interval.of(log_draws, TAIL, order_statistics=True)  # a draw may be infinite
    low, high = interval.ends
    scale = interval.exp()
    none = float(np.mean(np.isposinf(log_draws)))
    # Where the number may not exist, neither width need be finite.
    narrow = none <= MAX_NONE and interval.width <= MAX_CONTRACTION * _width(log_prior)
    identified = narrow and not _one_sided(low, high, log_prior)
    return ParameterEstimate(
        name=name,
        median=scale.median,
        interval=scale.ends,
        probability=PROBABILITY,
        identified=identified,
        bound=None if identified else _bound(low, high, log_prior),
        probability_none=none,
    )


def _width(log_prior: FloatArray) -> float:
    return Interval.of(log_prior[np.isfinite(log_prior)], TAIL).width


def _one_sided(low: float, high: float, log_prior: FloatArray) -> bool:
    """Whether the prior, cut off at one end of the interval, would end where the other end is."""
    above, below = log_prior[log_prior > low], log_prior[log_prior < high]
    excluded = [float(np.mean(side)) for side in (above > high, below < low) if len(side)]
    return min(excluded, default=1.0) < _EXCLUDED


def _bound(low: float, high: float, log_prior: FloatArray) -> Bound | None:
    below, above = float(np.mean(log_prior < low)), float(np.mean(log_prior > high))
    if max(below, above) < _EXCLUDED:
        return None
    return "lower" if below >= above else "upper"
