"""JSON: values made strict, and files that are read or refused in words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path as _Path
from typing import Any

import numpy as np

from surge_fit.errors import InputError
from surge_fit.typing import Path


def read_json(path: Path, what: str, hint: str = "") -> Any:
    """Read what a JSON file holds.

    Parameters
    ----------
    path : path-like
    what : str
        What the file should hold, to begin a sentence with.
    hint : str
        How such a file is made, to end one with.

    Returns
    -------
    object
        Of JSON types.

    Raises
    ------
    InputError
        If the file cannot be read or is not JSON.
    """
    where = _Path(path)
    try:
        return json.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{what} must be a file; '{where}' cannot be read: {error.strerror}."
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"'{where}' must be JSON; it is not: {error}. {hint}".rstrip()) from error


def strict_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what strict JSON cannot hold: tuples and arrays by lists, infinity and NaN by None."""
    return {key: _strict(value) for key, value in values.items()}


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return strict_dict(value)
    if isinstance(value, np.ndarray | np.generic):
        return _strict(value.tolist())
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
