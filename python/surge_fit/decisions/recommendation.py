"""Posterior → the learning rate to use, with its interval and what a wrong choice would cost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

import numpy as np

from surge_fit._support.arguments import distinct, require_batch_sizes, require_positive
from surge_fit._support.intervals import Interval
from surge_fit._support.results import Result
from surge_fit._support.wording import number
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.known_batch_sizes import require_known_batch_sizes
from surge_fit.decisions.landscape import landscape_of
from surge_fit.law import LawDraws
from surge_fit.posterior.value import Posterior
from surge_fit.typing import BatchUnit, FloatArray

_CANDIDATES = 400
_FLAT = 0.005
"""Exponents below this are reported as zero."""

_REACH = 1.5
"""How far the candidates reach beyond the optimum's draws, in log learning rate."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another learning rate that one might have used, and what it would cost.

    Attributes
    ----------
    name : str
        ``current``, or the rule that gives it from the best run of the sweep: ``square_root``, ``linear``.
    learning_rate : float
    expected_regret : float or None
        Expected loss above that of the unknown optimum [loss]; None where no losses were fitted.
    """

    name: str
    learning_rate: float
    expected_regret: float | None


@dataclass(frozen=True, slots=True)
class Recommendation(Result):
    """The learning rate for one batch size.

    Attributes
    ----------
    batch_size : float
        In `batch_unit`.
    batch_unit : {"examples", "sequences", "tokens"}
    learning_rate : float
        Minimises the expected regret. Where no losses were fitted (optimum points), the centre of the
        optimum's distribution.
    interval_50, interval_90 : tuple of float
        Central intervals of the optimal learning rate.
    expected_regret : float or None
        Expected loss above that of the unknown optimum [loss].
    equivalent_range : tuple of float or None
        Learning rates whose expected regret is within the noise of one run (one standard deviation) of the
        recommended one; the smaller ones are safer.
    probability_past_peak : float
        Probability that the law has a peak and this batch size lies beyond it.
    probability_of_divergence : float or None
        Probability that a run at the recommended rate diverges.
    extrapolation : bool
        Whether the batch size lies outside those tried.
    e_folds_outside : float
        How far, in natural log units; 0 inside.
    slope : tuple of float
        5, 50 and 95 % quantiles of the local exponent d log lr* / d log B of the law.
    alternatives : tuple of Alternative
        The current rate and, for a group that was run, those of the usual rules.
    reason : str
        One sentence.
    group : str or None
        Label of the group; None where the sweep has no groups.
    covariate_e_folds : tuple of (str, float)
        How far each covariate of the group lies outside those of the groups that were run, in natural log
        units: positive beyond the largest, negative below the smallest, 0 inside.
    """

    batch_size: float
    batch_unit: BatchUnit
    learning_rate: float
    interval_50: tuple[float, float]
    interval_90: tuple[float, float]
    expected_regret: float | None
    equivalent_range: tuple[float, float] | None
    probability_past_peak: float
    probability_of_divergence: float | None
    extrapolation: bool
    e_folds_outside: float
    slope: tuple[float, float, float]
    alternatives: tuple[Alternative, ...]
    reason: str
    group: str | None = None
    covariate_e_folds: tuple[tuple[str, float], ...] = ()

    def __repr__(self) -> str:
        low, high = self.interval_90
        regret = "" if self.expected_regret is None else f", expected regret {self.expected_regret:.2g}"
        return (
            f"Recommendation(learning rate {self.learning_rate:.3g} at batch size {number(self.batch_size)} "
            f"[{self.batch_unit}], 90 % interval {low:.3g} … {high:.3g}{regret}"
            f"{', extrapolated' if self.extrapolation else ''})"
        )

    def _record(self) -> dict[str, Any]:
        record = asdict(self)
        interval = record.pop("interval_90")
        low, median, high = record.pop("slope")
        record["covariate_e_folds"] = dict(self.covariate_e_folds)
        return {
            **record,
            "interval": interval,
            "probability": PROBABILITY,
            "slope": {"median": median, "interval": (low, high)},
        }

    def _rows(self) -> tuple[dict[str, Any]]:
        record = self._record()
        alternatives = {choice.pop("name"): choice for choice in record.pop("alternatives")}
        return ({**record, **alternatives},)


@overload
def recommend(
    posterior: Posterior, *, batch_size: float, current_learning_rate: float | None = None
) -> Recommendation: ...
@overload
def recommend(
    posterior: Posterior,
    *,
    batch_size: Sequence[float] | FloatArray,
    current_learning_rate: float | None = None,
) -> tuple[Recommendation, ...]: ...
def recommend(
    posterior: Posterior,
    *,
    batch_size: float | Sequence[float] | FloatArray,
    current_learning_rate: float | None = None,
) -> Recommendation | tuple[Recommendation, ...]:
    """Recommend a learning rate for a batch size, or for each of several.

    Parameters
    ----------
    posterior : Posterior
        From `surge_fit.fit`; if it pools several groups, what `Posterior.group` returns.
    batch_size : float or sequence of float
        In the sweep's batch unit.
    current_learning_rate : float, optional
        The rate in use: its expected regret is reported beside that of the recommended rate.

    Returns
    -------
    Recommendation or tuple of Recommendation
        One for a number; for a sequence one for each batch size, in the order given.

    Raises
    ------
    InputError
        If a batch size or the current learning rate is not a positive finite number, or the posterior
        pools several groups.

    Notes
    -----
    The expected regret of a rate is the mean over the posterior of ``(1 − π) κ h(u) + π max(C, κ h(u))``:
    what the valley costs where the run survives, and where it diverges (probability π) at least the range of
    the losses seen, C.

    Examples
    --------
    >>> r = sf.recommend(posterior, batch_size=512, current_learning_rate=3e-3)
    >>> round(r.learning_rate, 2), r.extrapolation
    (0.01, False)
    >>> [alternative.name for alternative in r.alternatives]
    ['current', 'square_root', 'linear']
    >>> r.expected_regret < r.alternatives[0].expected_regret
    True
    """
    posterior.require_one_group()
    asked = require_batch_sizes(batch_size)
    sizes = distinct(asked)
    require_known_batch_sizes(posterior, sizes)
    require_positive("current_learning_rate", current_learning_rate)
    deviation = posterior.discrepancy(sizes)
    log_optimum = posterior.law_draws.optimum(sizes) + deviation
    slopes = _local_slopes(posterior.law_draws, sizes)
    past = posterior.law_draws.peak()[:, None] < np.log(sizes)[None, :]
    others = [_alternatives(posterior, float(size), current_learning_rate) for size in sizes]
    candidates = np.stack(
        [_candidates(log_optimum[:, j], [rate for _, rate in others[j]]) for j in range(len(sizes))]
    )
    regret: FloatArray | None = None
    divergence: FloatArray | None = None
    if posterior.has_surface:
        regret, divergence = posterior.law_draws.regret(
            sizes, candidates, landscape_of(posterior), offset=deviation
        )
    by_size = {
        float(size): _recommendation(
            posterior,
            batch_size=float(size),
            log_optimum=log_optimum[:, j],
            slope=Interval.of(slopes[:, j], tail=0.05),
            past_peak=float(past[:, j].mean()),
            candidates=candidates[j],
            regret=None if regret is None else regret[j],
            divergence=None if divergence is None else divergence[j],
            others=others[j],
        )
        for j, size in enumerate(sizes)
    }
    recommendations = tuple(by_size[float(size)] for size in asked)
    return recommendations[0] if np.ndim(batch_size) == 0 else recommendations


def _local_slopes(law: LawDraws, sizes: FloatArray) -> FloatArray:
    """Exponent of the law at each batch size, by a central difference; shape (draw, batch_size)."""
    step = 1e-3
    around = np.concatenate([sizes * math.exp(-step), sizes * math.exp(step)])
    values = law.optimum(around)
    return np.asarray((values[:, len(sizes) :] - values[:, : len(sizes)]) / (2 * step))


def _alternatives(posterior: Posterior, size: float, current: float | None) -> list[tuple[str, float]]:
    """Name and learning rate of each alternative: the rate in use, two rules from the best run."""
    alternatives = [] if current is None else [("current", float(current))]
    judged = bool(np.isfinite(posterior.sweep.outcome).any())
    if posterior.has_own_runs and posterior.sweep.kind == "runs" and judged:
        best = posterior.sweep.best_run()
        alternatives += [
            (name, best.learning_rate * (size / best.batch_size) ** exponent)
            for name, exponent in (("square_root", 0.5), ("linear", 1.0))
        ]
    return alternatives


def _candidates(log_optimum: FloatArray, others: Sequence[float]) -> FloatArray:
    low, high = np.quantile(log_optimum, [0.005, 0.995])
    grid = np.linspace(low - _REACH, high + _REACH, _CANDIDATES)
    return np.concatenate([grid, np.log(np.asarray(others, dtype=np.float64))])


def _recommendation(
    posterior: Posterior,
    *,
    batch_size: float,
    log_optimum: FloatArray,
    slope: Interval,
    past_peak: float,
    candidates: FloatArray,
    regret: FloatArray | None,
    divergence: FloatArray | None,
    others: list[tuple[str, float]],
) -> Recommendation:
    grid = candidates[:_CANDIDATES]
    if regret is None:
        rate, own, equivalent = float(np.exp(log_optimum.mean())), None, None
    else:
        best = int(np.argmin(regret[:_CANDIDATES]))
        rate, own = float(np.exp(grid[best])), float(regret[best])
        noise = float(np.median(posterior.draws("loss_noise")))
        near = grid[regret[:_CANDIDATES] <= own + noise]
        equivalent = (float(np.exp(near[0])), float(np.exp(near[-1])))
    tried = posterior.observations.batch_size
    outside = max(math.log(tried[0] / batch_size), math.log(batch_size / tried[-1]), 0.0)
    costs: Sequence[float | None] = [None] * len(others) if regret is None else regret[_CANDIDATES:].tolist()
    half, most = (Interval.of(log_optimum, tail).exp() for tail in (0.25, 0.05))
    exponent = slope.low, slope.median, slope.high
    return Recommendation(
        batch_size=batch_size,
        batch_unit=posterior.sweep.batch_unit,
        learning_rate=rate,
        interval_50=half.ends,
        interval_90=most.ends,
        expected_regret=own,
        equivalent_range=equivalent,
        probability_past_peak=past_peak,
        probability_of_divergence=None if divergence is None else float(divergence[best]),
        extrapolation=outside > 0,
        e_folds_outside=outside,
        slope=exponent,
        alternatives=tuple(
            Alternative(name, other, cost) for (name, other), cost in zip(others, costs, strict=True)
        ),
        reason=_reason(posterior, batch_size, exponent, past_peak, most.high / most.low),
        group=posterior.group_label,
        covariate_e_folds=() if posterior.chosen_group is None else posterior.chosen_group.covariate_e_folds,
    )


def _reason(
    posterior: Posterior,
    batch_size: float,
    slope: tuple[float, float, float],
    past_peak: float,
    width: float,
) -> str:
    low, middle, high = slope
    if posterior.has_one_batch_size:
        trend = "how the optimum moves with the batch size was not seen"
    elif max(abs(low), abs(high)) < _FLAT:
        trend = "the optimum does not depend on the batch size"
    elif low > 0:
        trend = f"the optimum still rises, about as B^{middle:.2f}"
    elif high < 0:
        trend = f"the optimum falls, about as B^{middle:.2f} (past the peak with probability {past_peak:.2f})"
    else:
        trend = f"whether the optimum rises, stays or falls here is open (B^{low:.2f} to B^{high:.2f})"
    where = _where(posterior, batch_size)
    return f"{where}: {trend}; 90 % of the posterior lies within a factor of {_times(width)[:-1]}."


def _where(posterior: Posterior, batch_size: float) -> str:
    """Say whether the batch size was tried and, of a group that was never run, how far that is from those."""
    tried = posterior.observations.batch_size
    if batch_size > tried[-1]:
        where = (
            f"Extrapolated to {_times(batch_size / tried[-1])} the largest batch size tried ({tried[-1]:g})"
        )
    elif batch_size < tried[0]:
        where = (
            f"Extrapolated to 1/{_times(tried[0] / batch_size)[:-1]} of the smallest one tried ({tried[0]:g})"
        )
    elif batch_size in tried:
        where = "Tried"
    else:
        where = f"Between batch sizes tried ({tried[0]:g} to {tried[-1]:g})"
    if posterior.chosen_group is None or posterior.chosen_group.tried:
        return where
    group = ", ".join(["A group never run", *posterior.chosen_group.outside])
    return f"{group}; {where[0].lower()}{where[1:]} in other groups"


def _times(factor: float) -> str:
    """A factor to two digits, without an exponent: ``1.3×``, ``290×``."""
    rounded = float(f"{factor:.2g}")
    return f"{rounded:,.0f}×" if rounded >= 10 else f"{rounded:g}×"
