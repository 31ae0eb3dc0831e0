"""Synthetic sweeps with a known truth: for tests, calibration and planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit import surface
from surge_fit.law import Law, get_law, kernel
from surge_fit.sweep import Sweep
from surge_fit.typing import BatchUnit, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """The loss around the optimum, as the model has it.

    Attributes
    ----------
    floor : float
        Loss at the optimum.
    curvature : float
        Second derivative of the loss by log learning rate at the optimum.
    rate, asymmetry : float
        Shape, see `surge_fit.surface.valley`.
    noise : float
        Standard deviation of the loss from run to run.
    wall, wall_width : float
        Distance from the optimum, in log learning rate, at which half of the runs diverge, and how gradually
        they begin to.
    """

    floor: float = 2.5
    curvature: float = 0.04
    rate: float = 0.6
    asymmetry: float = 1.4
    noise: float = 0.002
    wall: float = 2.5
    wall_width: float = 0.25


def simulate_sweep(
    law: str | Law,
    parameters: Mapping[str, float],
    *,
    batch_size: Sequence[float],
    learning_rate: Sequence[float] | Sequence[Sequence[float]],
    valley: Valley | None = None,
    discrepancy: Sequence[float] | None = None,
    batch_unit: BatchUnit = "examples",
    random_seed: int = 0,
) -> Sweep:
    """Simulate the runs of a sweep.

    Parameters
    ----------
    law : str or Law
    parameters : mapping of str to float
        The law's parameters by name, as in `Law.parameters`.
    batch_size : sequence of float, shape (batch_size,)
    learning_rate : sequence of float, shape (rate,) or (batch_size, rate)
        Rates tried at every batch size, or at each one.
    valley : Valley, optional
        The loss around the optimum.
    discrepancy : sequence of float, shape (batch_size,), optional
        Deviation of the log of the optimum from the law at each batch size.
    batch_unit : {"examples", "sequences", "tokens"}
    random_seed : int

    Returns
    -------
    Sweep
        Diverged runs have an infinite loss and the status ``diverged``.

    Raises
    ------
    InputError
        If the law is unknown, a parameter is missing, or a batch size is not positive.
    """
    valley = valley or Valley()
    rng = np.random.default_rng(random_seed)
    sizes = np.asarray(batch_size, dtype=np.float64)
    optimum = kernel.evaluate(get_law(law), parameters, sizes)[0]
    if discrepancy is not None:
        optimum = optimum + np.asarray(discrepancy, dtype=np.float64)
    rates = np.broadcast_to(
        np.asarray(learning_rate, dtype=np.float64), (len(sizes), np.shape(learning_rate)[-1])
    )
    u: FloatArray = np.log(rates) - optimum[:, None]
    depth = valley.curvature * surface.valley(np, u, valley.rate, valley.asymmetry)
    loss = valley.floor + depth + valley.noise * rng.standard_normal(u.shape)
    diverged = rng.random(u.shape) < surface.divergence_probability(np, u, valley.wall, valley.wall_width)
    return Sweep.from_columns(
        batch_size=np.repeat(sizes, rates.shape[1]),
        learning_rate=rates.reshape(-1),
        loss=np.where(diverged, np.inf, loss).reshape(-1),
        status=np.where(diverged, "diverged", "finished").reshape(-1).tolist(),
        batch_unit=batch_unit,
    )
