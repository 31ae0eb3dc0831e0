"""The scatter of losses, and what luck the best of many has: what the prior of a valley's floor is told."""

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.model.run_noise import loss_noise, luck_of_best


def test_a_smooth_valley_has_no_noise():
    x = np.linspace(-2, 2, 9)
    assert loss_noise([(x, 3 + 0.1 * x**2)]) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_the_noise_of_a_flat_valley_is_that_of_its_losses(seed):
    rng = np.random.default_rng(seed)
    valleys = [(rng.uniform(-3, 3, 200), 2 + 0.5 * rng.standard_normal(200)) for _ in range(3)]
    # 600 losses tell their deviation to some per cent; the mask of the bottom leaves a few out.
    assert loss_noise(valleys) == pytest.approx(0.5, rel=0.15)


def test_two_runs_have_no_neighbours_on_both_sides():
    assert loss_noise([(np.array([0.0, 1.0]), np.array([2.0, 3.0]))]) == 0.0


def test_the_luck_of_the_best_is_the_mean_of_the_least_of_many_normal_variables():
    # The mean of the least of n standard normal variables, n = 5, 20: −1.16296, −1.86748 (tables); Blom's
    # approximation is good to two per cent.
    for n, luck in ((5, 1.16296), (20, 1.86748)):
        assert luck_of_best(np.zeros(n), 0.1) == pytest.approx(0.1 * luck, rel=2e-2)


def test_runs_far_above_the_best_do_not_compete_with_it():
    assert luck_of_best(np.array([1.0, 2.0, 3.0]), 0.1) == 0.0
    assert luck_of_best(np.array([1.0, 1.1]), 0.0) == 0.0


def noisy_search(seed, kind):
    """Sixty runs at random rates; the optimum is 8e-3·√(B/64), the noise half as deep as the valleys."""
    rng = np.random.default_rng([seed, kind])
    size = rng.choice([32.0, 64.0, 128.0], 60)
    rate = np.exp(rng.uniform(np.log(1e-4), np.log(3e-2), 60))
    distance = np.log(rate / (8e-3 * np.sqrt(size / 64)))
    depth = 0.175 * distance**2 / (1 + 0.12 * np.abs(distance)) * np.where(distance > 0, 1.6, 1.0)
    noise = (
        0.6 * rng.standard_normal(60),
        0.45 * rng.standard_t(3, 60),
        (2 + depth) * np.expm1(0.28 * rng.standard_normal(60) - 0.04),
    )[kind]
    return sf.Sweep.from_columns(
        batch_size=size, learning_rate=rate, loss=2 + depth + noise, batch_unit="sequences"
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", [0, 1, 2], ids=["normal", "heavy tails", "in proportion"])
def test_noisy_random_searches_are_covered_at_their_rate(kind):
    fits = sf.fit_many([noisy_search(seed, kind) for seed in range(24)], on_failure="warn")
    truth = np.log(8e-3 * np.sqrt(np.array([32.0, 64.0, 128.0]) / 64))
    low, high = np.quantile(
        [fit.log_optimal_learning_rate([32, 64, 128]) for fit in fits], [0.05, 0.95], axis=1
    )
    covered = ((low <= truth) & (truth <= high)).mean(axis=1)
    # Of 24 searches 21.6 cover on average, with a standard deviation of 1.5 if batch sizes agree.
    assert covered.sum() >= 21.6 - 3 * 1.5
