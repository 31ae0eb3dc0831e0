"""The one door to the compiled laws: draws by name in, arrays over draws and batch sizes out.

A law of one's own has no compiled form: its formula is evaluated by NumPy, and the reductions are compiled
all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from surge_fit import _core
from surge_fit.errors import InputError
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    from surge_fit.law.base import Law


def evaluate(
    law: Law, draws: Mapping[str, Any], batch_size: ArrayLike, *, out: FloatArray | None = None
) -> FloatArray:
    """Evaluate a law for every draw at every batch size.

    Parameters
    ----------
    law : Law
        The law.
    draws : mapping of str to array of shape (draw,)
        Draws of its parameters; single numbers hold for all draws, other names are ignored.
    batch_size : array_like of shape (batch_size,)
        Batch sizes.
    out : ndarray of float64, shape (draw, batch_size), optional
        C-contiguous array to write to and return; saves the allocation of a large table.

    Returns
    -------
    ndarray of float64, shape (draw, batch_size)
        Natural log of the learning rate.

    Raises
    ------
    InputError
        If a parameter is missing, a shape does not fit, a number is not finite, or a batch size not positive.
    """
    parameters, log_batch_size = _parameters(law, draws), _log_batch_size(batch_size)
    if law.kernel is not None:
        return _core.evaluate_law(law.kernel, parameters, log_batch_size, out)
    curves = _curves(law, parameters, log_batch_size)
    if out is None:
        return curves
    out[...] = curves
    return out


def gradient(law: Law, draws: Mapping[str, Any], batch_size: ArrayLike) -> FloatArray:
    """Differentiate the log learning rate with respect to the parameters.

    Parameters
    ----------
    law, draws, batch_size
        See `evaluate`.

    Returns
    -------
    ndarray of float64, shape (draw, batch_size, parameter)
        In the order of `Law.parameters`. Exact for a built-in law; for a law of one's own by differences of
        fourth order, good to about ten digits.

    Raises
    ------
    InputError
        See `evaluate`.
    """
    parameters, log_batch_size = _parameters(law, draws), _log_batch_size(batch_size)
    if law.kernel is not None:
        return _core.law_gradient(law.kernel, parameters, log_batch_size)
    columns = []
    for index in range(parameters.shape[1]):
        step = np.zeros_like(parameters)
        step[:, index] = 1e-3 * np.maximum(1.0, np.abs(parameters[:, index]))
        near = _curves(law, parameters + step, log_batch_size) - _curves(
            law, parameters - step, log_batch_size
        )
        far = _curves(law, parameters + 2 * step, log_batch_size) - _curves(
            law, parameters - 2 * step, log_batch_size
        )
        columns.append((8.0 * near - far) / (12.0 * step[:, index, None]))
    return np.stack(columns, axis=2)


def quantiles(
    law: Law,
    draws: Mapping[str, Any],
    batch_size: ArrayLike,
    probabilities: ArrayLike,
    *,
    offset: ArrayLike | None = None,
) -> FloatArray:
    """Quantiles of the log learning rate over the draws, without holding draws × batch sizes.

    Parameters
    ----------
    law, draws, batch_size
        See `evaluate`.
    probabilities : array_like of shape (probability,)
        Between 0 and 1.
    offset : array_like of shape (draw, batch_size), optional
        Added to the log learning rate of each draw, such as its deviation from the law.

    Returns
    -------
    ndarray of float64, shape (probability, batch_size)
        What `numpy.quantile` gives with its default method.

    Raises
    ------
    InputError
        See `evaluate`; or if there are no draws, or a probability is outside [0, 1].
    """
    name, parameters, log_batch_size, shift = _reducible(law, draws, batch_size, offset)
    return _core.law_quantiles(
        name, parameters, log_batch_size, np.atleast_1d(np.asarray(probabilities, np.float64)), shift
    )


def expected_regret(
    law: Law,
    draws: Mapping[str, Any],
    batch_size: ArrayLike,
    log_learning_rate: ArrayLike,
    *,
    log_curvature: ArrayLike,
    curvature_slope: ArrayLike,
    reference_batch_size: float,
    rate: ArrayLike,
    asymmetry: ArrayLike,
    wall: ArrayLike = np.inf,
    wall_width: ArrayLike = 1.0,
    divergence_cost: float = 0.0,
    offset: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Average the loss above the optimum over the draws, for candidate learning rates.

    At the distance u of a candidate from a draw's optimum, the regret is
    ``(1 − π)·κ·h(u) + π·max(divergence_cost, κ·h(u))`` with the valley h and the probability of divergence π
    of `surge_fit.model.loss_surface`, and the curvature
    ``κ = exp(log_curvature + curvature_slope·log(batch_size/reference_batch_size))``.

    Parameters
    ----------
    law, draws, batch_size
        See `evaluate`.
    log_learning_rate : array_like of shape (batch_size, candidate)
        Natural log of the candidates at each batch size.
    log_curvature, curvature_slope, rate, asymmetry, wall, wall_width : array_like of shape (draw,) or number
        The loss around the optimum. A `wall` of inf means that no run diverges.
    reference_batch_size : float
        Where `log_curvature` holds.
    divergence_cost : float
        Regret of a diverged run [nats], where the valley does not cost more.
    offset : array_like of shape (draw, batch_size), optional
        See `quantiles`.

    Returns
    -------
    tuple of two ndarrays of float64, each of shape (batch_size, candidate)
        Expected regret [nats], and probability of divergence.

    Raises
    ------
    InputError
        See `evaluate`; or if there are no draws, or a number is outside its range.
    """
    name, parameters, log_batch_size, shift = _reducible(law, draws, batch_size, offset)

    def per_draw(values: ArrayLike) -> FloatArray:
        array = np.asarray(values, np.float64)
        return np.full(len(parameters), array) if array.ndim == 0 else array

    return _core.law_expected_regret(
        name,
        parameters,
        log_batch_size,
        np.asarray(log_learning_rate, np.float64),
        log_curvature=per_draw(log_curvature),
        curvature_slope=per_draw(curvature_slope),
        reference_log_batch_size=float(_log_batch_size(reference_batch_size, "reference_batch_size")[0]),
        rate=per_draw(rate),
        asymmetry=per_draw(asymmetry),
        wall=per_draw(wall),
        wall_width=per_draw(wall_width),
        divergence_cost=float(divergence_cost),
        offset=shift,
    )


