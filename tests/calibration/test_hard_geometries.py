"""Posteriors of awkward shapes: the chains agree, or the fit is refused in words; no answer is too sure."""

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.simulate import Valley, simulate_sweep

OPTIMUM = 1e-2
GRID = OPTIMUM * np.exp(np.linspace(-1.6, 1.6, 5))
SIZES = (16, 128, 1024)


def swept(sizes=SIZES, rates=GRID, seed=1, **valley):
    """Runs of a law that does not move, so that the optimum is `OPTIMUM` at every batch size."""
    truth = {"log_max_learning_rate": np.log(OPTIMUM)}
    form = Valley(**{"wall": np.inf, **valley})
    return simulate_sweep(
        "constant", truth, batch_size=sizes, learning_rate=rates, valley=form, random_seed=seed
    )


def fitted(sweep, **options):
    """The posterior, trusted or refused in words that name a number and a way out."""
    try:
        posterior = sf.fit(sweep, random_seed=0, **options)
        refusal = ""
    except sf.UntrustworthyFitError as error:
        posterior, refusal = error.posterior, str(error)
    found = posterior.diagnostics
    assert found.trustworthy == (refusal == "")
    for part in (*found.problems, *(("cannot be trusted", "Add runs") if refusal else ())):
        assert part in refusal
    print(
        f"R-hat {found.max_rhat:.4f} ({found.max_rhat_parameter}), ESS {found.min_ess:.0f} "
        f"({found.min_ess_parameter}), {found.divergences} of {found.draws} diverged, "
        f"{'trusted' if found.trustworthy else 'refused'}"
    )
    return posterior


def interval(posterior, size):
    """Of 90 %, of the log of the optimum over `OPTIMUM`."""
    draws = posterior.log_optimal_learning_rate([size])[..., 0] - np.log(OPTIMUM)
    assert np.isfinite(draws).all()
    return np.quantile(draws, [0.05, 0.95])


def test_of_one_batch_size_nearly_nothing_is_known_far_away():
    posterior = fitted(swept(sizes=(128, 1.02 * 128)))
    low, high = interval(posterior, 128)
    far_low, far_high = interval(posterior, 128 * 64)
    assert low < 0 < high
    # Over 4.2 e-folds the slope's prior alone, log-sd 0.5 around 0.8, spreads by far more than this.
    assert far_high - far_low > max(2.0, 2 * (high - low))


@pytest.mark.slow
def test_six_runs_hold_the_truth_in_their_interval():
    low, high = interval(fitted(swept(sizes=(16, 1024), rates=GRID[1:4])), 128)
    assert low < 0 < high


def test_where_all_winners_are_on_the_edge_the_optimum_may_be_beyond_it():
    rates = GRID[:3] / 2
    low, high = interval(fitted(swept(rates=rates)), 128)
    assert high > np.log(rates.max() / OPTIMUM)
    assert low < 0 < high


@pytest.mark.slow
def test_without_noise_the_interval_is_narrow_and_holds_the_truth():
    low, high = interval(fitted(swept(noise=0.0)), 128)
    noisy_low, noisy_high = interval(fitted(swept(noise=0.02)), 128)
    assert low < 0 < high
    assert high - low < noisy_high - noisy_low


@pytest.mark.slow
def test_noise_that_hides_the_valley_leaves_the_optimum_open():
    low, high = interval(fitted(swept(noise=1.0)), 128)
    assert high - low > np.log(GRID[-1] / GRID[0]) / 2
