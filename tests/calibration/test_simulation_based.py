"""Truths rank uniformly among the draws of their posterior; where the model is wrong, the check notices."""

from dataclasses import replace

import numpy as np
import pytest
from simulation_based import (
    CASES,
    OPTIMA,
    RANKED,
    Case,
    bound,
    calibrate,
    p_value,
    parameters,
    ranks,
    simulated,
)
from surge_fit import LogNormal, Normal, get_law

pytestmark = pytest.mark.slow

NAMED = {case.name: case for case in CASES}
FEW = 100
"""Simulations that are enough to find each of the mistakes below."""


@pytest.mark.parametrize("name", NAMED)
def test_truths_rank_uniformly_among_the_draws_of_their_posterior(name):
    found = calibrate(NAMED[name])
    limit = bound()
    assert {quantity: p for quantity, p in found.p_values.items() if p < limit} == {}
    assert found.ranked > 200


def test_a_prior_three_times_too_wide_fails_the_check():
    """In logs 1.1 or 1.8 standard deviations of the prior, of which six optima take back a part."""
    case = NAMED["optimum points, broken_power"]
    truths = parameters(case, FEW, seed=10)
    wrong = replace(case, changed={"discrepancy_scale": LogNormal(median=0.9, log_sd=0.6)})
    found = ranks(wrong, truths, simulated(case, truths, seed=11))
    assert p_value(found["discrepancy_scale"]) < 1e-4


@pytest.mark.parametrize(("name", "noise"), [("losses", "loss_noise"), ("steps", "steps_noise")])
def test_noise_twice_that_of_the_truth_fails_the_check(name, noise):
    case = NAMED[name]
    truths = parameters(case, FEW, seed=20)
    seen = simulated(case, truths | {noise: 2 * truths[noise]}, seed=21)
    assert p_value(ranks(case, truths, seen)[noise]) < 1e-4


def test_a_law_that_cannot_fall_fails_the_check_where_the_truth_falls():
    """Surge falls beyond B = 256; to a power law that is a discrepancy far larger than the true one."""
    falls = Case("falls", OPTIMA, get_law("surge"), {"log_noise_scale": Normal(mean=np.log(256), sd=0.5)})
    rises = Case("rises", OPTIMA, get_law("power"))
    truths = parameters(falls, FEW, seed=30)
    found = ranks(rises, truths, simulated(falls, truths, seed=31))
    assert p_value(found["discrepancy_scale"]) < 1e-4


def test_ranks_of_draws_that_are_a_fifth_too_narrow_fail_the_check():
    rng = np.random.default_rng(0)
    truth, draws = rng.standard_normal((1000, 1)), rng.standard_normal((1000, RANKED))
    assert p_value((draws < truth).sum(axis=1)) > 1e-3
    assert p_value((0.8 * draws < truth).sum(axis=1)) < 1e-4
