"""Intervals cover at their rate where truths are drawn as the model believes."""

import numpy as np
import pytest
import surge_fit as sf
from scipy import stats
from surge_fit.law import LawDraws
from surge_fit.model import discrepancy
from surge_fit.simulate import Valley, simulate_sweep

pytestmark = pytest.mark.slow

TRIED = np.array([32.0, 256.0, 2048.0])
ASKED = np.array([8.0, 90.0, 256.0, 8192.0])
"""Below, between, at and beyond the batch sizes tried."""


def simulated(seed):
    """A sweep of 12 runs and the log of its true optimum at `ASKED`, drawn from the default priors."""
    rng = np.random.default_rng(seed)
    sizes = np.unique(np.concatenate([TRIED, ASKED]))
    parameters = {
        "log_learning_rate_scale": np.log(3e-3) + 0.5 * rng.standard_normal(),
        "log_noise_scale": np.log(256) + 3.5 * rng.standard_normal(),
        "small_batch_slope": 0.8 * np.exp(0.5 * rng.standard_normal()),
        "large_batch_fall": 0.25 * rng.standard_normal(),
    }
    tau = 0.3 * np.exp(0.6 * rng.standard_normal())
    delta = tau * discrepancy.cholesky(np.log(sizes)) @ rng.standard_normal(len(sizes))
    optimum = LawDraws.of(sf.get_law("broken_power"), parameters).optimum(sizes)[0] + delta
    tried = np.isin(sizes, TRIED)
    rates = optimum[tried][:, None] + np.linspace(-1.5, 1.5, 4) + rng.uniform(-0.7, 0.7, (len(TRIED), 1))
    valley = Valley(
        rate=0.6 * np.exp(0.4 * rng.standard_normal()),
        asymmetry=0.8 + 0.7 * rng.standard_normal(),
        noise=0.002 * np.exp(0.5 * rng.standard_normal()),
        wall=2.5 * np.exp(0.6 * rng.standard_normal()),
    )
    sweep = simulate_sweep(
        "broken_power",
        parameters,
        batch_size=TRIED,
        learning_rate=np.exp(rates),
        valley=valley,
        discrepancy=delta[tried],
        random_seed=seed,
    )
    return sweep, optimum[np.isin(sizes, ASKED)]


def coverage(count, priors=None):
    """Whether the central 50 and 90 % intervals hold the truth: two arrays of shape (sweep, asked).

    And how many fits were refused; their intervals are judged all the same.
    """
    hits, refused = {50: [], 90: []}, 0
    for seed in range(count):
        sweep, truth = simulated(seed)
        try:
            posterior = sf.fit(sweep, random_seed=seed, priors=priors)
        except sf.UntrustworthyFitError as error:
            posterior, refused = error.posterior, refused + 1
        draws = posterior.log_optimal_learning_rate(ASKED)
        for share, found in hits.items():
            low, high = np.quantile(draws, [0.5 - share / 200, 0.5 + share / 200], axis=0)
            found.append((low <= truth) & (truth <= high))
    return {share: np.array(found) for share, found in hits.items()}, refused


def surprises(hits):
    """The asked batch sizes and shares whose number of hits the promised rate would hardly ever give."""
    return [
        (share, size, found[:, j].mean())
        for share, found in hits.items()
        for j, size in enumerate(ASKED)
        if stats.binomtest(int(found[:, j].sum()), len(found), share / 100).pvalue < 1e-3
    ]


def test_intervals_cover_at_their_rate():
    hits, refused = coverage(100)
    assert surprises(hits) == []
    assert refused <= 1


def test_a_wrong_prior_fails_the_check():
    """A discrepancy ten times that of the truth: intervals between the batch sizes tried are too wide."""
    hits, _ = coverage(20, priors={"discrepancy_scale": sf.LogNormal(median=3.0, log_sd=0.1)})
    assert surprises(hits) != []


def test_the_check_notices_intervals_that_are_too_narrow_or_too_wide():
    rng = np.random.default_rng(0)
    right = {share: rng.random((100, len(ASKED))) < share / 100 for share in (50, 90)}
    assert surprises(right) == []
    assert surprises({**right, 90: rng.random((100, len(ASKED))) < 0.7})
    assert surprises({**right, 50: rng.random((100, len(ASKED))) < 0.8})
