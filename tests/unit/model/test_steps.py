"""Steps to a target: the law, the straight line, the runs that count, the table, what is said of it."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
import surge_fit as sf
from hypothesis import given
from hypothesis import strategies as st
from support.command_line import run
from support.posteriors import (
    CRITICAL_BATCH_SIZE,
    MIN_STEPS,
    make_posterior,
    make_steps_posterior,
    steps_to_target,
)
from surge_fit import plots
from surge_fit.model.observations import require_learning_rates
from surge_fit.model.steps import log_steps, straight_line
from surge_fit.sweep.best_steps import choose_runs

NAN = float("nan")
positive = st.floats(1e-3, 1e9)


@given(positive, positive, positive)
def test_the_law_is_the_hyperbola_of_the_paper(batch_size, least, critical):
    log = log_steps(np, np.log(batch_size), np.log(least), np.log(critical))
    steps, examples = np.exp(log), batch_size * np.exp(log)
    # With E_min = B_crit·S_min: S/S_min − 1 = B_crit/B and E/E_min − 1 = B/B_crit, whose product is 1.
    assert steps / least == pytest.approx(1 + critical / batch_size)
    assert examples / (critical * least) == pytest.approx(1 + batch_size / critical)


def test_the_critical_batch_size_doubles_both_and_a_fifth_of_it_costs_a_fifth_more_examples():
    # S_min = 10, B_crit = 100, E_min = 1000. At B = 100: S = 20, E = 2000. At B = 20: S = 60, E = 1200.
    steps = np.exp(log_steps(np, np.log([100.0, 20.0]), np.log(10.0), np.log(100.0)))
    assert steps == pytest.approx([20, 60])
    assert steps * [100, 20] == pytest.approx([2000, 1200])


def test_the_straight_line_of_exact_data_is_exact():
    sizes = np.array([64.0, 512.0, 4096.0])
    line = straight_line(sizes, 1000 * (1 + 2000 / sizes))
    assert line.critical_batch_size == pytest.approx(2000)
    assert line.min_steps == pytest.approx(1000)


def test_a_straight_line_without_positive_numbers_has_none():
    # Steps that rise with the batch size: B = 1, 2 and S = 1, 2 have 1/S = 1, 1/2 over 1/E = 1, 1/4, so the
    # slope is 2/3 and B_crit = −2/3; the intercept is 1/3 and S_min = 3.
    line = straight_line(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert np.isnan(line.critical_batch_size)
    assert line.min_steps == pytest.approx(3)
    # S = 6, 1: 1/S = 1/6, 1 over 1/E = 1/6, 1/2 has slope 5/2 and the intercept 1/6 − 5/12 = −1/4.
    assert np.isnan(straight_line(np.array([1.0, 2.0]), np.array([6.0, 1.0])).min_steps)


def test_without_learning_rates_every_run_counts():
    reached, censored = choose_runs(
        np.array([8.0, 8.0, 64.0]), np.full(3, NAN), np.array([5.0, NAN, 3.0]), np.array([NAN, 9.0, NAN])
    )
    assert reached.tolist() == [True, False, True]
    assert censored.tolist() == [False, True, False]


def test_of_several_learning_rates_the_best_counts_with_its_replicates():
    rate = np.array([0.1, 0.1, 0.2, 0.2, 0.1, 0.2])
    size = np.array([8.0, 8.0, 8.0, 8.0, 64.0, 64.0])
    # Geometric means at 8: √(100·400) = 200 and √(90·500) ≈ 212, so 0.1 wins, not the run of 90 steps.
    steps = np.array([100.0, 400.0, 90.0, 500.0, NAN, NAN])
    # At 64 none reached the target: that the shorter run needs more than 30 steps is all that both say.
    limit = np.array([NAN, NAN, NAN, NAN, 30.0, 50.0])
    reached, censored = choose_runs(size, rate, steps, limit)
    assert reached.tolist() == [True, True, False, False, False, False]
    assert censored.tolist() == [False, False, False, False, True, False]


def read(**columns):
    return sf.Sweep.from_columns(**{"batch_size": [8, 64, 512], "batch_unit": "tokens", **columns})


def test_steps_beside_a_target_are_those_to_it():
    sweep = read(steps=[900, 200, 100], target_loss=3.0)
    assert (sweep.kind, sweep.protocol) == ("steps_to_target", "to_target")
    assert sweep.steps_when_reached.tolist() == [900, 200, 100]
    assert np.isnan(sweep.learning_rate).all()
    assert read(steps=[900, 200, 100], protocol="to_target").kind == "steps_to_target"
    assert read(steps_to_target=[900, 200, 100]).kind == "steps_to_target"


def test_steps_of_a_run_that_did_not_finish_are_a_bound():
    sweep = read(steps=[900, 200, 100], target_loss=3.0, status=["finished", "stopped", "diverged"])
    assert sweep.steps_when_reached.tolist() == pytest.approx([900, NAN, NAN], nan_ok=True)
    assert sweep.steps_when_missed.tolist() == pytest.approx([NAN, 200, NAN], nan_ok=True)


def test_a_table_of_steps_survives_the_way_out_and_back():
    sweep = steps_to_target()
    for again in (sf.Sweep.from_frame(sweep.to_frame()), sf.Sweep.from_dict(sweep.to_dict())):
        assert again.kind == "steps_to_target"
        assert again.status == sweep.status
        assert np.array_equal(again.steps_to_target, sweep.steps_to_target, equal_nan=True)
    assert "learning_rate" not in sweep.to_frame().columns
    assert isinstance(sweep.to_frame(), pl.DataFrame)


def test_zero_steps_are_refused():
    with pytest.raises(sf.SweepError, match=r"'steps_to_target' \(column 'steps'\) must be a positive"):
        read(steps=[900, 0, 100], target_loss=3.0)


def test_runs_of_a_table_of_steps_enter_the_law_of_the_steps_alone():
    seen = sf.observe(steps_to_target())
    assert seen.steps.id == ("B=64", "B=256", "B=1024", "B=4096", "B=16384", "B=65536")
    assert seen.censored_steps.id == ("B=16",)
    assert seen.censored_steps.value == pytest.approx([np.log(2000)])
    assert (len(seen.finished), len(seen.wall), len(seen.optimum)) == (0, 0, 0)
    assert (seen.has_learning_rates, seen.count, seen.unused) == (False, 7, ())
    assert list(sf.default_priors(seen, sf.get_law("surge"))) == [
        *("log_min_steps", "log_critical_batch_size", "steps_noise", "steps_discrepancy_scale")
    ]


def test_with_losses_the_best_steps_enter_beside_the_loss_surface():
    sweep = sf.Sweep.from_columns(
        batch_size=[8, 8, 8, 64, 64, 64],
        learning_rate=[1, 2, 3, 1, 2, 3],
        loss=[2.0, 1.9, 2.1, 1.9, 1.7, 1.8],
        steps_to_target=[900, 700, None, 300, 200, 250],
        batch_unit="examples",
    )
    seen = sf.observe(sweep)
    assert len(seen.finished) == 6
    assert seen.steps.id == ("run-2", "run-5")
    assert seen.steps.value == pytest.approx(np.log([700, 200]))
    with_scale = sf.default_priors(seen, sf.get_law("surge"))
    assert with_scale["log_critical_ratio"] == sf.Normal(mean=0.0, sd=0.5)
    assert "log_critical_batch_size" not in with_scale
    # A law without a noise scale has nothing to tie the critical batch size to.
    assert "log_critical_batch_size" in sf.default_priors(seen, sf.get_law("power"))


def test_steps_without_losses_are_no_recommendation():
    sweep = sf.Sweep.from_columns(
        batch_size=[8, 8, 64], learning_rate=[1, 2, 1], steps_to_target=[9, 7, 3], batch_unit="examples"
    )
    seen = sf.observe(sweep)
    assert not seen.has_learning_rates
    assert seen.unused == (("run-1", "not at the best learning rate"),)
    with pytest.raises(sf.SweepError, match=r"steps to a target and no losses. Add the columns 'loss'"):
        require_learning_rates(sweep)
    with pytest.raises(sf.SweepError, match=r"and no learning rates. Add the columns 'learning_rate' and"):
        sf.recommend(make_steps_posterior(), batch_size=64)


def checks(reached, **columns):
    table = {"batch_size": 8.0 * 4 ** np.arange(len(reached)), "steps_to_target": reached, **columns}
    return {check.slug: check for check in sf.Sweep.from_columns(**table, batch_unit="tokens").checks()}


def test_steps_that_bracket_the_critical_batch_size_get_no_word():
    assert checks([80_000, 24_000, 9_000, 8_000]) == {}


def test_a_critical_batch_size_beyond_an_end_is_said():
    # By 4 in batch size, 1/√B is a factor of 2: 4 and 3.5 at the first, 2.5 and 1.5 at the second.
    larger = checks([80_000, 20_000, 8_000])["critical_batch_size_not_bracketed"]
    assert "still fall faster than 1/√B at the largest batch size tried, 128:" in larger.message
    assert larger.remedy.startswith("Add larger batch sizes")
    smaller = checks([20_000, 15_000, 12_000])["critical_batch_size_not_bracketed"]
    assert smaller.message.startswith("Steps fall more slowly than 1/√B at the smallest batch size tried, 8:")


def test_few_batch_sizes_few_steps_and_missed_targets_are_said():
    found = checks([9_000, 4_000, None], steps=[9_000, 4_000, 500])
    assert {slug: check.severity for slug, check in found.items()} == {
        "few_batch_sizes_reached": "warning",
        "target_not_reached": "note",
        "few_steps": "note",
    }
    none = checks([None, None], status="stopped")
    assert none["no_usable_run"].severity == "error"


def test_several_targets_cannot_be_one_curve():
    assert checks([80, 24, 9], target_loss=[3.0, 3.0, 2.5])["several_targets"].severity == "error"
    grouped = checks([80, 24, 9], target_loss=[3.0, 3.0, 2.5], group_by="target_loss")
    assert "several_targets" not in grouped


def test_what_the_steps_identify_has_an_interval_and_what_they_do_not_a_bound():
    known = {e.name: e for e in sf.estimate_parameters(make_steps_posterior())}
    assert list(known) == ["critical_batch_size", "overhead_batch_size", "min_steps", "min_examples"]
    assert all(estimate.identified for estimate in known.values())
    # Draws of log B_crit have a standard deviation of 0.1: the interval is B_crit·exp(±0.1645).
    assert known["critical_batch_size"].interval == pytest.approx(
        (CRITICAL_BATCH_SIZE * np.exp(-0.1645), CRITICAL_BATCH_SIZE * np.exp(0.1645)), rel=0.03
    )
    assert known["overhead_batch_size"].median == pytest.approx(0.2 * known["critical_batch_size"].median)
    assert known["min_examples"].median == pytest.approx(CRITICAL_BATCH_SIZE * MIN_STEPS, rel=0.01)
    # Identified would be a standard deviation of at most half of the prior's 3.5.
    loose = {e.name: e for e in sf.estimate_parameters(make_steps_posterior(spread=2.5))}
    assert not loose["critical_batch_size"].identified
    assert loose["min_examples"].identified


def test_predictions_are_the_law_at_any_batch_size_and_one_run_scatters_more():
    posterior = make_steps_posterior()
    inside, beyond, again = sf.predict_steps(posterior, batch_size=[2000, 1e6, 2000])
    assert again == inside
    assert (inside.extrapolation, beyond.extrapolation) == (False, True)
    # At the critical batch size, twice the fewest steps: 2000, of 2000 sequences each.
    assert inside.steps == pytest.approx(2000, rel=0.02)
    assert inside.examples == inside.batch_size * inside.steps
    assert inside.examples_interval == tuple(2000 * end for end in inside.interval)
    assert inside.run_interval[0] < inside.interval[0] < inside.steps
    assert inside.steps < inside.interval[1] < inside.run_interval[1]
    # t with 5 degrees of freedom has its 95 % quantile at 2.015; with a known law it is the noise alone.
    known = make_steps_posterior(spread=1e-9)
    known.draw_groups["posterior"]["log_min_steps"][:] = np.log(MIN_STEPS)
    one = sf.predict_steps(known, batch_size=2000)
    assert np.log(one.run_interval[1] / one.steps) == pytest.approx(2.015 * 0.05, rel=0.25)
    with pytest.raises(dataclasses.FrozenInstanceError):
        inside.steps = 1.0


def test_a_fit_without_steps_predicts_none():
    with pytest.raises(sf.InputError, match=r"Predicting steps needs a fit of steps to a target"):
        make_posterior().log_steps([8.0])
    with pytest.raises(sf.InputError, match=r"'batch_size' must be positive and finite; got 0"):
        sf.predict_steps(make_steps_posterior(), batch_size=0)


READ = ["--batch-unit", "sequences"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "steps.csv"
    path.write_text("batch_size,steps,target_loss\n64,32250,3\n1024,2953,3\n16384,1122,3\n")
    return str(path)


def test_the_command_fits_steps_and_draws_them(table, tmp_path, monkeypatch):
    monkeypatch.setattr("surge_fit.posterior.fitting.fit", lambda sweep, **options: make_steps_posterior())
    figure = tmp_path / "steps.png"
    told = run("fit", table, *READ, "--plot", figure)
    assert told.exit_code == 0
    assert told.stdout.startswith("critical batch size: 2000 sequences (1700 … 2300, 90 % interval)\n")
    assert "law broken_power" not in told.stdout
    assert figure.stat().st_size > 10_000
    held = json.loads(run("fit", table, *READ, "--json").stdout)
    assert (held["law"], held["law_parameters"], held["loss_unit"]) == (None, {}, None)
    assert len(held["steps"]["predictions"]) == 6


def test_the_command_recommends_no_rate_from_steps_and_says_so_before_any_fit(table, monkeypatch):
    monkeypatch.delattr("surge_fit.posterior.fitting.fit")
    refused = run("recommend", table, *READ, "-b", "64")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "Error: Optimal learning rates are read off runs with learning rates and losses, or published "
        "optima; the 3 runs of steps.csv have steps to a target and no learning rates. Add the columns "
        "'learning_rate' and 'loss'. What the steps tell, the critical batch size, `surge_fit.fit` (command "
        "line: surge-fit fit) tells.\n"
    )


def test_the_command_checks_a_table_of_steps(table):
    told = run("check", table, *READ)
    assert told.exit_code == 0
    assert told.stdout.startswith("steps.csv: 3 runs, batch sizes in sequences, protocol to_target\n")


def test_the_published_table_is_read_by_its_groups(shared_data):
    path = shared_data / "critical_batch_size" / "steps_to_target.csv"
    sweep = sf.read_sweep(path, batch_unit="sequences", group_by="model")
    assert (len(sweep), len(sweep.groups), sweep.kind) == (45, 5, "steps_to_target")
    assert "critical_batch_size_not_bracketed" not in {check.slug for check in sweep.checks()}


def test_the_figure_shows_the_limits_that_meet_at_the_critical_batch_size(tmp_path):
    import matplotlib.pyplot as plt

    ax = plots.plot_steps(make_steps_posterior())
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert {"median", "fewest steps", "fewest examples", "runs", "ended before"} <= set(lines)
    sizes, examples = lines["fewest examples"].get_data()
    meeting = sizes[np.argmin(np.abs(examples - lines["fewest steps"].get_ydata()[0]))]
    assert np.log(meeting) == pytest.approx(np.log(CRITICAL_BATCH_SIZE), abs=0.15)
    assert ax.get_xlabel() == "batch size [sequences]"
    plt.close("all")
    plots.save_fit(make_steps_posterior(), tmp_path / "steps.svg")
    plots.save_fit(make_posterior(), tmp_path / "law.svg")
    assert all((tmp_path / f"{name}.svg").stat().st_size > 10_000 for name in ("steps", "law"))
