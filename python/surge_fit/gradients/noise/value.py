"""Gradient-noise statistics as immutable values: what was summed, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._core import TensorSums
from surge_fit._support.wording import number, plural
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    import polars as pl
    import xarray as xr

PROBABILITY = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and how sure it is.

    Attributes
    ----------
    value : float
        May be negative where a true value near zero is estimated without bias; inf where it has no bound.
    standard_error : float
        By the jackknife; NaN where there is none.
    interval : tuple of float
        95 % interval.
    """

    value: float
    standard_error: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class TensorStatistics:
    """Gradient noise of one tensor, of a group of tensors, or of all together.

    Attributes
    ----------
    name : str
    parameters : int
    examples : float
        Examples whose gradients are there.
    gradient_norm_squared : Quantity
        |G|² of the true gradient, without bias [loss² per squared parameter].
    gradient_covariance_trace : Quantity
        tr Σ of the gradient of one example, without bias [the same].
    inverse_noise_scale : Quantity
        |G|²/tr Σ [1/examples]: what the interval is made for.
    simple_noise_scale : Quantity
        B_simple = tr Σ/|G|² [examples] (arXiv:1812.06162, Eq. 2.9); inf where |G|² is not positive, and the
        interval unbounded above where that of its inverse reaches zero.
    relative_error : float
        Standard error of the noise scale over its value.
    examples_needed : float
        Examples that would bring the relative error to 20 %.
    signal_to_noise : float
        Mean over parameters of the debiased (μ/σ)² of one example.
    resolvable_batch_size : Quantity
        π/2 divided by `signal_to_noise` [examples]: the batch size at which the sign of a typical
        parameter's gradient is as much signal as noise (arXiv:2405.14578, Theorem 3).
    zero_fraction, subnormal_fraction, non_finite_fraction : float
        Of the stored numbers.
    skewness : float or None
        Root mean square over parameters, without the part that chance gives; of one example.
    excess_kurtosis : float or None
        Mean over parameters; of one example.
    """

    name: str
    parameters: int
    examples: float
    gradient_norm_squared: Quantity
    gradient_covariance_trace: Quantity
    inverse_noise_scale: Quantity
    simple_noise_scale: Quantity
    relative_error: float
    examples_needed: float
    signal_to_noise: float
    resolvable_batch_size: Quantity
    zero_fraction: float
    subnormal_fraction: float
    non_finite_fraction: float
    skewness: float | None
    excess_kurtosis: float | None


@dataclass(frozen=True, eq=False)
class GradientStatistics:
    """Gradient-noise statistics of one checkpoint.

    Attributes
    ----------
    source : str
        The files.
    step, loss : float or None
        Of the checkpoint.
    microbatch_size : ndarray, shape (row,)
        Examples in each row of the dump.
    row_groups : ndarray of int, shape (row,), or None
        Group of each row.
    kept : ndarray of bool, shape (row,)
        Rows that the statistics rest on.
    dropped_examples : tuple of str
        Rows left out because of a number that is not finite.
    clipped : bool
    microbatch_known : bool
        Whether rows could be counted in examples.
    batch_size : float or None
        For which the Gaussianity of batch means is told [examples].
    patterns : tuple of str
        Regular expressions that made `groups`.
    sums : tuple of TensorSums
    tensors : tuple of TensorStatistics
        In the order of the model.
    groups : tuple of TensorStatistics
        One for each group of tensors that was asked for.
    total : TensorStatistics
    skipped : tuple of (str, str)
        Arrays left out, and why.
    assumptions : tuple of str
    """

    source: str
    step: float | None
    loss: float | None
    microbatch_size: FloatArray
    row_groups: NDArray[np.int64] | None
    kept: NDArray[np.bool_]
    dropped_examples: tuple[str, ...]
    clipped: bool
    microbatch_known: bool
    batch_size: float | None
    patterns: tuple[str, ...]
    sums: tuple[TensorSums, ...]
    tensors: tuple[TensorStatistics, ...]
    groups: tuple[TensorStatistics, ...]
    total: TensorStatistics
    skipped: tuple[tuple[str, str], ...]
    assumptions: tuple[str, ...]

    def __repr__(self) -> str:
        noise = self.total.simple_noise_scale
        return (
            f"GradientStatistics({self.source}: simple noise scale {noise.value:.3g}, 90 % interval "
            f"{noise.interval[0]:.3g} … {noise.interval[1]:.3g}; {number(self.examples)} examples, "
            f"{plural(len(self.tensors), 'tensor')})"
        )

    @property
    def examples(self) -> float:
        """Examples that the statistics rest on."""
        return float(self.microbatch_size[self.kept].sum())

    @cached_property
    def table(self) -> dict[str, Sequence[Any]]:
        """One entry per column of `to_frame`: tensors, then groups, then the total."""
        rows = (*self.tensors, *self.groups, self.total)
        kinds = ["tensor"] * len(self.tensors) + ["group"] * len(self.groups) + ["total"]
        table: dict[str, Sequence[Any]] = {"kind": kinds}
        for column in TensorStatistics.__dataclass_fields__:
            held = [getattr(row, column) for row in rows]
            if isinstance(held[0], Quantity):
                table[column] = [quantity.value for quantity in held]
                table[f"{column}_low"] = [quantity.interval[0] for quantity in held]
                table[f"{column}_high"] = [quantity.interval[1] for quantity in held]
            else:
                table[column] = held
        return table

    @property
    def unit(self) -> str:
        """What noise scales count: ``examples``, or ``rows`` where nobody said how many examples a row is."""
        return "examples" if self.microbatch_known else "rows"

    def to_frame(self) -> pl.DataFrame:
        """Give the table of statistics as a polars frame: one row per tensor, per group, and the total."""
        import polars as pl

        return pl.DataFrame(self.table, strict=False)

    def to_dataset(self) -> xr.Dataset:
        """Give the statistics of the tensors, with the sums over rows, as an xarray dataset.

        Returns
        -------
        xarray.Dataset
            Dims ``parameter_tensor`` and ``row``; a tensor that lacks a row has NaN there.
        """
        import xarray as xr

        count = len(self.tensors)
        table = {name: list(column[:count]) for name, column in self.table.items()}
        names = table.pop("name")
        del table["kind"]
        data: dict[str, Any] = {
            name: ("parameter_tensor", np.asarray(column, dtype=np.float64)) for name, column in table.items()
        }
        for name in ("norms", "projections"):
            values = np.full((count, len(self.microbatch_size)), np.nan)
            for tensor, sums in enumerate(self.sums):
                values[tensor, sums.rows] = getattr(sums, name)
            data[name] = (("parameter_tensor", "row"), values)
        data["microbatch_size"] = ("row", self.microbatch_size)
        attributes = {"source": self.source, "probability": PROBABILITY}
        attributes |= {key: getattr(self, key) for key in ("step", "loss") if getattr(self, key) is not None}
        return xr.Dataset(data, coords={"parameter_tensor": names}, attrs=attributes)
