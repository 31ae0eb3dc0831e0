"""Designs that cannot show how the optimum moves with the batch size."""

import numpy as np

from surge_fit._support.wording import number
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns


def one_factor_at_a_time(sweep: SweepColumns) -> Finding | None:
    """Find a table in which the rates vary at one batch size alone, and the batch sizes at one rate alone."""
    if sweep.kind != "runs" or len(sweep.groups) > 1 or sweep.batch_sizes.size < 3:
        return None
    at = np.searchsorted(sweep.batch_sizes, sweep.batch_size)
    lowest, highest = np.full(sweep.batch_sizes.size, np.inf), np.zeros(sweep.batch_sizes.size)
    np.minimum.at(lowest, at, sweep.learning_rate)
    np.maximum.at(highest, at, sweep.learning_rate)
    if (highest > lowest).sum() != 1:
        return None
    pairs = np.unique(np.stack([sweep.batch_size, sweep.learning_rate]), axis=1)
    sizes, rates_at = np.unique(pairs[0], return_counts=True)
    rates, sizes_at = np.unique(pairs[1], return_counts=True)
    if (rates_at > 1).sum() != 1 or (sizes_at > 1).sum() != 1 or rates_at.max() < 3:
        return None
    return Finding(
        "one_factor_at_a_time",
        "warning",
        f"One factor was changed at a time: several learning rates were tried at batch size "
        f"{number(sizes[np.argmax(rates_at)])} alone, the other batch sizes at learning rate "
        f"{number(rates[np.argmax(sizes_at)])} alone. Such a table cannot show how the optimum moves.",
        "Add two or three learning rates, a factor of two to four apart, at the other batch sizes.",
    )
