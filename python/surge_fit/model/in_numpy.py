"""Draws of the free parameters → everything that follows from them, in NumPy.

`Evaluation` runs `surge_fit.model.definition` on numbers: deterministic quantities, draws from the prior,
draws of runs, densities. All draws are computed at once; arrays have the dims ``chain`` and ``draw`` in
front. No sampler is imported, so that any of them can be followed by `surge_fit.posterior.assembly.infer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from surge_fit.model import discrepancy
from surge_fit.model.definition import coordinates, interpret
from surge_fit.model.draw_groups import Variables
from surge_fit.model.loss_surface import STUDENT_T_DEGREES, divergence_probability
from surge_fit.model.observations import Observations
from surge_fit.model.spec import Model
from surge_fit.priors import Normal, Prior, StudentT
from surge_fit.typing import FloatArray, Namespace

_DRAWS = ("chain", "draw")
_STUDENT_T = StudentT(degrees=STUDENT_T_DEGREES, location=0.0, scale=1.0)


@dataclass(frozen=True, slots=True)
class _Free:
    """A free parameter and its log density."""

    dims: tuple[str, ...]
    value: FloatArray
    density_dims: tuple[str, ...]
    log_density: Callable[[], FloatArray]


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """Likelihood of the runs of one dim; censored ones have no observed values and are not drawn."""

    dim: str
    log_density: Callable[[], FloatArray]
    observed: np.ndarray | None = None
    draw: Callable[[np.random.Generator], np.ndarray] | None = None


class _OnDraws:
    """Interpreter that looks the free parameters up among draws, and keeps all else."""

    xp: Namespace = np

    def __init__(self, draws: Mapping[str, FloatArray]) -> None:
        self._draws = draws
        self.constants: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self.free: dict[str, _Free] = {}
        self.deterministics: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
        self.likelihoods: dict[str, _Likelihood] = {}

    def _values(
        self, name: str, dim: str | None, draw: Callable[[np.random.Generator, tuple[int, ...]], FloatArray]
    ) -> FloatArray:
        """Values of a free parameter of this dim; `draw` draws so many of them from the prior."""
        return self._draws[name]

    def _free_parameter(self, name: str, prior: Prior, dim: str | None, shift: Any = 0.0) -> FloatArray:
        value = self._values(name, dim, lambda rng, size: prior.draw(rng, size) + shift)
        dims = (dim,) if dim else ()
        self.free[name] = _Free(dims, value, dims, lambda: prior.log_density(value - shift))
        return value

    def data(self, name: str, value: Any, dim: str | None = None) -> np.ndarray:
        array = np.asarray(value)
        self.constants[name] = ((dim,) if dim else tuple(f"{name}_dim_{i}" for i in range(array.ndim))), array
        return array

    def variable(self, name: str, prior: Prior, dim: str | None = None, shift: Any = None) -> FloatArray:
        if prior.centre is not None:
            self.data(f"{name}_prior_location", prior.centre)
        return self._free_parameter(name, prior, dim, 0.0 if shift is None else shift)

    def standard_normal(self, name: str, dim: str) -> FloatArray:
        return self._free_parameter(name, Normal(mean=0.0, sd=1.0), dim)

    def around(self, name: str, centre: Any, scale: Any, dim: str) -> FloatArray:
        def draw(rng: np.random.Generator, size: tuple[int, ...]) -> FloatArray:
            return np.asarray(centre + scale[..., None] * rng.standard_normal(size))

        value = self._values(name, dim, draw)
        t, log_scale = (value - centre) / scale[..., None], np.log(scale)[..., None]
        self.free[name] = _Free(
            (dim,), value, (dim,), lambda: Normal(mean=0.0, sd=1.0).log_density(t) - log_scale
        )
        return value

    def process(self, name: str, mean: Any, scale: Any, rows: discrepancy.Rows, dim: str) -> FloatArray:
        def draw(rng: np.random.Generator, size: tuple[int, ...]) -> FloatArray:
            return np.asarray(discrepancy.deviate(mean, scale, rows, rng.standard_normal(size)))

        value = self._values(name, dim, draw)
        self.free[name] = _Free(
            (dim,), value, (), lambda: np.asarray(discrepancy.log_density(np, value, mean, scale, rows))
        )
        return value

    def deterministic(self, name: str, value: Any, dim: str | None = None) -> Any:
        self.deterministics[name] = (dim,) if dim else (), value
        return value

    def student_t(
        self, name: str, predicted: Callable[[], tuple[Any, Any]], value: np.ndarray, dim: str
    ) -> None:
        def log_density() -> FloatArray:
            mean, sd = predicted()
            return np.asarray(_STUDENT_T.log_density((value - mean) / sd) - np.log(sd))

        def draw(rng: np.random.Generator) -> np.ndarray:
            mean, sd = predicted()
            return np.asarray(mean + sd * _STUDENT_T.draw(rng, mean.shape))

        self.likelihoods[name] = _Likelihood(dim, log_density, value, draw)

    def bernoulli(self, name: str, logit: Callable[[], Any], value: np.ndarray, dim: str) -> None:
        def log_density() -> FloatArray:
            log_odds = logit()
            return np.asarray(-np.logaddexp(0.0, np.where(value == 1, -log_odds, log_odds)))

        def draw(rng: np.random.Generator) -> np.ndarray:
            log_odds = logit()
            diverged = rng.random(log_odds.shape) < divergence_probability(np, log_odds, 0.0, 1.0)
            return np.asarray(diverged.astype(np.int64))

        self.likelihoods[name] = _Likelihood(dim, log_density, value.astype(np.int64), draw)

    def censored(self, name: str, log_probability: Callable[[], Any], dim: str) -> None:
        self.likelihoods[name] = _Likelihood(dim, lambda: np.asarray(log_probability()))


class _FromPrior(_OnDraws):
    """Interpreter that draws the free parameters from their priors."""

    def __init__(self, observations: Observations, count: int, seed: int) -> None:
        super().__init__({})
        self._size = {dim: len(labels) for dim, labels in coordinates(observations).items()}
        self._count, self._rng = count, np.random.default_rng(seed)

    def _values(
        self, name: str, dim: str | None, draw: Callable[[np.random.Generator, tuple[int, ...]], FloatArray]
    ) -> FloatArray:
        # A shift by another parameter is one number per draw, and so is a parameter that is shifted.
        return draw(self._rng, (1, self._count, *((self._size[dim],) if dim else ())))


class Evaluation:
    """A model at draws of its free parameters: all that follows from them, computed when first asked for.

    Values of the size of the parameters are then kept; predictions of runs are not, except the log
    likelihood.

    Parameters
    ----------
    model : Model
    free : mapping of str to ndarray, each of shape (chain, draw) or (chain, draw, entry)
        Draws of every free parameter, on the scale of its prior; others are not looked at.

    Raises
    ------
    KeyError
        If a free parameter is missing, when it is needed.
    """

    def __init__(self, model: Model, free: Mapping[str, FloatArray]) -> None:
        self.model = model
        self._draws = free

    @classmethod
    def of_prior(cls, model: Model, count: int, seed: int) -> Evaluation:
        """Draw the free parameters from their priors.

        Parameters
        ----------
        model : Model
        count : int
            Number of draws, of one chain.
        seed : int

        Returns
        -------
        Evaluation
        """
        interpreter = _FromPrior(model.observations, count, seed)
        interpret(model, interpreter)
        evaluation = cls(model, {name: free.value for name, free in interpreter.free.items()})
        evaluation._interpreted = interpreter
        return evaluation

    @cached_property
    def _interpreted(self) -> _OnDraws:
        interpreter = _OnDraws(self._draws)
        interpret(self.model, interpreter)
        return interpreter

    @property
    def free(self) -> dict[str, FloatArray]:
        """Draws of the free parameters alone, each of shape (chain, draw) or (chain, draw, entry)."""
        return {name: free.value for name, free in self._interpreted.free.items()}

    @property
    def deterministics(self) -> Variables:
        """Deterministic functions of the free parameters, by the names that they have in the PyMC model."""
        return _with_draws(self._interpreted.deterministics)

    @property
    def parameters(self) -> Variables:
        """The free parameters, and all that follows from them."""
        free = {name: (free.dims, free.value) for name, free in self._interpreted.free.items()}
        return _with_draws(free | self._interpreted.deterministics)

    @cached_property
    def log_prior(self) -> Variables:
        """Log prior density [nats] of every free parameter, given those that it depends on.

        With the dim of the parameter, or of all cells together for ``log_optimal_learning_rate``.
        """
        parameters = self._interpreted.free.items()
        return _with_draws({name: (free.density_dims, free.log_density()) for name, free in parameters})

    @cached_property
    def log_likelihood(self) -> Variables:
        """Log density (or probability) of every run [nats].

        ``loss``, ``diverged``, ``log_optimum``, ``log_steps``, and of censored runs
        ``censored_loss`` and ``censored_steps``.
        """
        likelihoods = self._interpreted.likelihoods.items()
        return _with_draws({name: ((part.dim,), part.log_density()) for name, part in likelihoods})

    @cached_property
    def log_density(self) -> FloatArray:
        """Log of prior times likelihood [nats], all constants included; shape (chain, draw).

        With respect to the parameters as they are, not as they are sampled.
        """
        terms = self._interpreted
        parts: Iterable[_Free | _Likelihood] = chain(terms.free.values(), terms.likelihoods.values())
        densities = (part.log_density() for part in parts)
        return np.asarray(sum(density.reshape(*density.shape[:2], -1).sum(axis=2) for density in densities))

    @property
    def terms(self) -> int:
        """Number of terms of the log likelihood."""
        sizes = {dim: len(labels) for dim, labels in coordinates(self.model.observations).items()}
        return sum(sizes[part.dim] for part in self._interpreted.likelihoods.values())

    def predictive(self, seed: int | np.random.Generator) -> Variables:
        """Draw the runs anew under every draw of the parameters.

        Parameters
        ----------
        seed : int or numpy.random.Generator

        Returns
        -------
        dict of str to (dims, ndarray)
            ``loss`` [the sweep's unit], ``diverged`` [0 or 1], ``log_optimum`` and ``log_steps``, as far as
            the model has them. Censored runs are not drawn.
        """
        rng, likelihoods = np.random.default_rng(seed), self._interpreted.likelihoods.items()
        return _with_draws(
            {name: ((part.dim,), part.draw(rng)) for name, part in likelihoods if part.draw is not None}
        )

    @property
    def observed_data(self) -> Variables:
        """Observed values, by the names of `predictive`."""
        likelihoods = self._interpreted.likelihoods.items()
        return {name: ((part.dim,), part.observed) for name, part in likelihoods if part.observed is not None}

    @property
    def constant_data(self) -> Variables:
        """All other data of the model, by their names there."""
        observed = [values for _, values in self.observed_data.values()]
        constants = self._interpreted.constants.items()
        return {
            name: (dims, values)
            for name, (dims, values) in constants
            if not any(values is other for other in observed)
        }

    def thinned(self, every: int) -> Evaluation:
        """Keep one draw of so many of each chain."""
        return Evaluation(self.model, {name: values[:, ::every] for name, values in self.free.items()})


def _with_draws(variables: Variables) -> Variables:
    return {name: ((*_DRAWS, *dims), value) for name, (dims, value) in variables.items()}
