"""What each run of a sweep tells the model, and the scales that make priors weakly informative.

A finished run enters the loss surface; a diverged one the divergence wall; a finite but huge loss says
only "at least this bad"; a crashed or stopped run says nothing and is named as such. Of runs to a target, the
steps at the best learning rate of each batch size enter the law of the steps, since that is what the law is
about (`surge_fit.steps`); a run that ended short of the target says only "more steps than this".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surge_fit.errors import SweepError
from surge_fit.importers.wording import plural
from surge_fit.steps import choose_runs
from surge_fit.sweep import Sweep
from surge_fit.typing import FloatArray

IndexArray = NDArray[np.int64]

HUGE_LOSS = 10.0
"""A finite loss is censored above this many times the typical depth of the valleys, see `observe`."""

STUDENT_T_DEGREES = 5.0
"""Degrees of freedom of every residual; the model's survival function is exact for this value only."""

DEFAULT_GRID_STEP = 0.7
"""Spacing of learning rates, in log units (a factor of two), where a batch size has only one."""


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Runs that enter one likelihood together; all arrays have the dim ``run``."""

    id: tuple[str, ...]
    batch_index: IndexArray
    log_learning_rate: FloatArray
    value: FloatArray
    """A loss, a censoring threshold, 1 or 0 for diverged or not, log learning rate or log steps."""
    se: FloatArray
    """Standard error of `value`; zero where none is known."""

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Orders of magnitude read off the sweep; only priors use them.

    Attributes
    ----------
    log_batch_size_spread : float
        Half of the tried range of log batch size.
    log_learning_rate : float
        Mean over batch sizes of the log learning rate of the best run; NaN without learning rates.
    curvature : float
        Typical curvature of the loss valley [loss per squared log learning rate].
    best_loss : ndarray, shape (batch_size,)
        Loss of the best run at each batch size; the mean of the others where none finished.
    gap : ndarray, shape (batch_size,)
        How far the floor of each valley may lie below that run [loss].
    log_fewest_steps : float
        Log of the fewest steps to the target of any run; NaN without a target.
    """

    log_batch_size_spread: float
    log_learning_rate: float
    curvature: float
    best_loss: FloatArray
    gap: FloatArray
    log_fewest_steps: float


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """A sweep, sorted by the likelihood that each run enters."""

    batch_size: FloatArray
    """Distinct batch sizes of the runs used, ascending, shape (batch_size,)."""
    finished: Runs
    censored: Runs
    wall: Runs
    optimum: Runs
    steps: Runs
    censored_steps: Runs
    unused: tuple[tuple[str, str], ...]
    """Run id and reason of every run that enters no likelihood."""
    scales: Scales

    @property
    def log_batch_size(self) -> FloatArray:
        """Natural logarithm of `batch_size`."""
        return np.log(self.batch_size)

    @property
    def log_reference_batch_size(self) -> float:
        """Logarithm of the reference batch size, the geometric mean of those tried."""
        return float(self.log_batch_size.mean())

    @property
    def loss_range(self) -> float:
        """Largest minus smallest finite loss: what a diverged run is counted to lose at the least."""
        finite = np.concatenate([self.finished.value, self.censored.value])
        return float(finite.max() - finite.min())

    @property
    def count(self) -> int:
        """How many runs (or optimum points) enter the model."""
        parts = (self.finished, self.censored, self.wall, self.optimum, self.steps, self.censored_steps)
        return len({run for runs in parts for run in runs.id})

    @property
    def has_learning_rates(self) -> bool:
        """Whether anything was seen of the optimal learning rate."""
        return len(self.finished) > 0 or len(self.optimum) > 0


def observe(sweep: Sweep) -> Observations:
    """Sort the runs of a sweep by what they tell.

    Parameters
    ----------
    sweep : Sweep
        Runs of one group, optimum points, or steps to a target.

    Returns
    -------
    Observations

    Raises
    ------
    SweepError
        If the sweep holds several groups, has fewer than two usable batch sizes, or no usable run at all.
    """
    if len(sweep.groups) > 1:
        raise SweepError(
            f"A fit takes the runs of one group at a time; {sweep.source} has {len(sweep.groups)} groups, "
            f"the first {sweep.groups[0]!r}. Choose one with `sweep.select(…)` or `--group`."
        )
    sweep.require_fittable()
    none = np.zeros(len(sweep), dtype=bool)
    if sweep.kind == "optimum_points":
        finished = diverged = censored = none
        optimum, ceiling = ~none, np.nan
    else:
        finished, diverged, optimum = sweep.is_finished & np.isfinite(sweep.loss), sweep.is_diverged, none
        ceiling = _ceiling(sweep.loss[finished])
        censored = finished & (sweep.loss > ceiling)
        finished = finished & ~censored
    # Without a single loss a wall has nothing to stand on: such runs are here for their steps.
    wall = finished | diverged if finished.any() else none
    reached, missed = sweep.steps_when_reached, sweep.steps_when_missed
    steps, ended = choose_runs(sweep.batch_size, sweep.learning_rate, reached, missed)
    used = finished | wall | censored | optimum | steps | ended
    batch_size = np.unique(sweep.batch_size[used])
    runs = _Picker(sweep, batch_size)
    observed = runs.pick(finished, sweep.loss, sweep.loss_se)
    return Observations(
        batch_size=batch_size,
        finished=observed,
        censored=runs.pick(censored, np.full(len(sweep), ceiling), None),
        wall=runs.pick(wall, diverged.astype(np.float64), None),
        optimum=runs.pick(optimum, np.log(sweep.learning_rate), _optimum_se(sweep)),
        steps=runs.pick(steps, np.log(reached), None),
        censored_steps=runs.pick(ended, np.log(missed), None),
        unused=tuple((sweep.run_id[i], _why_unused(sweep, i)) for i in np.flatnonzero(~used)),
        scales=_scales(sweep, batch_size, observed),
    )


