"""Sweeps with a known truth: their shape, their seed, their divergence, and where their optimum is."""

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.simulate import Valley

# The surge law with ε_max = 2e-3 at B_noise = 256: ε = ε_max/cosh(½ log(B/B_noise)). A batch size four times
# as small or as large has cosh(log 2) = (2 + ½)/2 = 1.25, so its optimum is 2e-3/1.25 = 1.6e-3.
TRUTH = {"log_max_learning_rate": np.log(2e-3), "log_noise_scale": np.log(256)}
SIZES = [64, 256, 1024]
OPTIMA = np.array([1.6e-3, 2e-3, 1.6e-3])
NO_NOISE = Valley(floor=2.5, noise=0.0, wall=np.inf)


def simulated(**changes):
    asked = {"batch_size": SIZES, "learning_rate": [1e-3, 2e-3, 4e-3, 8e-3], **changes}
    return sf.simulate_sweep("surge", {**TRUTH, **asked.pop("parameters", {})}, **asked)


def around(optima):
    """Rates at each batch size, the third of five being the optimum."""
    return optima[:, None] * np.array([0.25, 0.5, 1.0, 2.0, 4.0])


def test_a_run_for_every_batch_size_and_rate():
    sweep = simulated(batch_unit="tokens")
    assert sweep.batch_size.tolist() == [64.0] * 4 + [256.0] * 4 + [1024.0] * 4
    assert sweep.learning_rate.tolist() == [1e-3, 2e-3, 4e-3, 8e-3] * 3
    assert sweep.batch_unit == "tokens"
    own = simulated(learning_rate=around(OPTIMA))
    assert own.learning_rate.tolist() == around(OPTIMA).ravel().tolist()


def test_the_seed_decides():
    one, again, other = simulated(random_seed=3), simulated(random_seed=3), simulated(random_seed=4)
    assert one.to_dict() == again.to_dict()
    assert not np.array_equal(one.loss, other.loss)


def test_without_noise_the_best_run_is_at_the_optimum_of_the_law():
    sweep = simulated(learning_rate=around(OPTIMA), valley=NO_NOISE)
    loss = sweep.loss.reshape(3, 5)
    assert loss.argmin(axis=1).tolist() == [2, 2, 2]
    assert loss[:, 2] == pytest.approx(2.5, abs=1e-12)


def test_a_discrepancy_moves_the_optimum():
    # The second optimum is twice the law's.
    sweep = simulated(learning_rate=around(OPTIMA), valley=NO_NOISE, discrepancy=[0.0, np.log(2), 0.0])
    assert sweep.loss.reshape(3, 5).argmin(axis=1).tolist() == [2, 3, 2]


def test_the_noise_is_the_scatter_of_the_losses():
    rates = np.full(4000, 2e-3)
    sweep = simulated(batch_size=[256], learning_rate=rates, valley=Valley(noise=0.01, wall=np.inf))
    # The standard error of a standard deviation of 4000 runs is 0.01/√8000 = 1.1e-4.
    assert np.std(sweep.loss) == pytest.approx(0.01, abs=5e-4)
    assert np.mean(sweep.loss) == pytest.approx(2.5, abs=1e-3)


def test_runs_beyond_the_wall_diverge():
    # A wall that is all but sharp, between twice and four times the optimum: log 2 < 1 < log 4.
    sweep = simulated(learning_rate=around(OPTIMA), valley=Valley(wall=1.0, wall_width=1e-3))
    assert sweep.status == ("finished", "finished", "finished", "finished", "diverged") * 3
    assert np.isposinf(sweep.loss[sweep.is_diverged]).all()
    assert np.isfinite(sweep.loss[sweep.is_finished]).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"parameters": {"log_max_rate": -6.0}},
            "'parameters' must hold one number for each of .* 'log_max_rate'",
        ),
        ({"parameters": {"log_noise_scale": [4.0, 5.0]}}, "'parameters' must hold one number for each of"),
        ({"batch_size": [8, 0]}, "'batch_size' must be positive and finite; got 0"),
        ({"learning_rate": [1e-3, -1.0]}, "'learning_rate' must be positive and finite; got -1"),
        (
            {"learning_rate": 1e-3},
            r"'learning_rate' must be a list of rates, or a table .* got shape \(\)",
        ),
        ({"learning_rate": [[1e-3, 2e-3]] * 2}, r"one row for each of 3 batch sizes; got shape \(2, 2\)"),
        ({"discrepancy": [0.1]}, r"'discrepancy' must hold one number for each of 3 batch sizes; .* \(1,\)"),
    ],
)
def test_what_cannot_be_simulated_is_named(changes, message):
    with pytest.raises(sf.InputError, match=message):
        simulated(**changes)


def test_an_unknown_law_is_refused():
    with pytest.raises(sf.InputError, match="Did you mean 'surge'"):
        sf.simulate_sweep("surg", TRUTH, batch_size=SIZES, learning_rate=[1e-3])
