"""A run more or less: the posterior of a sweep that differs by a few runs from the one that was fitted."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from surge_fit.errors import InputError
from surge_fit.model.default_priors import default_priors
from surge_fit.model.definition import require_enough_runs
from surge_fit.model.in_numpy import log_density
from surge_fit.model.observations import Observations, observe
from surge_fit.posterior import fitting
from surge_fit.posterior.assembly import infer
from surge_fit.posterior.fitting import Progress
from surge_fit.posterior.value import Posterior
from surge_fit.priors import Priors
from surge_fit.sampling.diagnostics import FOR_INTERVALS
from surge_fit.sampling.importance import MAX_PARETO_K, Weights, smooth
from surge_fit.sweep import Sweep
from surge_fit.typing import FloatArray

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
        How many equally weighted draws the weighted ones are worth, as a share of them: effective sample
        sizes, which `Posterior.diagnostics` tells of the chains, shrink by so much; 1 for a new fit.
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
    if posterior.speaks_of is not None:
        msg = (
            "A posterior that is updated must be that of a whole fit; this one is about one of its groups, "
            f"{posterior.group_label!r}. Update the fit, and ask the result for the group."
        )
        raise InputError(msg)
    law, observations = posterior.law, observe(sweep, posterior.covariates)
    require_enough_runs(observations, law)
    usual, defaults = default_priors(posterior.observations, law), default_priors(observations, law)
    given = {n: p for n, p in posterior.priors.items() if n in defaults and usual.get(n) != p}
    k = math.nan
    if _same_parameters(posterior, observations, defaults):
        priors = defaults.replace(**given)
        free = _moved(posterior, observations)
        weights = _weights(posterior, observations, priors, free)
        k = weights.pareto_k
        if k < MAX_PARETO_K and weights.efficiency * len(weights.weight) >= FOR_INTERVALS.min_ess:
            near = _resampled(posterior, sweep, observations, priors, free, weights)
            return Update(near, k, weights.efficiency, reweighted=True)
    again = fitting.fit(
        sweep,
        law=law,
        priors=given,
        covariates=posterior.covariates,
        engine=posterior.diagnostics.engine,
        random_seed=posterior.random_seed,
        progress=progress,
    )
    return Update(again, k, 1.0, reweighted=False)


def _same_parameters(posterior: Posterior, observations: Observations, priors: Priors) -> bool:
    """Whether the model of the observations has the parameters that the posterior has draws of."""
    before = posterior.observations
    same = [
        np.array_equal(before.batch_size, observations.batch_size),
        np.array_equal(before.cell_group, observations.cell_group),
        before.groups == observations.groups,
        np.array_equal(before.covariates.centred, observations.covariates.centred),
        # Every likelihood brings priors of its own.
        set(posterior.priors) == set(priors),
    ]
    return all(same)


def _moved(posterior: Posterior, observations: Observations) -> dict[str, FloatArray]:
    """Draws of the free parameters; floors, told in units of a scale of the data, stay where they are."""
    data = posterior.inference_data
    free = {name: np.asarray(data["posterior"][name]) for name in data["log_prior"].variables}
    if "floor_gap" in free:
        scales = observations.scales
        free["floor_gap"] = (scales.best_loss - data["posterior"]["floor"]) / scales.gap
    return free


def _weights(
    posterior: Posterior, observations: Observations, priors: Priors, free: dict[str, FloatArray]
) -> Weights:
    # Its own density it keeps once it was asked for, which helps when one run after another is left out.
    held = [posterior.inference_data[group].variables.values() for group in ("log_prior", "log_likelihood")]
    parts = [values.reshape(*values.shape[:2], -1).sum(axis=2) for _, values in chain(*held)]
    after = log_density(observations, posterior.law, priors, free)
    return smooth((after - sum(parts)).ravel())


def _resampled(
    posterior: Posterior,
    sweep: Sweep,
    observations: Observations,
    priors: Priors,
    free: dict[str, FloatArray],
    weights: Weights,
) -> Posterior:
    stats = {name: values for name, (_, values) in posterior.inference_data["sample_stats"].variables.items()}
    chosen = weights.resample(np.random.default_rng([posterior.random_seed, _RESAMPLING]))

    def take(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(-1, *values.shape[2:])
        return np.asarray(flat[chosen].reshape(values.shape))

    draws, told = ({n: take(values) for n, values in held.items()} for held in (free, stats))
    return replace(
        posterior,
        inference_data=infer(observations, posterior.law, priors, draws, told, posterior.random_seed),
        sweep=sweep,
        priors=priors,
    )
