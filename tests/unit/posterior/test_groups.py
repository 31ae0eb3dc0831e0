"""A group asked of a pooled posterior: one that was run, and one that never was."""

import json

import numpy as np
import pytest
import surge_fit as sf
from support.command_line import run
from support.pooled import BATCH_SIZES, GROUPS, MEAN, PARAMS, SPREAD, TREND, groups, make_pooled_posterior
from support.posteriors import make_posterior
from surge_fit import plots
from surge_fit.decisions.trends import estimate_population
from surge_fit.posterior.population import PooledRuns, choose
from surge_fit.report import compose, compose_population, fit, population, render


@pytest.fixture(scope="module")
def pooled():
    return make_pooled_posterior()


@pytest.fixture(scope="module")
def largest(pooled):
    return pooled.group(GROUPS[2])


@pytest.fixture(scope="module")
def new(pooled):
    return pooled.group({"params": 4e9 * np.exp(1.2)})


def test_a_group_that_was_run_has_its_own_draws_at_its_own_batch_sizes(pooled, largest):
    assert largest.sweep.groups == (GROUPS[2],)
    assert largest.observations.batch_size.tolist() == list(BATCH_SIZES[2])
    assert np.array_equal(largest.draws("log_noise_scale"), pooled.draws("log_noise_scale")[:, 2])
    # Three and two cells of the groups before it, then its four.
    for name in ("log_optimal_learning_rate", "log_steps_curve", "floor"):
        assert np.array_equal(largest.draws(name), pooled.draws(name)[:, 5:9])
    assert largest.to_datatree()["posterior"]["floor"].dims == ("chain", "draw", "batch_size")
    assert not largest.is_pooled


def test_what_is_defined_at_the_reference_batch_size_moves_to_that_of_the_group(pooled, largest):
    # All sizes tried: 8, 16, 64, 512, 4096, 32768 are 2^3, 4, 6, 9, 12, 15, on average 2^(49/6). The group's
    # 2^6, 9, 12, 15 are on average 2^10.5.
    moved = (10.5 - 49 / 6) * np.log(2)
    wanted = pooled.draws("log_curvature")[:, 2] + 0.1 * moved
    assert largest.draws("log_curvature") == pytest.approx(wanted)
    scale, *shapes = (parameter.name for parameter in largest.law.parameters)
    theta = {name: largest.draws(name) for name in shapes}
    scale = largest.draws(scale)
    shape = largest.law.shape(np, np.full(len(scale), 10.5 * np.log(2)), **theta)
    assert largest.draws("log_reference_learning_rate") == pytest.approx(scale + shape)


def test_floors_are_told_in_the_scales_of_the_group(largest):
    scales = largest.observations.scales
    floor = scales.best_loss - scales.gap * largest.draws("floor_gap")
    assert floor == pytest.approx(largest.draws("floor"))
    assert largest.observations.loss_range == pytest.approx(0.1)


def test_a_group_is_meant_by_label_or_by_its_columns(pooled, largest):
    for which in ({"params": 4e9}, {"params": "4000000000"}):
        again = pooled.group(which)
        assert again.chosen_group == largest.chosen_group
        assert np.array_equal(again.draws("log_noise_scale"), largest.draws("log_noise_scale"))


def test_a_group_never_run_has_the_moments_of_the_population(new):
    # e-folds from the geometric mean of 1e8, 1e9, 4e9.
    z = np.log(4e9) + 1.2 - np.log(PARAMS).mean()
    for name, mean in MEAN.items():
        draws = new.draws(name)
        if name == "small_batch_slope":
            draws, mean = np.log(draws), np.log(mean)
        # 4,000 independent draws: five standard errors are 5·0.2/√4000 of the mean, 5·0.2/√8000 of the sd.
        assert draws.mean() == pytest.approx(mean + TREND.get(name, 0.0) * z, abs=0.016)
        assert draws.std() == pytest.approx(SPREAD, abs=0.012)
    critical = new.draws("log_noise_scale") + new.draws("log_critical_ratio")
    assert new.draws("log_critical_batch_size") == pytest.approx(critical)


