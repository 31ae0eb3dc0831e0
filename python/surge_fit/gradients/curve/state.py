"""The state that an optimizer keeps between steps, as its update needs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.gradients.dump import Dump, OptimizerState, read_arrays, read_optimizer_state
from surge_fit.typing import Path

Optimizer: TypeAlias = Literal["sgd", "sign", "adam"]
"""The optimizer whose update is requested."""

SingleArray: TypeAlias = NDArray[np.float32]
"""A float32 array of any shape."""


def _nothing() -> SingleArray:
    return np.empty(0, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class UpdateRule:
    """The update of one optimizer at one checkpoint, up to the learning rate.

    Attributes
    ----------
    optimizer : {"sgd", "sign", "adam"}
    constants : tuple of float
        For SGD the momentum; for Adam β1, β2, eps and the number of the step that is taken.
    first, second, weights : ndarray of float32, shape (parameter,)
        Momentum buffer or first moment, second moment, parameters, in the order of the dump; empty where
        they are not needed.
    weight_decay : float
        Decoupled: the update gets this times the parameters.
    notes : tuple of str
        A sentence for everything that was decided where a state was read.
    """

    optimizer: Optimizer
    constants: tuple[float, ...]
    first: SingleArray = field(default_factory=_nothing)
    second: SingleArray = field(default_factory=_nothing)
    weights: SingleArray = field(default_factory=_nothing)
    weight_decay: float = 0.0
    notes: tuple[str, ...] = ()


def update_rule(
    optimizer: Optimizer,
    dump: Dump,
    *,
    state: Path | None = None,
    weights: Path | None = None,
    weight_decay: float = 0.0,
) -> UpdateRule:
    """Read what an optimizer remembers.

    Parameters
    ----------
    optimizer : {"sgd", "sign", "adam"}
    dump : Dump
        The dump whose tensors the state belongs to.
    state : path-like, optional
        ``<tensor>.exp_avg`` and ``<tensor>.exp_avg_sq`` of Adam, with ``step`` (steps taken), ``beta1``,
        ``beta2`` and ``eps`` in the metadata; ``<tensor>.momentum_buffer`` of SGD, with ``momentum``; or
        the ``state_dict`` of either, as ``torch.save`` writes it.
    weights : path-like, optional
        ``<tensor>``, for decoupled weight decay.
    weight_decay : float
        The λ of AdamW (arXiv:1711.05101).

    Returns
    -------
    UpdateRule

    Raises
    ------
    InputError
        If the optimizer is unknown, its state or a number of it is missing or impossible, or a tensor has
        another shape than in the dump.
    """
    if optimizer not in ("sgd", "sign", "adam"):
        msg = f"'optimizer' must be 'sgd', 'sign' or 'adam'; got {optimizer!r}."
        raise InputError(msg)
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        msg = f"'weight_decay' must be a non-negative number; got {weight_decay!r}."
        raise InputError(msg)
    if weight_decay and weights is None:
        msg = "'weight_decay' needs the parameters: pass 'weights', a file with every tensor."
        raise InputError(msg)
    decay: dict[str, Any] = {}
    if weight_decay and weights is not None:
        parameters = flat(dump, read_arrays(weights)[0], "", weights)
        decay = {"weights": parameters, "weight_decay": weight_decay}
    if optimizer == "sign":
        _refuse_state(state, "sign descent remembers nothing")
        return UpdateRule("sign", (), **decay)
    if optimizer == "sgd":
        if state is None:
            return UpdateRule("sgd", (0.0,), **decay)
        held = _read(state, dump, weight_decay)
        momentum = _number(held.numbers, "momentum", state, low=0.0, high=1.0)
        first = flat(dump, held.arrays, ".momentum_buffer", state)
        return UpdateRule("sgd", (momentum,), first=first, notes=held.notes, **decay)
    if state is None:
        msg = (
            "Adam's update needs its state: pass 'state' (command line: --state FILE), a file with "
            "'<tensor>.exp_avg' and '<tensor>.exp_avg_sq' and beta1, beta2, eps and step in its metadata. "
            "Or ask for 'sign', Adam's limit without memory."
        )
        raise InputError(msg)
    held = _read(state, dump, weight_decay)
    constants = (
        _number(held.numbers, "beta1", state, low=0.0, high=1.0),
        _number(held.numbers, "beta2", state, low=0.0, high=1.0),
        _number(held.numbers, "eps", state, low=0.0, above=True),
        _number(held.numbers, "step", state, low=0.0) + 1.0,
    )
    first, second = (flat(dump, held.arrays, suffix, state) for suffix in (".exp_avg", ".exp_avg_sq"))
    if (second < 0).any():
        msg = f"'exp_avg_sq' of Adam cannot be negative; it is in '{state}'. Write it again."
        raise InputError(msg)
    return UpdateRule("adam", constants, first, second, notes=held.notes, **decay)


def _read(state: Path, dump: Dump, weight_decay: float) -> OptimizerState:
    held = read_optimizer_state(state, {tensor.name: tensor.shape for tensor in dump.tensors})
    if weight_decay or "weight_decay" not in held.numbers:
        return held
    note = (
        f"The optimizer has a weight decay of {held.numbers['weight_decay']}, which the curve leaves out: "
        "say weight_decay and weights (command line: --weight-decay, --weights) to have it."
    )
    return replace(held, notes=(*held.notes, note))


def flat(dump: Dump, arrays: Mapping[str, Any], suffix: str, path: object) -> SingleArray:
    """Join one array per tensor, in the order of the dump.

    Parameters
    ----------
    dump : Dump
    arrays : mapping of str to ndarray
        ``<tensor><suffix>``, each of the tensor's shape.
    suffix : str
    path : object
        Where the arrays come from, for messages.

    Returns
    -------
    ndarray of float32, shape (parameter,)

    Raises
    ------
    InputError
        If a tensor is missing, of another shape, or not finite.
    """
    parts = []
    for tensor in dump.tensors:
        name = tensor.name + suffix
        if name not in arrays:
            msg = (
                f"'{path}' must hold '{name}' for every tensor of the dump; it holds "
                f"{listing(arrays, 4) if arrays else 'nothing'}. Write one array per tensor."
            )
            raise InputError(msg)
        found = np.asarray(arrays[name])
        if found.shape != tuple(tensor.shape) and found.size != tensor.parameters:
            msg = (
                f"'{name}' must have the shape {tuple(tensor.shape)} of its tensor; in '{path}' it is "
                f"{found.shape}. Take both from one model."
            )
            raise InputError(msg)
        if not np.isfinite(found).all():
            msg = f"'{name}' must be finite; in '{path}' it is not. Write it again."
            raise InputError(msg)
        parts.append(found.reshape(-1).astype(np.float32))
    return np.concatenate(parts)


def _refuse_state(state: Path | None, why: str) -> None:
    if state is not None:
        msg = f"'state' has no use here: {why}. Leave it out, or ask for 'adam'."
        raise InputError(msg)


def _number(
    metadata: Mapping[str, str],
    key: str,
    path: object,
    *,
    low: float,
    high: float = math.inf,
    above: bool = False,
) -> float:
    text = metadata.get(key)
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        value = math.nan
    if not (low <= value < high) or (above and value == low):
        end = f" and below {high:g}" if math.isfinite(high) else ""
        msg = (
            f"The metadata of '{path}' must hold '{key}', a number {'above' if above else 'from'} {low:g}"
            f"{'' if above else ' on'}{end}; found {text!r}. Write it into the file."
        )
        raise InputError(msg)
    return value
