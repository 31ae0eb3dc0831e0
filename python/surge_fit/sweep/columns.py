"""What a sweep holds: its columns, what they say together, and the choice of some runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surge_fit._support.wording import plural
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.groups import Covariates, covariates_of, labels_meant
from surge_fit.sweep.run import Run, run_at
from surge_fit.sweep.schema import RUN_COLUMNS
from surge_fit.typing import BatchUnit, FloatArray, IndexArray, Protocol, RunStatus


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SweepColumns:
    """The columns of a sweep, one value per run, and what holds for the sweep as a whole.

    `surge_fit.Sweep` is made of these, documents them, and adds the ways in and out.
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
    loss_unit: str = "nats"
    ignored_columns: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reading: tuple[Decision, ...] = ()
    source: str = "the columns"

    def __post_init__(self) -> None:
        for name, values in self.present_columns().items():
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
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def present_columns(self) -> dict[str, Any]:
        """Return the columns that are there, one value per run: float arrays and tuples of str."""
        names = (*(column.name for column in RUN_COLUMNS), "group_labels")
        present = {name: getattr(self, name) for name in names}
        return {name: values for name, values in present.items() if values is not None}

    def scalars(self) -> dict[str, Any]:
        """Return what holds for the sweep as a whole, but for the values of its groups."""
        names = ("batch_unit", "protocol", "kind", "loss_unit", "ignored_columns", "reading", "source")
        return {name: getattr(self, name) for name in names}

    def __len__(self) -> int:
        return len(self.run_id)

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
    def has_final_loss(self) -> NDArray[np.bool_]:
        """Which runs finished with a finite loss; shape (run,)."""
        return _read_only(self.is_finished & np.isfinite(self.loss))

    @cached_property
    def outcome(self) -> FloatArray:
        """What a run is judged by, less being better; shape (run,), NaN where a run cannot be judged.

        The loss of a finished run; its steps to the target where the protocol is ``to_target`` or
        where no finished run has a loss.
        """
        finished, has_loss = self.is_finished, bool(self.has_final_loss.any())
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
        columns = self.present_columns()
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
        return run_at(self.present_columns(), int(np.nanargmin(self.outcome)))

    def where(self, mask: ArrayLike) -> Self:
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
        picked = chosen.tolist()
        held: dict[str, Any] = {
            name: values[chosen] if isinstance(values, np.ndarray) else tuple(compress(values, picked))
            for name, values in self.present_columns().items()
        }
        labels = dict.fromkeys(held.get("group_labels", ()))
        held["group_values"] = {label: self.group_values[label] for label in labels}
        held["settings"] = {name: tuple(compress(cells, picked)) for name, cells in self.settings.items()}
        return type(self)(**{**self.scalars(), **held})

    def select(self, group: str | Mapping[str, object]) -> Self:
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


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
