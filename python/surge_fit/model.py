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

    log S ~ StudentT(5, log S_min + log(1 + B_crit/B) + δ_S(x), σ²),     log B_crit = log B_noise + log ρ

with ρ ~ exp(Normal(0, 0.5)) where the law has a noise scale: arXiv:1812.06162 has ρ = 1, which holds up to a
factor of about two. Other laws, and steps alone, have a B_crit of its own. In log S errors are alike at all
batch sizes, which they are neither in S nor in 1/S; δ_S, a Gaussian process like that of the learning rate,
is how far the steps may leave their law. A run that ended short of the target is right-censored. Of both
scales the steps know B_crit far better than the runs know B_noise: it is what is sampled, B_noise = B_crit/ρ.

Several groups have parameters of their own, drawn from one population (`surge_fit.pooling`); everything
that depends on the batch size is then one value per cell, a batch size of a group. What they share are the
valley's form, the noises, the wall, ρ and the scales of the discrepancies.

Everything that comes from the sweep, the locations of the priors included, enters as ``pm.Data``: one
compiled model serves every sweep of the same `structure`. Their widths are constants, which compile faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from surge_fit import discrepancy, steps, surface
from surge_fit.errors import InputError, SweepError
from surge_fit.law import Law
from surge_fit.observations import STUDENT_T_DEGREES, Observations, Runs
from surge_fit.pooling import JOINT, at_cells, in_groups, is_additive
from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, Priors, StudentT

Tensor: TypeAlias = Any
"""A symbolic array of PyTensor."""


def structure(observations: Observations, law: Law, priors: Priors) -> tuple[object, ...]:
    """Describe all that shapes the graph of the model: models of equal structure differ in data alone."""
    parts = (
        *(observations.finished, observations.censored, observations.wall, observations.optimum),
        *(observations.steps, observations.censored_steps),
    )
    widths = tuple((name, prior.family, *prior.widths) for name, prior in priors.items())
    sizes = len(observations.batch_size), len(observations.groups), len(observations.covariates.names)
    return law.name, law.shape, *sizes, tuple(len(runs) > 0 for runs in parts), widths


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
        With the dims ``batch_size`` (of several groups: ``cell``, ``group`` and ``covariate``), ``run``,
        ``censored_run``, ``wall_run``, ``optimum``, ``steps_run`` and ``censored_steps_run``, as far as the
        sweep has them. Learning rates, batch sizes, their ratios and steps are natural logarithms; losses are
        in the sweep's unit.

    Raises
    ------
    InputError
        If a prior of the model is missing, or of a family that cannot serve.
    SweepError
        If there are fewer runs than the law has parameters.
    """
    require_enough_runs(observations, law)
    runs = {
        "run": observations.finished,
        "censored_run": observations.censored,
        "wall_run": observations.wall,
        "optimum": observations.optimum,
        "steps_run": observations.steps,
        "censored_steps_run": observations.censored_steps,
    }
    coords = cell_coords(observations) | {dim: list(held.id) for dim, held in runs.items() if len(held)}
    with pm.Model(coords=coords):
        return _Build(observations, law, priors).model()


def require_enough_runs(observations: Observations, law: Law) -> None:
    """Refuse observations that are fewer than the parameters of the law.

    Raises
    ------
    SweepError
    """
    if observations.has_learning_rates and observations.count < len(law.parameters):
        raise SweepError(
            f"The law {law.name!r} has {len(law.parameters)} parameters and needs at least as many usable "
            f"runs; found {observations.count}. Add runs, or choose a law with fewer parameters "
            "(`surge-fit laws`)."
        )


def cell_coords(observations: Observations) -> dict[str, Any]:
    """Coordinates of the dims that the runs do not have."""
    if not observations.groups:
        return {"batch_size": observations.batch_size}
    labels = [observations.groups[g] for g in observations.cell_group]
    cells = [f"{label}, B = {size:g}" for label, size in zip(labels, observations.batch_size, strict=True)]
    coords: dict[str, Any] = {"cell": cells, "group": list(observations.groups)}
    return coords | ({"covariate": names} if (names := list(observations.covariates.names)) else {})


def _variable(name: str, prior: Prior, dims: str | None = None, shift: Tensor | None = None) -> Tensor:
    """A variable with this prior, whose location is moved by `shift`."""

    def located(location: float) -> Tensor:
        known = pm.Data(f"{name}_prior_location", location)
        return known if shift is None else known + shift

    # Explicit widths: PyTensor reads a plain Python number as single precision where that looks exact.
    match prior:
        case Normal(mean, sd):
            return pm.Normal(name, located(mean), np.float64(sd), dims=dims)
        case StudentT(degrees, location, scale):
            nu, sigma = np.float64(degrees), np.float64(scale)
            return pm.StudentT(name, nu=nu, mu=located(location), sigma=sigma, dims=dims)
        case LogNormal(median, log_sd) if shift is None:
            return pm.LogNormal(name, located(np.log(median)), np.float64(log_sd), dims=dims)
        case HalfNormal(sd) if shift is None:
            return pm.HalfNormal(name, np.float64(sd), dims=dims)
    raise InputError(
        f"The prior of {name!r} must be of a family that the model knows, and where another variable moves "
        f"it, Normal or StudentT; found {prior}."
    )


class _Seen:
    """The runs of one likelihood as data of the model."""

    def __init__(self, dim: str, runs: Runs) -> None:
        self.dim = dim
        self.cell_index = pm.Data(f"{dim}_cell_index", runs.cell_index, dims=dim)
        self.log_learning_rate = pm.Data(f"{dim}_log_learning_rate", runs.log_learning_rate, dims=dim)
        self.value = pm.Data(f"{dim}_value", runs.value, dims=dim)
        self.se = pm.Data(f"{dim}_se", runs.se, dims=dim)

    def distance(self, log_optimum: Tensor) -> Tensor:
        """Log learning rate minus that of the optimum of the run's cell."""
        return self.log_learning_rate - log_optimum[self.cell_index]


