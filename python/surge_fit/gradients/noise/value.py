"""Gradient-noise statistics as immutable values: what was summed, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._core import TensorSums
from surge_fit._support.results import Result, columns_of
from surge_fit._support.wording import number, plural
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

PROBABILITY = 0.95
"""Probability of every interval."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and its uncertainty.

    Attributes
    ----------
    value : float
        May be negative where a true value near zero is estimated without bias; inf where it has no bound.
    standard_error : float
        From the jackknife; NaN where there is none.
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
        Number of examples with gradients.
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
        Fractions of the stored numbers.
    skewness : float or None
        Root mean square over parameters, less what chance contributes; for one example.
    excess_kurtosis : float or None
        Mean over parameters; for one example.
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
class GradientStatistics(Result):
    """Gradient-noise statistics of one checkpoint.

    Attributes
    ----------
    source : str
        The files.
    step, loss : float or None
        Step and loss of the checkpoint.
    microbatch_size : ndarray, shape (row,)
        Examples in each row of the dump.
    row_groups : ndarray of int, shape (row,), or None
        Group of each row.
    kept : ndarray of bool, shape (row,)
        Rows that the statistics are based on.
    dropped_examples : tuple of str
        Rows left out because of a number that is not finite.
    clipped : bool
    microbatch_known : bool
        Whether rows could be counted in examples.
    batch_size : float or None
        Batch size at which the Gaussianity of batch means is given [examples].
    patterns : tuple of str
        Regular expressions that made `groups`.
    sums : tuple of TensorSums
    tensors : tuple of TensorStatistics
        In the order of the model.
    groups : tuple of TensorStatistics
        One for each group of tensors requested.
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
        """Number of examples that the statistics are based on."""
        return float(self.microbatch_size[self.kept].sum())

    @property
    def unit(self) -> str:
        """Unit of noise scales: ``examples``, or ``rows`` where the examples in a row are not known."""
        return "examples" if self.microbatch_known else "rows"

    def _record(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "step": self.step,
            "loss": self.loss,
            "unit": self.unit,
            "probability": PROBABILITY,
            "batch_size": self.batch_size,
            "total": _record_of(self.total, self.batch_size),
            "tensors": [_record_of(tensor, self.batch_size) for tensor in self.tensors],
            "groups": [_record_of(group, self.batch_size) for group in self.groups],
            "dropped_examples": self.dropped_examples,
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
        }

    def _rows(self) -> list[dict[str, Any]]:
        """Return one row per tensor, per group, and the total."""
        parts = {"tensor": self.tensors, "group": self.groups, "total": (self.total,)}
        return [
            {"kind": kind, **_row_of(statistics)} for kind, several in parts.items() for statistics in several
        ]

    def to_dataset(self) -> xr.Dataset:
        """Return the statistics of the tensors, with the sums over rows, as an xarray dataset.

        Returns
        -------
        xarray.Dataset
            Dims ``parameter_tensor`` and ``row``; a tensor that lacks a row has NaN there.
        """
        import xarray as xr

        count = len(self.tensors)
        table = columns_of([_row_of(tensor) for tensor in self.tensors])
        names = table.pop("name")
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


def _record_of(statistics: TensorStatistics, batch_size: float | None) -> dict[str, Any]:
    """Return the fields for JSON; for a batch size, also how far its mean is from Gaussian."""
    record = asdict(statistics)
    for name in ("gradient_norm_squared", "gradient_covariance_trace", "inverse_noise_scale"):
        record[f"{name}_interval"] = record[name]["interval"]
        record[name] = record[name]["value"]
    skewness, kurtosis = statistics.skewness, statistics.excess_kurtosis
    if batch_size is not None and skewness is not None and kurtosis is not None:
        record["skewness_of_batch_mean"] = skewness / math.sqrt(batch_size)
        record["excess_kurtosis_of_batch_mean"] = kurtosis / batch_size
    return record


def _row_of(statistics: TensorStatistics) -> dict[str, Any]:
    """Return the fields for a frame: a quantity is its value and the ends of its interval."""
    row: dict[str, Any] = {}
    for name in TensorStatistics.__dataclass_fields__:
        value = getattr(statistics, name)
        if isinstance(value, Quantity):
            row |= {name: value.value, f"{name}_low": value.interval[0], f"{name}_high": value.interval[1]}
        else:
            row[name] = value
    return row
