"""The PyMC model's log density against the same density written with SciPy's distributions."""

import numpy as np
import pytensor.tensor as pt
import pytest
from pytensor import function
from pytensor.compile.mode import Mode
from scipy import stats
from surge_fit import (
    LAWS,
    HalfNormal,
    InputError,
    LogNormal,
    Normal,
    StudentT,
    Sweep,
    SweepError,
    build_model,
    default_priors,
)
from surge_fit.model import discrepancy
from surge_fit.model.in_pymc import assemble
from surge_fit.model.loss_surface import divergence_probability, log_huge_loss, log_survival, valley
from surge_fit.model.pooling import CENTRED
from surge_fit.model.spec import Model

INTERPRETED = Mode(linker="py", optimizer="None")
# The median of the finished losses is 2.1, the best 1.7: a loss above 2.1 + 10 · 0.4 is censored.
RUNS = {
    "batch_size": [8, 8, 8, 64, 64, 64, 512, 512, 512],
    "learning_rate": [1e-3, 2e-3, 4e-3, 1e-3, 4e-3, 1e-2, 4e-3, 2e-2, 8e-2],
    "loss": [2.0, 1.9, 2.6, 2.1, 1.7, 80.0, 2.2, 2.3, np.inf],
    "loss_se": [0.0, 0.01, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0],
    "batch_unit": "examples",
}


def log_prior(prior, value):
    match prior:
        case Normal(mean=mean, sd=sd):
            return stats.norm(mean, sd).logpdf(value)
        case LogNormal(median=median, log_sd=log_sd):
            return stats.lognorm(log_sd, scale=median).logpdf(value)
        case HalfNormal(sd=sd):
            return stats.halfnorm(scale=sd).logpdf(value)
        case StudentT(degrees=degrees, location=location, scale=scale):
            return stats.t(degrees, location, scale).logpdf(value)


# Median 2.2 of the finished losses, the best 1.8: none is censored. At 64 the target was not reached.
REACHED = {
    "batch_size": [8, 8, 64, 64, 512, 512, 4096, 4096],
    "learning_rate": [1e-3, 2e-3, 1e-3, 4e-3, 2e-3, 8e-3, 4e-3, 9e-3],
    "loss": [2.0, 1.9, 2.6, 2.4, 1.8, 2.2, 2.3, 2.2],
    "steps_to_target": [9e3, 8e3, None, None, 900, 1200, None, 400],
    "steps": [9e3, 8e3, 700, 900, 900, 1200, 2000, 400],
    "batch_unit": "examples",
}


def point(observations, law, rng):
    """The default priors, and a value of every free variable and of what the model derives from them."""
    priors = default_priors(observations, law)
    cells, groups = len(observations.batch_size), len(observations.groups)
    sizes = {"floor_gap": (cells,)}
    sizes |= {name: (len(observations.covariates.names),) for name in priors if name.endswith("_trend")}
    v = {name: prior.draw(rng, sizes.get(name, ())) for name, prior in priors.items()}
    if observations.has_learning_rates:
        v["log_optimal_learning_rate"] = observations.scales.log_learning_rate + rng.normal(0, 0.5, cells)
    if len(observations.steps):
        v["steps_innovation"] = rng.standard_normal(cells)
    ratio, suffix = v.get("log_critical_ratio", 0.0), "_mean" if groups else ""
    if "log_critical_ratio" in v:
        # The prior is B_noise's, the variable is B_crit = ρ B_noise.
        v[f"log_critical_batch_size{suffix}"] = v["log_noise_scale"] + ratio
    for name in [name.removesuffix("_spread") for name in priors if name.endswith("_spread")]:
        v[f"{name}_mean"] = v[name]
        v[f"{name}_offset"] = rng.standard_normal(groups)
        if name in CENTRED or (name == "log_noise_scale" and "log_critical_ratio" in v):
            # Sampled as the groups' values: mean + trend·z + spread·offset.
            v[name] = of_groups(name, observations, v)
            v[f"{name}_spread_of_values"] = v[f"{name}_spread"]
    if groups and "log_critical_ratio" in v:
        v["log_critical_batch_size"] = v["log_noise_scale"] + ratio
    return priors, v