def test_a_group_never_run_leaves_its_laws_as_far_as_the_discrepancies_let_it(pooled, new):
    tried = np.unique(np.concatenate(BATCH_SIZES))
    assert new.observations.batch_size.tolist() == tried.tolist()
    away = new.log_optimal_learning_rate(tried) - new.law_draws.optimum(tried)
    # The scales are 0.3 and 0.1 in every draw; jitter and 4,000 draws blur the sd by some per cent.
    assert away.std(axis=0) == pytest.approx(0.3, rel=0.06)
    x, least, critical = (
        np.log(tried),
        new.draws("log_min_steps")[:, None],
        new.draws("log_critical_batch_size")[:, None],
    )
    away = new.log_steps(tried) - (least + np.log1p(np.exp(critical - x)))
    assert away.std(axis=0) == pytest.approx(0.1, rel=0.06)
    # exp(−½ (log 8/1.5)²) = 0.38 between batch sizes a factor of 8 apart.
    assert np.corrcoef(away[:, 4], away[:, 5])[0, 1] == pytest.approx(0.38, abs=0.06)


def test_the_same_question_has_the_same_answer_and_another_another(pooled, new):
    again = pooled.group({"params": 4e9 * np.exp(1.2)})
    assert np.array_equal(again.draws("log_noise_scale"), new.draws("log_noise_scale"))
    other = pooled.group({"params": 1e7})
    assert other.draws("log_noise_scale").mean() < new.draws("log_noise_scale").mean() - 1


def test_covariates_outside_those_seen_are_told(pooled, new, largest):
    r = sf.recommend(new, batch_size=64, current_learning_rate=1e-3)
    assert r.covariate_e_folds == (("params", pytest.approx(1.2)),)
    assert r.group == f"params={4e9 * np.exp(1.2):g}"
    assert r.reason.startswith(
        "A group never run, 1.2 e-folds beyond the largest params seen; tried in other groups: "
    )
    # The rules start from a best run, and no run is of this group.
    assert [other.name for other in r.alternatives] == ["current"]
    below = sf.recommend(pooled.group({"params": 5e7}), batch_size=8)
    assert below.covariate_e_folds == (("params", pytest.approx(-np.log(2))),)
    assert "0.7 e-folds below the smallest params seen" in below.reason
    inside = sf.recommend(pooled.group({"params": 3e8}), batch_size=8)
    assert inside.covariate_e_folds == (("params", 0.0),)
    assert inside.reason.startswith("A group never run; tried in other groups")
    own = sf.recommend(largest, batch_size=64)
    assert (own.group, own.covariate_e_folds) == (GROUPS[2], (("params", 0.0),))
    assert [other.name for other in own.alternatives] == ["square_root", "linear"]
    assert own.reason.startswith("Tried: ")


@pytest.mark.parametrize(
    "ask",
    [
        lambda posterior: sf.recommend(posterior, batch_size=64),
        lambda posterior: sf.estimate_parameters(posterior),
        lambda posterior: sf.predict_steps(posterior, batch_size=64),
        lambda posterior: sf.next_runs(posterior, batch_size=64),
        lambda posterior: posterior.log_optimal_learning_rate([64]),
        lambda posterior: plots.plot_law(posterior),
    ],
)
def test_a_pooled_posterior_does_not_answer_for_one_group(pooled, ask):
    with pytest.raises(sf.InputError, match=r"pools 3 groups.*--at.*params=100000000.*\{'params': …\}"):
        ask(pooled)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("params=7", r"'group' must mean a group of the columns; 'params=7' means none"),
        ({"tokens": 1e9}, r"give exactly the covariates of the fit \(params\); got \{'tokens'"),
        ({}, r"give exactly the covariates"),
        ({"params": -1.0}, r"covariate 'params' must be a positive finite number; got -1.0"),
        ({"params": "many"}, r"must be a positive finite number; got 'many'"),
    ],
)
def test_what_means_no_group_is_refused(pooled, which, message):
    with pytest.raises(sf.InputError, match=message):
        pooled.group(which)


