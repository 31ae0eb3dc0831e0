"""Draws of the free parameters → everything that follows from them, in NumPy.

Interpreters of `surge_fit.model.definition` that compute: deterministic quantities, draws from the prior,
draws of runs, densities. All draws are computed at once; arrays have the dims ``chain`` and ``draw`` in
front. No sampler is imported, so that any of them can be followed by `surge_fit.posterior.assembly.infer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from surge_fit.law import Law
from surge_fit.model import discrepancy
from surge_fit.model.definition import coordinates, interpret
from surge_fit.model.draw_groups import Variables
from surge_fit.model.loss_surface import STUDENT_T_DEGREES, divergence_probability
from surge_fit.model.observations import Observations
from surge_fit.priors import Normal, Prior, Priors, StudentT
from surge_fit.typing import FloatArray, Namespace

_DRAWS = ("chain", "draw")
_STUDENT_T = StudentT(degrees=STUDENT_T_DEGREES, location=0.0, scale=1.0)


@dataclass(frozen=True, slots=True)
class _Free:
    """A free parameter, and the log density that it was given."""

    dims: tuple[str, ...]
    value: FloatArray
    density_dims: tuple[str, ...]
    log_density: Callable[[], FloatArray]


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """Runs of one dim; where only a bound of them is known, there is nothing to draw or to show."""

    dim: str
    log_density: Callable[[], FloatArray]
    seen: np.ndarray | None = None
    draw: Callable[[np.random.Generator], np.ndarray] | None = None


class _OnDraws:
    """Looks the free parameters up among draws, and keeps what follows from them."""

    xp: Namespace = np

    def __init__(self, given: Mapping[str, FloatArray]) -> None:
        self._given = given
        self.known: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self.free: dict[str, _Free] = {}
        self.follows: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self.likelihoods: dict[str, _Likelihood] = {}

    def _values(
        self, name: str, dim: str | None, draw: Callable[[np.random.Generator, tuple[int, ...]], FloatArray]
    ) -> FloatArray:
        """Values of a free parameter of this dim; `draw` draws so many of them from the prior."""
        return self._given[name]

    def _take(self, name: str, prior: Prior, dim: str | None, shift: Any = 0.0) -> FloatArray:
        value = self._values(name, dim, lambda rng, size: prior.draw(rng, size) + shift)
        dims = (dim,) if dim else ()
        self.free[name] = _Free(dims, value, dims, lambda: prior.log_density(value - shift))
        return value

    def data(self, name: str, value: Any, dim: str | None = None) -> np.ndarray:
        array = np.asarray(value)
        self.known[name] = ((dim,) if dim else tuple(f"{name}_dim_{i}" for i in range(array.ndim))), array
        return array

    def variable(self, name: str, prior: Prior, dim: str | None = None, shift: Any = None) -> FloatArray:
        if prior.centre is not None:
            self.data(f"{name}_prior_location", prior.centre)
        return self._take(name, prior, dim, 0.0 if shift is None else shift)

    def standard_normal(self, name: str, dim: str) -> FloatArray:
        return self._take(name, Normal(mean=0.0, sd=1.0), dim)

    def around(self, name: str, centre: Any, scale: Any, dim: str) -> FloatArray:
        def draw(rng: np.random.Generator, size: tuple[int, ...]) -> FloatArray:
            return np.asarray(centre + scale[..., None] * rng.standard_normal(size))

        value = self._values(name, dim, draw)
        t, log_scale = (value - centre) / scale[..., None], np.log(scale)[..., None]
        self.free[name] = _Free(
            (dim,), value, (dim,), lambda: Normal(mean=0.0, sd=1.0).log_density(t) - log_scale
        )
        return value

    def process(self, name: str, curve: Any, scale: Any, rows: discrepancy.Rows, dim: str) -> FloatArray:
        def draw(rng: np.random.Generator, size: tuple[int, ...]) -> FloatArray:
            return np.asarray(discrepancy.deviate(curve, scale, rows, rng.standard_normal(size)))

        value = self._values(name, dim, draw)
        self.free[name] = _Free(
            (dim,), value, (), lambda: np.asarray(discrepancy.log_density(np, value, curve, scale, rows))
        )
        return value

    def deterministic(self, name: str, value: Any, dim: str | None = None) -> Any:
        self.follows[name] = (dim,) if dim else (), value
        return value

    def student_t(self, name: str, mean: Any, sd: Any, value: np.ndarray, dim: str) -> None:
        self.likelihoods[name] = _Likelihood(
            dim,
            lambda: _STUDENT_T.log_density((value - mean) / sd) - np.log(sd),
            value,
            lambda rng: mean + sd * _STUDENT_T.draw(rng, mean.shape),
        )

    def bernoulli(self, name: str, logit: Any, value: np.ndarray, dim: str) -> None:
        self.likelihoods[name] = _Likelihood(
            dim,
            lambda: -np.logaddexp(0.0, np.where(value == 1, -logit, logit)),
            value.astype(np.int64),
            lambda rng: (rng.random(logit.shape) < divergence_probability(np, logit, 0.0, 1.0)).astype(
                np.int64
            ),
        )

    def censored(self, name: str, log_probability: Any, dim: str) -> None:
        self.likelihoods[name] = _Likelihood(dim, lambda: np.asarray(log_probability))


class _FromPrior(_OnDraws):
    """Draws the free parameters from their priors."""

    def __init__(self, observations: Observations, count: int, seed: int) -> None:
        super().__init__({})
        self._size = {dim: len(labels) for dim, labels in coordinates(observations).items()}
        self._count, self._rng = count, np.random.default_rng(seed)

    def _values(
        self, name: str, dim: str | None, draw: Callable[[np.random.Generator, tuple[int, ...]], FloatArray]
    ) -> FloatArray:
        # A shift by another parameter is one number per draw, and so is a parameter that is shifted.
        return draw(self._rng, (1, self._count, *((self._size[dim],) if dim else ())))


def _at(observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]) -> _OnDraws:
    found = _OnDraws(free)
    interpret(observations, law, priors, found)
    return found


def _with_draws(variables: Variables) -> Variables:
    return {name: ((*_DRAWS, *dims), value) for name, (dims, value) in variables.items()}


def _parameters(found: _OnDraws) -> Variables:
    """The free parameters, and those that follow from them."""
    return _with_draws({name: (free.dims, free.value) for name, free in found.free.items()} | found.follows)


def deterministics(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> Variables:
    """Compute all that follows from draws of the free parameters.

    Parameters
    ----------
    observations : Observations
    law : Law
        Built in or not.
    priors : Priors
        All priors of the model.
    free : mapping of str to ndarray, each of shape (chain, draw) or (chain, draw, entry)
        Draws of every free parameter, on the scale of its prior.

    Returns
    -------
    dict of str to (dims, ndarray)
        What `surge_fit.model.in_pymc` registers as deterministic, by the same names.

    Raises
    ------
    KeyError
        If a free parameter is missing.
    """
    return _with_draws(_at(observations, law, priors, free).follows)


def parameters(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> Variables:
    """Name the dims of the free parameters, and add all that follows from them.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.

    Returns
    -------
    dict of str to (dims, ndarray)
    """
    return _parameters(_at(observations, law, priors, free))


def prior_draws(observations: Observations, law: Law, priors: Priors, count: int, seed: int) -> Variables:
    """Draw all parameters from their priors.

    Parameters
    ----------
    observations, law, priors
        As for `deterministics`.
    count : int
        How many draws, of one chain.
    seed : int

    Returns
    -------
    dict of str to (dims, ndarray)
        The free parameters, and those that follow from them.
    """
    found = _FromPrior(observations, count, seed)
    interpret(observations, law, priors, found)
    return _parameters(found)


def predictive(
    observations: Observations,
    law: Law,
    priors: Priors,
    free: Mapping[str, FloatArray],
    seed: int | np.random.Generator,
) -> Variables:
    """Draw the runs anew under every draw of the parameters.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.
    seed : int or numpy.random.Generator

    Returns
    -------
    dict of str to (dims, ndarray)
        ``loss`` [the sweep's unit], ``diverged`` [0 or 1], ``log_optimum`` and ``log_steps``, as far as the
        model has them. Of runs that are known up to a bound nothing is drawn.
    """
    rng = np.random.default_rng(seed)
    seen = _at(observations, law, priors, free).likelihoods.items()
    return _with_draws({name: ((part.dim,), part.draw(rng)) for name, part in seen if part.draw is not None})


def log_likelihood(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> Variables:
    """Log density (or probability) of every run under every draw.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.

    Returns
    -------
    dict of str to (dims, ndarray)
        [nats]; ``loss``, ``diverged``, ``log_optimum``, ``log_steps``, and of runs that are known up to a
        bound ``censored_loss`` and ``censored_steps``.
    """
    seen = _at(observations, law, priors, free).likelihoods.items()
    return _with_draws({name: ((part.dim,), part.log_density()) for name, part in seen})


def log_prior(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> Variables:
    """Log prior density of every free parameter, given those that it depends on.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.

    Returns
    -------
    dict of str to (dims, ndarray)
        [nats]; with the dim of the parameter, or of all cells together for ``log_optimal_learning_rate``.
    """
    found = _at(observations, law, priors, free).free.items()
    return _with_draws({name: (held.density_dims, held.log_density()) for name, held in found})


def log_density(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> FloatArray:
    """Log of prior times likelihood under every draw.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`.

    Returns
    -------
    ndarray, shape (chain, draw)
        [nats], all constants included; with respect to the parameters as they are, not as they are sampled.
    """
    found = _at(observations, law, priors, free)
    densities = [held.log_density() for held in found.free.values()]
    densities += [part.log_density() for part in found.likelihoods.values()]
    return np.asarray(sum(held.reshape(*held.shape[:2], -1).sum(axis=2) for held in densities))


def data_of(
    observations: Observations, law: Law, priors: Priors, free: Mapping[str, FloatArray]
) -> tuple[Variables, Variables]:
    """What the model knows of the sweep.

    Parameters
    ----------
    observations, law, priors, free
        As for `deterministics`; a few draws are enough.

    Returns
    -------
    tuple of dict of str to (dims, ndarray)
        What was observed, by the names of `predictive`; and all else, by the names of the model's data.
    """
    found = _at(observations, law, priors, free)
    parts = found.likelihoods.items()
    observed = {name: ((part.dim,), part.seen) for name, part in parts if part.seen is not None}
    seen = [values for _, values in observed.values()]
    constant = {
        name: (dims, values)
        for name, (dims, values) in found.known.items()
        if not any(values is other for other in seen)
    }
    return observed, constant
