"""Observations: the runs of a sweep, sorted by the likelihood that each enters.

A finished run enters the loss surface; a diverged one the divergence wall; a finite but huge loss says
only "at least this bad"; a crashed or stopped run says nothing and is named as such. Of runs to a target, the
steps at the best learning rate of each batch size enter the law of the steps, since that is what the law is
about (`surge_fit.model.steps`); a run that ended short of the target says only "more steps than this".

A *cell* is one batch size of one group, with an optimum and a valley of its own. Where a sweep has one
group, cells are batch sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import plural
from surge_fit.errors import SweepError
from surge_fit.model.data_scales import Cell, Scales, data_scales
from surge_fit.sweep import Covariates, Sweep
from surge_fit.sweep.best_steps import choose_runs
from surge_fit.typing import FloatArray, IndexArray

BoolArray = NDArray[np.bool_]

HUGE_LOSS = 10.0
"""A finite loss is censored above this many times the typical depth of its group's valleys, see `observe`."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs that enter one likelihood together; all arrays have the dim ``run``."""

    id: tuple[str, ...]
    cell_index: IndexArray
    log_learning_rate: FloatArray
    value: FloatArray
    """A loss, a censoring threshold, 1 or 0 for diverged or not, log learning rate or log steps."""
    se: FloatArray
    """Standard error of `value`; zero where none is known."""

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """A sweep, sorted by the likelihood that each run enters."""

    batch_size: FloatArray
    """Batch size of every cell, shape (cell,): ascending within a group, the groups one after another."""
    cell_group: IndexArray
    """Index of every cell's group, shape (cell,)."""
    groups: tuple[str, ...]
    """Labels of the groups that are pooled; empty where the sweep is fitted as one."""
    covariates: Covariates
    """Covariates of every group, as numbers."""
    finished: Runs
    censored: Runs
    wall: Runs
    optimum: Runs
    steps: Runs
    censored_steps: Runs
    unused: tuple[tuple[str, str], ...]
    """Run id and reason of every run that enters no likelihood."""
    scales: Scales
    loss_range: float
    """Largest minus smallest loss of a group, a censored one as its threshold; of several groups the largest.

    A diverged run is counted to lose at least this; 0 without a finite loss.
    """

    @property
    def log_batch_size(self) -> FloatArray:
        """Natural logarithm of `batch_size`."""
        return np.log(self.batch_size)

    @property
    def log_reference_batch_size(self) -> float:
        """Logarithm of the reference batch size, the geometric mean of those tried."""
        return float(np.log(np.unique(self.batch_size)).mean())

    @property
    def count(self) -> int:
        """Number of runs (or optimum points) that enter the model."""
        parts = (self.finished, self.censored, self.wall, self.optimum, self.steps, self.censored_steps)
        return len({run for runs in parts for run in runs.id})

    @property
    def has_learning_rates(self) -> bool:
        """Whether anything was seen of the optimal learning rate."""
        return len(self.finished) > 0 or len(self.optimum) > 0

    def merged(self) -> Observations:
        """The same runs without their groups: what was tried, by whatever group.

        Groups have floors of their own, so `scales` then knows none: `best_loss` and `gap` are NaN.
        """
        sizes, merged_index = np.unique(self.batch_size, return_inverse=True)
        unknown = np.full(len(sizes), np.nan)

        def in_merged_cells(runs: Runs) -> Runs:
            return replace(runs, cell_index=merged_index[runs.cell_index])

        return replace(
            self,
            batch_size=sizes,
            cell_group=np.zeros(len(sizes), dtype=np.int64),
            groups=(),
            covariates=Covariates((), np.empty((1, 0))),
            finished=in_merged_cells(self.finished),
            censored=in_merged_cells(self.censored),
            wall=in_merged_cells(self.wall),
            optimum=in_merged_cells(self.optimum),
            steps=in_merged_cells(self.steps),
            censored_steps=in_merged_cells(self.censored_steps),
            scales=replace(self.scales, best_loss=unknown, gap=unknown),
        )


def observe(sweep: Sweep, covariates: Sequence[str] = ()) -> Observations:
    """Sort the runs of a sweep by what they tell.

    Parameters
    ----------
    sweep : Sweep
        Runs, optimum points, or steps to a target, of one group or of several.
    covariates : sequence of str
        Group columns with positive numbers, whose logarithms the groups' parameters may follow.

    Returns
    -------
    Observations

    Raises
    ------
    SweepError
        If the sweep has no usable run, one batch size and no learning rates at it, or a covariate is not a
        positive number in every group.

    Examples
    --------
    >>> observations = sf.observe(sweep)
    >>> observations.batch_size
    array([  8.,  64., 512.])
    >>> len(observations.finished), len(observations.wall), observations.unused
    (12, 13, ())
    """
    sweep.require_fittable()
    return sort_runs(sweep, covariates)


