"""Results as data: a dict for strict JSON, and rows of a frame."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, overload

from surge_fit._support.json_text import strict_dict
from surge_fit.errors import InputError
from surge_fit.typing import FrameLibrary

if TYPE_CHECKING:
    import polars as pl

_PAIR = re.compile(r"(^|_)(interval|range)(_\d+)?$")
"""Fields that hold a lower and an upper end, or None."""


class Result(ABC):
    """Base of public results: `to_dict` and `to_frame` from one record of the fields."""

    __slots__ = ()

    @abstractmethod
    def _record(self) -> dict[str, Any]:
        """Return the fields under the names of the JSON, in full precision."""

    def _rows(self) -> Sequence[Mapping[str, Any]]:
        """Return the records of the rows of `to_frame`."""
        return (self._record(),)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dict for strict JSON, as the command line prints it.

        Returns
        -------
        dict
            Numbers in full precision, tuples and arrays as lists; None for what does not exist, is infinite
            or is unknown.
        """
        return strict_dict(self._record())

    @overload
    def to_frame(self, backend: Literal["polars"] = "polars") -> pl.DataFrame: ...
    @overload
    def to_frame(self, backend: Literal["pandas"]) -> Any: ...
    def to_frame(self, backend: FrameLibrary = "polars") -> Any:
        """Return the result as a frame; `surge_fit.to_frame` makes one of several results.

        Parameters
        ----------
        backend : {"polars", "pandas"}
            Library of the frame.

        Returns
        -------
        polars.DataFrame or pandas.DataFrame
            Nested fields are columns with joined names, such as ``slope_median``; an interval is two columns,
            ``interval_low`` and ``interval_high``. Infinity stays infinity.

        Raises
        ------
        InputError
            If there is no such library.
        """
        return frame_of(columns_of(self._rows()), backend)


@overload
def to_frame(results: Result | Iterable[Result], backend: Literal["polars"] = "polars") -> pl.DataFrame: ...
@overload
def to_frame(results: Result | Iterable[Result], backend: Literal["pandas"]) -> Any: ...
def to_frame(results: Result | Iterable[Result], backend: FrameLibrary = "polars") -> Any:
    """Return results of one kind as a frame: recommendations, estimates, predictions and the like.

    Parameters
    ----------
    results : result or iterable of results
        What `recommend`, `estimate_parameters`, `predict_steps`, `next_runs`, `compare`,
        `gradient_statistics` or `learning_rate_curve` returned.
    backend : {"polars", "pandas"}
        Library of the frame.

    Returns
    -------
    polars.DataFrame or pandas.DataFrame
        One row for each recommendation, estimate or prediction; for each run of a plan, law of a comparison,
        tensor of gradient statistics and batch size of a curve. Columns as `to_frame` of the result has them.

    Raises
    ------
    InputError
        If something else is given, or there is no such library.

    Examples
    --------
    >>> recommendations = sf.recommend(posterior, batch_size=[64, 4096])
    >>> sf.to_frame(recommendations)["extrapolation"].to_list()
    [False, True]
    """
    together = [results] if isinstance(results, Result) else list(results)
    other = next((value for value in together if not isinstance(value, Result)), None)
    if other is not None:
        msg = (
            "'results' must be results of surge_fit, such as recommendations; "
            f"got {type(other).__name__}. Pass what `recommend`, `estimate_parameters` and the like returned."
        )
        raise InputError(msg)
    return frame_of(columns_of([row for result in together for row in result._rows()]), backend)


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Collect nested records into columns, None where a row lacks a field."""
    flat = [dict(_flattened(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return {name: [row.get(name) for row in flat] for name in names}


def _flattened(record: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}_")
        elif _PAIR.search(name):
            low, high = (None, None) if value is None else value
            yield f"{prefix}{name}_low", low
            yield f"{prefix}{name}_high", high
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, tuple) else value


def frame_of(columns: Mapping[str, Sequence[Any]], backend: FrameLibrary) -> Any:
    """Make a frame of columns, or say that there is no such library."""
    if backend == "polars":
        import polars as pl

        return pl.DataFrame(columns, strict=False)
    if backend != "pandas":
        msg = f"'backend' must be 'polars' or 'pandas'; got {backend!r}."
        raise InputError(msg)
    import narwhals as nw

    try:
        import_module(backend)  # narwhals takes a library that was imported once for one that is there
        return nw.from_dict(columns, backend=backend).to_native()
    except ImportError as error:
        msg = "backend='pandas' needs pandas, which is not installed: pip install pandas, or leave it out."
        raise InputError(msg) from error
