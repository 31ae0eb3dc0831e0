"""Pareto-smoothed weights against ArviZ's, and against what they are weights for."""

import numpy as np
import pytest
from scipy import stats
from surge_fit._support.compat import import_arviz, reads_inference_data
from surge_fit.sampling.importance import MAX_PARETO_K, smooth


def arvizs_log_weights(log_ratio):
    """ArviZ's smoothed log weights, which sum to one, and its Pareto k."""
    if reads_inference_data():
        return import_arviz().psislw(log_ratio)
    from arviz_stats.base import array_stats

    return array_stats.psislw(-log_ratio)  # it takes log likelihoods, whose inverse is the ratio


@pytest.mark.parametrize("degrees", [2, 4, 30])
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_the_weights_are_those_of_arviz(degrees, scale):
    # 3 √3600 = 180 draws in the tail: where it is no whole number, ArviZ 0.23 rounds up, 1 down.
    log_ratio = scale * np.random.default_rng(0).standard_t(degrees, 3600)
    wanted, k = arvizs_log_weights(log_ratio)
    found = smooth(log_ratio)
    assert found.pareto_k == pytest.approx(float(k), rel=1e-9)
    assert found.weight == pytest.approx(np.exp(wanted), rel=1e-9)


def test_weighted_draws_have_the_moments_of_the_density_they_are_weighted_for():
    # From Normal(0, 1) to Normal(0.5, 0.8); efficiency 1/E[w²] = σ √(2 − σ²)·exp(−μ²/(2 − σ²)) = 0.771.
    x = np.random.default_rng(1).standard_normal(200_000)
    found = smooth(stats.norm(0.5, 0.8).logpdf(x) - stats.norm.logpdf(x))
    assert found.pareto_k < MAX_PARETO_K
    assert found.efficiency == pytest.approx(0.771, abs=0.01)
    chosen = x[found.resample(np.random.default_rng(2))]
    assert (chosen.mean(), chosen.std()) == pytest.approx((0.5, 0.8), abs=0.01)


def test_draws_that_miss_the_density_are_told():
    x = np.random.default_rng(1).standard_normal(4000)
    assert smooth(stats.norm(0, 3).logpdf(x) - stats.norm.logpdf(x)).pareto_k > MAX_PARETO_K


def test_draws_that_weigh_alike_are_taken_once_each():
    found = smooth(np.full(1000, -7.0))
    assert found.pareto_k == -np.inf
    assert found.efficiency == pytest.approx(1)
    assert found.resample(np.random.default_rng(3)).tolist() == list(range(1000))