def sort_runs(sweep: Sweep, covariates: Sequence[str] = ()) -> Observations:
    """Sort the runs of a sweep as `observe` does, without asking whether they can be fitted alone."""
    group = sweep.group_index
    none = np.zeros(len(sweep), dtype=bool)
    if sweep.kind == "optimum_points":
        finished = diverged = censored = none
        optimum, ceiling = ~none, np.full(len(sweep), np.nan)
    else:
        finished, diverged, optimum = sweep.has_final_loss, sweep.is_diverged, none
        ceiling = _ceilings(sweep.loss, finished, group)
        censored = finished & (sweep.loss > ceiling)
        finished = finished & ~censored
    # Without a single loss a wall has nothing to stand on: such runs are here for their steps.
    wall = finished | diverged if finished.any() else none
    steps, missed = _steps(sweep, group)
    used = finished | wall | censored | optimum | steps | missed
    cells, cell_of_run = np.unique(np.stack([group, sweep.batch_size])[:, used], axis=1, return_inverse=True)
    index = np.full(len(sweep), -1, dtype=np.int64)
    index[used] = cell_of_run.ravel()
    picker = _Picker(sweep, index)
    runs_of_cell = [np.flatnonzero(index == cell) for cell in range(cells.shape[1])]
    rate = np.log(sweep.learning_rate)
    return Observations(
        batch_size=cells[1],
        cell_group=cells[0].astype(np.int64),
        groups=sweep.groups if len(sweep.groups) > 1 else (),
        covariates=sweep.covariates(covariates),
        finished=picker.pick(finished, sweep.loss, sweep.loss_se),
        censored=picker.pick(censored, ceiling, None),
        wall=picker.pick(wall, diverged.astype(np.float64), None),
        optimum=picker.pick(optimum, rate, _optimum_se(sweep)),
        steps=picker.pick(steps, np.log(sweep.steps_when_reached), None),
        censored_steps=picker.pick(missed, np.log(sweep.steps_when_missed), None),
        unused=tuple((sweep.run_id[i], _why_unused(sweep, i)) for i in np.flatnonzero(~used)),
        scales=data_scales(
            [
                Cell(int(g), rate[here[finished[here]]], sweep.loss[here[finished[here]]], rate[here])
                for g, here in zip(cells[0], runs_of_cell, strict=True)
            ],
            optima=rate[optimum],
            reached=sweep.steps_when_reached[np.isfinite(sweep.steps_when_reached)],
        ),
        loss_range=_loss_range(np.where(censored, ceiling, sweep.loss), finished | censored, group),
    )


def require_learning_rates(sweep: Sweep) -> None:
    """Refuse a sweep that says nothing of the optimal learning rate.

    Raises
    ------
    SweepError
        Naming the columns that are missing.
    """
    sweep.require_fittable()
    if sweep.kind == "optimum_points" or sweep.has_final_loss.any():
        return
    lacking = "learning rates" if sweep.kind == "steps_to_target" else "losses"
    columns = "'learning_rate' and 'loss'" if sweep.kind == "steps_to_target" else "'loss'"
    msg = (
        "Optimal learning rates are read off runs with learning rates and losses, or published optima; the "
        f"{plural(len(sweep), 'run')} of {sweep.source} have steps to a target and no {lacking}. Add the "
        f"columns {columns}. What the steps tell, the critical batch size, `surge_fit.fit` (command line: "
        "surge-fit fit) tells."
    )
    raise SweepError(msg)


def _why_unused(sweep: Sweep, index: np.intp) -> str:
    if np.isfinite(sweep.steps_when_reached[index]):
        return "not at the best learning rate"
    if sweep.steps_to_target is not None and sweep.status[index] != "diverged":
        return "target not reached"
    return "no loss" if sweep.status[index] == "finished" else sweep.status[index]


@dataclass(frozen=True, slots=True)
class _Picker:
    sweep: Sweep
    cell_index: IndexArray

    def pick(self, mask: BoolArray, value: FloatArray, se: FloatArray | None) -> Runs:
        index = np.flatnonzero(mask)
        return Runs(
            id=tuple(self.sweep.run_id[i] for i in index),
            cell_index=self.cell_index[index],
            log_learning_rate=np.log(self.sweep.learning_rate[index]),
            value=np.asarray(value[index], dtype=np.float64),
            se=np.zeros(len(index)) if se is None else np.nan_to_num(se[index], nan=0.0),
        )


def _steps(sweep: Sweep, group: IndexArray) -> tuple[BoolArray, BoolArray]:
    """Masks of the runs that enter as steps to the target, and as censored ones; group by group."""
    reached, missed = np.zeros(len(sweep), dtype=bool), np.zeros(len(sweep), dtype=bool)
    for here in (np.flatnonzero(group == g) for g in np.unique(group)):
        columns = (sweep.batch_size, sweep.learning_rate, sweep.steps_when_reached, sweep.steps_when_missed)
        reached[here], missed[here] = choose_runs(*(column[here] for column in columns))
    return reached, missed


def _optimum_se(sweep: Sweep) -> FloatArray:
    """Standard error of log lr*: as published, and that of a maximum read off a grid (uniform)."""
    variance = np.zeros(len(sweep))
    if sweep.log_learning_rate_se is not None:
        variance += np.nan_to_num(sweep.log_learning_rate_se, nan=0.0) ** 2
    if sweep.grid_step is not None:
        variance += np.nan_to_num(sweep.grid_step, nan=0.0) ** 2 / 12
    return np.asarray(np.sqrt(variance))


def _loss_range(loss: FloatArray, has_loss: BoolArray, group: IndexArray) -> float:
    ranges = [float(np.ptp(loss[has_loss & (group == g)])) for g in np.unique(group[has_loss])]
    return max(ranges, default=0.0)


def _ceilings(loss: FloatArray, finished: BoolArray, group: IndexArray) -> FloatArray:
    """Loss above which a run is censored, that of its group; shape (run,)."""
    ceilings = np.full(len(loss), np.inf)
    for g in np.unique(group[finished]):
        losses = loss[finished & (group == g)]
        median = float(np.median(losses))
        depth = median - float(losses.min())
        if depth > 0:
            ceilings[group == g] = median + HUGE_LOSS * depth
    return ceilings
