"""Steps simulated from the law give its numbers back, as often as the intervals promise."""

import numpy as np
import pytest
import surge_fit as sf

pytestmark = pytest.mark.slow

MIN_STEPS, CRITICAL, NOISE, SWEEPS = 1500.0, 900.0, 0.08, 40
SIZES = 16 * 4.0 ** np.arange(6)


def test_intervals_of_the_critical_batch_size_and_the_least_steps_hold_the_truth():
    rng = np.random.default_rng(1)
    truth = {"critical_batch_size": CRITICAL, "min_steps": MIN_STEPS, "min_examples": CRITICAL * MIN_STEPS}
    hits = dict.fromkeys(truth, 0)
    for seed in range(SWEEPS):
        steps = MIN_STEPS * (1 + CRITICAL / SIZES) * np.exp(NOISE * rng.standard_normal(len(SIZES)))
        sweep = sf.Sweep.from_columns(batch_size=SIZES, steps_to_target=steps, batch_unit="tokens")
        for estimate in sf.estimate_parameters(sf.fit(sweep, random_seed=seed)):
            if estimate.name in truth:
                low, high = estimate.interval
                hits[estimate.name] += low <= truth[estimate.name] <= high
    # Of 40 intervals of 90 %, fewer than 31 hold the truth with probability 0.005 (binomial).
    assert all(count >= 31 for count in hits.values()), hits


def test_with_learning_rates_the_noise_scale_is_tied_to_the_critical_batch_size():
    sizes = [16, 64, 256, 1024, 4096]
    scale = {"log_max_learning_rate": np.log(2e-3), "log_noise_scale": np.log(CRITICAL)}
    rates = [5e-4, 1e-3, 2e-3, 4e-3]
    runs = sf.simulate_sweep("surge", scale, batch_size=sizes, learning_rate=rates, random_seed=3)
    optimum = 2e-3 / np.cosh(0.5 * np.log(CRITICAL / runs.batch_size))
    waste = 0.5 * np.log(runs.learning_rate / optimum) ** 2
    steps = MIN_STEPS * (1 + CRITICAL / runs.batch_size) * np.exp(waste)
    table = {name: getattr(runs, name) for name in ("batch_size", "learning_rate", "loss", "status")}
    joint = sf.Sweep.from_columns(
        **table, steps_to_target=np.where(runs.is_diverged, np.nan, steps), batch_unit="examples"
    )

    def width(sweep, **priors):
        draws = sf.fit(sweep, law="surge", priors=priors, random_seed=0).draws("log_noise_scale")
        low, high = np.quantile(draws, [0.05, 0.95])
        assert low <= np.log(CRITICAL) <= high
        return high - low

    alone = width(sf.Sweep.from_columns(**table, batch_unit="examples"))
    loose, tied = width(joint), width(joint, log_critical_ratio=sf.Normal(mean=0, sd=0.01))
    assert tied < loose <= 1.05 * alone