def peak(law: Law, draws: Mapping[str, Any]) -> FloatArray:
    """Log batch size of the peak, shape (draw,); see `Law.peak_batch_size`."""
    parameters = _parameters(law, draws)
    if law.kernel is not None:
        return _core.law_peak(law.kernel, parameters)
    return np.asarray(_declared(law, "peak")(**_by_name(law, parameters)), np.float64)


def supremum(law: Law, draws: Mapping[str, Any]) -> FloatArray:
    """Least upper bound of the log learning rate, shape (draw,); see `Law.log_supremum`."""
    parameters = _parameters(law, draws)
    if law.kernel is not None:
        return _core.law_supremum(law.kernel, parameters)
    return np.asarray(_declared(law, "supremum")(**_by_name(law, parameters)), np.float64)


def slopes(law: Law, draws: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Log-log slopes at small and at large batch sizes, each (draw,); see `Law.asymptotic_slopes`."""
    parameters = _parameters(law, draws)
    if law.kernel is not None:
        return _core.law_limits(law.kernel, parameters)
    small, large = _declared(law, "slopes")(**_by_name(law, parameters))
    return np.asarray(small, np.float64), np.asarray(large, np.float64)


def _parameters(law: Law, draws: Mapping[str, Any]) -> FloatArray:
    """Stack the draws to shape (draw, parameter), in the order of the law."""
    missing = [name for name in law.parameter_names if name not in draws]
    if missing:
        msg = (
            f"'draws' must hold every parameter of law {law.name!r}; missing: {', '.join(missing)}, "
            f"found: {', '.join(draws) or 'none'}. Add them."
        )
        raise InputError(msg)
    columns = [np.atleast_1d(np.asarray(draws[name], np.float64)) for name in law.parameter_names]
    sizes = {name: column.shape for name, column in zip(law.parameter_names, columns, strict=True)}
    if any(column.ndim > 1 for column in columns) or len(set(sizes.values()) - {(1,)}) > 1:
        msg = (
            f"'draws' must hold arrays of one shape (draw,) for law {law.name!r}; "
            f"got {', '.join(f'{name}: {shape}' for name, shape in sizes.items())}. "
            "Flatten chains into draws."
        )
        raise InputError(msg)
    for name, column in zip(law.parameter_names, columns, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            msg = f"Draws of {name!r} must be finite; got {column[bad[0]]} at draw {bad[0]}. Drop that draw."
            raise InputError(msg)
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def _log_batch_size(batch_size: ArrayLike, argument: str = "batch_size") -> FloatArray:
    sizes = np.atleast_1d(np.asarray(batch_size, np.float64))
    if sizes.ndim > 1:
        msg = f"{argument!r} must be one number or have one dimension; got shape {sizes.shape}. Flatten it."
        raise InputError(msg)
    bad = np.flatnonzero(~(np.isfinite(sizes) & (sizes > 0)))
    if bad.size:
        msg = (
            f"{argument!r} must be positive and finite; got {sizes[bad[0]]:g} at index {bad[0]}. "
            "Correct or drop it."
        )
        raise InputError(msg)
    return np.log(sizes)


def _by_name(law: Law, parameters: FloatArray) -> dict[str, FloatArray]:
    return dict(zip(law.parameter_names, parameters.T, strict=True))


def _curves(law: Law, parameters: FloatArray, log_batch_size: FloatArray) -> FloatArray:
    """Evaluate the formula of a law by NumPy, shape (draw, batch_size)."""
    columns = {name: column[:, None] for name, column in _by_name(law, parameters).items()}
    curves = law.log_learning_rate(np, log_batch_size[None, :], **columns)
    return np.ascontiguousarray(np.broadcast_to(curves, (len(parameters), len(log_batch_size))), np.float64)


def _reducible(
    law: Law, draws: Mapping[str, Any], batch_size: ArrayLike, offset: ArrayLike | None
) -> tuple[str, FloatArray, FloatArray, FloatArray | None]:
    """Arguments of a compiled reduction: a law without a kernel is an offset from a constant zero."""
    parameters, log_batch_size = _parameters(law, draws), _log_batch_size(batch_size)
    shift = None if offset is None else np.asarray(offset, np.float64)
    if law.kernel is not None:
        return law.kernel, parameters, log_batch_size, shift
    curves = _curves(law, parameters, log_batch_size)
    if shift is not None:
        if shift.shape != curves.shape:
            msg = (
                f"'offset' must have shape (draw, batch_size) = {curves.shape}; got {shift.shape}. "
                "Pass an array of that shape."
            )
            raise InputError(msg)
        curves = curves + shift
    return "constant", np.zeros((len(parameters), 1)), log_batch_size, curves


def _declared(law: Law, what: str) -> Any:
    function = getattr(law, what)
    if function is None:
        msg = f"Law {law.name!r} declares no {what}. Construct it with {what}=<function of its parameters>."
        raise InputError(msg)
    return function
