import numpy as np
import pytest
from surge_fit.model import discrepancy


def test_the_prior_correlates_batch_sizes_by_their_log_distance():
    x = np.array([0.0, discrepancy.LENGTH])
    factor = discrepancy.cholesky(x)
    # One length scale apart, a squared-exponential kernel is exp(-1/2).
    assert (factor @ factor.T)[0, 1] == pytest.approx(np.exp(-0.5))
    assert np.diag(factor @ factor.T) == pytest.approx([1, 1], abs=1e-5)


def test_at_a_known_batch_size_nothing_is_added():
    x, delta = np.array([0.0, 2.0]), np.array([[0.3, -0.2], [0.1, 0.4]])
    again = discrepancy.conditional_draws(x, delta, np.array([0.2, 0.3]), x, np.random.default_rng(0))
    assert again == pytest.approx(delta, abs=5e-3)


def test_far_from_all_known_batch_sizes_the_prior_returns():
    delta = np.full((20_000, 1), 0.5)
    far = discrepancy.conditional_draws(
        np.array([0.0]), delta, np.full(20_000, 0.3), np.array([50.0]), np.random.default_rng(0)
    )
    assert far.mean() == pytest.approx(0.0, abs=0.01)
    assert far.std() == pytest.approx(0.3, rel=0.02)


def test_between_known_batch_sizes_mean_and_variance_are_those_of_the_textbook():
    x, delta, tau = np.array([0.0]), 0.5, 0.3
    new = np.array([1.5])
    # Given one point at distance r: mean k δ, variance τ² (1 − k²), k = exp(−r²/(2 · 1.5²)) = exp(−1/2).
    k = np.exp(-0.5)
    draws = discrepancy.conditional_draws(
        x, np.full((50_000, 1), delta), np.full(50_000, tau), new, np.random.default_rng(0)
    )
    assert draws.mean() == pytest.approx(k * delta, abs=0.005)
    assert draws.std() == pytest.approx(tau * np.sqrt(1 - k**2), rel=0.02)
