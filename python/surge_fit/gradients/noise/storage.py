"""Statistics as JSON, with the sums they follow from, and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path as _Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._core import TensorSums
from surge_fit._support.files import write_json
from surge_fit._support.json_text import read_json
from surge_fit.errors import InputError
from surge_fit.gradients.noise.summary import summarize
from surge_fit.gradients.noise.value import GradientStatistics
from surge_fit.typing import Path

FORMAT = 1
_FACTS = (
    *("source", "step", "loss", "dropped_examples", "clipped", "microbatch_known", "batch_size"),
    *("patterns", "skipped", "assumptions"),
)
_ARRAYS = ("microbatch_size", "row_groups", "kept")
_SUMS = (
    *("name", "dtype", "parameters", "rows", "mean_norm_squared", "norms", "projections", "group_norms"),
    *("signal", "signal_parameters", "elements", "zeros", "subnormals", "non_finite"),
    *("standardized_mean_norm_squared", "standardized_norms", "standardized_projections"),
    *("skewness_squared", "excess_kurtosis"),
)


def to_record(statistics: GradientStatistics) -> dict[str, Any]:
    """Give all that statistics follow from as JSON types; arrays as base64 of little-endian bytes.

    Parameters
    ----------
    statistics : GradientStatistics

    Returns
    -------
    dict
    """
    record: dict[str, Any] = {"surge_fit_statistics": FORMAT}
    record |= {name: getattr(statistics, name) for name in _FACTS}
    record |= {name: _encoded(getattr(statistics, name)) for name in _ARRAYS}
    record["sums"] = [{name: _encoded(getattr(tensor, name)) for name in _SUMS} for tensor in statistics.sums]
    return record


def from_record(record: Mapping[str, Any]) -> GradientStatistics:
    """Restore statistics from `to_record`.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    GradientStatistics

    Raises
    ------
    InputError
        If the record is not one.
    """
    if record.get("surge_fit_statistics") != FORMAT:
        msg = (
            f"Statistics must be in format {FORMAT}; found "
            f"{record.get('surge_fit_statistics', 'none')!r}. Save them "
            "with `surge-fit gradients … -o statistics.json`."
        )
        raise InputError(msg)
    try:
        facts = {name: _tuples(record[name]) for name in _FACTS}
        arrays = {name: _decoded(record[name]) for name in _ARRAYS}
        sums = [
            TensorSums(**{name: _number(_decoded(tensor[name])) for name in _SUMS})
            for tensor in record["sums"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        msg = f"The statistics are damaged: {error!r}. Measure the dump again."
        raise InputError(msg) from error
    return summarize(sums, **facts, **arrays)


def save_statistics(statistics: Sequence[GradientStatistics], path: Path, **told: Any) -> None:
    """Write the statistics of one or more checkpoints to one JSON file, whole or not at all.

    Parameters
    ----------
    statistics : sequence of GradientStatistics
        One for each checkpoint.
    path : path-like
        `load_statistics` reads it.
    **told
        Further keys, for whoever reads the file without surge_fit.
    """
    write_json(_Path(path), {**told, "records": [to_record(held) for held in statistics]})


def load_statistics(path: Path) -> tuple[GradientStatistics, ...]:
    """Read statistics that were saved: one for each checkpoint.

    Parameters
    ----------
    path : path-like
        From `save_statistics` or ``surge-fit gradients … -o``.

    Returns
    -------
    tuple of GradientStatistics

    Raises
    ------
    InputError
        If the file is missing or is not one.
    """
    where = _Path(path)
    held = read_json(where, "Statistics")
    records = held.get("records") if isinstance(held, dict) else None
    if not isinstance(records, list):
        msg = (
            f"'{where}' must hold statistics; it has no list 'records'. Save them with `surge-fit "
            "gradients … -o`."
        )
        raise InputError(msg)
    return tuple(from_record(record) for record in records)


def _encoded(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kind = value.dtype.newbyteorder("<")
        return {"dtype": kind.str, "base64": base64.b64encode(value.astype(kind).tobytes()).decode("ascii")}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        flat: NDArray[Any] = np.frombuffer(base64.b64decode(value["base64"]), dtype=np.dtype(value["dtype"]))
        return flat
    return value


def _number(value: Any) -> Any:
    """Restore what JSON cannot hold: every field of the sums is there, so nothing stands for NaN."""
    return np.nan if value is None else value


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
