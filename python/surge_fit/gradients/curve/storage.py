"""Learning-rate curves as JSON, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path as _Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from surge_fit._support.files import write_json
from surge_fit._support.json_text import read_json
from surge_fit.errors import InputError
from surge_fit.gradients.curve.value import LearningRateCurve
from surge_fit.typing import FloatArray, Path

FORMAT = 1
_KEY = "surge_fit_curve"
_NOT_FINITE = ("nan", "inf", "-inf")
_SAVE = "Save it with `surge-fit curve … -o curve.json`."


def save_curve(curve: LearningRateCurve, path: Path) -> None:
    """Write a curve to a JSON file, whole or not at all.

    Parameters
    ----------
    curve : LearningRateCurve
    path : path-like
        `load_curve` reads it.
    """
    record = {_KEY: FORMAT, "curve": _told(curve)}
    write_json(_Path(path), record)


def load_curve(path: Path) -> LearningRateCurve:
    """Read a curve that was saved, number for number.

    Parameters
    ----------
    path : path-like
        From `save_curve` or ``surge-fit curve … -o``.

    Returns
    -------
    LearningRateCurve

    Raises
    ------
    InputError
        If the file is missing or is not one; names the place in it.
    """
    where = _Path(path)
    held = read_json(where, "A curve", _SAVE)
    if not isinstance(held, dict) or held.get(_KEY) != FORMAT:
        found = held.get(_KEY, "none") if isinstance(held, dict) else "none"
        msg = f"'{where}' must hold a learning-rate curve in format {FORMAT}; found {found!r}. {_SAVE}"
        raise InputError(msg)
    try:
        restored: LearningRateCurve = _restored(LearningRateCurve, held.get("curve"), "curve")
    except _UnfitError as error:
        msg = f"'{where}' holds no whole curve: {error}. Measure the dump again."
        raise InputError(msg) from None
    return restored


class _UnfitError(Exception):
    """A place that holds something else than it must."""

    def __init__(self, place: str, wanted: str, found: object) -> None:
        text = repr(found)
        super().__init__(f"'{place}' must be {wanted}; found {text if len(text) < 60 else text[:57] + '…'}")


def _told(value: Any) -> Any:
    """Give a value as JSON types; what JSON has no number for, by name."""
    if is_dataclass(value):
        return {field.name: _told(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | np.ndarray):
        return [_told(held) for held in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else str(float(value))
    return value


def _restored(kind: Any, value: Any, place: str) -> Any:
    """Build a value of a type from JSON types, and refuse what is of another."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return None if value is None else _restored(inner, value, place)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        if not isinstance(value, Mapping) or set(value) != set(hints):
            raise _UnfitError(place, f"an object of {', '.join(hints)}", value)
        held = {name: _restored(hint, value[name], f"{place}.{name}") for name, hint in hints.items()}
        return kind(**held)  # type: ignore[operator]
    if origin is tuple:
        return tuple(_items(arguments, value, place))
    if kind == FloatArray:  # its origin differs between versions of NumPy
        return np.array(list(_items((float, ...), value, place)), dtype=np.float64)
    return _scalar(kind, origin, arguments, value, place)


def _items(kinds: tuple[Any, ...], value: Any, place: str) -> list[Any]:
    endless = kinds[-1] is Ellipsis
    if not isinstance(value, list) or not (endless or len(value) == len(kinds)):
        raise _UnfitError(place, "a list" if endless else f"a list of {len(kinds)}", value)
    pairs = zip([kinds[0]] * len(value) if endless else kinds, value, strict=True)
    return [_restored(kind, held, f"{place}[{at}]") for at, (kind, held) in enumerate(pairs)]


def _scalar(kind: Any, origin: Any, choices: tuple[Any, ...], value: Any, place: str) -> Any:
    if origin is Literal:
        if value not in choices:
            raise _UnfitError(place, f"one of {', '.join(map(repr, choices))}", value)
        return value
    if kind is float:
        if isinstance(value, bool) or not (isinstance(value, int | float) or value in _NOT_FINITE):
            raise _UnfitError(place, "a number", value)
        return float(value)
    wanted = {bool: "true or false", int: "a whole number", str: "text"}[kind]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _UnfitError(place, wanted, value)
    return value
