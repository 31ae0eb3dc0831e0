"""Both engines draw from the same posteriors: quantiles agree over thirty sweeps, a small shift would not.

Of every parameter and quantile the difference between the engines, in standard deviations of the posterior,
is an independent draw around zero for each sweep. Its mean over the sweeps has a standard error of about
√2·1.25/√800/√30 = 0.011 at 800 effective draws, so that a shift of 0.1 is nine of them.
"""

import numpy as np
import pytest
from scipy import stats
from surge_fit.model.spec import Model
from surge_fit.sampling import native, pymc_engine
from surge_fit.simulate import simulate_sweep

pytestmark = pytest.mark.slow

SWEEPS = 30
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
EFFORT = {"chains": 4, "tune": 500, "draws": 1000, "target_accept": 0.95}
FALSE_ALARM = 0.01


def quantiles(free):
    """Quantiles of every free variable, by name; shape (quantile, entry)."""
    return {name: np.quantile(value.reshape(4000, -1), QUANTILES, axis=0) for name, value in free.items()}


@pytest.fixture(scope="module")
def differences():
    """Native less PyMC in standard deviations, shape (sweep, quantity), quantiles of one entry in a row."""
    truth = {"log_max_learning_rate": np.log(1e-2), "log_noise_scale": np.log(200)}
    rates = np.exp(np.linspace(np.log(1e-3), np.log(5e-2), 4))
    found = []
    for seed in range(SWEEPS):
        sweep = simulate_sweep(
            "surge", truth, batch_size=[16, 64, 256, 1024], learning_rate=rates, random_seed=seed
        )
        model = Model.of(sweep, "broken_power")
        ((mine, _),) = native.sample([native.assemble(model)], [seed], **EFFORT)
        sampler = pymc_engine.Sampler(model, lambda stage, share: None)
        theirs, _ = sampler.sample(seed, **EFFORT, progress=None)
        ours, reference = quantiles(mine), quantiles(theirs)
        row = []
        for name in sorted(ours):
            sd = theirs[name].reshape(4000, -1).std(axis=0)
            row.append(((ours[name] - reference[name]) / sd).ravel())
        found.append(np.concatenate(row))
    return np.array(found)


def scores(differences):
    """Student's t of every quantity, SWEEPS − 1 degrees of freedom."""
    return differences.mean(axis=0) / (differences.std(axis=0, ddof=1) / np.sqrt(SWEEPS))


def bound(quantities):
    """The t that any of so many quantities exceeds by chance with probability `FALSE_ALARM` (Bonferroni)."""
    return stats.t.isf(FALSE_ALARM / (2 * quantities), SWEEPS - 1)


def test_quantiles_of_both_engines_agree_within_their_monte_carlo_error(differences):
    t = scores(differences)
    assert np.abs(t).max() < bound(t.size)


def test_a_shift_of_a_tenth_of_a_standard_deviation_would_be_seen(differences):
    t = scores(differences + 0.1)
    assert np.median(np.abs(t)) > bound(t.size)
