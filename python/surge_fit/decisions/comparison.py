"""Which law do the runs support? Each is judged by how it predicts a batch size that it has not seen.

The question is extrapolation over the batch size, so whole batch sizes are left out, one at a time, and every
law is fitted anew to the others: exact, at the cost of (laws × batch sizes) fits. A tie is called a tie, and
a law that loses is said to lose.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, TypeAlias

import numpy as np

from surge_fit._support.results import Result
from surge_fit._support.wording import listing, plural
from surge_fit._version import __version__
from surge_fit.decisions.estimates import CURVE_LAW, PROBABILITY, CurveStatements, curve_statements
from surge_fit.decisions.held_out import held_out_log_density, log_mean
from surge_fit.errors import InputError, SweepError
from surge_fit.law import Law, get_law
from surge_fit.model.observations import Observations, observe, require_learning_rates
from surge_fit.model.spec import Model
from surge_fit.posterior import fitting
from surge_fit.posterior.value import Posterior
from surge_fit.sampling.diagnostics import FOR_MEANS
from surge_fit.sweep import Sweep
from surge_fit.typing import BatchUnit, FloatArray, Progress

DEFAULT_LAWS = (
    "constant",
    "square_root",
    "power",
    "sgd",
    "large_batch_half",
    "surge",
    "saturating_surge",
    "broken_power",
)
"""The laws that `compare` compares by default."""

LEAST_BATCH_SIZES = 3
"""Without one batch size, a fit needs two more."""

CLEAR_ERRORS, CLEAR_NATS = 2.0, 4.0
"""A law loses where it is worse by more than so many standard errors and by more than so many nats: the
standard errors of smaller differences are not to be relied upon (arXiv:2008.10296)."""

MAX_MONTE_CARLO_ERROR = 0.5
"""A score whose Monte Carlo standard error [nats] exceeds this is not to be relied upon."""

_SHOWN = 8
"""Laws in the short form of a comparison."""

_STACKING_GAP, _STACKING_STEPS = 1e-6, 20_000

Verdict: TypeAlias = Literal["best", "tie", "loses"]


@dataclass(frozen=True, slots=True)
class LawScore:
    """How one law predicts the batch sizes that it has not seen.

    Attributes
    ----------
    law : Law
    elpd : float
        Log predictive density of all left-out runs [nats], the sum of `pointwise`. Only differences between
        laws mean something: its zero depends on the unit of the loss.
    difference : float
        `elpd` less that of the best law; 0 for the best, else negative.
    standard_error : float
        Standard error of `difference`: √n times the standard deviation of the pointwise differences over the
        n batch sizes.
    weight : float
        Stacking weight: the share of this law in the mixture of laws that predicts best.
    pointwise : tuple of float
        Log predictive density at each batch size.
    monte_carlo_error : float
        Standard error of `elpd` that comes from the finite number of draws.
    verdict : {"best", "tie", "loses"}
        ``loses`` where the difference exceeds both two standard errors and four nats, else ``tie``.
    """

    law: Law
    elpd: float
    difference: float
    standard_error: float
    weight: float
    pointwise: tuple[float, ...]
    monte_carlo_error: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class LawComparison(Result):
    """Which law predicts best, and which predict clearly worse.

    Attributes
    ----------
    scores : tuple of LawScore
        The best law first.
    batch_sizes : tuple of float
        Batch sizes left out, one at a time; ascending, in `batch_unit`.
    statements : CurveStatements or None
        From a fit of the default law to all runs; None where there are too few for it.
    left_out : tuple of tuple of str
        Name and reason of every law that could not be fitted.
    untrusted : tuple of tuple
        Name of the law, batch size left out, and problem of every refit whose chains do not agree. It was
        used nevertheless.
    source : str
        The table of runs.
    kind : {"runs", "optimum_points"}
        Kind of the rows of the table.
    runs : int
        Number of runs used.
    batch_unit : {"examples", "sequences", "tokens"}
    random_seed : int
    version : str
        Version of surge_fit.
    """

    scores: tuple[LawScore, ...]
    batch_sizes: tuple[float, ...]
    statements: CurveStatements | None
    left_out: tuple[tuple[str, str], ...]
    untrusted: tuple[tuple[str, float, str], ...]
    source: str
    kind: Literal["runs", "optimum_points"]
    runs: int
    batch_unit: BatchUnit
    random_seed: int
    version: str

    def __repr__(self) -> str:
        left_out = plural(len(self.batch_sizes), "batch size")
        head = f"LawComparison({plural(self.runs, 'run')}, {left_out} left out, one after another"
        lines = [
            f"  {score.law.name}: {score.verdict}, elpd {score.difference:+.1f} ± {score.standard_error:.1f}"
            for score in self.scores[:_SHOWN]
        ]
        more = len(self.scores) - len(lines)
        lines += [f"  … and {plural(more, 'law')} more"] if more else []
        return "\n".join([head, *lines]) + ")"

    def _record(self) -> dict[str, Any]:
        curve = None if self.statements is None else asdict(self.statements) | {"probability": PROBABILITY}
        return {
            "version": self.version,
            "source": self.source,
            "kind": self.kind,
            "runs": self.runs,
            "batch_sizes": self.batch_sizes,
            "batch_unit": self.batch_unit,
            "random_seed": self.random_seed,
            "laws": self._rows(),
            "curve": curve,
            "left_out": [{"law": law, "reason": reason} for law, reason in self.left_out],
            "untrusted": [
                {"law": law, "batch_size_left_out": size, "problem": problem}
                for law, size, problem in self.untrusted
            ],
        }

    def _rows(self) -> list[dict[str, Any]]:
        return [
            {
                "law": score.law.name,
                "verdict": score.verdict,
                "elpd": score.elpd,
                "difference": score.difference,
                "standard_error": score.standard_error,
                "weight": score.weight,
                "monte_carlo_error": score.monte_carlo_error,
                "pointwise": score.pointwise,
            }
            for score in self.scores
        ]

    @property
    def best(self) -> LawScore:
        """The law with the highest predictive density; others may tie with it."""
        return self.scores[0]


def compare(
    sweep: Sweep,
    *,
    laws: Sequence[str | Law] | None = None,
    random_seed: int = 0,
    progress: Progress | None = None,
) -> LawComparison:
    """Compare laws by how they predict the runs of a batch size that they were not fitted to.

    For every law and every batch size b the sweep is fitted without b, and the runs at b are predicted:
    ``log p(y_b | y_−b)`` is the log of the mean over the posterior of the density of all runs at b, with the
    optimum drawn from the law and its discrepancy. The floor of the valley at b, which no other batch size
    informs, is integrated out against its prior; that prior is scaled by the best run at b and by the whole
    sweep, the same for all laws, so the comparison is fair. Where the sweep holds optimum points, their own
    density counts. A law without its discrepancy is not compared: each law is as `fit` has it.

    Parameters
    ----------
    sweep : Sweep
        Runs of one group, or optimum points, at three or more batch sizes.
    laws : sequence of str or Law, optional
        Two or more; `DEFAULT_LAWS` of `surge_fit.decisions.comparison` where None.
    random_seed : int
        Seed of every fit.
    progress : callable, optional
        Called with law, batch size and stage, and the share of that stage; see `surge_fit.progress_bar`.

    Returns
    -------
    LawComparison

    Raises
    ------
    SweepError
        If the sweep has several groups or no learning rates, there are fewer than three usable batch sizes,
        or fewer than two laws can be fitted without one.
    InputError
        If a law is unknown or named twice, there are fewer than two, or the seed is not a non-negative
        integer.

    Notes
    -----
    Differences, their standard errors and stacking weights follow arXiv 1507.04544 and arXiv 1704.02030, with
    batch sizes in the place of observations. With a handful of batch sizes the standard errors are rough.
    Scores are means over draws, and refits are held to what means need
    (`surge_fit.sampling.diagnostics.FOR_MEANS`): natively 300 draws of each chain, more where these do not
    pass.

    Examples
    --------
    >>> comparison = sf.compare(sweep, laws=["constant", "square_root", "surge"])  # doctest: +SKIP
    >>> [(score.law.name, score.verdict) for score in comparison.scores]  # doctest: +SKIP
    """
    chosen = _distinct(laws)
    if len(sweep.groups) > 1:
        msg = (
            f"Laws are compared on one group at a time; {sweep.source} has {len(sweep.groups)}. Choose one "
            "with sweep.select(…) (command line: --group): "
            f"{listing([repr(label) for label in sweep.groups], 10)}."
        )
        raise SweepError(msg)
    require_learning_rates(sweep)
    observations = observe(sweep)
    if len(observations.batch_size) < LEAST_BATCH_SIZES:
        usable = plural(len(observations.batch_size), "batch size")
        msg = (
            f"A comparison needs usable runs at {LEAST_BATCH_SIZES} or more batch sizes, since it leaves one "
            f"out at a time and a fit needs two; {sweep.source} has {usable}. Add batch sizes, or fit one "
            "law."
        )
        raise SweepError(msg)
    refits, left_out = _refits(sweep, observations, chosen)
    if len(refits) < 2:
        msg = (
            f"A comparison needs two or more laws that can be fitted without one batch size; of "
            f"{plural(len(chosen), 'law')} {len(refits)} can. {left_out[0][0]}: {left_out[0][1]}"
        )
        raise SweepError(msg)
    predicted, untrusted, whole = _predict(sweep, observations, refits, random_seed, progress)
    return LawComparison(
        scores=_scores(predicted),
        batch_sizes=tuple(observations.batch_size.tolist()),
        statements=None if whole is None else curve_statements(whole),
        left_out=left_out,
        untrusted=untrusted,
        source=sweep.source,
        kind="optimum_points" if sweep.kind == "optimum_points" else "runs",
        runs=observations.count,
        batch_unit=sweep.batch_unit,
        random_seed=random_seed,
        version=__version__,
    )


def _distinct(laws: Sequence[str | Law] | None) -> list[Law]:
    chosen = [get_law(law) for law in (DEFAULT_LAWS if laws is None else laws)]
    names = [law.name for law in chosen]
    if len(names) < 2 or len(set(names)) < len(names):
        msg = (
            f"'laws' must hold two or more laws, each once; got {', '.join(names) or 'none'}. "
            "Name others (`surge-fit laws`), or leave it out to compare the usual ones."
        )
        raise InputError(msg)
    return chosen


def _refits(
    sweep: Sweep, observations: Observations, laws: Iterable[Law]
) -> tuple[dict[str, list[Model]], tuple[tuple[str, str], ...]]:
    """Models without one batch size after another, by law; name and reason of laws that cannot be fitted."""
    refits: dict[str, list[Model]] = {}
    left_out: list[tuple[str, str]] = []
    sweeps = [sweep.where(sweep.batch_size != size) for size in observations.batch_size]
    remaining = [(others, observe(others)) for others in sweeps]
    for law in laws:
        try:
            refits[law.name] = [Model.of(others, law, observations=seen) for others, seen in remaining]
        except SweepError as error:
            left_out.append((law.name, str(error)))
    return refits, tuple(left_out)


def _predict(
    sweep: Sweep,
    observations: Observations,
    refits: Mapping[str, Sequence[Model]],
    random_seed: int,
    progress: Progress | None,
) -> tuple[list[tuple[Law, FloatArray]], tuple[tuple[str, float, str], ...], Posterior | None]:
    """Fit every law without every batch size, in one go, and the default law to all runs.

    Returns for every law its log predictive densities and their Monte Carlo errors, shape (2, batch_size);
    the problems of the refits, which are used all the same; and the fit of all runs, None where they are too
    few.
    """
    models = [model for of_law in refits.values() for model in of_law]
    fit = partial(fitting.fit_models, random_seed=random_seed, progress=progress)
    fits = iter(fit(models, for_means=True))
    whole = None
    if observations.count >= len(get_law(CURVE_LAW).parameters):
        (whole,) = fit([Model.of(sweep, CURVE_LAW, observations=observations)])
    predicted: list[tuple[Law, FloatArray]] = []
    untrusted: list[tuple[str, float, str]] = []
    for name, of_law in refits.items():
        left_out = []
        for index, posterior in enumerate(islice(fits, len(of_law))):
            size = float(observations.batch_size[index])
            untrusted += [(name, size, problem) for problem in posterior.diagnostics.beyond(FOR_MEANS)]
            left_out.append(log_mean(held_out_log_density(posterior, observations, index)))
        predicted.append((of_law[0].law, np.array(left_out).T))
    return predicted, tuple(untrusted), whole


def _scores(predicted: Iterable[tuple[Law, FloatArray]]) -> tuple[LawScore, ...]:
    ranked = sorted(predicted, key=lambda pair: -float(pair[1][0].sum()))
    pointwise = np.stack([densities for _, (densities, _) in ranked])
    weights = stacking_weights(pointwise)
    scores: list[LawScore] = []
    for (law, (densities, errors)), weight in zip(ranked, weights.tolist(), strict=True):
        behind = densities - pointwise[0]
        difference = float(behind.sum())
        standard_error = float(math.sqrt(len(behind)) * behind.std(ddof=1))
        clear = -difference > max(CLEAR_ERRORS * standard_error, CLEAR_NATS)
        scores.append(
            LawScore(
                law=law,
                elpd=float(densities.sum()),
                difference=difference,
                standard_error=standard_error,
                weight=weight,
                pointwise=tuple(densities.tolist()),
                monte_carlo_error=float(math.sqrt((errors**2).sum())),
                verdict="best" if not scores else "loses" if clear else "tie",
            )
        )
    return tuple(scores)


def stacking_weights(pointwise: FloatArray) -> FloatArray:
    """Weigh laws such that their mixture predicts best.

    Maximises ``Σ_b log Σ_k w_k p_k(b)`` over weights that are not negative and sum to one (arXiv 1704.02030,
    Eq. 4), a concave problem, by the EM algorithm of mixture weights, from equal ones.

    Parameters
    ----------
    pointwise : ndarray, shape (law, batch_size)
        Log densities [nats].

    Returns
    -------
    ndarray, shape (law,)
        Within 1e-6 nats per batch size of the optimum, by the duality gap ``log max_k mean_b p_k/Σ w p``.
    """
    density = np.exp(pointwise - pointwise.max(axis=0))
    weights = np.full(len(density), 1.0 / len(density))
    for _ in range(_STACKING_STEPS):
        gain = (density / (weights @ density)).mean(axis=1)
        if gain.max() <= 1.0 + _STACKING_GAP:
            break
        weights = weights * gain
    return np.asarray(weights / weights.sum())
