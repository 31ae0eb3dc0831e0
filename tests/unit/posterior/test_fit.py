"""One real fit of the digits sweep, used the way its reader would."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import surge_fit as sf
from support.posteriors import BAD, make_posterior
from surge_fit.errors import UntrustworthyFitWarning
from surge_fit.model.spec import Model
from surge_fit.posterior import fitting
from surge_fit.posterior.effort import CHAINS, EFFORTS
from surge_fit.sampling import diagnostics

EXAMPLE = Path(__file__).parents[3] / "examples" / "digits_adam"


@pytest.fixture(scope="module")
def posterior():
    return sf.fit(sf.read_sweep(EXAMPLE / "sweep.csv"), random_seed=1)


@pytest.fixture(scope="module")
def truth():
    """Batch size → log of the true optimum, from the full grid of the seed that all runs of the sweep share.

    What another seed shifts is common to all of the sweep's runs, so no fit of them can know it.
    """
    grid = sf.read_sweep(EXAMPLE / "grid.csv")
    grid = grid.where(grid.seed == 0)
    found = {}
    for size in grid.batch_sizes:
        here = np.flatnonzero(grid.batch_size == size)
        here = here[np.argsort(grid.learning_rate[here])]
        best = int(np.argmin(grid.loss[here]))
        near = here[best - 2 : best + 3]
        # The vertex of the parabola through the five rates around the best one.
        square, linear, _ = np.polyfit(np.log(grid.learning_rate[near]), grid.loss[near], 2)
        found[size] = -linear / (2 * square)
    return found


def test_the_fit_is_trustworthy_and_keeps_what_arviz_wants(posterior):
    assert posterior.diagnostics.trustworthy, posterior.diagnostics.problems
    assert set(posterior.to_datatree().children) == {
        "posterior",
        "sample_stats",
        "log_likelihood",
        "log_prior",
        "prior",
        "prior_predictive",
        "posterior_predictive",
        "observed_data",
        "constant_data",
    }
    assert posterior.to_datatree()["posterior"]["log_optimal_learning_rate"].dims == (
        "chain",
        "draw",
        "batch_size",
    )
    assert posterior.to_datatree()["posterior"].sizes["chain"] == 4
    assert not [name for name in posterior.to_datatree()["posterior"].data_vars if name.endswith("__")]


def test_intervals_hold_what_the_full_grid_says(posterior, truth):
    recommendations = sf.recommend(posterior, batch_size=list(truth))
    inside = [
        r.interval_90[0] <= np.exp(best) <= r.interval_90[1]
        for r, best in zip(recommendations, truth.values(), strict=True)
    ]
    # Eleven 90 % intervals, correlated since they come from one sweep: fewer than eight hits would be a miss.
    assert sum(inside) >= 8


def test_the_recommended_rate_costs_less_than_the_rules(posterior):
    for r in sf.recommend(posterior, batch_size=[8, 64, 512, 4096], current_learning_rate=1e-3):
        assert r.interval_90[0] < r.learning_rate < r.interval_90[1]
        assert all(r.expected_regret <= other.expected_regret for other in r.alternatives)
        assert r.equivalent_range[0] <= r.learning_rate <= r.equivalent_range[1]
        assert [a.name for a in r.alternatives] == ["current", "square_root", "linear"]


def test_far_from_the_runs_the_interval_widens(posterior):
    near, far, farther = sf.recommend(posterior, batch_size=[64, 8192, 131072])
    widths = [np.log(r.interval_90[1] / r.interval_90[0]) for r in (near, far, farther)]
    assert widths[0] < widths[1] < widths[2]
    assert (near.extrapolation, far.extrapolation) == (False, True)
    assert far.e_folds_outside == pytest.approx(np.log(8192 / 512))


def test_the_posterior_explains_the_losses_it_has_seen(posterior):
    seen = posterior.to_datatree()["observed_data"]["loss"].values
    replicated = posterior.to_datatree()["posterior_predictive"]["loss"].values.reshape(-1, len(seen))
    low, high = np.quantile(replicated, [0.005, 0.995], axis=0)
    assert np.mean((low <= seen) & (seen <= high)) >= 0.9


def test_predictions_come_from_the_posterior_and_not_from_the_prior(posterior):
    # The first run's loss: known to a part of its valley's depth once seen, to several depths before.
    posterior_sd, prior_sd = (
        posterior.to_datatree()[group]["loss"].values[..., 0].std()
        for group in ("posterior_predictive", "prior_predictive")
    )
    assert posterior_sd < 0.2 * prior_sd


def test_the_same_seed_gives_the_same_draws_and_another_seed_does_not(posterior):
    again = sf.fit(posterior.sweep, random_seed=1)
    other = sf.fit(posterior.sweep, random_seed=2)
    name = "log_optimal_learning_rate"
    assert np.array_equal(again.draws(name), posterior.draws(name))
    assert not np.array_equal(other.draws(name), posterior.draws(name))
    # Both answer alike: within a tenth of the interval's width.
    one, two = (sf.recommend(p, batch_size=128) for p in (posterior, other))
    width = np.log(one.interval_90[1] / one.interval_90[0])
    assert np.log(one.learning_rate) == pytest.approx(np.log(two.learning_rate), abs=0.1 * width)


def test_a_saved_posterior_answers_as_before(posterior, tmp_path):
    path = tmp_path / "posterior.nc"
    posterior.save(path)
    loaded = sf.load_posterior(path)
    assert loaded.sweep.to_dict() == posterior.sweep.to_dict()
    assert dict(loaded.priors) == dict(posterior.priors)
    assert loaded.law is posterior.law
    assert sf.recommend(loaded, batch_size=[64, 1000]) == sf.recommend(posterior, batch_size=[64, 1000])
    with pytest.raises(sf.InputError, match="was fitted with the law 'broken_power'"):
        sf.load_posterior(path, law=sf.get_law("surge"))


def test_arviz_reads_the_saved_file(posterior, tmp_path):
    from surge_fit._support.compat import import_arviz

    path = tmp_path / "posterior.nc"
    posterior.save(path)
    arviz = import_arviz()
    read = arviz.from_netcdf(path)
    assert "log_noise_scale" in read.posterior
    assert "log_noise_scale" in arviz.summary(read, var_names=["log_noise_scale"]).index


def test_a_file_that_is_no_posterior_is_refused(tmp_path):
    with pytest.raises(sf.InputError, match=r"A posterior must be a file"):
        sf.load_posterior(tmp_path / "absent.nc")
    (tmp_path / "text.nc").write_text("batch_size,loss\n")
    with pytest.raises(sf.InputError, match=r"text.nc is not a NetCDF file"):
        sf.load_posterior(tmp_path / "text.nc")


def test_chains_that_disagree_are_reported_with_their_posterior(posterior, monkeypatch):
    monkeypatch.setattr(diagnostics, "FOR_INTERVALS", diagnostics.Limits(max_rhat=0.9, min_ess=400.0))
    usual, longer, careful = EFFORTS["native"]
    short = [replace(effort, tune=200, draws=200) for effort in (longer, careful)]
    monkeypatch.setitem(EFFORTS, "native", (usual, *short))
    stages = []
    with pytest.raises(sf.UntrustworthyFitError, match=r"cannot be trusted. R-hat is 1") as caught:
        sf.fit(posterior.sweep, random_seed=3, progress=lambda stage, share: stages.append(stage))
    told = list(dict.fromkeys(stages))
    assert told[:3] == ["sampling", "sampling again, longer", "sampling again, in smaller steps"]
    assert isinstance(caught.value.posterior, sf.Posterior)
    assert sf.recommend(caught.value.posterior, batch_size=64)


@pytest.mark.parametrize("count", [1, 2])
def test_one_fit_and_many_raise_or_warn_alike(count, monkeypatch):
    fitted = tuple(make_posterior(diagnostics=BAD) for _ in range(count))
    monkeypatch.setattr(fitting, "fit_models", lambda models, **options: fitted)

    def fit(**options):
        sweeps = [held.sweep for held in fitted]
        return sf.fit(sweeps[0], **options) if count == 1 else sf.fit_many(sweeps, **options)

    with pytest.raises(sf.UntrustworthyFitError, match=re.escape(BAD.problems[0])) as caught:
        fit()
    assert caught.value.posteriors == fitted
    assert len(caught.value.problems) == count * len(BAD.problems)
    with pytest.warns(UntrustworthyFitWarning, match="cannot be trusted") as told:
        found = fit(on_failure="warn")
    assert found is (fitted[0] if count == 1 else fitted)
    # One warning, which points at the call.
    assert [one.filename for one in told] == [__file__]
    with pytest.raises(sf.InputError, match="'on_failure' must be 'raise' or 'warn'; got 'ignore'"):
        fit(on_failure="ignore")


def test_an_interrupt_stops_the_sampler_and_the_next_fit_works(posterior):
    def interrupt(stage, share):
        if stage == "sampling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sf.fit(posterior.sweep, random_seed=1, progress=interrupt)
    assert sf.fit(posterior.sweep, random_seed=1).diagnostics.draws == 4000


def test_a_bad_seed_or_batch_size_is_named(posterior):
    with pytest.raises(sf.InputError, match=r"'random_seed' must be an integer from 0"):
        sf.fit(posterior.sweep, random_seed=-1)
    with pytest.raises(sf.InputError, match=r"'batch_size' must be positive and finite; got 0"):
        sf.recommend(posterior, batch_size=[64, 0])
    with pytest.raises(
        sf.InputError, match=r"'current_learning_rate' must be a positive finite number; got nan"
    ):
        sf.recommend(posterior, batch_size=64, current_learning_rate=float("nan"))


def test_published_optima_alone_give_an_interval_and_no_regret():
    rng = np.random.default_rng(0)
    sizes = np.array([16, 64, 256, 1024, 4096])
    # The surge law with B_noise = 256, ε_max = 2e-3, read off a grid with steps of √2.
    optimum = 2e-3 / np.cosh(0.5 * np.log(256 / sizes)) * np.exp(0.1 * rng.standard_normal(5))
    points = sf.Sweep.from_columns(
        batch_size=sizes, optimal_learning_rate=optimum, grid_step=np.log(2) / 2, batch_unit="tokens"
    )
    posterior = sf.fit(points, law="surge", random_seed=0)
    noise_scale, max_rate = sf.estimate_parameters(posterior)
    assert noise_scale.identified
    assert noise_scale.interval[0] < 256 < noise_scale.interval[1]
    assert max_rate.interval[0] < 2e-3 < max_rate.interval[1]
    r = sf.recommend(posterior, batch_size=256)
    assert r.interval_90[0] < 2e-3 < r.interval_90[1]
    assert (r.expected_regret, r.equivalent_range, r.probability_of_divergence) == (None, None, None)


def test_fits_for_means_take_fewer_draws_and_less_strict_limits(posterior):
    usual = EFFORTS["native, for means"][0]
    sweeps = [posterior.sweep, posterior.sweep.where(posterior.sweep.batch_size > 8)]
    models = [Model.of(sweep, law) for sweep, law in zip(sweeps, ["power", "surge"], strict=True)]
    found = fitting.fit_models(models, random_seed=1, for_means=True)
    assert [held.law.name for held in found] == ["power", "surge"]
    assert [held.diagnostics.draws for held in found] == [CHAINS * usual.draws] * 2
    assert not any(held.diagnostics.beyond(diagnostics.FOR_MEANS) for held in found)
    assert diagnostics.FOR_MEANS.min_ess < diagnostics.FOR_INTERVALS.min_ess
