"""Cost of a run: one each, a column of the sweep, or a function of batch size and learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from surge_fit._support.arguments import positive_number
from surge_fit.errors import InputError
from surge_fit.posterior.value import Posterior

Cost: TypeAlias = Callable[[float, float], float]
"""(batch size, learning rate) → cost of the run."""

_NO_COST = ("batch_size", "learning_rate", "loss", "loss_se", "seed")


def cost_of(posterior: Posterior, cost: str | Cost | None) -> Cost:
    """Make the function that prices a run.

    Parameters
    ----------
    posterior : Posterior
    cost : str, callable or None
        As for `surge_fit.next_runs`.

    Returns
    -------
    callable
        Refuses, as an InputError, a price that is not positive and finite.

    Raises
    ------
    InputError
        If the sweep has no such column of positive numbers.
    """
    if cost is None:
        return lambda batch_size, learning_rate: 1.0
    return _priced(_column(posterior, cost) if isinstance(cost, str) else cost)


def _priced(cost: Cost) -> Cost:
    def checked(batch_size: float, learning_rate: float) -> float:
        given = float(cost(batch_size, learning_rate))
        price = positive_number(given)
        if price is None:
            msg = (
                f"The cost of a run must be positive and finite; 'cost' gave {given:g} for batch size "
                f"{batch_size:g} and learning rate {learning_rate:g}."
            )
            raise InputError(msg)
        return price

    return checked


def _column(posterior: Posterior, name: str) -> Cost:
    """Price a run as the mean of the sweep's runs at the nearest batch size that have a number there."""
    sweep = posterior.sweep
    columns = {
        key: values
        for key, values in sweep.present_columns().items()
        if isinstance(values, np.ndarray) and key not in _NO_COST
    }
    if name not in columns:
        msg = (
            f"'cost' must be a column of numbers that the sweep has; {sweep.source} has no {name!r}. "
            f"It has: {', '.join(columns) or 'none'}. Or pass a function of batch size and learning rate."
        )
        raise InputError(msg)
    values = columns[name]
    known = np.isfinite(values)
    if not known.any():
        msg = f"'cost' must be a column with numbers; {name!r} of {sweep.source} is blank."
        raise InputError(msg)
    sizes = np.unique(sweep.batch_size[known])
    means = [float(values[known & (sweep.batch_size == size)].mean()) for size in sizes]
    return lambda batch_size, _: means[int(np.argmin(np.abs(np.log(sizes / batch_size))))]
