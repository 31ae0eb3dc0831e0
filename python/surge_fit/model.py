"""Sweep + law + priors → a PyMC model: the definition that every engine is held to.

In log units throughout. With ``x = log B`` and the law's shape in x,

    log lr*(B) ~ GP(log lr_ref + shape(x) − shape(x_ref), τ²)

so the one number that any sweep identifies, the law at the reference batch size (the geometric mean of
those tried), is a parameter of its own; the law's additive scale follows from it. The optimum at every batch
size tried is a parameter too, not a sum of law and deviation: the runs pin it down far better than either.

A finished run i at batch b with ``u = log lr_i − log lr*(b)`` and ``v = κ_b h(u)`` has

    loss_i ~ StudentT(5, floor_b + v, √(s² + (ρ v)² + se_i²)),          κ_b = exp(k0 + k1 (x_b − x_ref))

with the valley h of `surge_fit.surface`: far from the optimum its shape is wrong, and ρ knows it. Diverged
runs enter a logistic wall π(u) = P(diverge | u), finished ones enter it from the other side. A finite but
huge loss is right-censored, and may be a divergence that stopped short of infinity: π + (1 − π) P(loss >
threshold). An optimum point is the law seen with noise.

Steps S to a target loss at the best learning rate of a batch size have

    log S ~ StudentT(5, log S_min + log(1 + B_crit/B), σ²),          log B_crit = log B_noise + log ρ

with ρ ~ exp(Normal(0, 0.5)) where the law has a noise scale: arXiv:1812.06162 has ρ = 1, which holds up to a
factor of about two. Other laws, and steps alone, have a B_crit of its own. In log S errors are alike at all
batch sizes, which they are neither in S nor in 1/S. A run that ended short of the target is right-censored.

Everything that comes from the sweep, the locations of the priors included, enters as ``pm.Data``: one
compiled model serves every sweep of the same `structure`. Their widths are constants, which compile faster.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from surge_fit import discrepancy, steps, surface
from surge_fit.errors import InputError, SweepError
from surge_fit.law import Law
from surge_fit.observations import STUDENT_T_DEGREES, Observations, Runs
from surge_fit.priors import HalfNormal, LogNormal, Normal, Priors, StudentT

Tensor: TypeAlias = Any
"""A symbolic array of PyTensor."""


def structure(observations: Observations, law: Law, priors: Priors) -> tuple[object, ...]:
    """Describe all that shapes the graph of the model: models of equal structure differ in data alone."""
    parts = (
        *(observations.finished, observations.censored, observations.wall, observations.optimum),
        *(observations.steps, observations.censored_steps),
    )
    widths = tuple((name, prior.family, *prior.widths) for name, prior in priors.items())
    return law.name, law.shape, len(observations.batch_size), tuple(len(runs) > 0 for runs in parts), widths


def model_data(model: pm.Model) -> dict[str, np.ndarray]:
    """Read back the values of everything that entered the model as data."""
    return {v.name: v.get_value() for v in model.data_vars}


def assemble(observations: Observations, law: Law, priors: Priors) -> pm.Model:
    """Build the model of one set of observations.

    Parameters
    ----------
    observations : Observations
        From `surge_fit.observations.observe`.
    law : Law
        How the optimal learning rate moves with the batch size.
    priors : Priors
        From `surge_fit.default_priors`, possibly with replacements.

    Returns
    -------
    pymc.Model
        With the dims ``batch_size``, ``run``, ``censored_run``, ``wall_run``, ``optimum``, ``steps_run`` and
        ``censored_steps_run``, as far as the sweep has them. Learning rates, batch sizes, their ratios and
        steps are natural logarithms; losses are in the sweep's unit.

    Raises
    ------
    InputError
        If a prior of the model is missing.
    SweepError
        If there are fewer runs than the law has parameters.
    """
    if observations.has_learning_rates and observations.count < len(law.parameters):
        raise SweepError(
            f"The law {law.name!r} has {len(law.parameters)} parameters and needs at least as many usable "
            f"runs; found {observations.count}. Add runs, or choose a law with fewer parameters "
            "(`surge-fit laws`)."
        )
    groups = {
        "run": observations.finished,
        "censored_run": observations.censored,
        "wall_run": observations.wall,
        "optimum": observations.optimum,
        "steps_run": observations.steps,
        "censored_steps_run": observations.censored_steps,
    }
    coords: dict[str, Any] = {"batch_size": observations.batch_size}
    coords |= {dim: list(runs.id) for dim, runs in groups.items() if len(runs)}
    with pm.Model(coords=coords) as model:
        x = pm.Data("log_batch_size", observations.log_batch_size, dims="batch_size")
        if observations.has_learning_rates:
            log_optimum = _log_optimum(observations, law, priors, x)
        if len(observations.optimum):
            _add_optimum_points(_Seen("optimum", observations.optimum), log_optimum, priors)
        if len(observations.finished):
            _add_surface(observations, log_optimum, priors)
        if len(observations.steps):
            _add_steps(observations, x, priors)
    return model


class _Seen:
    """The runs of one likelihood as data of the model."""

    def __init__(self, dim: str, runs: Runs) -> None:
        self.dim = dim
        self.batch_index = pm.Data(f"{dim}_batch_index", runs.batch_index, dims=dim)
        self.log_learning_rate = pm.Data(f"{dim}_log_learning_rate", runs.log_learning_rate, dims=dim)
        self.value = pm.Data(f"{dim}_value", runs.value, dims=dim)
        self.se = pm.Data(f"{dim}_se", runs.se, dims=dim)

    def distance(self, log_optimum: Tensor) -> Tensor:
        """Log learning rate minus that of the optimum at the run's batch size."""
        return self.log_learning_rate - log_optimum[self.batch_index]