def of_groups(name, observations, v):
    """A parameter in every group, with the formula of the module's page."""
    z = np.log([[float(held) for held in group.split("=")[1:]] for group in observations.groups])
    values = []
    for g in range(len(observations.groups)):
        trend = v.get(f"{name}_trend", np.zeros(1)) @ (z[g] - z.mean(axis=0))
        away = v[f"{name}_spread"] * v[f"{name}_offset"][g]
        positive = isinstance(POSITIVE.get(name), LogNormal)
        values.append(v[f"{name}_mean"] * np.exp(away) if positive else v[f"{name}_mean"] + trend + away)
    return np.array(values)


def in_every_cell(name, observations, v):
    """A parameter at every cell, one group after another."""
    if not observations.groups or f"{name}_mean" not in v:
        return np.repeat(v[name], len(observations.batch_size))
    return of_groups(name, observations, v)[observations.cell_group]


POSITIVE = {parameter.name: parameter.prior for law in LAWS.values() for parameter in law.parameters}
"""Of the laws' parameters: those with a log-normal prior differ between groups by a factor."""


def kernel_root(observations):
    """The Cholesky factor of the kernel over all cells, independent between groups."""
    same = observations.cell_group[:, None] == observations.cell_group
    x = observations.log_batch_size
    kernel = np.exp(-0.5 * ((x[:, None] - x) / discrepancy.LENGTH) ** 2) * same
    return np.linalg.cholesky(kernel + discrepancy.JITTER * np.eye(len(x)))


def steps_density(observations, v):
    """Log density of the steps: Student's t around their curve, its tail where censored."""
    if "log_critical_ratio" in v:
        log_critical = in_every_cell("log_noise_scale", observations, v) + v["log_critical_ratio"]
    else:
        log_critical = in_every_cell("log_critical_batch_size", observations, v)
    law = in_every_cell("log_min_steps", observations, v)
    law = law + np.log(1 + np.exp(log_critical) / observations.batch_size)
    curve = law + v["steps_discrepancy_scale"] * kernel_root(observations) @ v["steps_innovation"]

    def residual(runs):
        return stats.t(5, curve[runs.cell_index], v["steps_noise"])

    reached, missed = observations.steps, observations.censored_steps
    total = residual(reached).logpdf(reached.value).sum() + residual(missed).logsf(missed.value).sum()
    return total + stats.norm.logpdf(v["steps_innovation"]).sum()


def expected(observations, law, priors, v):
    """Log density over the constrained parameters."""
    total = sum(np.sum(log_prior(prior, v.get(f"{name}_mean", v[name]))) for name, prior in priors.items())
    # The density of the values is that of the offsets, over the spread.
    spreads = [v[name] for name in v if name.endswith("_spread_of_values")]
    total -= len(observations.groups) * np.sum(np.log(spreads))
    total += sum(stats.norm.logpdf(v[name]).sum() for name in v if name.endswith("_offset"))
    if len(observations.steps):
        total += steps_density(observations, v)
    if not observations.has_learning_rates:
        return total
    x, reference = observations.log_batch_size, observations.log_reference_batch_size
    theta = {p.name: in_every_cell(p.name, observations, v) for p in law.parameters[1:]}
    curve = in_every_cell("log_reference_learning_rate", observations, v)
    curve = curve + law.shape(np, x, **theta) - law.shape(np, np.full(len(x), reference), **theta)
    factor = v["discrepancy_scale"] * kernel_root(observations)
    optimum = v["log_optimal_learning_rate"]
    total += stats.multivariate_normal(curve, factor @ factor.T).logpdf(optimum)
    if len(observations.optimum):
        runs = observations.optimum
        sd = np.sqrt(v["optimum_noise"] ** 2 + runs.se**2)
        return total + stats.t(5, optimum[runs.cell_index], sd).logpdf(runs.value).sum()
    scales = observations.scales
    level = in_every_cell("log_curvature", observations, v)
    kappa = np.exp(level + v["curvature_slope"] * (x - reference))
    floor = scales.best_loss - scales.gap * v["floor_gap"]

    def residual(runs):
        u = runs.log_learning_rate - optimum[runs.cell_index]
        depth = kappa[runs.cell_index] * valley(np, u, v["valley_rate"], v["valley_asymmetry"])
        sd = np.sqrt(v["loss_noise"] ** 2 + (v["shape_error"] * depth) ** 2 + runs.se**2)
        return stats.t(5, floor[runs.cell_index] + depth, sd)

    total += residual(observations.finished).logpdf(observations.finished.value).sum()

    def chance(runs):
        u = runs.log_learning_rate - optimum[runs.cell_index]
        return divergence_probability(np, u, v["wall"], v["wall_width"])

    huge, wall = observations.censored, observations.wall
    total += np.log(chance(huge) + (1 - chance(huge)) * residual(huge).sf(huge.value)).sum()
    return total + stats.bernoulli(chance(wall)).logpmf(wall.value.astype(int)).sum()


