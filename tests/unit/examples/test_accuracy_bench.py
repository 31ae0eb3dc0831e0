"""The parts of benches/accuracy that fit nothing: peers, designs, the truth of a grid, and the summary."""

import sys
from pathlib import Path

import numpy as np
import pytest
from surge_fit import LAWS, Sweep

sys.path.insert(0, str(Path(__file__).parents[3] / "benches" / "accuracy"))

import grids
import one_step
import peers
import simulated
import tables
from judging import FLOOR, ORACLE, Case, Settings, judge
from run import arguments_of, make_cases

SIZES = np.array([8.0, 32.0, 128.0, 512.0, 2048.0])
ASKED = np.array([2.0, 32.0, 300.0, 8192.0])
STEP = np.log(2)


def exact_grid(log_optimum, sizes=SIZES, half_width=6, **columns):
    """Loss 2 + 0.05·(distance from the optimum in log rate)², the optimum on the grid at every batch size."""
    distance = STEP * np.arange(-half_width, half_width + 1)
    log_rate = log_optimum[:, None] + distance
    return Sweep.from_columns(
        batch_size=np.repeat(sizes, len(distance)),
        learning_rate=np.exp(log_rate).ravel(),
        loss=np.broadcast_to(2 + 0.05 * distance**2, log_rate.shape).ravel(),
        batch_unit="sequences",
        **columns,
    )


def grid_of_law(name, **shape):
    def curve(sizes):
        return np.log(3e-3) + LAWS[name].shape(np, np.log(sizes), **shape)

    return exact_grid(curve(SIZES), half_width=1), curve


@pytest.mark.parametrize(
    ("peer", "law", "shape"),
    [
        ("sqrt rule, best run", "square_root", {}),
        ("sqrt rule, nearest batch", "square_root", {}),
        ("linear rule, best run", "linear", {}),
        ("linear rule, nearest batch", "linear", {}),
        ("rate of the nearest batch", "constant", {}),
        ("constant", "constant", {}),
        ("power law, least squares", "power", {"slope": 0.37}),
        ("surge law, least squares", "surge", {"log_noise_scale": np.log(200.0)}),
        ("quadratic surface", "power", {"slope": 0.37}),
        ("AdaptDL AdaScale", "sgd", {"log_noise_scale": np.log(200.0)}),
        ("AdaptDL AdamScale", "large_batch_half", {"log_noise_scale": np.log(200.0)}),
    ],
)
def test_a_peer_recovers_the_law_that_it_assumes(peer, law, shape):
    grid, curve = grid_of_law(law, **shape)
    np.testing.assert_allclose(peers.peers()[peer](grid, ASKED), curve(ASKED), atol=1e-6)


def test_a_rule_starts_from_the_best_run_or_from_the_nearest_batch_size():
    # Best rates 1e-3 at 10 (loss 1.5, the best run) and 4e-3 at 1000 (loss 1.6). At 4000 the √ rule gives
    # 1e-3·√400 = 0.02 from the first and 4e-3·√4 = 8e-3 from the second, which is nearer.
    sweep = Sweep.from_columns(
        batch_size=[10, 10, 1000, 1000],
        learning_rate=[1e-3, 2e-3, 4e-3, 8e-3],
        loss=[1.5, 1.7, 1.6, 1.9],
        batch_unit="examples",
    )
    expected = {
        "sqrt rule, best run": 0.02,
        "sqrt rule, nearest batch": 8e-3,
        "rate of the nearest batch": 4e-3,
        "constant": 2e-3,  # √(1e-3·4e-3)
    }
    for name, rate in expected.items():
        assert np.exp(peers.peers()[name](sweep, np.array([4000.0])))[0] == pytest.approx(rate), name


def test_the_factor_of_palingenesis_is_the_published_one():
    # Best run at 100,000 tokens, r = 1: factor 2^-1.5. At r = 4: 4·5^-1.5; their ratio is 4·(2/5)^1.5.
    sweep = Sweep.from_columns(
        batch_size=[50, 50], learning_rate=[1e-3, 2e-3], loss=[2.0, 2.5], batch_unit="sequences"
    )
    peer = peers.peers(sequence_length=2000)["palingenesis"]
    assert np.exp(peer(sweep, np.array([200.0])))[0] == pytest.approx(1e-3 * 4 * 0.4**1.5)