def _variable(name: str, priors: Priors, dims: str | None = None) -> Tensor:
    if name not in priors:
        raise InputError(f"The model needs a prior for {name!r}; given are: {', '.join(priors)}. Add it.")
    prior = priors[name]
    # Explicit widths: PyTensor reads a plain Python number as single precision where that looks exact.
    match prior:
        case Normal(mean, sd):
            return pm.Normal(name, _location(name, mean), np.float64(sd), dims=dims)
        case LogNormal(median, log_sd):
            return pm.LogNormal(name, _location(name, np.log(median)), np.float64(log_sd), dims=dims)
        case HalfNormal(sd):
            return pm.HalfNormal(name, np.float64(sd), dims=dims)
        case StudentT(degrees, location, scale):
            nu, sigma = np.float64(degrees), np.float64(scale)
            return pm.StudentT(name, nu=nu, mu=_location(name, location), sigma=sigma, dims=dims)
    raise InputError(f"The prior of {name!r} is of the unknown family {type(prior).__name__}.")


def _location(name: str, value: float) -> Tensor:
    return pm.Data(f"{name}_prior_location", value)


def _log_optimum(observations: Observations, law: Law, priors: Priors, x: Tensor) -> Tensor:
    """Log of the optimal learning rate at every tried batch size, dim ``batch_size``."""
    x_reference = pm.Data("log_reference_batch_size", observations.log_reference_batch_size)
    at_reference = _variable("log_reference_learning_rate", priors)
    theta = {p.name: _variable(p.name, priors) for p in law.parameters[1:]}
    scale = pm.Deterministic(law.parameters[0].name, at_reference - law.shape(pt, x_reference, **theta))
    factor = discrepancy.cholesky(observations.log_batch_size)
    return pm.CustomDist(
        "log_optimal_learning_rate",
        scale + law.shape(pt, x, **theta),
        _variable("discrepancy_scale", priors),
        pm.Data("discrepancy_factor", factor),
        pm.Data("discrepancy_whitening", np.linalg.inv(factor)),
        logp=_discrepancy_log_density,
        random=_discrepancy_draw,
        support_point=lambda variable, size, curve, *others: curve,
        signature="(n),(),(n,n),(n,n)->(n)",
        dims="batch_size",
    )


def _discrepancy_log_density(value: Any, curve: Any, tau: Any, factor: Any, whitening: Any) -> Tensor:
    """Log density of a Gaussian process around the law's curve, up to a constant of the batch sizes."""
    innovation = (whitening * ((value - curve) / tau)[None, :]).sum(axis=1)
    return -0.5 * (innovation**2).sum() - value.shape[0] * pt.log(tau)


