"""The sweep: a table of training runs as one immutable value.

`read_sweep` reads it from a file, `Sweep.from_frame` from a data frame and `Sweep.from_columns` from arrays;
all three validate alike. A run that diverged, crashed or was stopped stays in the sweep as what it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surge_fit import checks
from surge_fit.errors import SweepError
from surge_fit.importers.aliases import OPTIMUM_COLUMN, RUN_COLUMNS, STATUSES
from surge_fit.importers.arrays import frame_of
from surge_fit.importers.files import read_frame
from surge_fit.importers.table import read_table
from surge_fit.importers.wording import Source, listing, number, plural
from surge_fit.typing import BatchUnit, FloatArray, Path, Protocol, RunStatus

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Run:
    """One training run of a sweep.

    Attributes
    ----------
    run_id : str
    batch_size : float
        In the sweep's ``batch_unit``.
    learning_rate : float
        Peak learning rate.
    loss : float
        Final loss [nats]; NaN where the run has none or it was NaN.
    status : {"finished", "diverged", "crashed", "stopped"}
    group : str or None
        Label of the run's group.
    others : mapping of str to float or str
        What the sweep's other columns hold for this run, blank cells left out.
    """

    run_id: str
    batch_size: float
    learning_rate: float
    loss: float
    status: RunStatus
    group: str | None
    others: Mapping[str, float | str]


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
    kind : {"runs", "optimum_points"}
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
    kind: Literal["runs", "optimum_points"] = "runs"
    group_labels: tuple[str, ...] | None = None
    group_values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()
    source: str = "the columns"

    def __post_init__(self) -> None:
        for name, values in self._columns().items():
            if isinstance(values, np.ndarray):
                values = np.array(values, dtype=np.float64)
                values.setflags(write=False)
                object.__setattr__(self, name, values)
            if len(values) != len(self.run_id):
                raise SweepError(
                    f"Every column of a sweep must hold {plural(len(self.run_id), 'run')}, like 'run_id'; "
                    f"'{name}' holds {len(values)}."
                )
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
        frame = frame_of(columns, groups)
        return cls._from_table(
            frame, Source("the columns"), batch_unit=batch_unit, protocol=protocol, group_by=group_by
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
        return cls._from_table(
            frame,
            Source("the frame"),
            columns=columns,
            batch_unit=batch_unit,
            protocol=protocol,
            group_by=group_by,
        )

    @classmethod
    def _from_table(
        cls,
        frame: Any,
        source: Source,
        *,
        columns: Mapping[str, str] | None = None,
        batch_unit: str | None,
        protocol: str | None,
        group_by: str | Sequence[str] | None,
    ) -> "Sweep":
        fields = read_table(
            frame, source, columns=columns, batch_unit=batch_unit, protocol=protocol, group_by=group_by
        )
        return cls(**fields)

    def __len__(self) -> int:
        return len(self.run_id)

    def __repr__(self) -> str:
        sizes = self.batch_sizes
        span = "…".join(number(size) for size in dict.fromkeys((*sizes[:1], *sizes[-1:])))
        noun = "run" if self.kind == "runs" else "optimum point"
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

    @property
    def groups(self) -> tuple[str, ...]:
        """The labels of the groups, in the order in which they appear; empty without groups."""
        return tuple(self.group_values)

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run as a value of its own."""
        return tuple(self._run(index) for index in range(len(self)))

    def best_run(self) -> Run:
        """Return the finished run with the least outcome: loss, or steps to the target.

        Raises
        ------
        SweepError
            If no run of the sweep can be judged.
        """
        if not np.isfinite(self.outcome).any():
            raise SweepError(
                f"The best run must have finished with a finite loss; none of the {plural(len(self), 'run')} "
                f"of {self.source} has. See Sweep.checks()."
            )
        return self._run(int(np.nanargmin(self.outcome)))

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
            raise SweepError(
                f"'mask' must be one boolean per run, of shape ({len(self)},); got {chosen.dtype} of shape "
                f"{chosen.shape}."
            )
        keep = np.flatnonzero(chosen)
        held: dict[str, Any] = {
            name: values[keep] if isinstance(values, np.ndarray) else tuple(values[index] for index in keep)
            for name, values in self._columns().items()
        }
        labels = dict.fromkeys(held.get("group_labels", ()))
        held["group_values"] = {label: self.group_values[label] for label in labels}
        return Sweep(**{**self._scalars(), **held})

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
        if isinstance(group, str):
            chosen = [label for label in self.groups if label == group]
        else:
            chosen = [
                label
                for label, held in self.group_values.items()
                if all(name in held and _same(held[name], value) for name, value in group.items())
            ]
        if not chosen:
            known = (
                f"The groups are {listing([repr(label) for label in self.groups], 10)}."
                if self.groups
                else ""
            )
            raise SweepError(
                f"'group' must mean a group of {self.source}; {group!r} means none. "
                + (known or "The sweep has no groups: read it with group_by=… to make some.")
            )
        return self.where([label in chosen for label in self.group_labels or ()])

    def to_frame(self) -> "pl.DataFrame":
        """Return the runs as a polars frame with canonical column names, which `from_frame` reads again.

        The group of a run is the column ``group``; NaN losses of runs that did not diverge are null.
        """
        import polars as pl

        held = {
            name: list(values) if isinstance(values, tuple) else values
            for name, values in self._columns().items()
        }
        if "group_labels" in held:
            held["group"] = held.pop("group_labels")
        if self.kind == "optimum_points":
            held[OPTIMUM_COLUMN.name] = held.pop("learning_rate")
        frame = pl.DataFrame(held).with_columns(pl.lit(self.batch_unit).alias("batch_unit"))
        if self.protocol is not None:
            frame = frame.with_columns(pl.lit(self.protocol).alias("protocol"))
        blank = pl.col("loss").is_nan() & (pl.col("status") != "diverged")
        return frame.with_columns(pl.when(blank).then(None).otherwise(pl.col("loss")).alias("loss"))

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as a dict for strict JSON; NaN becomes None, infinities become words."""
        held = {
            name: [_to_json(value) for value in values.tolist()]
            if isinstance(values, np.ndarray)
            else list(values)
            for name, values in self._columns().items()
        }
        scalars = self._scalars()
        scalars["ignored_columns"] = list(self.ignored_columns)
        groups = {label: dict(values) for label, values in self.group_values.items()}
        return {**scalars, **held, "group_values": groups}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Sweep":
        """Return the sweep that `to_dict` stored, bit for bit.

        Raises
        ------
        SweepError
            If `stored` is not what `to_dict` returns.
        """
        fields = dict(stored)
        try:
            for column in RUN_COLUMNS:
                if column.name in fields:
                    values = fields[column.name]
                    fields[column.name] = tuple(values) if column.is_text else _from_json(values)
            for name in ("group_labels", "ignored_columns"):
                fields[name] = None if fields.get(name) is None else tuple(fields[name])
            return cls(**fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise SweepError(
                f"A stored sweep must be what Sweep.to_dict returns; it is not: {error}"
            ) from error

    def _columns(self) -> dict[str, Any]:
        """Return the columns that are there, one value per run."""
        names = (*(column.name for column in RUN_COLUMNS), "group_labels")
        held = {name: getattr(self, name) for name in names}
        return {name: values for name, values in held.items() if values is not None}

    def _scalars(self) -> dict[str, Any]:
        names = ("batch_unit", "protocol", "kind", "ignored_columns", "source")
        return {name: getattr(self, name) for name in names}

    def _run(self, index: int) -> Run:
        held = {name: values[index] for name, values in self._columns().items()}
        core = {name: held.pop(name) for name in ("run_id", "batch_size", "learning_rate", "loss", "status")}
        group = held.pop("group_labels", None)
        others = {
            name: value if isinstance(value, str) else float(value)
            for name, value in held.items()
            if (value != "" if isinstance(value, str) else not np.isnan(value))
        }
        core |= {name: float(core[name]) for name in ("batch_size", "learning_rate", "loss")}
        return Run(**core, group=group, others=MappingProxyType(others))


def read_sweep(
    path: Path,
    *,
    columns: Mapping[str, str] | None = None,
    batch_unit: BatchUnit | None = None,
    protocol: Protocol | None = None,
    group_by: str | Sequence[str] | None = None,
) -> Sweep:
    """Read a table of runs from a file.

    Parameters
    ----------
    path : path-like
        A CSV, TSV, JSONL or Parquet file, one row per run. Headers may be the synonyms in common use (``lr``,
        ``bs``, ``val/loss``, …), whatever their case, spaces and slashes. Needed are the batch size, the
        learning rate, and the loss or the steps to a target; or, for published optima without runs, the batch
        size and ``optimal_learning_rate``.
    columns : mapping of str to str, optional
        Canonical name → header, for what synonyms cannot know: ``{"loss": "smooth loss"}``.
    batch_unit : {"examples", "sequences", "tokens"}, optional
        What the batch size counts. It is never guessed: without it, the file has a column ``batch_unit`` or a
        header that says it (``batch_tokens``).
    protocol : {"one_step", "fixed_steps", "fixed_tokens", "to_target"}, optional
        What was held fixed between the runs, unless the file has a column ``protocol``.
    group_by : str or sequence of str, optional
        Columns whose joint value makes a group: a model size, a data size, a checkpoint. No synonym claims
        them: to have a column ``D`` as tokens too, say so in `columns`.

    Returns
    -------
    Sweep
        Every run of the file. Blank cells and the words null, none, na and n/a are missing values; a loss of
        NaN or infinity is kept.

    Raises
    ------
    SweepError
        If the file cannot be read, or a row does not hold what it must; the message names the row.
    """
    frame, source = read_frame(path)
    return Sweep._from_table(
        frame, source, columns=columns, batch_unit=batch_unit, protocol=protocol, group_by=group_by
    )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _same(held: str, value: object) -> bool:
    try:
        return float(held) == float(str(value))
    except ValueError:
        return held == str(value)


def _to_json(value: float) -> float | str | None:
    return value if np.isfinite(value) else None if np.isnan(value) else str(value)


def _from_json(values: Sequence[float | str | None]) -> FloatArray:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
