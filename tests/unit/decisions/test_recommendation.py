"""Decisions from posteriors made by hand, so that the right answer is known exactly."""

import numpy as np
import pytest
import surge_fit as sf
from support.posteriors import make_posterior
from surge_fit.decisions.estimates import _estimate


def test_symmetric_doubt_in_a_valley_steep_on_the_right_is_answered_from_the_left():
    r = sf.recommend(make_posterior(), batch_size=128)
    median = np.exp(np.median(make_posterior().log_optimal_learning_rate([128])))
    assert r.learning_rate <= median


def test_the_rules_start_from_the_best_run():
    posterior = make_posterior()
    best = posterior.sweep.best_run()
    r = sf.recommend(posterior, batch_size=16 * best.batch_size)
    rules = {a.name: a.learning_rate for a in r.alternatives}
    assert rules == pytest.approx({"square_root": 4 * best.learning_rate, "linear": 16 * best.learning_rate})


def test_a_larger_overshoot_never_looks_cheaper():
    posterior = make_posterior()
    regrets = [
        sf.recommend(posterior, batch_size=64, current_learning_rate=rate).alternatives[0].expected_regret
        for rate in np.geomspace(1e-2, 1e3, 12)
    ]
    assert np.all(np.diff(regrets) > 0)


def test_batch_sizes_keep_their_order_and_may_repeat():
    sizes = [512.0, 8.0, 512.0]
    first, second, third = sf.recommend(make_posterior(), batch_size=sizes)
    assert [r.batch_size for r in (first, second, third)] == sizes
    assert third == first


def test_a_number_is_answered_by_a_value_and_a_sequence_by_a_tuple():
    posterior = make_posterior()
    one, several = sf.recommend(posterior, batch_size=64), sf.recommend(posterior, batch_size=[64])
    assert isinstance(one, sf.Recommendation)
    assert several == (one,)
    assert sf.recommend(posterior, batch_size=np.float64(64)) == one


@pytest.mark.parametrize(
    ("draws", "identified", "bound"),
    [
        # The prior spans ±1.645 · 2; half of that width is 3.29.
        (np.linspace(-1, 1, 1001), True, None),
        (np.linspace(-4, 4, 1001), False, None),
        # All above the prior's 50 % point, up to where the prior ends: only a lower bound is known.
        (np.linspace(0, 5, 1001), False, "lower"),
        (np.linspace(-5, 0, 1001), False, "upper"),
    ],
)
def test_a_number_is_identified_when_the_runs_halve_its_prior(draws, identified, bound):
    prior = np.random.default_rng(0).normal(0, 2, 20_000)
    estimate = _estimate("noise_scale", draws, prior)
    assert (estimate.identified, estimate.bound) == (identified, bound)
    assert estimate.interval == pytest.approx(np.exp(np.quantile(draws, [0.05, 0.95])), rel=0.02)


def test_a_law_that_never_stops_rising_has_no_maximum():
    draws = np.where(np.arange(1000) < 300, np.inf, np.log(2e-3))
    estimate = _estimate("max_learning_rate", draws, np.random.default_rng(0).normal(-6, 1, 1000))
    assert estimate.probability_none == pytest.approx(0.3)
    assert not estimate.identified
    assert estimate.median == pytest.approx(2e-3)