def test_a_peer_says_what_it_lacks():
    grid, _ = grid_of_law("constant")
    with pytest.raises(peers.NotApplicable, match="--sequence-length"):
        peers.peers()["palingenesis"](grid, ASKED)
    dead = Sweep.from_columns(
        batch_size=[8, 8], learning_rate=[1, 2], loss=[np.nan, np.nan], batch_unit="sequences"
    )
    for name, peer in peers.peers(2048).items():
        if name != "Gaussian process":  # lacks scikit-learn, perhaps
            with pytest.raises(peers.NotApplicable, match="no run finished"):
                peer(dead, ASKED)


def test_diverged_runs_are_not_seen_by_peers():
    grid, _ = grid_of_law("power", slope=0.37)
    columns = grid.to_dict()
    rate = 2 * grid.learning_rate.max()
    with_diverged = Sweep.from_columns(
        batch_size=[*columns["batch_size"], 8.0],
        learning_rate=[*columns["learning_rate"], rate],
        loss=[*columns["loss"], -np.inf],
        batch_unit="sequences",
    )
    for name in ("sqrt rule, best run", "power law, least squares", "quadratic surface"):
        peer = peers.peers()[name]
        np.testing.assert_array_equal(peer(with_diverged, ASKED), peer(grid, ASKED))


def test_floor_and_oracle_of_an_exact_grid_whose_optimum_is_quadratic_cost_nothing():
    x = np.log(SIZES)
    truth = grids.valleys(exact_grid(-6 + 0.9 * x - 0.06 * x**2))
    assert [v.batch_size for v in truth] == SIZES.tolist()
    for v, rate in zip(truth, grids.oracle(truth), strict=True):
        assert v.optimum_se == pytest.approx(0, abs=1e-6)
        assert v.regret(v.optimum) == pytest.approx(0, abs=1e-9)
        assert v.regret(rate) == pytest.approx(0, abs=1e-9)


def test_the_oracle_does_not_see_the_batch_size_it_is_asked_for():
    x = np.log(SIZES)
    moved = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    rates = grids.oracle(grids.valleys(exact_grid(-6 + 0.3 * x + moved)))
    assert rates[2] == pytest.approx(-6 + 0.3 * x[2])


def test_the_oracle_needs_three_other_batch_sizes():
    truth = grids.valleys(exact_grid(np.full(3, -6.0), sizes=SIZES[:3]))
    assert np.isnan(grids.oracle(truth)).all()


def test_regret_is_read_between_the_points_of_the_grid_and_held_beyond_them():
    # The losses 0.05·STEP²·k² above the best at k steps; half a step out is half of the first.
    (v,) = grids.valleys(exact_grid(np.array([-6.0]), sizes=SIZES[:1], half_width=3))
    assert v.regret(v.optimum + STEP / 2) == pytest.approx(0.025 * STEP**2)
    assert v.regret(v.optimum + 50) == pytest.approx(0.05 * STEP**2 * 9)


def test_an_optimum_at_the_edge_of_the_grid_is_no_truth():
    rates = np.arange(6.0)
    assert grids.valley(8.0, rates, rates) is None
    assert grids.valley(8.0, rates, (rates - 2) ** 2).optimum == pytest.approx(2)


@pytest.mark.parametrize("budget", grids.BUDGETS)
def test_a_design_has_the_runs_of_its_budget_and_holds_the_best_it_reached(budget):
    grid = exact_grid(-6 + 0.3 * np.log(SIZES), half_width=9)
    batches, rates = grids.BUDGETS[budget]
    for seed in range(10):
        sparse = grids.design(grid, np.random.default_rng(seed), batches, rates)
        assert len(sparse) == budget == batches * rates
        assert len(sparse.batch_sizes) == batches
        for size in sparse.batch_sizes:
            steps = np.diff(np.sort(np.log(sparse.learning_rate[sparse.batch_size == size]))) / STEP
            np.testing.assert_allclose(steps, 3)
            # Every third rate, so one within a step and a half of the optimum: at most 0.05·(1.5·log 2)².
            assert sparse.loss[sparse.batch_size == size].min() <= 2 + 0.05 * (1.5 * STEP) ** 2


def test_a_design_tries_closer_rates_where_the_grid_has_too_few():
    grid = exact_grid(np.full(5, -6.0), half_width=6)  # 13 rates: six of every second one
    sparse = grids.design(grid, np.random.default_rng(0), 4, 6)
    steps = np.diff(np.sort(np.log(sparse.learning_rate[sparse.batch_size == sparse.batch_sizes[0]]))) / STEP
    np.testing.assert_allclose(steps, 2)
    assert grids.design(exact_grid(np.full(5, -6.0), half_width=2), np.random.default_rng(0), 4, 6) is None


