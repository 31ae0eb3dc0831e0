"""A run more or less: the posterior of a sweep that differs by a few runs from the one that was fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from surge_fit.errors import InputError
from surge_fit.model.default_priors import default_priors
from surge_fit.model.in_numpy import Evaluation
from surge_fit.model.observations import observe
from surge_fit.model.spec import Model
from surge_fit.posterior import fitting
from surge_fit.posterior.assembly import infer
from surge_fit.posterior.value import Posterior
from surge_fit.sampling.diagnostics import FOR_INTERVALS
from surge_fit.sampling.importance import MAX_PARETO_K, Weights, smooth
from surge_fit.sweep import Sweep
from surge_fit.typing import FloatArray, Progress

_RESAMPLING = 4
"""Stream of random numbers of the seed, besides those of the posterior."""


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """The posterior of another sweep, and how it came about.

    Attributes
    ----------
    posterior : Posterior
    pareto_k : float
        Tail index of the importance weights; NaN where the two models do not have the same parameters.
    efficiency : float
        Effective sample size of the weights, as a share of the draws: those of the chains, in
        `Posterior.diagnostics`, shrink by this factor; 1 for a new fit.
    reweighted : bool
        Whether the draws are those of the former fit, resampled; else the sweep was fitted anew.
    """

    posterior: Posterior
    pareto_k: float
    efficiency: float
    reweighted: bool


def update(posterior: Posterior, sweep: Sweep, *, progress: Progress | None = None) -> Update:
    """Take runs into a posterior, or out of it.

    Where the sweep has the batch sizes of the former one and its posterior is not too far, the draws are
    weighed by the ratio of the two densities, priors included, and resampled: Pareto-smoothed importance
    sampling (arXiv:1507.02646). Where its tail index reaches 0.7, or the weighted draws are worth fewer than
    400, the sweep is fitted anew.

    Parameters
    ----------
    posterior : Posterior
        From `surge_fit.fit`.
    sweep : Sweep
        Such as the one that was fitted with some of its runs left out, or with new ones.
    progress : callable, optional
        As for `surge_fit.fit`, of a fit that is needed.

    Returns
    -------
    Update
        Its posterior has the priors that were given to the former fit, the default ones scaled by the new
        sweep. Diagnostics of draws that were weighed are those of the former chains.

    Raises
    ------
    SweepError, UntrustworthyFitError
        As `surge_fit.fit`.
    InputError
        If the posterior is that of one group of a pooled fit.
    """
    if posterior.chosen_group is not None:
        msg = (
            "A posterior that is updated must be that of a whole fit; this one is about one of its groups, "
            f"{posterior.group_label!r}. Update the fit, and ask the result for the group."
        )
        raise InputError(msg)
    model = _for_sweep(sweep, posterior.model)
    k = math.nan
    if _same_parameters(posterior.model, model):
        after = Evaluation(model, _free(posterior, model))
        weights = smooth((after.log_density - posterior.evaluation.log_density).ravel())
        k = weights.pareto_k
        if k < MAX_PARETO_K and weights.efficiency * len(weights.weight) >= FOR_INTERVALS.min_ess:
            resampled = _resampled(posterior, after, weights)
            return Update(resampled, k, weights.efficiency, reweighted=True)
    refitted = fitting.fit_models(
        [model],
        engine=posterior.diagnostics.engine,
        random_seed=posterior.random_seed,
        progress=progress,
    )
    fitting.require_trustworthy(refitted)
    return Update(refitted[0], k, 1.0, reweighted=False)


def _for_sweep(sweep: Sweep, model: Model) -> Model:
    """The model of another sweep, with the priors that were given to the former one."""
    observations = observe(sweep, model.covariates)
    former, defaults = (default_priors(runs, model.law) for runs in (model.observations, observations))
    given = {n: p for n, p in model.priors.items() if n in defaults and former.get(n) != p}
    return Model.of(sweep, model.law, priors=given, covariates=model.covariates, observations=observations)


def _same_parameters(one: Model, other: Model) -> bool:
    """Whether two models have the same free parameters."""
    before, after = one.observations, other.observations
    same = [
        np.array_equal(before.batch_size, after.batch_size),
        np.array_equal(before.cell_group, after.cell_group),
        before.groups == after.groups,
        np.array_equal(before.covariates.centred, after.covariates.centred),
        # Every likelihood brings priors of its own.
        set(one.priors) == set(other.priors),
    ]
    return all(same)


def _free(posterior: Posterior, model: Model) -> dict[str, FloatArray]:
    """Draws of the free parameters; floors, told in units of a scale of the data, stay where they are."""
    free = posterior.evaluation.free
    if "floor_gap" in free:
        scales = model.observations.scales
        free["floor_gap"] = (scales.best_loss - posterior.draw_groups["posterior"]["floor"]) / scales.gap
    return free


def _resampled(posterior: Posterior, after: Evaluation, weights: Weights) -> Posterior:
    stats = {name: values for name, (_, values) in posterior.draw_groups["sample_stats"].variables.items()}
    chosen = weights.resample(np.random.default_rng([posterior.random_seed, _RESAMPLING]))

    def take(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(-1, *values.shape[2:])
        return np.asarray(flat[chosen].reshape(values.shape))

    draws, statistics = ({n: take(values) for n, values in arrays.items()} for arrays in (after.free, stats))
    return replace(
        posterior,
        draw_groups=infer(after.model, draws, statistics, posterior.random_seed),
        model=after.model,
    )