@dataclass(frozen=True)
class _Build:
    """The model under construction."""

    observations: Observations
    law: Law
    priors: Priors

    @property
    def cell(self) -> str:
        """Name of the dim of the cells."""
        return "cell" if self.observations.groups else "batch_size"

    def model(self) -> pm.Model:
        seen, model = self.observations, pm.modelcontext(None)
        x = pm.Data("log_batch_size", seen.log_batch_size, dims=self.cell)
        rows = discrepancy.Rows.of(seen.log_batch_size, seen.cell_group)
        pm.Data("discrepancy_index", rows.index)
        if seen.groups:
            pm.Data("cell_group", seen.cell_group, dims="cell")
            pm.Data("group_covariates", seen.covariates.centred)
        if seen.has_learning_rates:
            pm.Data("discrepancy_whitening", rows.whitening)
            pm.Data("discrepancy_log_determinant", rows.log_determinant)
        pm.Data("discrepancy_factor", rows.factor)
        ratio = self.variable(JOINT) if JOINT in self.priors else None
        if seen.has_learning_rates:
            log_optimum = self.log_optimum(x, ratio)
        if len(seen.optimum):
            self.optimum_points(_Seen("optimum", seen.optimum), log_optimum)
        if len(seen.finished):
            self.surface(x, log_optimum)
        if len(seen.steps):
            self.steps(x, ratio)
        return model

    def prior(self, name: str) -> Prior:
        if name not in self.priors:
            raise InputError(
                f"The model needs a prior for {name!r}; given are: {', '.join(self.priors)}. Add it."
            )
        return self.priors[name]

    def variable(self, name: str, dims: str | None = None) -> Tensor:
        return _variable(name, self.prior(name), dims)

    def pooled(self, name: str, ratio: Tensor | None = None) -> Tensor:
        """A parameter that differs between groups; `ratio` ties B_noise to B_crit, which is sampled."""
        prior, grouped = self.prior(name), bool(self.observations.groups)
        suffix = "_mean" if grouped else ""
        if ratio is None:
            mean = _variable(f"{name}{suffix}", prior)
        else:
            critical = _variable(f"log_critical_batch_size{suffix}", prior, shift=ratio)
            mean = pm.Deterministic(f"{name}{suffix}", critical - ratio)
        if not grouped:
            return mean
        spread = self.variable(f"{name}_spread")
        offset = pm.Normal(f"{name}_offset", dims="group")
        trend = self.variable(f"{name}_trend", "covariate") if f"{name}_trend" in self.priors else None
        z = pm.modelcontext(None)["group_covariates"]
        value = in_groups(pt, mean, spread, offset, trend, z, additive=is_additive(prior))
        return pm.Deterministic(name, value, dims="group")

    def at_cells(self, value: Tensor) -> Tensor:
        return at_cells(value, pm.modelcontext(None)["cell_group"] if self.observations.groups else None)

    def log_optimum(self, x: Tensor, ratio: Tensor | None) -> Tensor:
        """Log of the optimal learning rate of every cell."""
        data = pm.modelcontext(None)
        x_reference = pm.Data("log_reference_batch_size", self.observations.log_reference_batch_size)
        at_reference = self.pooled("log_reference_learning_rate")
        theta = {
            p.name: self.pooled(p.name, ratio if p.role == "batch_size_scale" else None)
            for p in self.law.parameters[1:]
        }
        scale = pm.Deterministic(
            self.law.parameters[0].name,
            at_reference - self.law.shape(pt, x_reference, **theta),
            dims="group" if self.observations.groups else None,
        )
        theta = {name: self.at_cells(value) for name, value in theta.items()}
        return pm.CustomDist(
            "log_optimal_learning_rate",
            self.at_cells(scale) + self.law.shape(pt, x, **theta),
            self.variable("discrepancy_scale"),
            data["discrepancy_factor"],
            data["discrepancy_whitening"],
            data["discrepancy_index"],
            data["discrepancy_log_determinant"],
            logp=_discrepancy_log_density,
            random=_discrepancy_draw,
            support_point=lambda variable, size, curve, *others: curve,
            signature="(n),(),(n,m),(n,m),(n,m),()->(n)",
            dims=self.cell,
        )

    def optimum_points(self, seen: _Seen, log_optimum: Tensor) -> None:
        sigma = self.variable("optimum_noise")
        pm.StudentT(
            "log_optimum",
            nu=surface.STUDENT_T_DEGREES,
            mu=log_optimum[seen.cell_index],
            sigma=pt.sqrt(sigma**2 + seen.se**2),
            observed=seen.value,
            dims=seen.dim,
        )

    def surface(self, x: Tensor, log_optimum: Tensor) -> None:
        lever = x - pm.modelcontext(None)["log_reference_batch_size"]
        level = self.at_cells(self.pooled("log_curvature"))
        curvature = pt.exp(level + self.variable("curvature_slope") * lever)
        rate, asymmetry = self.variable("valley_rate"), self.variable("valley_asymmetry")
        scales = self.observations.scales
        best, gap = pm.Data("best_loss", scales.best_loss), pm.Data("gap", scales.gap)
        floor = pm.Deterministic("floor", best - gap * self.variable("floor_gap", self.cell), dims=self.cell)
        noise, shape_error = self.variable("loss_noise"), self.variable("shape_error")

        def predicted(seen: _Seen) -> tuple[Tensor, Tensor]:
            depth = surface.valley(pt, seen.distance(log_optimum), rate, asymmetry)
            v = curvature[seen.cell_index] * depth
            return floor[seen.cell_index] + v, pt.sqrt(noise**2 + (shape_error * v) ** 2 + seen.se**2)

        runs = _Seen("run", self.observations.finished)
        mean, sd = predicted(runs)
        pm.StudentT("loss", nu=surface.STUDENT_T_DEGREES, mu=mean, sigma=sd, observed=runs.value, dims="run")
        wall, width = self.variable("wall"), self.variable("wall_width")
        seen = _Seen("wall_run", self.observations.wall)
        logit = surface.divergence_logit(seen.distance(log_optimum), wall, width)
        pm.Bernoulli("diverged", logit_p=logit, observed=seen.value, dims="wall_run")
        if len(self.observations.censored):
            runs = _Seen("censored_run", self.observations.censored)
            mean, sd = predicted(runs)
            logit = surface.divergence_logit(runs.distance(log_optimum), wall, width)
            survival = surface.log_survival(pt, (runs.value - mean) / sd)
            pm.Potential("censored_loss", surface.log_huge_loss(pt, logit, survival).sum())

    def steps(self, x: Tensor, ratio: Tensor | None) -> None:
        data = pm.modelcontext(None)
        log_min_steps = self.pooled("log_min_steps")
        if ratio is None:
            log_critical = self.pooled("log_critical_batch_size")
        else:
            log_critical = data["log_noise_scale"] + ratio
            if self.observations.groups:
                pm.Deterministic("log_critical_batch_size", log_critical, dims="group")
        law = steps.log_steps(pt, x, self.at_cells(log_min_steps), self.at_cells(log_critical))
        scale, innovation = (
            self.variable("steps_discrepancy_scale"),
            pm.Normal("steps_innovation", dims=self.cell),
        )
        leave = scale * discrepancy.times(data["discrepancy_factor"], data["discrepancy_index"], innovation)
        curve = pm.Deterministic("log_steps_curve", law + leave, dims=self.cell)
        noise = self.variable("steps_noise")

        def seen(dim: str, runs: Runs) -> tuple[Tensor, Tensor]:
            index = pm.Data(f"{dim}_cell_index", runs.cell_index, dims=dim)
            return curve[index], pm.Data(f"{dim}_value", runs.value, dims=dim)

        mean, value = seen("steps_run", self.observations.steps)
        pm.StudentT("log_steps", nu=STUDENT_T_DEGREES, mu=mean, sigma=noise, observed=value, dims="steps_run")
        if len(self.observations.censored_steps):
            mean, limit = seen("censored_steps_run", self.observations.censored_steps)
            pm.Potential("censored_steps", surface.log_survival(pt, (limit - mean) / noise).sum())


def _discrepancy_log_density(
    value: Any, curve: Any, tau: Any, factor: Any, whitening: Any, index: Any, log_determinant: Any
) -> Tensor:
    """Log density of a Gaussian process around the law's curve."""
    innovation = discrepancy.times(whitening, index, (value - curve) / tau)
    constant = log_determinant - value.shape[0] * (pt.log(tau) + 0.5 * math.log(2 * math.pi))
    return constant - 0.5 * (innovation**2).sum()


def _discrepancy_draw(
    curve: Any,
    tau: Any,
    factor: Any,
    whitening: Any,
    index: Any,
    log_determinant: Any,
    rng: np.random.Generator,
    size: Any = None,
) -> Any:
    innovation = rng.standard_normal(curve.shape if size is None else (*size, curve.shape[-1]))
    return curve + np.asarray(tau)[..., None] * discrepancy.times(factor, index, innovation)
