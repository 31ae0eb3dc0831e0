"""The model, written once: what is drawn from what, for any interpreter.

In log units throughout. With ``x = log B`` and the law's shape in x,

    log lr*(B) ~ GP(log lr_ref + shape(x) − shape(x_ref), τ²)

so the one number that any sweep identifies, the law at the reference batch size (the geometric mean of
those tried), is a parameter of its own; the law's additive scale follows from it. The optimum at every batch
size tried is a parameter too, not a sum of law and deviation: the runs pin it down far better than either.

A finished run i at batch b with ``u = log lr_i − log lr*(b)`` and ``v = κ_b h(u)`` has

    loss_i ~ StudentT(5, floor_b + v, √(s² + (ρ v)² + se_i²)),          κ_b = exp(k0 + k1 (x_b − x_ref))

with the valley h of `surge_fit.model.loss_surface`: far from the optimum its shape is wrong, and ρ knows it.
Diverged runs enter a logistic wall π(u) = P(diverge | u), finished ones enter it from the other side. A
finite but huge loss is right-censored, and may be a divergence that stopped short of infinity: π + (1 − π)
P(loss > threshold). An optimum point is the law seen with noise.

Steps S to a target loss at the best learning rate of a batch size have

    log S ~ StudentT(5, log S_min + log(1 + B_crit/B) + δ_S(x), σ²),     log B_crit = log B_noise + log ρ

with ρ ~ exp(Normal(0, 0.5)) where the law has a noise scale: arXiv:1812.06162 has ρ = 1, which holds up to a
factor of about two. Other laws, and steps alone, have a B_crit of its own. In log S errors are alike at all
batch sizes, which they are neither in S nor in 1/S; δ_S, a Gaussian process like that of the learning rate,
is how far the steps may leave their law. A run that ended short of the target is right-censored. Of both
scales the steps know B_crit far better than the runs know B_noise: it is what is sampled, B_noise = B_crit/ρ.

Several groups have parameters of their own, drawn from one population (`surge_fit.model.pooling`); everything
that depends on the batch size is then one value per cell, a batch size of a group. What they share are the
valley's form, the noises, the wall, ρ and the scales of the discrepancies.

`surge_fit.model.in_pymc` interprets this as a PyMC model, `surge_fit.model.in_numpy` as computations on
draws. Values that are drawn may have dims of draws in front of their own, hence the ``[..., None]`` wherever
one number meets one number per run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from surge_fit.errors import InputError
from surge_fit.model import discrepancy, loss_surface, steps
from surge_fit.model.observations import Observations, Runs
from surge_fit.model.pooling import CENTRED, JOINT, at_cells, expected_in_groups, in_groups, is_additive
from surge_fit.model.spec import Model
from surge_fit.priors import Normal, Prior, StudentT
from surge_fit.typing import Namespace

_SCALES = (
    "discrepancy_scale",
    "optimum_noise",
    "loss_noise",
    "shape_error",
    "steps_discrepancy_scale",
    "steps_noise",
)


class Interpreter(Protocol):
    """Interpreter of the definition; its values are arrays of `xp`.

    Predictions of runs are passed as functions: they are large, and not every use needs them.
    """

    @property
    def xp(self) -> Namespace:
        """The array namespace: ``numpy`` or ``pytensor.tensor``."""

    def data(self, name: str, value: Any, dim: str | None = None) -> Any:
        """Data of the sweep: no parameter."""

    def variable(self, name: str, prior: Prior, dim: str | None = None, shift: Any | None = None) -> Any:
        """A free parameter with this prior, whose location is moved by `shift`."""

    def standard_normal(self, name: str, dim: str) -> Any:
        """A free parameter, Normal(0, 1) and independent along its dim."""

    def around(self, name: str, centre: Any, scale: Any, dim: str) -> Any:
        """A free parameter, normal around a centre along its dim, with one scale."""

    def process(self, name: str, mean: Any, scale: Any, rows: discrepancy.Rows, dim: str) -> Any:
        """A free parameter, the Gaussian process of this scale around a mean over the cells."""

    def deterministic(self, name: str, value: Any, dim: str | None = None) -> Any:
        """A deterministic function of the parameters, kept under its name."""

    def student_t(self, name: str, predicted: Callable[[], tuple[Any, Any]], value: Any, dim: str) -> None:
        """Likelihood of runs: Student's t with `loss_surface.STUDENT_T_DEGREES` degrees of freedom."""

    def bernoulli(self, name: str, logit: Callable[[], Any], value: Any, dim: str) -> None:
        """Likelihood of runs whose outcome is 1 or 0."""

    def censored(self, name: str, log_probability: Callable[[], Any], dim: str) -> None:
        """Likelihood of censored runs: the log probability that each exceeds its threshold."""