def density(model, v):
    """Log density of the model over its constrained parameters."""
    names = {variable.name: model.rvs_to_values[variable].name for variable in model.free_RVs}
    values = {names[n]: np.log(v[n]) if names[n].endswith("_log__") else np.asarray(v[n]) for n in names}
    jacobian = sum(np.sum(np.log(v[n])) for n in names if names[n].endswith("_log__"))
    # Of a signed number each half of the line has half of the probability.
    jacobian -= sum(np.size(v[n]) * np.log(2) for n in names if names[n].endswith("_signed__"))
    # Summed here: PyTensor's interpreter adds no more than 32 terms.
    parts = model.compile_logp(mode=INTERPRETED, sum=False)(values)
    return float(sum(np.sum(part) for part in parts)) - jacobian


@pytest.mark.parametrize("name", sorted(LAWS))
def test_the_density_of_a_sweep_is_the_documented_one(name):
    model = Model.of(Sweep.from_columns(**RUNS), name)
    law, observations = model.law, model.observations
    assert [len(r) for r in (observations.finished, observations.censored, observations.wall)] == [7, 1, 8]
    rng = np.random.default_rng(3)
    points = [point(observations, law, rng) for _ in range(3)]
    built = assemble(model)
    for priors, v in points:
        assert density(built, v) == pytest.approx(expected(observations, law, priors, v), rel=1e-9)


def test_the_density_of_optimum_points_is_the_documented_one():
    points = Sweep.from_columns(
        batch_size=[8, 64, 512],
        optimal_learning_rate=[1e-3, 2e-3, 3e-3],
        log_learning_rate_se=[0.1, 0.0, 0.2],
        batch_unit="tokens",
    )
    model = Model.of(points, "surge")
    law, observations = model.law, model.observations
    priors, v = point(observations, law, np.random.default_rng(5))
    assert density(assemble(model), v) == pytest.approx(expected(observations, law, priors, v), rel=1e-9)


@pytest.mark.parametrize("name", ["broken_power", "power"])
def test_the_density_of_losses_and_steps_is_the_documented_one(name):
    model = Model.of(Sweep.from_columns(**REACHED), name)
    law, observations = model.law, model.observations
    parts = (observations.finished, observations.steps, observations.censored_steps)
    assert [len(runs) for runs in parts] == [8, 3, 1]
    priors, v = point(observations, law, np.random.default_rng(7))
    built = assemble(model)
    assert density(built, v) == pytest.approx(expected(observations, law, priors, v), rel=1e-9)
    assert built.named_vars_to_dims["log_steps"] == ("steps_run",)
    assert "log_critical_batch_size" in built.named_vars


def test_the_density_of_steps_alone_is_the_documented_one():
    held = {name: values for name, values in REACHED.items() if name not in ("learning_rate", "loss")}
    model = Model.of(Sweep.from_columns(**held), "broken_power")
    law, observations = model.law, model.observations
    assert [len(runs) for runs in (observations.steps, observations.censored_steps)] == [5, 3]
    built = assemble(model)
    assert {variable.name for variable in built.free_RVs} == {*model.priors, "steps_innovation"}
    rng = np.random.default_rng(8)
    for _ in range(3):
        priors, v = point(observations, law, rng)
        assert density(built, v) == pytest.approx(expected(observations, law, priors, v), rel=1e-9)


