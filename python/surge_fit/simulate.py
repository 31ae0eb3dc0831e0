"""Synthetic sweeps with a known truth: for tests, calibration and planning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit._support.arguments import require_all_positive
from surge_fit.errors import InputError
from surge_fit.law import Law, LawDraws, get_law
from surge_fit.model import loss_surface
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
        Shape, see `surge_fit.model.loss_surface.valley`.
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
        If the law is unknown, the parameters are not its own, a shape does not fit, or a batch size or
        learning rate is not positive.

    Examples
    --------
    >>> truth = {"log_max_learning_rate": -6.2, "log_noise_scale": 5.5}
    >>> sf.simulate_sweep("surge", truth, batch_size=[16, 64, 256], learning_rate=[5e-4, 1e-3, 2e-3])
    Sweep(9 runs, 3 batch sizes 16…256 [examples])
    """
    law, valley = get_law(law), valley or Valley()
    _require_parameters(law, parameters)
    sizes = np.atleast_1d(np.asarray(batch_size, dtype=np.float64))
    optimum = LawDraws.of(law, parameters).optimum(sizes)[0]
    if discrepancy is not None:
        optimum = optimum + _deviations(discrepancy, len(sizes))
    rates = _rates(learning_rate, len(sizes))
    rng = np.random.default_rng(random_seed)
    u: FloatArray = np.log(rates) - optimum[:, None]
    depth = valley.curvature * loss_surface.valley(np, u, valley.rate, valley.asymmetry)
    loss = valley.floor + depth + valley.noise * rng.standard_normal(u.shape)
    diverged = rng.random(u.shape) < loss_surface.divergence_probability(
        np, u, valley.wall, valley.wall_width
    )
    return Sweep.from_columns(
        batch_size=np.repeat(sizes, rates.shape[1]),
        learning_rate=rates.reshape(-1),
        loss=np.where(diverged, np.inf, loss).reshape(-1),
        status=np.where(diverged, "diverged", "finished").reshape(-1).tolist(),
        batch_unit=batch_unit,
    )


def _require_parameters(law: Law, parameters: Mapping[str, float]) -> None:
    """Refuse parameters that are not the law's own: a misspelt name must not be ignored."""
    names = law.parameter_names
    if set(parameters) != set(names) or any(np.ndim(value) for value in parameters.values()):
        msg = (
            f"'parameters' must hold one number for each of {', '.join(names)} of the law {law.name!r}; "
            f"got {dict(parameters)!r}."
        )
        raise InputError(msg)


def _deviations(discrepancy: Sequence[float], count: int) -> FloatArray:
    values = np.asarray(discrepancy, dtype=np.float64)
    if values.shape != (count,):
        msg = f"'discrepancy' must hold one number for each of {count} batch sizes; got shape {values.shape}."
        raise InputError(msg)
    return values


def _rates(learning_rate: Sequence[float] | Sequence[Sequence[float]], count: int) -> FloatArray:
    """Return the rates tried at every batch size, shape (batch_size, rate)."""
    rates = np.asarray(learning_rate, dtype=np.float64)
    if rates.ndim not in (1, 2) or (rates.ndim == 2 and len(rates) != count):
        msg = (
            f"'learning_rate' must be a list of rates, or a table with one row for each of {count} batch "
            f"sizes; got shape {rates.shape}."
        )
        raise InputError(msg)
    require_all_positive("learning_rate", rates)
    return np.broadcast_to(rates, (count, rates.shape[-1]))
