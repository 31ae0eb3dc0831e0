"""What NumPy computes from draws, against the PyMC model of the same definition."""

import math
from dataclasses import replace

import numpy as np
import pytest
from pytensor.compile.mode import Mode
from surge_fit import Law, Normal, Sweep
from surge_fit.law.base import learning_rate_scale, noise_scale
from surge_fit.model import discrepancy
from surge_fit.model.in_numpy import Evaluation
from surge_fit.model.in_pymc import assemble
from surge_fit.model.loss_surface import valley
from surge_fit.model.spec import Model
from surge_fit.posterior.assembly import infer

INTERPRETED = Mode(linker="py", optimizer="None")
OWN = Law(
    name="own",
    title="A law that is not built in",
    parameters=(learning_rate_scale("log_top", "t", "Its top."), noise_scale("b", "Its bend.")),
    shape=lambda xp, x, log_noise_scale: -xp.log1p(xp.exp(log_noise_scale - x)),
    formula="",
    reference="",
    regime="",
)
RUNS = {
    "batch_size": [8, 8, 8, 64, 64, 64, 512, 512, 512],
    "learning_rate": [1e-3, 2e-3, 4e-3, 1e-3, 4e-3, 1e-2, 4e-3, 2e-2, 8e-2],
    "loss": [2.0, 1.9, 2.6, 2.1, 1.7, 80.0, 2.2, 2.3, np.inf],
    "loss_se": [0.0, 0.01, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0],
    "steps_to_target": [9e3, 9e3, 9e3, 900, None, 1000, None, None, None],
    "steps": [9e3, 9e3, 9e3, 900, 800, 1000, 200, 200, 200],
}
POINTS = {"batch_size": [8, 64, 512], "optimal_learning_rate": [1e-3, 2e-3, 3e-3], "grid_step": 0.3}


def one_group():
    return Model.of(Sweep.from_columns(**RUNS, batch_unit="examples"), "broken_power")


def two_groups():
    twice = {name: values * 2 for name, values in RUNS.items()}
    size = [1e8] * 9 + [1e9] * 9
    sweep = Sweep.from_columns(**twice, N=size, batch_unit="examples", group_by="N")
    return Model.of(sweep, "power", covariates=["N"])


def points():
    return Model.of(Sweep.from_columns(**POINTS, batch_unit="tokens"), OWN)


def steps_alone():
    known = {name: RUNS[name] for name in ("batch_size", "steps_to_target", "steps")}
    return Model.of(Sweep.from_columns(**known, batch_unit="tokens"), "broken_power")


def drawn(model, count, seed):
    return {name: value for name, (_, value) in Evaluation.of_prior(model, count, seed).parameters.items()}


@pytest.mark.parametrize("case", [one_group, two_groups, points, steps_alone])
def test_draws_have_the_densities_and_the_deterministics_of_the_model(case):
    described = case()
    model = assemble(described)
    free = Evaluation.of_prior(described, 3, seed=4).free
    assert set(free) == {variable.name for variable in model.free_RVs}
    terms = [*model.basic_RVs, *model.potentials]
    density = model.compile_logp(jacobian=False, sum=False, mode=INTERPRETED)
    follows = model.compile_fn(
        model.replace_rvs_by_values(model.deterministics),
        inputs=model.value_vars,
        mode=INTERPRETED,
        on_unused_input="ignore",
    )
    evaluation = Evaluation(described, free)
    found, computed = evaluation.log_prior | evaluation.log_likelihood, evaluation.deterministics
    assert evaluation.log_density[0] == pytest.approx(
        sum(values[0].reshape(3, -1).sum(axis=1) for _, values in found.values()), rel=1e-12
    )
    assert set(found) == {term.name for term in terms}
    assert set(computed) == {variable.name for variable in model.deterministics}
    values = {model.rvs_to_values[variable].name: variable.name for variable in model.free_RVs}
    for draw in range(3):
        at = {
            value: np.log(free[name][0, draw]) if value.endswith("_log__") else free[name][0, draw]
            for value, name in values.items()
        }
        for term, wanted in zip(terms, density(at), strict=True):
            got = found[term.name][1][0, draw]
            if term in model.potentials:  # where all runs enter as one term
                got = got.sum()
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9), term.name
        for variable, wanted in zip(model.deterministics, follows(at), strict=True):
            dims, got = computed[variable.name]
            assert got[0, draw] == pytest.approx(wanted, rel=1e-9, abs=1e-9), variable.name
            assert dims == ("chain", "draw", *model.named_vars_to_dims.get(variable.name, ()))


@pytest.mark.parametrize("case", [one_group, two_groups, points, steps_alone])
def test_the_tree_has_the_names_dims_and_data_of_the_model(case):
    described = case()
    model = assemble(described)
    drawn = Evaluation.of_prior(described, 1200, seed=4).free
    free = {name: values.reshape(2, 600, *values.shape[2:]) for name, values in drawn.items()}
    tree = infer(described, free, {"diverging": np.zeros((2, 600), bool)}, seed=5).to_datasets()
    parameters = {variable.name for variable in (*model.free_RVs, *model.deterministics)}
    observed = {variable.name for variable in model.observed_RVs}
    for group in ("posterior", "prior"):
        assert set(tree[group].data_vars) == parameters
    for group in ("posterior_predictive", "prior_predictive", "observed_data"):
        assert set(tree[group].data_vars) == observed
    assert set(tree["log_prior"].data_vars) == set(free)
    assert set(tree["log_likelihood"].data_vars) == observed | {part.name for part in model.potentials}
    assert tree["log_likelihood"].sizes["draw"] == 600
    for group in ("posterior", "prior", "posterior_predictive", "prior_predictive"):
        for name, values in tree[group].data_vars.items():
            assert values.dims[2:] == model.named_vars_to_dims.get(name, ())
            for dim in values.dims[2:]:
                assert list(tree[group][dim].values) == list(model.coords[dim])
    # 1,200 draws are thinned to 600: the draws 0, 2, 4, … of each chain.
    assert tree["posterior_predictive"]["draw"].values.tolist() == list(range(0, 600, 2))
    assert tree["prior"].sizes["draw"] == 500
    data = {variable.name: variable.get_value() for variable in model.data_vars}
    for name, values in tree["constant_data"].data_vars.items():
        assert np.array_equal(values.values, data.pop(name))
    # What is left is what was observed.
    assert all(name.endswith("_value") for name in data)
    for name, values in tree["observed_data"].data_vars.items():
        assert np.array_equal(values.values, model.rvs_to_values[model[name]].eval())


