"""From a frame of any library that narwhals knows to a frame of cells."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit._support.wording import Source
from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import Cells, Frame, Numbers

if TYPE_CHECKING:
    import narwhals as nw


def frame_of(native: Any, source: Source) -> Frame:
    """Take the cells of a frame.

    Parameters
    ----------
    native : DataFrame
        An eager frame of any library that narwhals supports.
    source : Source
        For the messages.

    Raises
    ------
    SweepError
        If it is not an eager frame, or two of its columns have the same name.
    """
    import narwhals as nw

    try:
        frame: nw.DataFrame[Any] = nw.from_native(native, eager_only=True)
    except nw.exceptions.DuplicateError:
        msg = f"The columns of {source.name} must have different names. Rename or drop the copies."
        raise SweepError(msg) from None
    except TypeError:
        msg = (
            "A frame of runs must be an eager frame of pandas, polars, pyarrow or another library that "
            f"narwhals knows; got {type(native).__name__}. Collect a lazy frame first; for arrays use "
            "Sweep.from_columns."
        )
        raise SweepError(msg) from None
    return Frame({str(header): _cells(str(header), frame[header]) for header in frame.columns}, len(frame))


def _cells(name: str, series: "nw.Series[Any]") -> Cells:
    is_numeric = series.dtype.is_numeric()
    return Cells(name, partial(_written, series), partial(_numbers, series) if is_numeric else None)


def _written(series: "nw.Series[Any]") -> list[Any]:
    blanks = series.is_null().to_list()
    return [None if blank else cell for cell, blank in zip(series.to_list(), blanks, strict=True)]


def _numbers(series: "nw.Series[Any]") -> Numbers:
    import narwhals as nw

    raw = series.cast(nw.Float64())
    values = np.array(raw.to_numpy(), dtype=np.float64)
    return Numbers(values, series.is_null().to_numpy() & ~raw.is_nan().fill_null(False).to_numpy())