def test_a_mapping_that_means_several_groups_is_refused():
    runs = {"batch_size": [8, 8, 64, 64] * 2, "learning_rate": [1e-3, 2e-3] * 4, "loss": [2.0, 1.9] * 4}
    columns = {"params": [1] * 8, "data": ["a"] * 4 + ["b"] * 4}
    sweep = sf.Sweep.from_columns(**runs, **columns, batch_unit="examples", group_by=["params", "data"])
    pooled = PooledRuns(sweep, sf.observe(sweep))
    with pytest.raises(sf.InputError, match=r"means 2: 'params=1, data=a' and 'params=1, data=b'. Give more"):
        choose({"params": 1}, pooled)
    assert choose({"data": "b"}, pooled).chosen.label == "params=1, data=b"


def test_a_posterior_of_one_group_has_none_to_choose_from(largest):
    for posterior in (make_posterior(), largest):
        with pytest.raises(sf.InputError, match=r"Only a posterior of several groups"):
            posterior.group(GROUPS[0])


def test_without_covariates_a_new_group_is_asked_for_by_nothing():
    held = make_pooled_posterior(covariates=()).group({})
    assert held.chosen_group.covariate_e_folds == ()
    assert held.draws("log_noise_scale").mean() == pytest.approx(MEAN["log_noise_scale"], abs=0.016)


def test_next_runs_are_planned_for_a_group_that_has_runs(largest, new):
    assert sf.next_runs(largest, batch_size=4096, count=1).runs
    with pytest.raises(sf.InputError, match=r"was never run. Make its first run"):
        sf.next_runs(new, batch_size=4096)


def test_laws_are_compared_on_one_group_at_a_time():
    with pytest.raises(sf.SweepError, match=r"one group at a time; the columns has 3.*sweep.select"):
        sf.compare(groups())


def test_a_saved_posterior_still_has_its_groups_and_knows_which_it_speaks_of(pooled, new, tmp_path):
    pooled.save(tmp_path / "all.nc")
    loaded = sf.load_posterior(tmp_path / "all.nc")
    assert loaded.covariates == ("params",)
    again = loaded.group({"params": 4e9 * np.exp(1.2)})
    assert np.array_equal(again.draws("log_noise_scale"), new.draws("log_noise_scale"))
    new.save(tmp_path / "new.nc")
    stored = sf.load_posterior(tmp_path / "new.nc")
    assert stored.chosen_group == new.chosen_group
    assert sf.recommend(stored, batch_size=[64, 1000]) == sf.recommend(new, batch_size=[64, 1000])


def test_the_population_is_told_in_the_units_of_its_parameters(pooled):
    found = {held.name: held for held in estimate_population(pooled).parameters}
    assert found["noise_scale"].median == pytest.approx(500)
    assert found["small_batch_slope"].median == pytest.approx(0.5)
    assert found["min_steps"].spread == pytest.approx(SPREAD)
    (trend,) = found["noise_scale"].trends
    assert (trend.covariate, trend.exponent) == ("params", pytest.approx(0.4))
    assert found["small_batch_slope"].trends == ()
    labels = [label for label, _ in estimate_population(pooled).groups]
    assert labels == list(GROUPS)
    with pytest.raises(sf.InputError, match="fit of several groups"):
        estimate_population(make_posterior())


