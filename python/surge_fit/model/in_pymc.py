"""The definition of the model as a PyMC model.

Everything that comes from the sweep, the locations of the priors included, enters as ``pm.Data``: one
compiled model serves every sweep of the same `structure`. Their widths are constants, which compile faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import Transform

from surge_fit.errors import InputError
from surge_fit.model import discrepancy, loss_surface
from surge_fit.model.definition import coordinates, interpret
from surge_fit.model.spec import Model
from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, StudentT
from surge_fit.typing import Namespace

Tensor: TypeAlias = Any
"""A symbolic array of PyTensor."""


def structure(model: Model) -> tuple[object, ...]:
    """Describe all that shapes the graph of the model: models of equal structure differ in data alone."""
    observations, law = model.observations, model.law
    parts = (
        *(observations.finished, observations.censored, observations.wall, observations.optimum),
        *(observations.steps, observations.censored_steps),
    )
    widths = tuple((name, prior.family, *prior.widths) for name, prior in model.priors.items())
    sizes = len(observations.batch_size), len(observations.groups), len(observations.covariates.names)
    return law.name, law.shape, *sizes, tuple(len(runs) > 0 for runs in parts), widths


def model_data(built: pm.Model) -> dict[str, np.ndarray]:
    """Read back the values of everything that entered the PyMC model as data."""
    return {v.name: v.get_value() for v in built.data_vars}


def assemble(model: Model) -> pm.Model:
    """Build the PyMC model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    pymc.Model
        With the dims ``batch_size`` (of several groups: ``cell``, ``group`` and ``covariate``), ``run``,
        ``censored_run``, ``wall_run``, ``optimum``, ``steps_run`` and ``censored_steps_run``, as far as the
        sweep has them. Learning rates, batch sizes, their ratios and steps are natural logarithms; losses are
        in the sweep's unit.

    Raises
    ------
    InputError
        If a prior of the model is missing, or of a family that cannot serve.
    """
    with pm.Model(coords=coordinates(model.observations)) as built:
        interpret(model, _InPyMC())
    return built


class _Signed(Transform):  # type: ignore[misc]  # PyMC has no types
    """Sample a number whose magnitude the variable is; either sign has half of the probability.

    The density of such a variable does not fall towards zero: its logarithm would have a long tail there, in
    which nothing changes any more and chains get lost.
    """

    name = "signed"

    def forward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        return value

    def backward(self, value: Tensor, *inputs: Tensor) -> Tensor:
        return pt.abs(value)

    def log_jac_det(self, value: Tensor, *inputs: Tensor) -> Tensor:
        return pt.full_like(value, -np.log(2.0))


_SIGNED = _Signed()


class _InPyMC:
    """The interpreter that adds to the model in whose context it runs."""

    xp: Namespace = pt

    def data(self, name: str, value: Any, dim: str | None = None) -> Tensor:
        return pm.Data(name, value, dims=dim)

    def variable(
        self, name: str, prior: Prior, dim: str | None = None, shift: Tensor | None = None
    ) -> Tensor:
        location = None if prior.centre is None else pm.Data(f"{name}_prior_location", prior.centre)
        if shift is not None:
            location = location + shift
        # Explicit widths: PyTensor reads a plain Python number as single precision where that looks exact.
        match prior:
            case Normal(sd=sd):
                return pm.Normal(name, location, np.float64(sd), dims=dim)
            case StudentT(degrees=degrees, scale=scale):
                nu, sigma = np.float64(degrees), np.float64(scale)
                return pm.StudentT(name, nu=nu, mu=location, sigma=sigma, dims=dim)
            case LogNormal(log_sd=log_sd):
                return pm.LogNormal(name, location, np.float64(log_sd), dims=dim)
            case HalfNormal(sd=sd):
                return pm.HalfNormal(name, np.float64(sd), default_transform=_SIGNED, dims=dim)
        msg = f"The prior of {name!r} must be of a family that the model knows; found {prior}."
        raise InputError(msg)

    def standard_normal(self, name: str, dim: str) -> Tensor:
        return pm.Normal(name, dims=dim)

    def around(self, name: str, centre: Tensor, scale: Tensor, dim: str) -> Tensor:
        return pm.Normal(name, centre, scale, dims=dim)

    def process(self, name: str, mean: Tensor, scale: Tensor, rows: discrepancy.Rows, dim: str) -> Tensor:
        return pm.CustomDist(
            name,
            *(mean, scale, rows.index, rows.factor, rows.whitening, rows.log_determinant),
            logp=_process_log_density,
            random=_process_draw,
            support_point=lambda variable, size, mean, *others: mean,
            signature="(n),(),(n,m),(n,m),(n,m),()->(n)",
            dims=dim,
        )

    def deterministic(self, name: str, value: Tensor, dim: str | None = None) -> Tensor:
        return pm.Deterministic(name, value, dims=dim)

    def student_t(
        self, name: str, predicted: Callable[[], tuple[Tensor, Tensor]], value: Tensor, dim: str
    ) -> None:
        mean, sd = predicted()
        nu = np.float64(loss_surface.STUDENT_T_DEGREES)
        pm.StudentT(name, nu=nu, mu=mean, sigma=sd, observed=value, dims=dim)

    def bernoulli(self, name: str, logit: Callable[[], Tensor], value: Tensor, dim: str) -> None:
        pm.Bernoulli(name, logit_p=logit(), observed=value, dims=dim)

    def censored(self, name: str, log_probability: Callable[[], Tensor], dim: str) -> None:
        pm.Potential(name, log_probability().sum())


def _process_log_density(value: Any, mean: Any, scale: Any, *rows: Any) -> Tensor:
    return discrepancy.log_density(pt, value, mean, scale, discrepancy.Rows(*rows))


def _process_draw(*values: Any, rng: np.random.Generator, size: Any = None) -> Any:
    mean, scale, *rows = values
    innovation = rng.standard_normal(mean.shape if size is None else (*size, mean.shape[-1]))
    return discrepancy.deviate(mean, np.asarray(scale), discrepancy.Rows(*rows), innovation)