def interpret(model: Model, by: Interpreter) -> None:
    """Run the definition.

    Parameters
    ----------
    model : Model
    by : Interpreter
        With the dims ``batch_size`` (of several groups: ``cell``, ``group`` and ``covariate``), ``run``,
        ``censored_run``, ``wall_run``, ``optimum``, ``steps_run`` and ``censored_steps_run``, as far as the
        sweep has them.

    Raises
    ------
    InputError
        If a prior of the model is missing.
    """
    _Definition(model, by).run()


def is_scale(name: str) -> bool:
    """Whether a variable is the scale of others, which the data pin down the better the smaller it is."""
    return name in _SCALES or is_spread(name)


def is_spread(name: str) -> bool:
    """Whether a variable is the standard deviation of a parameter between groups."""
    return name.endswith("_spread")


def coordinates(observations: Observations) -> dict[str, Any]:
    """Coordinates of every dim of the model: a label or a number for each entry."""
    by_dim = {
        "run": observations.finished,
        "censored_run": observations.censored,
        "wall_run": observations.wall,
        "optimum": observations.optimum,
        "steps_run": observations.steps,
        "censored_steps_run": observations.censored_steps,
    }
    run_ids = {dim: list(runs.id) for dim, runs in by_dim.items() if len(runs)}
    if not observations.groups:
        return {"batch_size": observations.batch_size} | run_ids
    labels = [observations.groups[g] for g in observations.cell_group]
    cells = [f"{label}, B = {size:g}" for label, size in zip(labels, observations.batch_size, strict=True)]
    coords: dict[str, Any] = {"cell": cells, "group": list(observations.groups)}
    names = list(observations.covariates.names)
    return coords | ({"covariate": names} if names else {}) | run_ids


class _RunData:
    """The runs of one likelihood as data of the model."""

    def __init__(self, by: Interpreter, dim: str, runs: Runs) -> None:
        self.dim = dim
        self.cell_index = by.data(f"{dim}_cell_index", runs.cell_index, dim)
        self.log_learning_rate = by.data(f"{dim}_log_learning_rate", runs.log_learning_rate, dim)
        self.value = by.data(f"{dim}_value", runs.value, dim)
        self.se = by.data(f"{dim}_se", runs.se, dim)

    def distance(self, log_optimum: Any) -> Any:
        """Log learning rate minus that of the optimum of the run's cell."""
        return self.log_learning_rate - log_optimum[..., self.cell_index]