def require_learning_rates(sweep: Sweep) -> None:
    """Refuse a sweep that says nothing of the optimal learning rate.

    Raises
    ------
    SweepError
        Naming the columns that are missing.
    """
    if observe(sweep).has_learning_rates:
        return
    lacking = "learning rates" if sweep.kind == "steps_to_target" else "losses"
    columns = "'learning_rate' and 'loss'" if sweep.kind == "steps_to_target" else "'loss'"
    raise SweepError(
        "Optimal learning rates are read off runs with learning rates and losses, or published optima; the "
        f"{plural(len(sweep), 'run')} of {sweep.source} have steps to a target and no {lacking}. Add the "
        f"columns {columns}. What the steps tell, the critical batch size, `surge_fit.fit` (command line: "
        "surge-fit fit) tells."
    )


def _why_unused(sweep: Sweep, index: np.intp) -> str:
    if np.isfinite(sweep.steps_when_reached[index]):
        return "not at the best learning rate"
    if sweep.steps_to_target is not None and sweep.status[index] != "diverged":
        return "target not reached"
    return "no loss" if sweep.status[index] == "finished" else sweep.status[index]


@dataclass(frozen=True, slots=True)
class _Picker:
    sweep: Sweep
    batch_size: FloatArray

    def pick(self, mask: NDArray[np.bool_], value: FloatArray, se: FloatArray | None) -> Runs:
        index = np.flatnonzero(mask)
        return Runs(
            id=tuple(self.sweep.run_id[i] for i in index),
            batch_index=np.searchsorted(self.batch_size, self.sweep.batch_size[index]).astype(np.int64),
            log_learning_rate=np.log(self.sweep.learning_rate[index]),
            value=np.asarray(value[index], dtype=np.float64),
            se=np.zeros(len(index)) if se is None else np.nan_to_num(se[index], nan=0.0),
        )


def _optimum_se(sweep: Sweep) -> FloatArray:
    """Standard error of log lr*: as published, and that of a maximum read off a grid (uniform)."""
    variance = np.zeros(len(sweep))
    if sweep.log_learning_rate_se is not None:
        variance += np.nan_to_num(sweep.log_learning_rate_se, nan=0.0) ** 2
    if sweep.grid_step is not None:
        variance += np.nan_to_num(sweep.grid_step, nan=0.0) ** 2 / 12
    return np.asarray(np.sqrt(variance))


def _ceiling(loss: FloatArray) -> float:
    """The loss from which on a run only says that it was bad."""
    if not len(loss):
        return np.inf
    median = float(np.median(loss))
    depth = median - float(loss.min())
    return median + HUGE_LOSS * depth if depth > 0 else np.inf


def _scales(sweep: Sweep, batch_size: FloatArray, finished: Runs) -> Scales:
    count = len(batch_size)
    best_loss, best_rate = np.full(count, np.nan), np.full(count, np.nan)
    step = np.full(count, 2 * DEFAULT_GRID_STEP)
    depths, distances = [], []
    for b in range(count):
        here = finished.batch_index == b
        rate, loss = finished.log_learning_rate[here], finished.value[here]
        if not len(loss):
            continue
        best = int(np.argmin(loss))
        best_loss[b], best_rate[b] = loss[best], rate[best]
        tried = np.log(sweep.learning_rate[sweep.batch_size == batch_size[b]])
        step[b] = _distance_to_neighbours(tried, rate[best])
        depth, distance = float(np.median(loss) - loss[best]), float(np.median(np.abs(rate - rate[best])))
        if depth > 0 and distance > 0:
            depths.append(depth)
            distances.append(distance)
    curvature = 2 * float(np.median(depths)) / float(np.median(distances)) ** 2 if depths else 1.0
    centre = (
        np.log(sweep.learning_rate) if sweep.kind == "optimum_points" else best_rate[~np.isnan(best_rate)]
    )
    reached = sweep.steps_when_reached[np.isfinite(sweep.steps_when_reached)]
    mean_best = float(best_loss[~np.isnan(best_loss)].mean()) if depths else 0.0
    return Scales(
        log_batch_size_spread=float(np.ptp(np.log(batch_size))) / 2,
        log_learning_rate=float(centre.mean()) if len(centre) else np.nan,
        curvature=curvature,
        best_loss=np.nan_to_num(best_loss, nan=mean_best),
        gap=0.5 * curvature * (step / 2) ** 2,
        log_fewest_steps=float(np.log(reached.min())) if len(reached) else np.nan,
    )


def _distance_to_neighbours(tried: FloatArray, best: float) -> float:
    """From the best learning rate to its farther neighbour in the grid; doubled on the grid's edge."""
    below, above = tried[tried < best], tried[tried > best]
    sides = ([best - below.max()] if len(below) else []) + ([above.min() - best] if len(above) else [])
    if not sides:
        return 2 * DEFAULT_GRID_STEP
    return float(max(sides)) * (1.0 if len(sides) == 2 else 2.0)
