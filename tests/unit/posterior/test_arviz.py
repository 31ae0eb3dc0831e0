"""Posteriors in ArviZ's hands: the real library, 0.23 (an `InferenceData`) or 1 (a `DataTree`)."""

import warnings

import matplotlib as mpl
import numpy as np
import pytest
import surge_fit as sf
from surge_fit._support.compat import import_arviz, reads_inference_data
from surge_fit.posterior.loading import load_posterior

arviz = import_arviz()
NAMES = ["log_noise_scale", "small_batch_slope"]
SAMPLE_STATS = {
    "lp",
    "tree_depth",
    "acceptance_rate",
    "diverging",
    "energy",
    "step_size",
    "n_steps",
    "reached_max_treedepth",
}


@pytest.fixture(scope="module")
def sweep():
    rates = np.geomspace(3e-4, 3e-2, 5)
    return sf.simulate_sweep(
        "surge",
        {"log_max_learning_rate": np.log(6e-3), "log_noise_scale": np.log(200)},
        batch_size=[16, 64, 256, 1024],
        learning_rate=rates,
        random_seed=3,
    )


@pytest.fixture(scope="module")
def posterior(sweep):
    return sf.fit(sweep, random_seed=0)


def in_arviz(posterior):
    return posterior.to_inference_data() if reads_inference_data() else posterior.to_datatree()


def test_a_summary_has_the_draws_means(posterior):
    table = arviz.summary(in_arviz(posterior), var_names=NAMES, round_to="none")
    for name in NAMES:
        assert float(table.loc[name, "mean"]) == pytest.approx(posterior.draws(name).mean(), rel=1e-9)


def test_traces_are_drawn(posterior):
    mpl.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plot = arviz.plot_trace if reads_inference_data() else arviz.plot_trace_dist
        assert plot(in_arviz(posterior), var_names=NAMES) is not None
    mpl.pyplot.close("all")


def test_leave_one_out_sums_the_runs(posterior):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # runs at the ends of the grid have large k
        found = arviz.loo(in_arviz(posterior), var_name="loss", pointwise=True)
    seen = posterior.to_datatree()["observed_data"]["loss"]
    pointwise = found["loo_i" if reads_inference_data() else "elpd_i"]
    assert pointwise.shape == seen.shape


def test_laws_are_compared(posterior, sweep):
    flat = sf.fit(sweep, law="constant", random_seed=0)
    both = {"broken_power": in_arviz(posterior), "constant": in_arviz(flat)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = arviz.compare(both, var_name="loss")
    assert set(table.index) == set(both)


def test_the_sampler_tells_what_arviz_asks(posterior):
    statistics = posterior.to_datatree()["sample_stats"]
    assert set(statistics.data_vars) == SAMPLE_STATS
    assert all(values.shape == (4, statistics.sizes["draw"]) for values in statistics.data_vars.values())
    # A tree of depth d has 2ᵈ − 1 steps, and fewer than as many again in a doubling that was broken off.
    assert (statistics["n_steps"] < 2.0 ** (statistics["tree_depth"] + 1)).all()


@pytest.mark.slow
def test_both_engines_name_their_statistics_alike(sweep):
    few = sf.fit(sweep, random_seed=0, engine="pymc")
    assert set(few.draw_groups["sample_stats"].variables) == SAMPLE_STATS


@pytest.mark.skipif(reads_inference_data(), reason="this ArviZ has an InferenceData")
def test_arviz_1_is_given_a_datatree(posterior):
    with pytest.raises(sf.InputError, match=r"InferenceData needs ArviZ 0.x; .* Use to_datatree\(\)"):
        posterior.to_inference_data()


def test_a_log_likelihood_says_whether_it_is_thinned(posterior):
    tree = posterior.to_datatree()
    assert tree["log_likelihood"].attrs == {}
    assert tree["log_likelihood"].sizes["draw"] == tree["posterior"].sizes["draw"]


def test_statistics_of_a_file_with_the_former_names_are_read_under_arvizs(tmp_path, posterior):
    former = {
        "tree_depth": "depth",
        "lp": "logp",
        "acceptance_rate": "mean_tree_accept",
        "reached_max_treedepth": "maxdepth_reached",
    }
    posterior.save(tmp_path / "p.nc")
    import h5py

    with h5py.File(tmp_path / "p.nc", "r+") as file:
        for now, before in former.items():
            file["sample_stats"].move(now, before)
    again = load_posterior(tmp_path / "p.nc")
    for name in SAMPLE_STATS:
        assert (again.draw_groups["sample_stats"][name] == posterior.draw_groups["sample_stats"][name]).all()
