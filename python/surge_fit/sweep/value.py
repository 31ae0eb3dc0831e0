"""The value `Sweep`: its columns, checked, and the ways in and out."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from surge_fit._support.wording import Source, number, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.checks.checking import check_sweep
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.sweep.schema import STATUSES
from surge_fit.sweep.sources import arrays, frames
from surge_fit.sweep.sources.base import Table
from surge_fit.sweep.storage import dict_of, fields_of, frame_of
from surge_fit.sweep.table.reading import read_table
from surge_fit.typing import BatchUnit, NanMeaning, Protocol

if TYPE_CHECKING:
    import polars as pl


class Sweep(SweepColumns):
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
        Final loss, in `loss_unit`, less being better; NaN where there is none, infinite losses are kept.
    status : tuple of str
        ``finished``, ``diverged``, ``crashed`` or ``stopped``. A finished run with a NaN or infinite loss has
        diverged. Where the table states no status: an infinite loss means diverged, a finite loss (or steps
        to the target) finished, a blank one stopped; a NaN loss counts as stopped unless `nan_loss` says
        otherwise.
    loss_se : ndarray or None
        Standard error of the loss, in its unit.
    steps, tokens : ndarray or None
        Optimizer steps and tokens of the run.
    target_loss, steps_to_target : ndarray or None
        The loss to reach, and the optimizer steps until it was reached (NaN if it was not).
    seed, beta1, beta2, weight_decay : ndarray or None
    warmup : ndarray or None
        Length of the warmup [steps].
    optimizer, schedule : tuple of str or None
        Blank cells are ``""``.
    log_learning_rate_se, grid_step : ndarray or None
        For optimum points: the standard error of log learning rate, and the spacing in log learning rate of
        the grid it was read from.
    batch_unit : {"examples", "sequences", "tokens"}
    loss_unit : str
        What the loss counts: ``nats``, ``log perplexity``, ``bits per byte``, ``accuracy``, …
    protocol : {"one_step", "fixed_steps", "fixed_tokens", "to_target"} or None
        What was held fixed between the runs, None if unknown.
    kind : {"runs", "optimum_points", "steps_to_target"}
        For steps to a target without learning rates, `learning_rate` is NaN throughout.
    group_labels : tuple of str or None
        Label of every run's group, such as ``"N=214663680, D=100000000000"``.
    group_values : mapping of str to mapping of str to str
        Group label → group column → value, in the order in which the groups appear.
    settings : mapping of str to tuple of str
        Header → words, one per run: columns that `ignored_columns` names and that may be settings of the run,
        since they take several values within one batch size.
    ignored_columns : tuple of str
        Headers of the table that were not used.
    reading : tuple of Decision
        Decisions made while the table was read, one each: which header was taken for which column, what was
        left out and why.
    source : str
        Where the table came from, for messages.

    Examples
    --------
    >>> sorted(finding.slug for finding in sweep.checks() if finding.severity == "warning")
    ['critical_batch_size_not_bracketed', 'peak_not_bracketed']
    >>> small = sweep.batch_size < 512
    >>> float(sweep.loss[small].min())
    0.220776
    """

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
            None is a blank cell; a loss of NaN without a status has diverged.

        Raises
        ------
        SweepError
            If a name is neither canonical nor in `group_by`, if the lengths differ, or as `read_sweep`.

        Examples
        --------
        >>> sf.Sweep.from_columns(
        ...     batch_size=[8, 8, 64],
        ...     learning_rate=[1e-3, 1e-2, 1e-2],
        ...     loss=[2.1, None, 1.9],
        ...     batch_unit="examples",
        ... )
        Sweep(3 runs, 2 batch sizes 8…64 [examples], 1 stopped)
        """
        groups = (group_by,) if isinstance(group_by, str) else tuple(group_by or ())
        frame = arrays.frame_of(columns, groups)
        fields = read_table(
            Table(frame, Source("the columns")),
            columns={name: name for name in columns if name in frame.cells and name not in groups},
            batch_unit=batch_unit,
            protocol=protocol,
            group_by=group_by,
            nan_loss="diverged",
        )
        return cls(**fields)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        columns: Mapping[str, str] | None = None,
        batch_unit: BatchUnit | None = None,
        protocol: Protocol | None = None,
        group_by: str | Sequence[str] | None = None,
        maximize: bool | None = None,
        nan_loss: NanMeaning | None = None,
    ) -> "Sweep":
        """Make a sweep from a frame of pandas, polars, pyarrow or another library that narwhals knows.

        A float column of pandas cannot tell a blank cell from NaN; it counts as NaN, and its meaning
        without a status must be stated: see `nan_loss`.

        Parameters
        ----------
        frame : DataFrame
            One row per run; the columns may go by their synonyms.
        columns, batch_unit, protocol, group_by, maximize, nan_loss
            As for `read_sweep`.

        Raises
        ------
        SweepError
            If `frame` is not an eager frame, or as `read_sweep`.

        Examples
        --------
        >>> import polars as pl
        >>> frame = pl.DataFrame({"bs": [8, 8, 64], "lr": [1e-3, 1e-2, 1e-2], "val/loss": [2.1, None, 1.9]})
        >>> sf.Sweep.from_frame(frame, batch_unit="examples")
        Sweep(3 runs, 2 batch sizes 8…64 [examples], 1 stopped)
        """
        source = Source("the frame")
        cells = frames.frame_of(frame, source)
        fields = read_table(
            Table(cells, source),
            columns=columns,
            batch_unit=batch_unit,
            protocol=protocol,
            group_by=group_by,
            maximize=maximize,
            nan_loss=nan_loss,
        )
        return cls(**fields)

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

    def checks(self) -> tuple[Finding, ...]:
        """Return what to know about this sweep before trusting a fit of it."""
        return self._checks

    @cached_property
    def _checks(self) -> tuple[Finding, ...]:
        return check_sweep(self)

    def require_fittable(self) -> None:
        """Refuse a sweep that fails a check of severity ``error``.

        Raises
        ------
        SweepError
            With the message of the first such check: one batch size only, or no run that can be judged.
        """
        for finding in self.checks():
            if finding.severity == "error":
                raise SweepError(str(finding))

    def to_frame(self) -> "pl.DataFrame":
        """Return the runs as a polars frame with canonical column names, which `from_frame` reads again.

        The group of a run is the column ``group``; NaN losses of runs that did not diverge are null.
        """
        return frame_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the sweep as a dict for strict JSON; NaN becomes None, infinities become words."""
        return dict_of(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Sweep":
        """Return the sweep that `to_dict` stored, bit for bit.

        Raises
        ------
        SweepError
            If `stored` is not what `to_dict` returns.
        """
        try:
            return cls(**fields_of(stored))
        except (TypeError, ValueError, AttributeError) as error:
            msg = f"A stored sweep must be what Sweep.to_dict returns; it is not: {error}"
            raise SweepError(msg) from error