def test_many_runs_keep_the_log_likelihood_of_the_thinned_draws_only():
    sizes = np.repeat([8, 64, 512], 70)
    rates = np.tile(np.geomspace(1e-3, 1e-1, 70), 3)
    sweep = Sweep.from_columns(
        batch_size=sizes, learning_rate=rates, loss=2 + np.log(rates / 1e-2) ** 2, batch_unit="examples"
    )
    # 210 losses and 210 runs that did not diverge are more than 400.
    model = Model.of(sweep, "power")
    tree = infer(model, Evaluation.of_prior(model, 1000, seed=1).free, {}, seed=1).to_datasets()
    assert tree["log_likelihood"]["draw"].values.tolist() == list(range(0, 1000, 2))
    assert tree["log_likelihood"].attrs == {"thinned_by": 2}
    assert tree["log_prior"].sizes["draw"] == 1000


def test_runs_are_drawn_with_the_moments_of_their_likelihoods():
    model = one_group()
    observations, one = model.observations, Evaluation.of_prior(model, 1, seed=11).free
    many = {name: np.repeat(values, 40_000, axis=1) for name, values in one.items()}
    follows = Evaluation(model, one).deterministics
    drawn = Evaluation(model, many).predictive(seed=2)
    assert {name: dims[2:] for name, (dims, _) in drawn.items()} == {
        "loss": ("run",),
        "diverged": ("wall_run",),
        "log_steps": ("steps_run",),
    }
    # The quartiles of Student's t with 5 degrees of freedom are ±0.72669.
    steps = drawn["log_steps"][1][0]
    centre = follows["log_steps_curve"][1][0, 0][observations.steps.cell_index]
    noise = one["steps_noise"][0, 0]
    low, middle, high = np.quantile(steps, [0.25, 0.5, 0.75], axis=0)
    assert middle == pytest.approx(centre, abs=0.02 * noise)
    assert high - low == pytest.approx(np.full(len(centre), 2 * 0.72669 * noise), rel=0.02)
    # P(diverge) = 1/(1 + exp(−(u − wall)/width)).
    wall = observations.wall
    u = wall.log_learning_rate - one["log_optimal_learning_rate"][0, 0][wall.cell_index]
    chance = 1 / (1 + np.exp(-(u - one["wall"][0, 0]) / one["wall_width"][0, 0]))
    assert drawn["diverged"][1][0].mean(axis=0) == pytest.approx(chance, abs=0.01)
    # The loss: floor + κ h(u), with scale √(s² + (ρ κ h)² + se²).
    runs, of_run = observations.finished, {name: values[0, 0] for name, values in one.items()}
    log_distance = observations.log_batch_size - observations.log_reference_batch_size
    curvature = np.exp(of_run["log_curvature"] + of_run["curvature_slope"] * log_distance)[runs.cell_index]
    u = runs.log_learning_rate - of_run["log_optimal_learning_rate"][runs.cell_index]
    depth = curvature * valley(np, u, of_run["valley_rate"], of_run["valley_asymmetry"])
    sd = np.sqrt(of_run["loss_noise"] ** 2 + (of_run["shape_error"] * depth) ** 2 + runs.se**2)
    low, middle, high = np.quantile(drawn["loss"][1][0], [0.25, 0.5, 0.75], axis=0)
    assert (middle - follows["floor"][1][0, 0][runs.cell_index] - depth) / sd == pytest.approx(0, abs=0.02)
    assert (high - low) / sd == pytest.approx(np.full(len(sd), 2 * 0.72669), rel=0.02)


def test_prior_draws_follow_the_priors_and_the_process():
    model = one_group()
    law, priors = model.law, model.priors.replace(log_critical_ratio=Normal(mean=0.0, sd=2.0))
    model = replace(model, priors=priors)
    found = drawn(model, 40_000, seed=3)
    location, width = priors["log_noise_scale"].mean, priors["log_noise_scale"].sd
    # The noise scale keeps its prior, however loosely the critical batch size is tied to it.
    assert found["log_noise_scale"].mean() == pytest.approx(location, abs=0.06)
    assert found["log_noise_scale"].std() == pytest.approx(width, rel=0.02)
    assert found["log_critical_batch_size"].std() == pytest.approx(math.hypot(width, 2.0), rel=0.02)
    x = model.observations.log_batch_size
    theta = {p.name: found[p.name][..., None] for p in law.parameters[1:]}
    curve = found[law.parameters[0].name][..., None] + law.shape(np, x, **theta)
    scaled = ((found["log_optimal_learning_rate"] - curve) / found["discrepancy_scale"][..., None])[0]
    factor = discrepancy.cholesky(x)
    assert np.cov(scaled.T) == pytest.approx(factor @ factor.T, abs=0.03)
    again = drawn(model, 40_000, seed=3)
    assert all(np.array_equal(found[name], again[name]) for name in found)