def _discrepancy_draw(
    curve: Any, tau: Any, factor: Any, whitening: Any, rng: np.random.Generator, size: Any = None
) -> Any:
    innovation = rng.standard_normal(curve.shape if size is None else (*size, curve.shape[-1]))
    return curve + np.asarray(tau)[..., None] * (factor @ innovation[..., None])[..., 0]


def _add_optimum_points(seen: _Seen, log_optimum: Tensor, priors: Priors) -> None:
    sigma = _variable("optimum_noise", priors)
    pm.StudentT(
        "log_optimum",
        nu=surface.STUDENT_T_DEGREES,
        mu=log_optimum[seen.batch_index],
        sigma=pt.sqrt(sigma**2 + seen.se**2),
        observed=seen.value,
        dims=seen.dim,
    )


def _add_surface(observations: Observations, log_optimum: Tensor, priors: Priors) -> None:
    scales = observations.scales
    lever = pm.Data(
        "log_batch_size_from_reference", observations.log_batch_size - observations.log_reference_batch_size
    )
    curvature = pt.exp(_variable("log_curvature", priors) + _variable("curvature_slope", priors) * lever)
    rate, asymmetry = _variable("valley_rate", priors), _variable("valley_asymmetry", priors)
    best, gap = pm.Data("best_loss", scales.best_loss), pm.Data("gap", scales.gap)
    floor = pm.Deterministic(
        "floor", best - gap * _variable("floor_gap", priors, dims="batch_size"), dims="batch_size"
    )
    noise, shape_error = _variable("loss_noise", priors), _variable("shape_error", priors)

    def predicted(seen: _Seen) -> tuple[Tensor, Tensor]:
        depth = surface.valley(pt, seen.distance(log_optimum), rate, asymmetry)
        v = curvature[seen.batch_index] * depth
        return floor[seen.batch_index] + v, pt.sqrt(noise**2 + (shape_error * v) ** 2 + seen.se**2)

    runs = _Seen("run", observations.finished)
    mean, sd = predicted(runs)
    pm.StudentT("loss", nu=surface.STUDENT_T_DEGREES, mu=mean, sigma=sd, observed=runs.value, dims="run")
    wall, width = _variable("wall", priors), _variable("wall_width", priors)
    seen = _Seen("wall_run", observations.wall)
    logit = surface.divergence_logit(seen.distance(log_optimum), wall, width)
    pm.Bernoulli("diverged", logit_p=logit, observed=seen.value, dims="wall_run")
    if len(observations.censored):
        runs = _Seen("censored_run", observations.censored)
        mean, sd = predicted(runs)
        logit = surface.divergence_logit(runs.distance(log_optimum), wall, width)
        survival = surface.log_survival(pt, (runs.value - mean) / sd)
        pm.Potential("censored_loss", surface.log_huge_loss(pt, logit, survival).sum())


def _add_steps(observations: Observations, x: Tensor, priors: Priors) -> None:
    log_min_steps = _variable("log_min_steps", priors)
    if "log_critical_ratio" in priors:
        log_noise_scale = pm.modelcontext(None)["log_noise_scale"]
        log_critical = pm.Deterministic(
            "log_critical_batch_size", log_noise_scale + _variable("log_critical_ratio", priors)
        )
    else:
        log_critical = _variable("log_critical_batch_size", priors)
    noise = _variable("steps_noise", priors)
    curve = steps.log_steps(pt, x, log_min_steps, log_critical)

    def seen(dim: str, runs: Runs) -> tuple[Tensor, Tensor]:
        index = pm.Data(f"{dim}_batch_index", runs.batch_index, dims=dim)
        return curve[index], pm.Data(f"{dim}_value", runs.value, dims=dim)

    mean, value = seen("steps_run", observations.steps)
    pm.StudentT("log_steps", nu=STUDENT_T_DEGREES, mu=mean, sigma=noise, observed=value, dims="steps_run")
    if len(observations.censored_steps):
        mean, limit = seen("censored_steps_run", observations.censored_steps)
        pm.Potential("censored_steps", surface.log_survival(pt, (limit - mean) / noise).sum())
