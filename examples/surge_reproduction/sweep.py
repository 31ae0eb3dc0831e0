"""What whole runs say: the grid of examples/digits_adam, its best rates and its critical batch size."""

import math
from dataclasses import dataclass

import surge_fit as sf
from digits_adam import optimum


@dataclass(frozen=True)
class WholeRuns:
    """Best learning rates over whole runs, and the critical batch size of steps and examples to a loss.

    Attributes
    ----------
    batch_size : list of int
    learning_rate : list of float
        With which the loss after a fixed number of examples is lowest.
    standard_error : list of float
        Of its logarithm.
    critical_batch_size : float
        B_crit = E_min/S_min from the fewest steps to a loss of 0.3 [examples].
    interval : tuple of float
        Its 90 % interval.
    """

    batch_size: list[int]
    learning_rate: list[float]
    standard_error: list[float]
    critical_batch_size: float
    interval: tuple[float, float]


def whole_runs() -> WholeRuns:
    """Read the grid, locate its optima, and fit S = S_min (1 + B_crit/B) to the fewest steps."""
    grid = optimum.read_grid()
    found = [optimum.locate(column.learning_rates, column.losses) for column in grid]
    steps = sf.Sweep.from_columns(
        batch_size=[column.batch_size for column in grid],
        steps_to_target=[optimum.fewest_steps(column.steps) for column in grid],
        batch_unit="examples",
    )
    estimates = {e.name: e for e in sf.estimate_parameters(sf.fit(steps, random_seed=0))}
    critical = estimates["critical_batch_size"]
    return WholeRuns(
        [column.batch_size for column in grid],
        [math.exp(held.log_learning_rate) for held in found],
        [held.standard_error for held in found],
        critical.median,
        critical.interval,
    )
