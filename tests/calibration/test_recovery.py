"""Data simulated from each law give that law's parameters back."""

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.simulate import simulate_sweep

pytestmark = pytest.mark.slow

TRUTH = {
    "constant": {"log_max_learning_rate": np.log(2e-3)},
    "power": {"log_learning_rate_scale": np.log(1e-4), "slope": 0.5},
    "linear": {"log_learning_rate_scale": np.log(1e-5)},
    "square_root": {"log_learning_rate_scale": np.log(1e-4)},
    "sgd": {"log_max_learning_rate": np.log(2e-3), "log_noise_scale": np.log(300)},
    "large_batch_half": {"log_max_learning_rate": np.log(2e-3), "log_noise_scale": np.log(300)},
    "surge": {"log_max_learning_rate": np.log(2e-3), "log_noise_scale": np.log(300)},
    "surge_free_exponent": {
        "log_max_learning_rate": np.log(2e-3),
        "log_noise_scale": np.log(300),
        "exponent": 0.7,
    },
    "saturating_surge": {
        "log_max_learning_rate": np.log(2e-3),
        "log_noise_scale": np.log(300),
        "log_peak_ratio": -0.7,
    },
    "broken_power": {
        "log_learning_rate_scale": np.log(2e-3),
        "log_noise_scale": np.log(300),
        "small_batch_slope": 0.8,
        "large_batch_fall": 0.3,
    },
}
SIZES = [4, 16, 64, 256, 1024, 4096, 16384]


@pytest.mark.parametrize("name", sorted(TRUTH))
def test_a_rich_sweep_gives_back_the_parameters_of_its_law(name):
    law, truth = sf.get_law(name), TRUTH[name]
    optimum = law.log_learning_rate(np, np.log(SIZES), **truth) + np.zeros(len(SIZES))
    rates = np.exp(optimum[:, None] + np.linspace(-1.5, 1.5, 7))
    sweep = simulate_sweep(name, truth, batch_size=SIZES, learning_rate=rates, random_seed=5)
    posterior = sf.fit(
        sweep, law=law, priors={"discrepancy_scale": sf.LogNormal(median=0.02, log_sd=0.5)}, random_seed=5
    )
    for parameter, value in truth.items():
        low, high = np.quantile(posterior.draws(parameter), [0.005, 0.995])
        assert low <= value <= high, parameter
    predicted = np.median(posterior.log_optimal_learning_rate(SIZES), axis=0)
    assert predicted == pytest.approx(optimum, abs=0.1)