def test_a_design_follows_from_its_seed_and_is_of_one_seed_of_the_grid():
    one = exact_grid(np.full(5, -6.0))
    columns = {name: np.tile(getattr(one, name), 2) for name in ("batch_size", "learning_rate", "loss")}
    grid = Sweep.from_columns(**columns, seed=np.repeat([0, 1], len(one)), batch_unit="sequences")
    drawn = [grids.design(grid, np.random.default_rng(seed), 3, 4) for seed in (5, 5, 6)]
    assert drawn[0].run_id == drawn[1].run_id != drawn[2].run_id
    assert all(len(set(sparse.seed)) == 1 for sparse in drawn)


def test_every_law_has_simulated_grids_whose_best_runs_lie_at_the_known_optimum():
    found = simulated.simulated()
    assert {label.split()[0] for label, *_ in found} == set(LAWS)
    for _, grid, truth in found:
        for known in truth:
            assert known.regret(known.optimum) == 0
            here = grid.where((grid.batch_size == known.batch_size) & grid.is_finished)
            # Twelve rates, half a doubling apart: noise of 0.002 on a curvature of 0.04 moves the best run by
            # less than √(2·4·0.002/0.04) = 0.63 at four standard deviations, and the lattice by 0.17.
            assert abs(np.log(here.best_run().learning_rate) - known.optimum) < 0.8


def test_a_case_is_judged_at_every_batch_size_and_place():
    grid = exact_grid(-6 + 0.5 * np.log(SIZES))
    sparse = grid.where(np.isin(grid.batch_size, [32.0, 512.0]))
    case = Case(0, "exact", 12, 0, sparse.to_dict(), grids.valleys(grid))
    outcome = judge(case, Settings(law=None, sequence_length=None))
    assert [row.place for row in outcome.rows] == ["outside", "tried", "between", "tried", "outside"]
    assert outcome.fit is None
    assert "palingenesis" in outcome.missing
    for row in outcome.rows:
        for name in ("sqrt rule, best run", "power law, least squares", ORACLE, FLOOR):
            assert row.regret[name] == pytest.approx(0, abs=1e-9)
        assert row.log_error["rate of the nearest batch"] == pytest.approx(
            0 if row.place == "tried" else STEP, abs=1e-9
        )  # the nearest is a factor of four away, √4 = 2


def test_the_halves_hold_every_other_grid_and_the_same_designs_as_the_whole():
    truth = grids.valleys(exact_grid(np.full(5, -6.0)))
    parts = [(label, exact_grid(np.full(5, -6.0)), truth) for label in "abc"]

    def drawn(*words):
        cases = make_cases(parts, arguments_of(["--simulate", "--designs", "2", "--budgets", "12", *words]))
        return {(case.label, case.design): case.sparse["run_id"] for case in cases}

    whole, even, odd = drawn(), drawn("--half", "even"), drawn("--half", "odd")
    assert {label for label, _ in even} == {"a", "c"}
    assert {label for label, _ in odd} == {"b"}
    assert {**even, **odd} == whole


def test_rows_of_one_cluster_count_as_one_for_the_standard_error():
    # Cluster means 1 and 3 of two rows each: mean 2, and √(Σ(sum of deviations)²·2/1)/4 = √(2·(4 + 4))/4 = 1,
    # the standard error of the mean of two values 1 and 3. Rows taken as independent would give 0.58.
    s = tables.spread([1, 1, 3, 3], ["a", "a", "b", "b"])
    assert (s.mean, s.se, s.median) == (2, pytest.approx(1), 2)
    assert np.isnan(tables.spread([1, 2], ["a", "a"]).se)


def test_the_ratio_of_two_fits_takes_all_chains_of_the_one_that_was_repeated():
    # Draws 0 … 11 thinned to four: 0, 3 (11/3 cut), 7 (22/3 cut) and 11; less 1 each.
    ratio = one_step.log_ratio(np.arange(12.0), np.ones(4))
    assert ratio.tolist() == [-1, 2, 6, 10]
    assert one_step.log_ratio(np.ones(4), np.arange(12.0)).tolist() == [1, -2, -6, -10]
