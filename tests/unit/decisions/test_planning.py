"""Plans of next runs: the estimator against closed forms, and what a plan must do, on posteriors by hand."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import surge_fit as sf
from support.posteriors import make_posterior, optimum_points, runs
from surge_fit.decisions.landscape import landscape_of
from surge_fit.decisions.planning import campaign
from surge_fit.decisions.planning.candidates import Block, blocks_of, default_runs
from surge_fit.decisions.planning.information import (
    MIN_EFFECTIVE,
    interval_width,
    least_regret,
    value_of_information,
    weights,
)
from surge_fit.decisions.planning.outlook import outlook_of
from surge_fit.decisions.planning.predictive import predict_surface
from surge_fit.model.draw_groups import DrawGroups

DRAWS = 4000


def toy(noise, runs=1, seed=0):
    """θ ~ N(0, 1), seen `runs` times with N(0, noise²), regret ½ (a − θ)²: weights, regrets and θ."""
    rng = np.random.default_rng(seed)
    believed, truth = rng.standard_normal(DRAWS), rng.standard_normal(1000)
    seen = truth[:, None] + noise * rng.standard_normal((1000, runs))
    fit = -0.5 * ((seen[:, None, :] - believed[None, :, None]) / noise) ** 2
    actions = np.linspace(-4, 4, 161)
    regrets = 0.5 * (actions[None, :] - believed[:, None]) ** 2
    return weights(fit.sum(axis=2).astype(np.float32)), [regrets.astype(np.float32)], believed


@pytest.mark.parametrize("noise", [0.1, 0.3, 1.0, 3.0])
def test_the_value_of_gaussian_information_is_the_closed_form(noise):
    # The regret is half the variance of θ: ½ before, ½ noise²/(1 + noise²) after. Of 1000 outcomes the
    # posterior mean has variance V = 1/(1 + noise²), and ½ mean² a standard error of V √(2/1000)/2 = 0.022 V.
    weight, regrets, _ = toy(noise)
    exact = 0.5 / (1 + noise**2)
    assert least_regret(regrets) == pytest.approx(0.5, abs=0.04)
    assert value_of_information(weight, regrets) == pytest.approx(exact, abs=3 * 0.045 * exact + 0.002)


@pytest.mark.parametrize("runs", [1, 4])
def test_the_interval_after_gaussian_information_is_the_closed_form(runs):
    # Precision 1 + runs: the central 90 % interval is 2 · 1.6449 posterior standard deviations wide.
    weight, _, believed = toy(1.0, runs)
    exact = 2 * 1.6449 / np.sqrt(1 + runs)
    assert interval_width(weight, believed[:, None], 0.9) == pytest.approx(exact, rel=0.03)
    assert interval_width(None, believed[:, None], 0.9) == pytest.approx(2 * 1.6449, rel=0.04)


def test_an_outcome_that_no_draw_explains_leaves_ten_draws_and_no_false_certainty():
    # Perfect information is worth ½; a noise of 1e-5 leaves one draw in 4000 to explain an outcome.
    weight, regrets, believed = toy(1e-5)
    assert np.all(1 / (weight**2).sum(axis=1) >= MIN_EFFECTIVE * 0.999)
    assert weight.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert value_of_information(weight, regrets) == pytest.approx(0.5, abs=0.07)
    # … and the interval stays as wide as ten draws of four thousand lie apart, not zero.
    assert interval_width(weight, believed[:, None], 0.9) > 5 / DRAWS


def test_outcomes_that_every_draw_explains_alike_are_worth_exactly_nothing():
    _, regrets, _ = toy(1.0)
    assert value_of_information(weights(np.zeros((50, DRAWS), np.float32)), regrets) == 0


def test_two_decisions_count_by_their_mean():
    weight, (one,), _ = toy(1.0)
    none = np.zeros_like(one)
    assert value_of_information(weight, [one, none]) == pytest.approx(value_of_information(weight, [one]) / 2)


@cache
def posterior():
    """The hand-made posterior with a curve that beyond 512 is unknown to a factor."""
    held = make_posterior()
    tree = held.to_datatree().copy(deep=True)
    draws = tree["posterior"]["discrepancy_scale"]
    tree["posterior"]["discrepancy_scale"] = draws * 0 + 0.5
    return replace(held, draw_groups=DrawGroups.of_tree(tree))


def with_sweep(posterior, sweep):
    return replace(posterior, model=replace(posterior.model, sweep=sweep))


@cache
def plan(**options):
    return sf.next_runs(posterior(), **{"batch_size": 4096.0, **options})


def test_the_regret_of_a_draw_is_that_of_recommend():
    held = posterior()
    draws = predict_surface(held, np.array([8.0, 512.0]))
    rates = np.log(np.geomspace(1e-3, 1e-1, 15))
    found = draws.regret(1, rates).mean(axis=0)
    expected, _ = held.law_draws.regret(
        [8.0, 512.0],
        np.stack([rates, rates]),
        landscape_of(held),
        offset=held.discrepancy(np.array([8.0, 512.0])),
    )
    assert found == pytest.approx(expected[1], rel=1e-4)


def test_the_floor_of_a_new_batch_size_follows_the_tried_ones():
    # Floors 2.1, 2.0 and 1.9 lie on a line in log batch size, which at 4096 reaches 1.8. Nothing scatters, so
    # the prior gap stands in, times √(1 + 1/n + (x − x̄)²/Σ(xᵢ − x̄)²) as for any new point of a regression:
    # in steps of log 8 the last term is 2²/(1 + 0 + 1). The tried batch size keeps its draws.
    held = make_posterior()
    tree = held.to_datatree().copy(deep=True)
    tree["posterior"]["floor"] = tree["posterior"]["floor"] * 0 + np.array([2.1, 2.0, 1.9])
    draws = predict_surface(replace(held, draw_groups=DrawGroups.of_tree(tree)), np.array([512.0, 4096.0]))
    centre = held.observations.scales.best_loss.mean()
    assert draws.floor[0] == pytest.approx([1.9 - centre, 1.8 - centre])
    gap = held.observations.scales.gap.mean()
    assert draws.floor_sd[0] == pytest.approx([0, gap * np.sqrt(1 + 1 / 3 + 2)])


def test_more_runs_never_raise_the_expected_regret():
    held = plan(count=5)
    after = [held.expected_regret, *(run.expected_regret_after for run in held.runs)]
    # Monte Carlo error of a few hundred outcomes: two per cent of the regret now.
    assert np.all(np.diff(after) <= 0.02 * held.expected_regret)
    assert after[-1] < 0.5 * after[0]
    assert all(0 < run.interval_shrinkage < 1 for run in held.runs)
    gained = sum(run.value for run in held.runs)
    assert held.expected_regret - after[-1] == pytest.approx(gained)


def test_the_order_in_which_outcomes_come_in_does_not_matter():
    made = [(4096.0, 5e-3), (4096.0, 2e-2), (8.0, 1e-3)]
    outlook = outlook_of(posterior(), np.array([4096.0]), made, 0)

    def value(order):
        state = outlook.start
        for size, rate in order:
            state = state.after(outlook, size, (rate,))
        return outlook.value(state)

    assert value(made) == pytest.approx(value(made[::-1]), rel=0.1)


def test_a_coarse_outlook_values_runs_nearly_as_the_whole_one_does():
    made = [(4096.0, 5e-3), (4096.0, 2e-2), (8.0, 1e-3), (8.0, 4e-3)]
    outlook = outlook_of(posterior(), np.array([4096.0]), made, 0)
    coarse, regret = outlook.coarse(), outlook.expected_regret
    assert coarse.start.log_likelihood.shape[0] == -(-outlook.start.log_likelihood.shape[0] // 3)
    assert coarse.expected_regret == pytest.approx(regret, rel=0.3)
    for size, rate in made:
        after = outlook.start.after(outlook, size, (rate,))
        rough = coarse.value(coarse.start.after(coarse, size, (rate,)))
        # A hundred outcomes: a standard error of a tenth of the value.
        assert rough == pytest.approx(outlook.value(after), abs=0.25 * regret)
        # What is known afterwards can be made coarse as well, and is then what the coarse outlook knows.
        assert coarse.value(after.coarse()) == pytest.approx(rough)


def test_of_many_candidates_the_most_promising_are_found_by_a_share_of_the_draws(monkeypatch):
    made = [(size, rate) for size in (8.0, 64.0, 4096.0) for rate in np.geomspace(3e-4, 6e-2, 12)]
    everything = sf.next_runs(posterior(), batch_size=4096, candidates=made, count=2)
    monkeypatch.setattr(campaign, "SCREENED", 20)
    monkeypatch.setattr(campaign, "_KEPT", 4)
    screened = sf.next_runs(posterior(), batch_size=4096, candidates=made, count=2)
    assert screened.candidates == everything.candidates > 20
    gained = [sum(run.value for run in held.runs) for held in (screened, everything)]
    assert gained[0] > 0.9 * gained[1]


def test_a_run_far_from_anything_that_matters_is_worth_nothing_and_the_plan_says_stop():
    far = sf.next_runs(posterior(), batch_size=4096, candidates=[(8, 1e-12)], count=1)
    assert far.runs[0].value < 0.02 * far.expected_regret
    assert far.stop
    assert far.advice.startswith("Stop: ")


def test_a_target_whose_regret_is_within_the_noise_is_worth_no_run():
    # At 64 the optimum is known to about 0.1: ½ · 0.05 · 0.1² = 2.5e-4 nats, of which no run can save more
    # than all, and a tenth of the noise of a run is 2e-4.
    known = sf.next_runs(make_posterior(), batch_size=64, count=1)
    assert known.expected_regret < 6e-4
    assert known.stop
    assert not plan().stop


def test_the_price_of_worth_decides_where_it_is_given():
    value = plan(count=1).runs[0].value
    assert not plan(count=1, worth=1.1 / value).stop
    assert plan(count=1, worth=0.9 / value).stop


def test_seeds_reproduce():
    assert sf.next_runs(posterior(), batch_size=4096) == plan()
    other = plan(random_seed=1)
    assert other != plan()
    assert other.runs[0].expected_regret_after == pytest.approx(plan().runs[0].expected_regret_after, rel=0.5)


def test_a_common_factor_of_the_cost_changes_values_per_cost_alone():
    dear = sf.next_runs(posterior(), batch_size=4096, cost=lambda size, rate: 8.0)
    for run, other in zip(dear.runs, plan().runs, strict=True):
        assert (run.batch_size, run.learning_rate) == (other.batch_size, other.learning_rate)
        assert run.value_per_cost == pytest.approx(other.value_per_cost / 8)


def test_runs_that_cost_too_much_are_left_for_cheaper_ones():
    assert plan().runs[0].batch_size == 4096
    cheap = sf.next_runs(posterior(), batch_size=4096, cost=lambda size, rate: 1e6 if size > 512 else 1.0)
    assert cheap.runs[0].batch_size <= 512
    assert cheap.runs[0].value < plan().runs[0].value


def test_a_column_prices_a_run_as_the_nearest_batch_size_that_has_it():
    sweep = runs()
    tokens = np.where(sweep.batch_size == 8, 10.0, 30.0)
    tokens[[4, 5]] = [20.0, np.nan]
    held = with_sweep(posterior(), replace(sweep, tokens=tokens))
    made = [(8, 1e-3), (64, 3e-3), (2048, 1e-2)]
    found = sf.next_runs(held, batch_size=512, candidates=made, cost="tokens", count=3)
    # At 64 the mean of 20, 30 and 30; at 2048 what runs at 512 took.
    priced = {run.batch_size: run.cost for run in found.runs}
    expected = {8.0: 10.0, 64.0: 80 / 3, 2048.0: 30.0}
    assert priced == pytest.approx({size: expected[size] for size in priced})
    assert found.cost_unit == "tokens"


def test_where_the_floor_is_unknown_runs_are_chosen_in_blocks():
    # Floors scatter by 0.3 nats, 150 times the noise: one loss at 4096 tells nothing, two tell the slope.
    held = posterior()
    tree = held.to_datatree().copy(deep=True)
    tree["posterior"]["floor"] = tree["posterior"]["floor"] + np.array([0.15, -0.3, 0.15])
    unknown = replace(held, draw_groups=DrawGroups.of_tree(tree))
    rates = [2e-3, 8e-3, 1.2e-2]
    alone = sf.next_runs(unknown, batch_size=4096, candidates=[(4096, rate) for rate in rates[:1]], count=1)
    pair = sf.next_runs(unknown, batch_size=4096, candidates=[(4096, rate) for rate in rates[:2]], count=2)
    assert alone.runs[0].value < 0.2 * (pair.expected_regret - pair.runs[-1].expected_regret_after)
    assert len(pair.runs) == 2
    assert pair.runs[0].value_per_cost == pair.runs[1].value_per_cost
    assert "only together" in pair.runs[0].reason


def test_blocks_are_singles_where_tried_and_pairs_and_even_triples_where_new():
    made = [(8.0, 1.0), (8.0, 2.0), *((64.0, rate) for rate in (1.0, 2.0, 4.0))]
    assert blocks_of(made, np.array([8.0])) == [
        Block(8.0, (1.0,)),
        Block(8.0, (2.0,)),
        *(Block(64.0, (rate,)) for rate in (1.0, 2.0, 4.0)),
        *(Block(64.0, pair) for pair in ((1.0, 2.0), (1.0, 4.0), (2.0, 4.0))),
        Block(64.0, (1.0, 4.0, 2.0)),
    ]


def test_by_default_a_far_target_has_a_batch_size_between():
    sizes = sorted({size for size, _ in default_runs(posterior(), np.array([8192.0]))})
    # 8192 is 16 times 512: four times 512 lies between. Neighbours a factor of eight apart have none.
    assert sizes == [8.0, 64.0, 512.0, 2048.0, 8192.0]


def test_no_run_is_chosen_twice_and_never_more_than_asked_for():
    made = [(run.batch_size, run.learning_rate) for run in plan(count=5).runs]
    assert len(set(made)) == len(made) <= 5
    assert len(plan(count=1).runs) == 1


REFUSED = {
    "optimum points": (lambda: make_posterior(sweep=optimum_points()), {}, "posterior of losses"),
    "count": (posterior, {"count": 0}, "'count' must be a whole number"),
    "worth": (posterior, {"worth": -1.0}, "'worth' must be a positive"),
    "batch size": (posterior, {"batch_size": -4}, "'batch_size' must be positive"),
    "no candidates": (posterior, {"candidates": []}, "at least one"),
    "wrong candidate": (posterior, {"candidates": [(8, 1e-3), (8, 0)]}, "at index 1"),
    "no pair": (posterior, {"candidates": [8]}, "must be pairs"),
    "no column": (posterior, {"cost": "tokens"}, "has no 'tokens'"),
    "free run": (posterior, {"cost": lambda size, rate: 0.0}, "gave 0 for batch size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_planned_is_refused(case):
    make, options, words = REFUSED[case]
    with pytest.raises(sf.InputError, match=words):
        sf.next_runs(make(), **{"batch_size": 4096, **options})


def test_a_blank_column_is_refused():
    held = with_sweep(posterior(), replace(runs(), tokens=np.full(12, np.nan)))
    with pytest.raises(sf.InputError, match="is blank"):
        sf.next_runs(held, batch_size=512, cost="tokens")


def test_the_faces_hold_the_same_runs():
    from surge_fit.report.plan import record, to_csv

    held = plan()
    told = json.loads(json.dumps(record(held), allow_nan=False))
    rows = [line.split(",") for line in to_csv(held).splitlines()]
    assert rows[0][:2] == ["batch_size", "learning_rate"]
    for run, said, row in zip(held.runs, told["runs"], rows[1:], strict=True):
        assert said["learning_rate"] == run.learning_rate
        assert [float(cell) for cell in row[:2]] == [run.batch_size, run.learning_rate]