class _Definition:
    """The definition under interpretation."""

    def __init__(self, model: Model, by: Interpreter) -> None:
        observations = model.observations
        self.observations, self.law, self.priors, self.by = observations, model.law, model.priors, by
        grouped = bool(observations.groups)
        self.cell = "cell" if grouped else "batch_size"
        self.group = "group" if grouped else None
        self.x = by.data("log_batch_size", observations.log_batch_size, self.cell)
        self.x_reference = by.data("log_reference_batch_size", observations.log_reference_batch_size)
        self.cell_group = by.data("cell_group", observations.cell_group, "cell") if grouped else None
        rows = discrepancy.Rows.of(observations.log_batch_size, observations.cell_group)
        self.rows = discrepancy.Rows(
            index=by.data("discrepancy_index", rows.index),
            factor=by.data("discrepancy_factor", rows.factor),
            whitening=by.data("discrepancy_whitening", rows.whitening),
            log_determinant=by.data("discrepancy_log_determinant", rows.log_determinant),
        )
        self.covariates = by.data("group_covariates", observations.covariates.centred) if grouped else None

    def run(self) -> None:
        ratio = self.variable(JOINT) if JOINT in self.priors else None
        log_noise_scale = None
        if self.observations.has_learning_rates:
            log_optimum, log_noise_scale = self.log_optimum(ratio)
            if len(self.observations.optimum):
                self.optimum_points(log_optimum)
            if len(self.observations.finished):
                self.surface(log_optimum)
        if len(self.observations.steps):
            tie = ratio if ratio is None or self.group is None else ratio[..., None]
            self.steps(None if tie is None else log_noise_scale + tie)

    def prior(self, name: str) -> Prior:
        if name not in self.priors:
            msg = f"The model needs a prior for {name!r}; given are: {', '.join(self.priors)}. Add it."
            raise InputError(msg)
        return self.priors[name]

    def variable(self, name: str, dim: str | None = None) -> Any:
        return self.by.variable(name, self.prior(name), dim)

    def pooled(self, name: str, ratio: Any | None = None) -> Any:
        """A parameter that differs between groups; `ratio` ties B_noise to B_crit, which is sampled."""
        prior, by = self.prior(name), self.by
        if ratio is not None and not isinstance(prior, Normal | StudentT):
            msg = f"The prior of {name!r}, which {JOINT} moves, must be Normal or StudentT; found {prior}."
            raise InputError(msg)
        sampled = name if ratio is None else "log_critical_batch_size"
        suffix = "" if self.group is None else "_mean"
        mean = by.variable(f"{sampled}{suffix}", prior, shift=ratio)
        value = mean if self.group is None else self.in_every_group(name, sampled, mean, is_additive(prior))
        if ratio is None:
            return value
        if self.group is None:
            return by.deterministic(name, mean - ratio)
        by.deterministic(f"{name}_mean", mean - ratio)
        return by.deterministic(name, value - ratio[..., None], self.group)

    def in_every_group(self, name: str, sampled: str, mean: Any, additive: bool) -> Any:
        """The value in every group, drawn from the population of `name`."""
        by = self.by
        spread = self.variable(f"{name}_spread")
        trend = self.variable(f"{name}_trend", "covariate") if f"{name}_trend" in self.priors else None
        if sampled in CENTRED:
            expected = expected_in_groups(mean, trend, self.covariates)
            return by.around(sampled, expected, spread, "group")
        offset = by.standard_normal(f"{sampled}_offset", "group")
        value = in_groups(by.xp, mean, spread, offset, trend, self.covariates, additive=additive)
        return by.deterministic(sampled, value, "group")

    def at_cells(self, value: Any) -> Any:
        return at_cells(value, self.cell_group)

    def log_optimum(self, ratio: Any | None) -> tuple[Any, Any]:
        """Log of the optimal learning rate of every cell; log of the noise scale, where the law has one."""
        by, shape = self.by, self.law.shape
        at_reference = self.pooled("log_reference_learning_rate")
        theta = {
            p.name: self.pooled(p.name, ratio if p.role == "batch_size_scale" else None)
            for p in self.law.parameters[1:]
        }
        scale = by.deterministic(
            self.law.parameters[0].name, at_reference - shape(by.xp, self.x_reference, **theta), self.group
        )
        theta_of_cells = {name: self.at_cells(value) for name, value in theta.items()}
        mean = self.at_cells(scale) + shape(by.xp, self.x, **theta_of_cells)
        tau = self.variable("discrepancy_scale")
        log_optimum = by.process("log_optimal_learning_rate", mean, tau, self.rows, self.cell)
        return log_optimum, theta.get("log_noise_scale")

    def optimum_points(self, log_optimum: Any) -> None:
        runs, sigma = _RunData(self.by, "optimum", self.observations.optimum), self.variable("optimum_noise")

        def predicted() -> tuple[Any, Any]:
            sd = self.by.xp.sqrt(sigma[..., None] ** 2 + runs.se**2)
            return log_optimum[..., runs.cell_index], sd

        self.by.student_t("log_optimum", predicted, runs.value, runs.dim)

    def surface(self, log_optimum: Any) -> None:
        by, xp, scales = self.by, self.by.xp, self.observations.scales
        level = self.at_cells(self.pooled("log_curvature"))
        slope = self.variable("curvature_slope")[..., None]
        curvature = xp.exp(level + slope * (self.x - self.x_reference))
        rate, asymmetry = (self.variable(name)[..., None] for name in ("valley_rate", "valley_asymmetry"))
        best, gap = by.data("best_loss", scales.best_loss), by.data("gap", scales.gap)
        floor = by.deterministic("floor", best - gap * self.variable("floor_gap", self.cell), self.cell)
        noise, shape_error = (self.variable(name)[..., None] for name in ("loss_noise", "shape_error"))
        wall, width = (self.variable(name)[..., None] for name in ("wall", "wall_width"))

        def predicted(runs: _RunData) -> tuple[Any, Any]:
            depth = loss_surface.valley(xp, runs.distance(log_optimum), rate, asymmetry)
            v = curvature[..., runs.cell_index] * depth
            sd = xp.sqrt(loss_surface.loss_variance(noise, shape_error, v, runs.se))
            return floor[..., runs.cell_index] + v, sd

        def logit(runs: _RunData) -> Any:
            return loss_surface.divergence_logit(runs.distance(log_optimum), wall, width)

        def log_huge_loss(runs: _RunData) -> Any:
            mean, sd = predicted(runs)
            survival = loss_surface.log_survival(xp, (runs.value - mean) / sd)
            return loss_surface.log_huge_loss(xp, logit(runs), survival)

        runs = _RunData(by, "run", self.observations.finished)
        by.student_t("loss", partial(predicted, runs), runs.value, runs.dim)
        runs = _RunData(by, "wall_run", self.observations.wall)
        by.bernoulli("diverged", partial(logit, runs), runs.value, runs.dim)
        if len(self.observations.censored):
            runs = _RunData(by, "censored_run", self.observations.censored)
            by.censored("censored_loss", partial(log_huge_loss, runs), runs.dim)

    def steps(self, log_critical: Any | None) -> None:
        by, observations = self.by, self.observations
        log_min_steps = self.pooled("log_min_steps")
        if log_critical is None:
            log_critical = self.pooled("log_critical_batch_size")
        mean = steps.log_steps(by.xp, self.x, self.at_cells(log_min_steps), self.at_cells(log_critical))
        scale = self.variable("steps_discrepancy_scale")
        innovation = by.standard_normal("steps_innovation", self.cell)
        log_steps = by.deterministic(
            "log_steps_curve", discrepancy.deviate(mean, scale, self.rows, innovation), self.cell
        )
        noise = self.variable("steps_noise")[..., None]

        def run_data(dim: str, runs: Runs) -> tuple[Any, Any]:
            index = by.data(f"{dim}_cell_index", runs.cell_index, dim)
            return index, by.data(f"{dim}_value", runs.value, dim)

        reached, value = run_data("steps_run", observations.steps)
        by.student_t("log_steps", lambda: (log_steps[..., reached], noise), value, "steps_run")
        if len(observations.censored_steps):
            missed, limit = run_data("censored_steps_run", observations.censored_steps)
            by.censored(
                "censored_steps",
                lambda: loss_surface.log_survival(by.xp, (limit - log_steps[..., missed]) / noise),
                "censored_steps_run",
            )
