"""Which answers come from the priors, on posteriors where theory knows it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from support.posteriors import make_posterior
from surge_fit import InputError, recommend
from surge_fit._support.compat import import_arviz, reads_inference_data
from surge_fit.decisions.sensitivity import PriorSensitivity, prior_sensitivity
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.report import compose, fit

CHAINS, DRAWS = 4, 1500


def conjugate(prior_mean: float, prior_sd: float, data_mean: float, data_sd: float, every: int = 1):
    """A posterior whose log noise scale has a normal prior and one normal observation, and nothing else."""
    precision = prior_sd**-2 + data_sd**-2
    mean = (prior_mean / prior_sd**2 + data_mean / data_sd**2) / precision
    x = mean + np.random.default_rng(3).standard_normal((CHAINS, DRAWS)) / np.sqrt(precision)
    dims = ("chain", "draw")
    made = make_posterior()
    chain, draw = np.arange(CHAINS), np.arange(DRAWS)
    names = [*made.law_draws, "log_optimal_learning_rate"]
    other = {name: (dims, np.zeros((CHAINS, DRAWS))) for name in names if name != "log_noise_scale"}
    sets = {
        "posterior": xr.Dataset(other | {"log_noise_scale": (dims, x)}, {"chain": chain, "draw": draw}),
        "log_prior": xr.Dataset(
            {
                "log_noise_scale": (dims, -0.5 * ((x - prior_mean) / prior_sd) ** 2),
                "wall": (dims, np.zeros_like(x)),
                # Moves the draws too, but is the model's own.
                "log_optimal_learning_rate": (dims, 10 * x),
            }
        ),
        "log_likelihood": xr.Dataset(
            {"loss": ((*dims, "run"), -0.5 * ((x - data_mean) / data_sd)[:, ::every, None] ** 2)},
            {"chain": chain, "draw": draw[::every]},
        ),
    }
    return replace(made, draw_groups=DrawGroups.of_tree(xr.DataTree.from_dict(sets)))


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        # The data are ten times as precise as the prior, and agree; or the other way about.
        ((0.0, 3.0, 0.0, 0.3), "data"),
        ((0.0, 0.3, 0.0, 3.0), "prior"),
        # Both say "precisely here", eight standard deviations apart.
        ((0.0, 0.5, 4.0, 0.5), "conflict"),
        # Both alike: neither more than the other.
        ((0.0, 3.0, 1.0, 0.3), "data"),
    ],
)
def test_the_verdict_is_what_conjugate_theory_says(numbers, verdict):
    found = prior_sensitivity(conjugate(*numbers))[0]
    assert (found.quantity, found.batch_size, found.verdict) == ("noise_scale", None, verdict)
    assert found.strongest_prior == "log_noise_scale"


def test_shifts_are_the_derivatives_of_the_posterior_mean():
    # mean(α) = (α p m + d y)/(α p + d): at α = 1 it moves by p d (m − y)/(p + d)² per unit of log α, so by
    # log 2 · p d (m − y)/(p + d)^1.5 standard deviations per doubling; the likelihood by the opposite.
    found = prior_sensitivity(conjugate(1.0, 0.8, 0.0, 0.6))[0]
    p, d = 0.8**-2, 0.6**-2
    wanted = np.log(2) * p * d / (p + d) ** 1.5
    assert found.prior_shift == pytest.approx(wanted, abs=0.05)
    assert found.likelihood_shift == pytest.approx(-wanted, abs=0.05)


def test_sensitivities_are_those_of_arviz():
    posterior = conjugate(0.0, 1.0, 1.5, 0.7)
    found = prior_sensitivity(posterior)[0]
    tree = {name: node.to_dataset() for name, node in posterior.to_datatree().children.items()}
    tree["posterior"] = tree["posterior"][["log_noise_scale"]]
    tree["log_prior"] = tree["log_prior"][["log_noise_scale"]]
    arviz = import_arviz()
    if reads_inference_data():
        trace = arviz.InferenceData(**tree)
        wanted = [arviz.psens(trace, component=part) for part in ("prior", "likelihood")]
    else:
        trace = xr.DataTree.from_dict(tree)
        wanted = [arviz.psense(trace, group=part) for part in ("prior", "likelihood")]
    prior, likelihood = (float(values["log_noise_scale"]) for values in wanted)
    assert found.prior == pytest.approx(prior, rel=0.02)
    assert found.likelihood == pytest.approx(likelihood, rel=0.02)


def test_a_thinned_likelihood_is_matched_to_its_draws():
    whole, thinned = (prior_sensitivity(conjugate(0.0, 1.0, 1.5, 0.7, every=n))[0] for n in (1, 3))
    assert thinned.likelihood == pytest.approx(whole.likelihood, rel=0.2)
    assert thinned.likelihood_shift == pytest.approx(whole.likelihood_shift, abs=0.08)
    assert thinned.prior == whole.prior


def test_a_posterior_without_densities_is_refused_and_reported_without_sensitivities():
    made = make_posterior()
    with pytest.raises(InputError, match=r"Sensitivities need the log prior .* Fit the sweep again"):
        prior_sensitivity(made)
    assert compose(made).sensitivities == ()


def dominated(posterior, verdict):
    """Densities that make the optimum what the prior says, or a conflict, at every batch size."""
    x = posterior.to_datatree()["posterior"]["log_optimal_learning_rate"]
    x = ((x - x.mean(("chain", "draw"))) / x.std(("chain", "draw")))[..., -1]
    away = 0.0 if verdict == "prior" else 3.0
    of_data = (0.0 if verdict == "prior" else -0.5) * (x - away) ** 2
    groups = {name: node.to_dataset() for name, node in posterior.to_datatree().children.items()}
    groups["log_prior"] = xr.Dataset({"slope_prior": -0.5 * (x + away) ** 2})
    groups["log_likelihood"] = xr.Dataset({"loss": of_data}, {"draw": np.arange(x.sizes["draw"])})
    return replace(posterior, draw_groups=DrawGroups.of_tree(xr.DataTree.from_dict(groups)))


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("prior", "What is said of the optimum at batch sizes 512 and 4096 comes mostly from the priors, "),
        ("conflict", "pull the optimum at batch sizes 512 and 4096 in opposite directions"),
    ],
)
def test_a_recommendation_that_the_priors_lead_is_warned_of(verdict, words):
    posterior = dominated(make_posterior(), verdict)
    report = compose(posterior, recommend(posterior, batch_size=[512, 4096]))
    (said,) = [
        warning for warning in report.warnings if "batch sizes 512 and 4096" in warning and "prior" in warning
    ]
    assert words in said
    assert "'slope_prior'" in said
    told = fit.record(report)["prior_sensitivity"]
    assert [held["batch_size"] for held in told if held["quantity"] == "optimal_learning_rate"] == [512, 4096]
    assert {held["verdict"] for held in told if held["batch_size"]} == {verdict}


def test_a_quantity_that_nothing_moves_comes_from_the_data():
    fine = PriorSensitivity("noise_scale", None, 0.049, 0.01, 1.0, -1.0, "wall")
    assert fine.verdict == "data"
