"""The value `Sweep`: columns of runs, what they say together, and the choice of some of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surge_fit._support.wording import Source, number, plural
from surge_fit.errors import SweepError
from surge_fit.sweep import checks, storage
from surge_fit.sweep.groups import Covariates, covariates_of, labels_meant
from surge_fit.sweep.run import Run, run_at
from surge_fit.sweep.schema import STATUSES
from surge_fit.sweep.sources import arrays, frames
from surge_fit.sweep.sources.table import read_table
from surge_fit.typing import BatchUnit, FloatArray, IndexArray, Protocol, RunStatus

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Sweep:
    """A table of training runs that differ in batch size and learning rate.

    Make one with `read_sweep`, `Sweep.from_frame` or `Sweep.from_columns`. Arrays are float64 of shape
    (run,), read-only, NaN where a cell is blank; a column that the table does not have is None. Several runs
    with the same batch size and learning rate are replicates.

    Attributes
    ----------
    run_id : tuple of str
        Distinct names; ``run-1``, ``run-2``, … where the table has none.
    batch_size : ndarray
        Global batch size in `batch_unit`, positive.
    learning_rate : ndarray
        Peak learning rate, positive. In a sweep of optimum points, the best one of the batch size.
    loss : ndarray
        Final loss [nats]; NaN where there is none, infinite losses are kept.
    status : tuple of str
        ``finished``, ``diverged``, ``crashed`` or ``stopped``. A finished run with a NaN or infinite loss has
        diverged. Without a word in the table: a loss that is not finite means diverged, a finite loss (or
        steps to the target) finished, a blank one stopped.
    loss_se : ndarray or None
        Standard error of the loss [nats].
    steps, tokens : ndarray or None
        Optimizer steps and tokens of the run.
    target_loss, steps_to_target : ndarray or None
        The loss to reach [nats], and the optimizer steps until it was reached (NaN if it was not).
    seed, beta1, beta2, weight_decay : ndarray or None
    warmup : ndarray or None
        Length of the warmup [steps].
    optimizer, schedule : tuple of str or None
        Blank cells are ``""``.
    log_learning_rate_se, grid_step : ndarray or None
        Of optimum points: the standard error of log learning rate, and the spacing in log learning rate of
        the grid it was read from.
    batch_unit : {"examples", "sequences", "tokens"}
    protocol : {"one_step", "fixed_steps", "fixed_tokens", "to_target"} or None
        What was held fixed between the runs, None if unknown.
    kind : {"runs", "optimum_points", "steps_to_target"}
        Of steps to a target without learning rates, `learning_rate` is NaN throughout.
    group_labels : tuple of str or None
        Label of every run's group, such as ``"N=214663680, D=100000000000"``.
    group_values : mapping of str to mapping of str to str
        Group label → group column → value, in the order in which the groups appear.
    ignored_columns : tuple of str
        Headers of the table that the sweep does not hold.
    source : str
        Where the table came from, for messages.
    """

    run_id: tuple[str, ...]
    batch_size: FloatArray
    learning_rate: FloatArray
    loss: FloatArray
    status: tuple[RunStatus, ...]
    batch_unit: BatchUnit
    loss_se: FloatArray | None = None
    steps: FloatArray | None = None
    tokens: FloatArray | None = None
    target_loss: FloatArray | None = None
    steps_to_target: FloatArray | None = None
    seed: FloatArray | None = None
    beta1: FloatArray | None = None
    beta2: FloatArray | None = None
    weight_decay: FloatArray | None = None
    warmup: FloatArray | None = None
    optimizer: tuple[str, ...] | None = None
    schedule: tuple[str, ...] | None = None
    log_learning_rate_se: FloatArray | None = None
    grid_step: FloatArray | None = None
    protocol: Protocol | None = None
    kind: Literal["runs", "optimum_points", "steps_to_target"] = "runs"
    group_labels: tuple[str, ...] | None = None
    group_values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()
    source: str = "the columns"

    def __post_init__(self) -> None:
        for name, values in storage.columns_of(self).items():
            if isinstance(values, np.ndarray):
                values = np.array(values, dtype=np.float64)
                values.setflags(write=False)
                object.__setattr__(self, name, values)
            if len(values) != len(self.run_id):
                msg = (
                    f"Every column of a sweep must hold {plural(len(self.run_id), 'run')}, like 'run_id'; "
                    f"'{name}' holds {len(values)}."
                )
                raise SweepError(msg)
        frozen = {label: MappingProxyType(dict(held)) for label, held in self.group_values.items()}
        object.__setattr__(self, "group_values", MappingProxyType(frozen))

    @classmethod
    def from_columns(
        cls,
        *,
        batch_unit: BatchUnit | None = None,
        protocol: Protocol | None = None,
        group_by: str | Sequence[str] | None = None,
        **columns: ArrayLike | None,
    ) -> "Sweep":
        """Make a sweep from arrays or lists.

        Parameters
        ----------
        batch_unit, protocol, group_by
            As for `read_sweep`.
        **columns : array_like
            Canonical columns (the attributes of `Sweep`, or ``optimal_learning_rate``) and those in
            `group_by`; ``**table`` unpacks a dict. A scalar holds for all runs, None is left out. In a list,
            None is a blank cell and NaN a value that is NaN.

        Raises
        ------
        SweepError
            If a name is neither canonical nor in `group_by`, if the lengths differ, or as `read_sweep`.

        Examples
        --------
        >>> Sweep.from_columns(
        ...     batch_size=[8, 8, 64], learning_rate=[1e-3, 1e-2, 1e-2], loss=[2.1, None, 1.9],
        ...     batch_unit="examples",
        ... )
        Sweep(3 runs, 2 batch sizes 8…64 [examples], 1 stopped)
        """
        groups = (group_by,) if isinstance(group_by, str) else tuple(group_by or ())
        frame = arrays.frame_of(columns, groups)
        return cls(
            **read_table(
                frame,
                Source("the columns"),
                columns=None,
                batch_unit=batch_unit,
                protocol=protocol,
                group_by=group_by,
            )
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        columns: Mapping[str, str] | None = None,
        batch_unit: BatchUnit | None = None,
        protocol: Protocol | None = None,
        group_by: str | Sequence[str] | None = None,
    ) -> "Sweep":
        """Make a sweep from a frame of pandas, polars, pyarrow or another library that narwhals knows.

        A float column of pandas cannot tell a blank cell from NaN; it counts as NaN, so a run without a
        status and with such a loss has diverged. Give a status column, or a nullable ``Float64`` column.

        Parameters
        ----------
        frame : DataFrame
            One row per run; the columns may go by their synonyms.
        columns, batch_unit, protocol, group_by
            As for `read_sweep`.

        Raises
        ------
        SweepError
            If `frame` is not an eager frame, or as `read_sweep`.
        """
        source = Source("the frame")
        cells = frames.frame_of(frame, source)
        fields = read_table(
            cells, source, columns=columns, batch_unit=batch_unit, protocol=protocol, group_by=group_by
        )
        return cls(**fields)

    def __len__(self) -> int:
        return len(self.run_id)

    def __repr__(self) -> str:
        sizes = self.batch_sizes
        span = "…".join(number(size) for size in dict.fromkeys((*sizes[:1], *sizes[-1:])))
        noun = "optimum point" if self.kind == "optimum_points" else "run"
        held = " ".join(filter(None, (plural(sizes.size, "batch size"), span, f"[{self.batch_unit}]")))
        parts = [plural(len(self), noun), held]
        if self.group_labels is not None:
            parts.append(plural(len(self.groups), "group"))
        counts = {status: self.status.count(status) for status in STATUSES if status != "finished"}
        parts += [f"{count} {status}" for status, count in counts.items() if count]
        return f"Sweep({', '.join(parts)})"

    @cached_property
    def batch_sizes(self) -> FloatArray:
        """The distinct batch sizes, ascending, in `batch_unit`; shape (batch_size,)."""
        return _read_only(np.unique(self.batch_size))

    @cached_property
    def is_finished(self) -> NDArray[np.bool_]:
        """Which runs finished; shape (run,)."""
        return _read_only(np.array([status == "finished" for status in self.status], dtype=bool))

    @cached_property
    def is_diverged(self) -> NDArray[np.bool_]:
        """Which runs diverged; shape (run,)."""
        return _read_only(np.array([status == "diverged" for status in self.status], dtype=bool))

    @cached_property
    def outcome(self) -> FloatArray:
        """What a run is judged by, less being better; shape (run,), NaN where a run cannot be judged.

        The loss of a finished run [nats]; its steps to the target where the protocol is ``to_target`` or
        where no finished run has a loss.
        """
        finished = self.is_finished
        has_loss = bool(np.isfinite(self.loss[finished]).any())
        by_steps = self.steps_to_target is not None and (self.protocol == "to_target" or not has_loss)
        score = self.steps_to_target if by_steps and self.steps_to_target is not None else self.loss
        return _read_only(np.where(finished & np.isfinite(score), score, np.nan))

    @cached_property
    def steps_when_reached(self) -> FloatArray:
        """Optimizer steps to the target; shape (run,), NaN where a run did not finish by reaching it."""
        steps = np.full(len(self), np.nan) if self.steps_to_target is None else self.steps_to_target
        return _read_only(np.where(self.is_finished, steps, np.nan))

    @cached_property
    def steps_when_missed(self) -> FloatArray:
        """Optimizer steps of a run that ended short of the target; shape (run,), NaN for all others.

        A diverged run is none of these: more steps would not have helped it.
        """
        if self.steps is None or self.steps_to_target is None:
            return _read_only(np.full(len(self), np.nan))
        missed = np.isnan(self.steps_when_reached) & ~self.is_diverged & (self.steps > 0)
        return _read_only(np.where(missed, self.steps, np.nan))

    @property
    def groups(self) -> tuple[str, ...]:
        """The labels of the groups, in the order in which they appear; empty without groups."""
        return tuple(self.group_values)

    @cached_property
    def group_index(self) -> IndexArray:
        """Index in `groups` of every run's group, 0 without groups; shape (run,)."""
        order = {label: index for index, label in enumerate(self.groups)}
        labels = self.group_labels or ("",) * len(self)
        return _read_only(np.array([order.get(label, 0) for label in labels], dtype=np.int64))

    def covariates(self, names: Sequence[str]) -> Covariates:
        """Read numbers that describe every group off its group columns.

        Parameters
        ----------
        names : sequence of str
            Distinct columns of `group_values`: a positive number in every group, not the same in all.

        Raises
        ------
        SweepError
        """
        return covariates_of(names, self.group_values, self.source)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run as a value of its own."""
        columns = storage.columns_of(self)
        return tuple(run_at(columns, index) for index in range(len(self)))

    def best_run(self) -> Run:
        """Return the finished run with the least outcome: loss, or steps to the target.

        Raises
        ------
        SweepError
            If no run of the sweep can be judged.
        """
        if not np.isfinite(self.outcome).any():
            msg = (
                f"The best run must have finished with a finite loss; none of the {plural(len(self), 'run')} "
                f"of {self.source} has. See Sweep.checks()."
            )
            raise SweepError(msg)
        return run_at(storage.columns_of(self), int(np.nanargmin(self.outcome)))

    def checks(self) -> "tuple[checks.Check, ...]":
        """Return what a reader of this sweep should know before believing a fit of it."""
        return checks.check_sweep(self)

    def require_fittable(self) -> None:
        """Refuse a sweep that fails a check of severity ``error``.

        Raises
        ------
        SweepError
            With the message of the first such check: one batch size only, or no run that can be judged.
        """
        for check in self.checks():
            if check.severity == "error":
                raise SweepError(str(check))

    def where(self, mask: ArrayLike) -> "Sweep":
        """Return the sweep of the runs at which `mask` is true.

        Parameters
        ----------
        mask : array_like of bool, shape (run,)

        Raises
        ------
        SweepError
            If `mask` is not one boolean per run.
        """
        chosen = np.asarray(mask)
        if chosen.dtype != np.bool_ or chosen.shape != (len(self),):
            msg = (
                f"'mask' must be one boolean per run, of shape ({len(self)},); got {chosen.dtype} of shape "
                f"{chosen.shape}."
            )
            raise SweepError(msg)
        keep = np.flatnonzero(chosen)
        held: dict[str, Any] = {
            name: values[keep] if isinstance(values, np.ndarray) else tuple(values[index] for index in keep)
            for name, values in storage.columns_of(self).items()
        }
        labels = dict.fromkeys(held.get("group_labels", ()))
        held["group_values"] = {label: self.group_values[label] for label in labels}
        return Sweep(**{**storage.scalars_of(self), **held})

    def select(self, group: str | Mapping[str, object]) -> "Sweep":
        """Return the runs of one group, or of the groups that agree with a mapping.

        Parameters
        ----------
        group : str or mapping
            A label of `groups`, or group column → value, such as ``{"N": 214663680}``. Values are compared as
            numbers where both are, else as text.

        Raises
        ------
        SweepError
            If no group is meant.
        """
        chosen = labels_meant(group, self.group_values, self.source)
        return self.where([label in chosen for label in self.group_labels or ()])

    def to_frame(self) -> "pl.DataFrame":
        """Return the runs as a polars frame with canonical column names, which `from_frame` reads again.

        The group of a run is the column ``group``; NaN losses of runs that did not diverge are null.
        """
        return storage.frame_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as a dict for strict JSON; NaN becomes None, infinities become words."""
        return storage.dict_of(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Sweep":
        """Return the sweep that `to_dict` stored, bit for bit.

        Raises
        ------
        SweepError
            If `stored` is not what `to_dict` returns.
        """
        try:
            return cls(**storage.fields_of(stored))
        except (TypeError, ValueError, AttributeError) as error:
            msg = f"A stored sweep must be what Sweep.to_dict returns; it is not: {error}"
            raise SweepError(msg) from error


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
