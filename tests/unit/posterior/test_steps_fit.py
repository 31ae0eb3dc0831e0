"""One real fit of steps to a target, used the way its reader would."""

import numpy as np
import pytest
import surge_fit as sf

MIN_STEPS, CRITICAL = 1500.0, 900.0
SIZES = 16 * 2.0 ** np.arange(10)


def sweep(noise, sizes=SIZES):
    exact = MIN_STEPS * (1 + CRITICAL / sizes)
    steps = exact * np.exp(noise * np.random.default_rng(0).standard_normal(len(sizes)))
    return sf.Sweep.from_columns(batch_size=sizes, steps_to_target=steps, batch_unit="sequences")


@pytest.fixture(scope="module")
def posterior():
    return sf.fit(sweep(0.05), random_seed=0)


def test_the_fit_is_trustworthy_and_says_what_the_steps_were_made_of(posterior):
    assert posterior.diagnostics.trustworthy, posterior.diagnostics.problems
    assert (posterior.has_steps, posterior.has_law, posterior.has_surface) == (True, False, False)
    found = {estimate.name: estimate for estimate in sf.estimate_parameters(posterior)}
    truth = {
        "critical_batch_size": CRITICAL,
        "overhead_batch_size": 0.2 * CRITICAL,
        "min_steps": MIN_STEPS,
        "min_examples": CRITICAL * MIN_STEPS,
    }
    assert set(found) == set(truth)
    for name, value in truth.items():
        assert found[name].identified
        # Not the 90 % interval, which one seed in ten may miss: three times its width on a log scale.
        low, high = found[name].interval
        assert (low / high) * low < value < (high / low) * high


def test_data_without_noise_give_the_exact_line_back():
    # The noise is no less than its prior lets it be: the medians are exact to a part of the interval.
    posterior = sf.fit(sweep(0.0), random_seed=0)
    found = {estimate.name: estimate.median for estimate in sf.estimate_parameters(posterior)}
    assert found["critical_batch_size"] == pytest.approx(CRITICAL, rel=0.02)
    assert found["min_steps"] == pytest.approx(MIN_STEPS, rel=0.02)


def test_batch_sizes_below_the_critical_one_bound_it_from_below():
    # From 1/16 to 32: at the largest, E is 1 + 32/900 times the least, a part of the noise.
    small = sweep(0.05, SIZES / 256)
    assert small.checks()[0].slug == "critical_batch_size_not_bracketed"
    found = {estimate.name: estimate for estimate in sf.estimate_parameters(sf.fit(small, random_seed=0))}
    # What small batch sizes do tell is the least number of examples, in which both unknowns cancel.
    assert found["min_examples"].identified
    assert found["min_examples"].median == pytest.approx(CRITICAL * MIN_STEPS, rel=0.1)
    critical = found["critical_batch_size"]
    assert (critical.identified, critical.bound) == (False, "lower")
    assert 64 < critical.interval[0] < CRITICAL


def test_a_saved_fit_predicts_as_before(posterior, tmp_path):
    posterior.save(tmp_path / "steps.nc")
    loaded = sf.load_posterior(tmp_path / "steps.nc")
    assert sf.predict_steps(loaded, batch_size=[100, 1e5]) == sf.predict_steps(
        posterior, batch_size=[100, 1e5]
    )
    assert loaded.sweep.kind == "steps_to_target"
