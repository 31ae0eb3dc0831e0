"""Draws of the free parameters → everything that a fit keeps, each group computed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from surge_fit.model.definition import coordinates
from surge_fit.model.draw_groups import Dataset, DrawGroups, Variables
from surge_fit.model.in_numpy import Evaluation
from surge_fit.model.spec import Model
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
    model: Model, free: Mapping[str, FloatArray], sample_stats: Mapping[str, np.ndarray], seed: int
) -> DrawGroups:
    """Everything that a fit keeps, in the groups that ArviZ reads, each computed when it is asked for.

    Parameters
    ----------
    model : Model
    free : mapping of str to ndarray, each of shape (chain, draw) or (chain, draw, entry)
        Draws of every free parameter, on the scale of its prior.
    sample_stats : mapping of str to ndarray, each of shape (chain, draw, ...)
        Statistics of the sampler for every draw.
    seed : int
        Seed of the draws from the prior and of the predictive ones.

    Returns
    -------
    DrawGroups
        Groups ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior``, ``prior``,
        ``prior_predictive``, ``posterior_predictive``, ``observed_data`` and ``constant_data``. Draws of runs
        are thinned to about `PREDICTIVE_DRAWS`, and so is the log likelihood of more than 400 runs, whose
        attribute ``thinned_by`` then says so.
    """
    groups = _Groups(Evaluation(model, free), sample_stats, seed)
    return DrawGroups({name: partial(getattr, groups, name) for name in _GROUPS})


class _Groups:
    """Groups of a fit, one property for each, computed when it is read."""

    def __init__(self, evaluation: Evaluation, stats: Mapping[str, np.ndarray], seed: int) -> None:
        self.evaluation, self.stats, self.seed = evaluation, stats, seed

    @property
    def posterior(self) -> Dataset:
        return self.dataset(self.evaluation.parameters)

    @property
    def sample_stats(self) -> Dataset:
        return self.dataset(
            {
                name: (("chain", "draw", *(f"{name}_dim_{i}" for i in range(value.ndim - 2))), value)
                for name, value in self.stats.items()
            }
        )

    @property
    def log_likelihood(self) -> Dataset:
        if self.evaluation.terms > _MOST_POINTWISE:
            thinned = self.dataset(self.thinned.log_likelihood, self.every)
            return replace(thinned, attributes={"thinned_by": self.every})
        return self.dataset(self.evaluation.log_likelihood)

    @property
    def log_prior(self) -> Dataset:
        return self.dataset(self.evaluation.log_prior)

    @property
    def prior(self) -> Dataset:
        return self.dataset(self.at_prior.parameters)

    @property
    def prior_predictive(self) -> Dataset:
        return self.dataset(self.at_prior.predictive(self.rng()))

    @property
    def posterior_predictive(self) -> Dataset:
        rng = self.rng()
        self.at_prior.predictive(rng)  # which takes the first of its numbers
        return self.dataset(self.thinned.predictive(rng), self.every)

    @property
    def observed_data(self) -> Dataset:
        return self.dataset(self.thinned.observed_data)

    @property
    def constant_data(self) -> Dataset:
        return self.dataset(self.thinned.constant_data)

    @cached_property
    def at_prior(self) -> Evaluation:
        """The model at draws from the prior."""
        return Evaluation.of_prior(self.evaluation.model, PREDICTIVE_DRAWS, self.seed)

    @cached_property
    def thinned(self) -> Evaluation:
        """The model at some of the draws."""
        return self.evaluation.thinned(self.every)

    @property
    def every(self) -> int:
        """One draw of so many is kept where draws are thinned."""
        chains, draws = next(iter(self.evaluation.free.values())).shape[:2]
        return max(1, int(chains * draws) // PREDICTIVE_DRAWS)

    def rng(self) -> np.random.Generator:
        """Random numbers of the predictive draws."""
        return np.random.default_rng([self.seed, 1])

    def dataset(self, variables: Variables, every: int = 1) -> Dataset:
        """Variables with the labels of their dims; draws are counted in steps of `every`."""
        labels = coordinates(self.evaluation.model.observations)
        counted = {
            dim: np.arange(size) * (every if dim == "draw" else 1)
            for dim, size in Dataset(variables, {}).sizes.items()
        }
        return Dataset(variables, {dim: labels.get(dim, count) for dim, count in counted.items()})
