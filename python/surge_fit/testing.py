"""A conformance suite for a law of one's own.

>>> from surge_fit.law import get_law
>>> from surge_fit.testing import check_law
>>> check_law(get_law("broken_power"))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit.errors import InputError
from surge_fit.law import Law, LawDraws
from surge_fit.typing import FloatArray

_DRAWS = 25
_REACH = np.log(1e12)
_WIDE = np.linspace(-_REACH, _REACH, 241)


class LawError(AssertionError):
    """A law fails a check of `check_law`."""


def check_law(law: Law, *, draws: Mapping[str, FloatArray] | None = None, random_seed: int = 0) -> None:
    """Check that a law is fit for use: for fitting, prediction and recommendation.

    The curve must be finite for batch sizes from 1e-12 to 1e12, its first parameter must be an additive
    scale, the formula must give the same values under NumPy and PyTensor and have the right gradient there,
    and peak, supremum and slopes must be those of the curve where they are declared. That shape parameters
    have priors is checked when a law is constructed.

    Parameters
    ----------
    law : Law
        The law.
    draws : mapping of str to array of shape (draw,), optional
        Parameters to check at; by default scales of ordinary size and shapes drawn from their priors.
    random_seed : int
        Seed of the default parameters.

    Raises
    ------
    InputError
        If `law` is not a Law, or `draws` do not fit it.
    LawError
        If the law fails; the message says which check, where, and what was found.
    """
    if not isinstance(law, Law):
        msg = f"'law' must be a surge_fit.law.Law; got {law!r}. Construct one."
        raise InputError(msg)
    checked = LawDraws.of(law, _default_draws(law, random_seed) if draws is None else draws)
    batch_size = np.exp(_WIDE)
    curves = _check_finite(law, checked, batch_size)
    _check_scale(law, checked, batch_size, curves)
    _check_pytensor(law, checked, curves)
    if law.compiled is not None or law.supremum is not None:
        _check_supremum(law, checked, curves)
    if law.compiled is not None or law.peak is not None:
        _check_peak(law, checked, batch_size, curves)
    if law.compiled is not None or law.slopes is not None:
        _check_slopes(law, checked)


def _default_draws(law: Law, random_seed: int) -> dict[str, FloatArray]:
    rng = np.random.default_rng(random_seed)
    draws = {}
    for parameter in law.parameters:
        if parameter.prior is not None:
            draws[parameter.name] = parameter.prior.draw(rng, _DRAWS)
        elif parameter.role == "learning_rate_scale":
            draws[parameter.name] = rng.normal(-6.0, 1.0, _DRAWS)
        else:
            draws[parameter.name] = rng.normal(0.0, 1.0, _DRAWS)
    return draws


def _require(holds: NDArray[np.bool_], law: Law, message: str, draws: LawDraws) -> None:
    """Refuse the first draw for which a check fails anywhere."""
    failing = np.flatnonzero(~np.asarray(holds).reshape(len(holds), -1).all(axis=1))
    if failing.size:
        at = ", ".join(f"{name} = {draws[name][failing[0]]:.6g}" for name in law.parameter_names)
        msg = f"Law {law.name!r}: {message} It fails at {at}."
        raise LawError(msg)


def _check_finite(law: Law, draws: LawDraws, batch_size: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        curves = draws.optimum(batch_size)
    _require(
        np.isfinite(curves),
        law,
        "the log learning rate must be finite for batch sizes from 1e-12 to 1e12. "
        "Write the formula in log space.",
        draws,
    )
    return curves


def _check_scale(law: Law, draws: LawDraws, batch_size: FloatArray, curves: FloatArray) -> None:
    scale = law.parameters[0].name
    raised = LawDraws.of(law, {**draws, scale: draws[scale] + 1.0}).optimum(batch_size)
    _require(
        np.abs(raised - curves - 1.0) < 1e-9,
        law,
        f"{scale!r} must be additive: raising it by 1 must raise the log learning rate by 1 everywhere.",
        draws,
    )


def evaluate_in_pytensor(
    law: Law, parameters: Mapping[str, FloatArray], log_batch_size: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Evaluate a law and its gradient as PyTensor sees them, without compiling.

    Parameters
    ----------
    law : Law
        The law.
    parameters : mapping of str to array of shape (draw,)
        All of its parameters.
    log_batch_size : ndarray of shape (batch_size,)
        Natural logs of batch sizes.

    Returns
    -------
    tuple of two ndarrays of float64
        Log learning rates, shape (draw, batch_size), and their derivatives with respect to the parameters,
        shape (draw, batch_size, parameter).
    """
    import pytensor.tensor as pt
    from pytensor import function
    from pytensor.compile.mode import Mode
    from pytensor.gradient import grad

    # One symbol for every cell of draws × batch sizes: the gradient of the sum is then that of each cell.
    symbols = [pt.matrix(name, dtype="float64") for name in ("log_batch_size", *law.parameter_names)]
    curves = law.log_learning_rate(pt, symbols[0], **dict(zip(law.parameter_names, symbols[1:], strict=True)))
    slopes: Any = grad(curves.sum(), symbols[1:], disconnected_inputs="ignore")
    interpreted = Mode(linker="py", optimizer="None")
    evaluate = function(symbols, [curves, *slopes], mode=interpreted, on_unused_input="ignore")
    columns = np.broadcast_arrays(*[np.atleast_1d(parameters[name]) for name in law.parameter_names])
    cells = (len(columns[0]), len(log_batch_size))
    inputs = [np.broadcast_to(column[:, None], cells) for column in columns]
    values, *gradients = evaluate(np.broadcast_to(log_batch_size, cells), *inputs)
    return values, np.stack(gradients, axis=2)


