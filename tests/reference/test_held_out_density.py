"""The density of runs that a fit has not seen, against SciPy's distributions and adaptive quadrature."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats
from support.posteriors import GOOD
from surge_fit import Sweep, get_law, observe
from surge_fit._core import integrate_floor
from surge_fit.decisions.held_out import held_out_log_density, log_mean
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.model.loss_surface import divergence_probability, valley
from surge_fit.model.spec import Model
from surge_fit.posterior.value import Posterior

# As in the test of the model's density: the loss of 80 is censored, at 2.1 + 10 · 0.4; one run diverged.
RUNS = {
    "batch_size": [8, 8, 8, 64, 64, 64, 512, 512, 512, 512],
    "learning_rate": [1e-3, 2e-3, 4e-3, 1e-3, 4e-3, 1e-2, 4e-3, 2e-2, 8e-2, 8e-2],
    "loss": [2.0, 1.9, 2.6, 2.1, 1.7, 80.0, 2.2, 2.3, np.inf, None],
    "loss_se": [0.0, 0.01, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    "status": [*["finished"] * 8, "diverged", "stopped"],
    "batch_unit": "examples",
}
THETA = {
    "log_learning_rate_scale": np.log(1e-3),
    "slope": 0.4,
    "discrepancy_scale": 0.0,
    "log_curvature": np.log(0.3),
    "curvature_slope": 0.1,
    "valley_rate": 0.6,
    "valley_asymmetry": 0.9,
    "loss_noise": 0.05,
    "shape_error": 0.2,
    "wall": 2.0,
    "wall_width": 0.5,
    "optimum_noise": 0.3,
}
LAW = get_law("power")


def certain(sweep, left_out, **changes):
    """A posterior of the power law without one batch size, whose draws are all the same, and on the law."""
    others = sweep.where(sweep.batch_size != left_out)
    values = THETA | changes
    tried = observe(others).batch_size
    values = {name: np.full((2, 3), value) for name, value in values.items()}
    curve = values["log_learning_rate_scale"][..., None] + values["slope"][..., None] * np.log(tried)
    draws = {name: (("chain", "draw"), value) for name, value in values.items()}
    draws["log_optimal_learning_rate"] = (("chain", "draw", "batch_size"), curve)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(draws)})
    return Posterior(DrawGroups.of_tree(tree), Model.of(others, LAW), 0, GOOD)


def by_quadrature(posterior, observations, index):
    """The density of `held_out_log_density` from its documented definition, for one draw."""
    v = {name: float(posterior.draws(name)[0]) for name in THETA}
    size, scales = observations.batch_size[index], observations.scales
    optimum = v["log_learning_rate_scale"] + v["slope"] * np.log(size)
    reference = np.log(posterior.observations.batch_size).mean()
    kappa = np.exp(v["log_curvature"] + v["curvature_slope"] * (np.log(size) - reference))

    def at(runs):
        here = runs.cell_index == index
        return runs.log_learning_rate[here] - optimum, runs.value[here], runs.se[here]

    def chance(u):
        return divergence_probability(np, u, v["wall"], v["wall_width"])

    def residual(u, se, floor):
        depth = kappa * valley(np, u, v["valley_rate"], v["valley_asymmetry"])
        sd = np.sqrt(v["loss_noise"] ** 2 + (v["shape_error"] * depth) ** 2 + se**2)
        return stats.t(5, floor + depth, sd)

    u, diverged, _ = at(observations.wall)
    outside = stats.bernoulli(chance(u)).logpmf(diverged.astype(int)).sum()
    best, gap = scales.best_loss[index], scales.gap[index]

    def integrand(floor):
        total = stats.t(4, best, 5 * gap).pdf(floor)
        u, loss, se = at(observations.finished)
        total *= residual(u, se, floor).pdf(loss).prod()
        u, threshold, se = at(observations.censored)
        return total * (chance(u) + (1 - chance(u)) * residual(u, se, floor).sf(threshold)).prod()

    places = best + gap * np.array([-100, -10, -3, -1, -0.3, 0, 0.3, 1, 3, 10, 100])
    pieces = [integrate.quad(integrand, a, b, epsabs=0, limit=200)[0] for a, b in pairwise(places)]
    return outside + np.log(sum(pieces))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_density_of_certain_draws_is_that_of_the_definition(index):
    # Finished runs alone, then with a censored loss, then with a diverged run and one that tells nothing.
    sweep = Sweep.from_columns(**RUNS)
    observations = observe(sweep)
    posterior = certain(sweep, observations.batch_size[index])
    found = held_out_log_density(posterior, observations, index)
    assert found.shape == (6,)
    assert found == pytest.approx(by_quadrature(posterior, observations, index), abs=5e-3)


def test_a_batch_size_at_which_all_runs_diverged_is_predicted_by_the_wall_alone():
    columns = RUNS | {"loss": [*RUNS["loss"][:6], np.inf, np.inf, np.inf, None]}
    columns["status"] = [*["finished"] * 6, *["diverged"] * 3, "stopped"]
    sweep = Sweep.from_columns(**columns)
    posterior = certain(sweep, 512)
    u = np.log([4e-3, 2e-2, 8e-2]) - np.log(1e-3) - 0.4 * np.log(512)
    wanted = np.log(1 / (1 + np.exp(-(u - 2.0) / 0.5))).sum()
    assert held_out_log_density(posterior, observe(sweep), 2) == pytest.approx(wanted, rel=1e-12)


def test_optimum_points_are_predicted_exactly():
    sweep = Sweep.from_columns(
        batch_size=[8, 64, 512, 512],
        optimal_learning_rate=[1e-3, 2e-3, 3e-3, 4e-3],
        log_learning_rate_se=[0.1, 0.0, 0.2, 0.0],
        batch_unit="tokens",
    )
    centre = np.log(1e-3) + 0.4 * np.log(512)
    sd = np.sqrt(0.3**2 + np.array([0.2, 0.0]) ** 2)
    wanted = stats.t(5, centre, sd).logpdf(np.log([3e-3, 4e-3])).sum()
    found = held_out_log_density(certain(sweep, 512), observe(sweep), 2)
    assert found == pytest.approx(wanted, rel=1e-12)


def test_each_draw_of_the_law_keeps_its_own_deviations():
    sweep = Sweep.from_columns(
        batch_size=[8, 64, 512], optimal_learning_rate=[1e-3, 2e-3, 3e-3], batch_unit="tokens"
    )
    slope = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    centre = np.log(1e-3) + slope.ravel() * np.log(512)
    found = held_out_log_density(certain(sweep, 512, slope=slope), observe(sweep), 2)
    assert found == pytest.approx(stats.t(5, centre, 0.3).logpdf(np.log(3e-3)), rel=1e-12)


def test_the_optimum_is_drawn_from_the_discrepancy():
    # Far from the other batch sizes, the optimum is the law's ± 0.4, the noise of the point beside it small.
    sweep = Sweep.from_columns(
        batch_size=[1, 2, 2**40], optimal_learning_rate=[1e-3, 1e-3, 1e-3], batch_unit="tokens"
    )
    changes = {"slope": 0.0, "discrepancy_scale": 0.4, "optimum_noise": 0.1}
    posterior = certain(sweep, 2**40, **changes)
    tree = posterior.to_datatree()
    many = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset().isel(draw=[0] * 4000)})
    posterior = replace(posterior, draw_groups=DrawGroups.of_tree(many))
    value, error = log_mean(held_out_log_density(posterior, observe(sweep), 2))
    wanted = integrate.quad(lambda x: stats.norm(0, 0.4).pdf(x) * stats.t(5, 0, 0.1).pdf(x), -4, 4)[0]
    assert value == pytest.approx(np.log(wanted), abs=5 * error)
    assert error < 0.02


def test_the_floor_prior_is_scaled_by_the_whole_sweep_whatever_the_fit():
    sweep = Sweep.from_columns(**RUNS)
    posterior = certain(sweep, 64)
    priors = posterior.priors.replace(floor_gap=posterior.priors["valley_asymmetry"])
    other = replace(posterior, model=replace(posterior.model, priors=priors))
    mine, theirs = (held_out_log_density(held, observe(sweep), 1) for held in (posterior, other))
    assert mine == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("places", "sds"),
    [
        ([2.0], [0.01]),
        ([2.0, 2.0, 2.0, 2.0, 2.0, 2.0], [0.002] * 6),
        # Two runs that contradict each other by 50 standard errors, and a vague third.
        ([2.0, 2.1, 2.05], [0.002, 0.002, 0.3]),
        ([2.0, 2.003, 1.99, 2.2, 2.5, 1.8], [0.002, 0.003, 0.01, 0.1, 0.3, 0.1]),
    ],
)
def test_the_floor_is_integrated_out_as_by_dense_quadrature(places, sds):
    location, scale = 1.995, 0.02
    # Points to 1e-4 of each scale near each place, and far beyond all.
    spread = np.sinh(np.linspace(-14, 14, 20_001))
    centres, widths = np.array([*places, location]), np.array([*sds, scale])
    floor = np.unique(centres[:, None] + widths[:, None] * spread)
    log_value = stats.t(4, location, scale).logpdf(floor)
    log_value += sum(stats.t(5, place, sd).logpdf(floor) for place, sd in zip(places, sds, strict=True))
    highest = log_value.max()
    wanted = highest + np.log(np.trapezoid(np.exp(log_value - highest), floor))
    none = np.zeros((1, 0))
    found = integrate_floor(np.array([places]), np.array([sds]), none, none, none, (4.0, location, scale))
    assert found == pytest.approx([wanted], abs=0.02)


def test_the_log_of_the_mean_has_the_error_of_the_mean():
    # Independent log-normal densities: the error of their mean m is m √(e^{σ²} − 1)/√n, for each draw.
    draws = np.random.default_rng(0).normal(-1000.0, 0.5, 40_000)
    value, error = log_mean(draws)
    assert value == pytest.approx(-1000.0 + 0.125, abs=0.01)
    assert error == pytest.approx(np.sqrt(np.expm1(0.25) / 40_000), rel=0.3)


def test_the_error_of_the_mean_allows_for_draws_that_resemble_their_neighbours():
    # Every draw repeated 100 times: as many draws as before, but a hundredth of the information.
    few = np.random.default_rng(1).normal(0.0, 0.5, 400)
    repeated = np.repeat(few, 100)
    assert log_mean(repeated)[1] == pytest.approx(np.sqrt(np.expm1(0.25) / 400), rel=0.4)