GROUPED = {
    # The second group has batch sizes and floors of its own, and one batch size less.
    "batch_size": [*REACHED["batch_size"], 16, 16, 64, 64, 256, 256],
    "learning_rate": [*REACHED["learning_rate"], 1e-3, 3e-3, 2e-3, 6e-3, 1e-2, 4e-2],
    "loss": [*REACHED["loss"], 3.1, 3.0, 3.2, 2.9, 3.3, np.inf],
    "steps_to_target": [*REACHED["steps_to_target"], 5e3, 4e3, 2e3, 1500, None, None],
    "steps": [*REACHED["steps"], 5e3, 4e3, 2e3, 1500, 800, 800],
    "params": [1e8] * 8 + [3e9] * 6,
    "group_by": "params",
    "batch_unit": "examples",
}


@pytest.mark.parametrize("covariates", [(), ("params",)])
@pytest.mark.parametrize("name", ["broken_power", "power"])
def test_the_density_of_several_groups_is_the_documented_one(name, covariates):
    model = Model.of(Sweep.from_columns(**GROUPED), name, covariates=covariates)
    law, observations = model.law, model.observations
    assert np.bincount(observations.cell_group).tolist() == [4, 3]
    priors, v = point(observations, law, np.random.default_rng(9))
    assert ("log_reference_learning_rate_trend" in priors) == bool(covariates)
    built = assemble(model)
    assert density(built, v) == pytest.approx(expected(observations, law, priors, v), rel=1e-9)
    assert built.named_vars_to_dims["log_optimal_learning_rate"] == ("cell",)
    assert built.named_vars_to_dims["log_critical_batch_size"] == ("group",)


def test_a_covariate_that_is_no_group_column_is_named():
    with pytest.raises(SweepError, match=r"covariate must be a group column .* 'tokens' is none of params"):
        build_model(Sweep.from_columns(**GROUPED), covariates=["tokens"])


T = np.array([-1e3, -30.0, -1.0, 0.0, 2.0, 15.0, 22.3, 25.0, 1e3, 1e6])


def in_pytensor(formula, *values):
    symbols = [pt.dvector() for _ in values]
    return function(symbols, formula(pt, *symbols), mode=INTERPRETED)(*values)


@pytest.mark.parametrize("evaluate", [in_pytensor, lambda formula, *values: formula(np, *values)])
def test_the_survival_of_a_huge_loss_is_exact_in_both_tails(evaluate):
    assert evaluate(log_survival, T) == pytest.approx(stats.t(5).logsf(T), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("evaluate", [in_pytensor, lambda formula, *values: formula(np, *values)])
def test_a_huge_loss_is_a_divergence_or_a_survivor_beyond_the_threshold(evaluate):
    logit, survival = np.array([-3.0, 0.0, 2.0]), np.array([-0.5, -4.0, -30.0])
    chance = 1 / (1 + np.exp(-logit))
    wanted = np.log(chance + (1 - chance) * np.exp(survival))
    assert evaluate(log_huge_loss, logit, survival) == pytest.approx(wanted, rel=1e-12)


def test_a_huge_loss_far_from_the_wall_does_not_overflow():
    # Certain divergence: log 1; certain survival: the survival itself.
    found = log_huge_loss(np, np.array([800.0, -800.0]), np.array([-50.0, -50.0]))
    assert found == pytest.approx([0.0, -50.0], abs=1e-12)


def test_the_model_names_its_dims_and_its_data():
    model = build_model(Sweep.from_columns(**RUNS))
    assert model.coords["batch_size"] == (8.0, 64.0, 512.0)
    assert {"run", "censored_run", "wall_run"} < set(model.coords)
    assert model.named_vars_to_dims["loss"] == ("run",)


def test_fewer_runs_than_parameters_are_refused():
    few = Sweep.from_columns(
        batch_size=[8, 8, 64], learning_rate=[1e-3, 2e-3, 2e-3], loss=[2.0, 1.9, 1.8], batch_unit="examples"
    )
    with pytest.raises(SweepError, match=r"'broken_power' has 4 parameters .* found 3. Add runs, or choose"):
        build_model(few)
    build_model(few, law="surge")


def test_an_unknown_law_or_prior_is_named():
    sweep = Sweep.from_columns(**RUNS)
    with pytest.raises(InputError, match=r"Did you mean 'surge'"):
        build_model(sweep, law="surge_")
    with pytest.raises(InputError, match=r"no prior named 'wal'"):
        build_model(sweep, priors={"wal": Normal(mean=0, sd=1)})