def _check_pytensor(law: Law, draws: LawDraws, curves: FloatArray) -> None:
    values, gradients = evaluate_in_pytensor(law, draws, _WIDE)
    _require(
        np.abs(values - curves) <= 1e-10 * (1.0 + np.abs(curves)),
        law,
        "PyTensor must give the values that NumPy gives. Use functions that both have.",
        draws,
    )
    expected = draws.gradient(np.exp(_WIDE))
    _require(
        np.abs(gradients - expected) <= 1e-5 * (1.0 + np.abs(expected)),
        law,
        "PyTensor's gradient must be that of the formula. "
        "Look for a kink, or a branch whose unused side is not finite.",
        draws,
    )


def _check_supremum(law: Law, draws: LawDraws, curves: FloatArray) -> None:
    supremum = draws.supremum()
    _require(
        curves.max(axis=1) <= supremum + 1e-9,
        law,
        "the log learning rate must nowhere exceed the declared supremum.",
        draws,
    )


def _check_peak(law: Law, draws: LawDraws, batch_size: FloatArray, curves: FloatArray) -> None:
    peak = law.peak_batch_size(draws)
    inside = (peak > batch_size[0]) & (peak < batch_size[-1])
    for index in np.flatnonzero(inside):
        draw = draws.take(slice(index, index + 1))
        at_peak = float(draw.optimum(peak[[index]])[0, 0])
        _require(
            np.array([curves[index].max() <= at_peak + 1e-9]),
            law,
            f"no batch size may have a higher learning rate than the declared peak at {peak[index]:.6g}.",
            draw,
        )
    rising, falling = np.isposinf(peak), peak == 0.0
    rises = np.diff(curves, axis=1)
    _require(
        np.where(rising[:, None], rises >= -1e-9, True) & np.where(falling[:, None], rises <= 1e-9, True),
        law,
        "a curve whose declared peak is infinite must rise everywhere, one whose peak is zero must fall.",
        draws,
    )


def _check_slopes(law: Law, draws: LawDraws) -> None:
    small, large = draws.slopes()
    far = np.exp([-600.0, -599.0, 599.0, 600.0])
    with np.errstate(all="ignore"):
        curves = draws.optimum(far)
    measured = np.stack([curves[:, 1] - curves[:, 0], curves[:, 3] - curves[:, 2]], axis=1)
    _require(
        np.abs(measured - np.stack([small, large], axis=1)) < 1e-3,
        law,
        "the declared slopes must be those of the curve at batch sizes of exp(-600) and exp(600).",
        draws,
    )