def test_the_report_of_groups_tells_trends_population_and_groups(pooled):
    report = compose_population(pooled)
    text = render(population.blocks(report, priors=True))
    assert "noise scale grows as params^0.40" in text
    assert "learning rate at the reference batch size falls as params^-0.20" in text
    assert all(label in text for label in GROUPS)
    assert max(map(len, text.splitlines())) <= 100
    held = json.loads(json.dumps(population.record(report), allow_nan=False))
    assert held["population"]["noise_scale"]["trends"]["params"]["exponent"] == pytest.approx(0.4)
    assert list(held["groups"]) == list(GROUPS)
    assert {"noise_scale", "critical_batch_size"} <= set(held["groups"][GROUPS[0]])


def test_the_report_of_a_group_never_run_says_so(new):
    found = sf.recommend(new, batch_size=[64, 1e6])
    report = compose(new, found)
    text = render(fit.blocks(report, parameters=True))
    assert "never run, drawn from the population" in " ".join(text.split()[:20])
    assert "Cross-check" not in text
    held = json.loads(json.dumps(fit.record(report), allow_nan=False))
    assert held["group"]["covariate_e_folds"] == {"params": pytest.approx(1.2)}
    assert held["recommendations"][0]["covariate_e_folds"] == {"params": pytest.approx(1.2)}
    assert held["steps"]["straight_line"] is None


@pytest.mark.parametrize("which", [GROUPS[2], {"params": 2e10}, None])
def test_figures_of_groups_are_drawn(pooled, which, tmp_path):
    posterior = pooled if which is None else pooled.group(which)
    plots.save_fit(posterior, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.fixture
def saved(pooled, monkeypatch, tmp_path):
    monkeypatch.setattr("surge_fit.posterior.loading.load_posterior", lambda path: pooled)
    return tmp_path / "all.nc"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "runs.csv"
    frame = groups().to_frame()
    frame.with_columns(frame["group"].str.strip_prefix("params=").alias("params")).write_csv(path)
    return path


@pytest.fixture
def fits(pooled, monkeypatch):
    asked = []

    def fit(sweep, **options):
        asked.append((sweep, options))
        return pooled

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    return asked


def test_the_command_line_asks_a_saved_fit_for_a_group(saved):
    held = json.loads(run("recommend", saved, "-b", "64", "--at", "params=2e10", "--json").stdout)
    assert held["group"]["tried"] is False
    held = json.loads(run("recommend", saved, "-b", "64", "--at", GROUPS[1], "--json").stdout)
    assert held["group"] == {"label": GROUPS[1], "tried": True, "covariate_e_folds": {"params": 0.0}}
    refused = run("recommend", saved, "-b", "64")
    assert (refused.exit_code, "pools 3 groups" in refused.stderr) == (1, True)


def test_the_command_line_fits_groups_together_and_covariates_make_them(table, fits):
    result = run("fit", table, "--covariates", "params")
    assert result.exit_code == 0, result.output
    sweep, options = fits[0]
    assert (len(sweep.groups), options["covariates"]) == (3, ("params",))
    assert "The population of 3 groups" in result.stdout
    assert "Group " + GROUPS[0] in run("fit", table, "--covariates", "params", "--at", GROUPS[0]).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recommend", "-b", "64", "--group-by", "params"), "an answer is about one"),
        (("fit", "--covariates", "params", "--group", GROUPS[0]), "Leave one of them out"),
        (("fit", "--at", GROUPS[0]), "--at is for several groups"),
        (("fit", "--group-by", "params", "--plot", "figure.png"), "give --covariates"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_the_fit(table, fits, arguments, message):
    result = run(arguments[0], table, *arguments[1:])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not fits


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--group-by", "params", "--at", "params=5e9"), "command line --covariates); got {'params': '5e9'}"),
        (("--covariates", "params", "--at", "params=-1"), "must be a positive finite number; got '-1'"),
        (("--covariates", "params", "--at", "small"), "'small' means none"),
    ],
)
def test_a_group_that_is_not_there_is_refused_before_the_fit(table, fits, arguments, message):
    for command in (["fit", table], ["recommend", table, "-b", "64"]):
        result = run(*command, *arguments)
        assert result.exit_code == 1
        assert message in " ".join(result.stderr.split())
    assert not fits
