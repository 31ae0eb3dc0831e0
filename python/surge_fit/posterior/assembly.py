"""Draws of the free parameters → everything that a fit keeps, each group computed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from surge_fit.law import Law
from surge_fit.model.definition import coordinates
from surge_fit.model.draw_groups import Dataset, InferenceData, Variables
from surge_fit.model.in_numpy import (
    data_of,
    log_likelihood,
    log_prior,
    parameters,
    predictive,
    prior_draws,
)
from surge_fit.model.observations import Observations
from surge_fit.priors import Priors
from surge_fit.typing import FloatArray

PREDICTIVE_DRAWS = 500
"""Draws of the prior, and about so many of the runs: enough for checks, which are means and quantiles."""

_MOST_POINTWISE = 400
"""Up to so many runs, their log likelihood is kept for every draw; of more, for the predictive draws."""

_GROUPS = (
    "posterior",
    "sample_stats",
    "log_likelihood",
    "log_prior",
    "prior",
    "prior_predictive",
    "posterior_predictive",
    "observed_data",
    "constant_data",
)


def infer(
    observations: Observations,
    law: Law,
    priors: Priors,
    free: Mapping[str, FloatArray],
    sample_stats: Mapping[str, np.ndarray],
    seed: int,
) -> InferenceData:
    """Everything that a fit keeps, in the groups that ArviZ reads, each computed when it is asked for.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.
    sample_stats : mapping of str to ndarray, each of shape (chain, draw, ...)
        What the sampler tells of every draw.
    seed : int
        Of the draws from the prior and of the runs.

    Returns
    -------
    InferenceData
        Groups ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior``, ``prior``,
        ``prior_predictive``, ``posterior_predictive``, ``observed_data`` and ``constant_data``. Draws of runs
        are thinned to about `PREDICTIVE_DRAWS`, and so is the log likelihood of more than 400 runs.
    """
    made = _Made(observations, law, priors, free, sample_stats, seed)
    return InferenceData({name: getattr(made, name) for name in _GROUPS})


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """What the groups are made of; one method for each of them."""

    observations: Observations
    law: Law
    priors: Priors
    free: Mapping[str, FloatArray]
    stats: Mapping[str, np.ndarray]
    seed: int

    def posterior(self) -> Dataset:
        return self.dataset(parameters(*self.model, self.free))

    def sample_stats(self) -> Dataset:
        return self.dataset(
            {
                name: (("chain", "draw", *(f"{name}_dim_{i}" for i in range(value.ndim - 2))), value)
                for name, value in self.stats.items()
            }
        )

    def log_likelihood(self) -> Dataset:
        thinned = log_likelihood(*self.model, self.few)
        if sum(values.shape[-1] for _, values in thinned.values()) > _MOST_POINTWISE:
            return self.dataset(thinned, self.every)
        return self.dataset(log_likelihood(*self.model, self.free))

    def log_prior(self) -> Dataset:
        return self.dataset(log_prior(*self.model, self.free))

    def prior(self) -> Dataset:
        return self.dataset(prior_draws(*self.model, PREDICTIVE_DRAWS, self.seed))

    def prior_predictive(self) -> Dataset:
        return self.dataset(self.prior_runs(self.rng()))

    def posterior_predictive(self) -> Dataset:
        rng = self.rng()
        self.prior_runs(rng)  # which take the first of its numbers
        return self.dataset(predictive(*self.model, self.few, rng), self.every)

    def observed_data(self) -> Dataset:
        return self.dataset(data_of(*self.model, self.few)[0])

    def constant_data(self) -> Dataset:
        return self.dataset(data_of(*self.model, self.few)[1])

    @property
    def model(self) -> tuple[Observations, Law, Priors]:
        return self.observations, self.law, self.priors

    @property
    def every(self) -> int:
        """One draw of so many is kept where draws are thinned."""
        chains, draws = next(iter(self.free.values())).shape[:2]
        return max(1, int(chains * draws) // PREDICTIVE_DRAWS)

    @property
    def few(self) -> dict[str, FloatArray]:
        return {name: values[:, :: self.every] for name, values in self.free.items()}

    def rng(self) -> np.random.Generator:
        """Of the runs."""
        return np.random.default_rng([self.seed, 1])

    def prior_runs(self, rng: np.random.Generator) -> Variables:
        drawn = prior_draws(*self.model, PREDICTIVE_DRAWS, self.seed)
        return predictive(*self.model, {name: values for name, (_, values) in drawn.items()}, rng)

    def dataset(self, variables: Variables, every: int = 1) -> Dataset:
        """Variables with the labels of their dims; draws are counted in steps of `every`."""
        labels = coordinates(self.observations)
        counted = {
            dim: np.arange(size) * (every if dim == "draw" else 1)
            for dim, size in Dataset(variables, {}).sizes.items()
        }
        return Dataset(variables, {dim: labels.get(dim, count) for dim, count in counted.items()})
