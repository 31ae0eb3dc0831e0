"""Runs that are not what their siblings are: failures that nobody marked, replicates far from the others."""

from collections.abc import Iterator

import numpy as np

from surge_fit._support.wording import listing, number, plural
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.typing import FloatArray, IndexArray

_FAR = 8.0
"""Standard deviations of its siblings at which a replicate is far from them."""

_FAR_STEPS, _FAR_LOSS = 0.4, 0.25
"""And what it must differ by: in log steps, or as a share of how far the typical loss lies above the best.

Numbers of steps come in units of how often the target was looked for, so that most siblings may be equal."""

_FEWEST_REPLICATES = 4
_FEWEST_OF_A_MODE = 3
"""Replicates in each of two clusters."""

_FEWEST_FAILURES = 3
_ALIKE, _APART = 0.005, 0.2
"""Failures of one kind differ by less, and lie apart from the loss below them by more, than this share of how
far they lie above the best loss."""

_UNTRAINED = 0.25
"""How far above the best loss, as a share of it, an untrained network lies at the least."""

_MOST_NAMED = 6
_MOST_FAR = 10
"""Replicates of one set that are looked at, the farthest first."""


def check_outliers(sweep: SweepColumns) -> list[Finding | None]:
    """Return the findings about single runs, None for what was not found."""
    sets = list(_replicates(sweep))
    far, modes = _far_from_siblings(sweep, sets)
    return [_unmarked_failures(sweep), far, modes]


def _replicates(sweep: SweepColumns) -> Iterator[IndexArray]:
    """Yield the runs with an outcome that share group, batch size and learning rate, where several do."""
    usable = np.flatnonzero(sweep.outcome > 0)
    if not usable.size:
        return
    rate = np.nan_to_num(sweep.learning_rate[usable], nan=0.0)
    key = np.stack([rate, sweep.batch_size[usable], sweep.group_index[usable].astype(np.float64)])
    order = np.lexsort(key)
    ends = np.flatnonzero((np.diff(key[:, order]) != 0).any(axis=0)) + 1
    starts = np.concatenate([[0], ends])
    sizes = np.diff(np.concatenate([starts, [usable.size]]))
    for several in np.flatnonzero(sizes >= _FEWEST_REPLICATES):
        start = starts[several]
        yield usable[order[start : start + sizes[several]]]


def _far_from_siblings(sweep: SweepColumns, sets: list[IndexArray]) -> tuple[Finding | None, Finding | None]:
    """Find single replicates far from the others, and replicates that fall into two clusters."""
    far: list[int] = []
    split: list[int] = []
    for runs in sets:
        values, least = _scaled(sweep, runs)
        if least is None:
            continue
        if _has_two_clusters(values, least):
            split.append(int(runs[0]))
            continue
        distance = np.abs(values - np.median(values))
        # Where many are far from the middle none is far from its siblings.
        for index in np.argsort(-distance)[:_MOST_FAR].tolist():
            others = np.delete(values, index)
            if abs(values[index] - np.median(others)) > max(_FAR * float(others.std(ddof=1)), least):
                far.append(int(runs[index]))
    return _one_far(sweep, far), _two_clusters(sweep, split)


def _scaled(sweep: SweepColumns, runs: IndexArray) -> tuple[FloatArray, float | None]:
    """Outcomes of replicates, and the least distance that is far; None where no distance is surprising."""
    values = sweep.outcome[runs]
    if sweep.kind == "steps_to_target":
        return np.log(values), _FAR_STEPS
    group = sweep.outcome[sweep.group_index == sweep.group_index[runs[0]]]
    best, typical = float(np.nanmin(group)), float(np.nanmedian(group))
    # High rates end anywhere: only where most runs do well is a bad one surprising.
    return values, None if np.median(values) > typical else _FAR_LOSS * (typical - best)


def _has_two_clusters(values: FloatArray, least: float) -> bool:
    """Whether a gap far wider than the clusters beside it divides the values, with several on each side."""
    ordered = np.sort(values)
    if ordered.size < 2 * _FEWEST_OF_A_MODE:
        return False
    gaps = np.diff(ordered)[_FEWEST_OF_A_MODE - 1 : ordered.size - _FEWEST_OF_A_MODE]
    at = int(np.argmax(gaps)) + _FEWEST_OF_A_MODE
    within = max(float(side.std(ddof=1)) for side in (ordered[:at], ordered[at:]))
    return bool(ordered[at] - ordered[at - 1] > max(5 * within, least))


def _one_far(sweep: SweepColumns, far: list[int]) -> Finding | None:
    if not far:
        return None
    named = [
        f"'{sweep.run_id[run]}' ({number(sweep.outcome[run])} at batch size {number(sweep.batch_size[run])})"
        for run in far[:_MOST_NAMED]
    ]
    rest = len(far) - len(named)
    return Finding(
        "replicate_far_from_siblings",
        "warning",
        f"{plural(len(far), 'run')} ended far from the replicates at the same batch size and rate: "
        f"{listing([*named, f'{rest} more'] if rest else named)}.",
        "Look at them; mark what failed as 'diverged' or 'crashed', or correct the number.",
    )


def _two_clusters(sweep: SweepColumns, split: list[int]) -> Finding | None:
    if not split:
        return None
    places = [_place(sweep, run) for run in split[:_MOST_NAMED]]
    rest = len(split) - len(places)
    return Finding(
        "replicates_in_two_clusters",
        "warning",
        f"Replicates fall into two clusters at {listing([*places, f'{rest} more'] if rest else places)}.",
        "Something that the table does not group by differs between them: add it to group_by (command line: "
        "--group-by), or mark the runs that failed.",
    )


def _place(sweep: SweepColumns, run: int) -> str:
    rate = sweep.learning_rate[run]
    at_rate = "" if np.isnan(rate) else f", learning rate {number(rate)}"
    return f"batch size {number(sweep.batch_size[run])}{at_rate}"


def _unmarked_failures(sweep: SweepColumns) -> Finding | None:
    """Find finished runs that share one loss far above the others, as networks that learnt nothing do."""
    if sweep.kind != "runs":
        return None
    found: list[int] = []
    for g in range(max(len(sweep.groups), 1)):
        usable = np.flatnonzero(sweep.is_finished & np.isfinite(sweep.loss) & (sweep.group_index == g))
        found += _plateau(sweep.loss[usable], usable)
    if not found:
        return None
    losses = sweep.loss[found]
    span = listing(list(dict.fromkeys([number(losses.min()), number(losses.max())])))
    return Finding(
        "unmarked_failures",
        "warning",
        f"{plural(len(found), 'finished run')} ended at nearly one loss, {span}, far above the others: "
        "networks that have learnt nothing end so.",
        "If they failed, give them the status 'diverged'; they then tell where the cliff is.",
    )


def _plateau(loss: FloatArray, runs: IndexArray) -> list[int]:
    """Return the runs of a narrow cluster of high losses that is set apart from the rest, if there is one."""
    if loss.size < 2 * _FEWEST_FAILURES:
        return []
    order = np.argsort(loss)
    ordered = loss[order]
    best, middle = float(ordered[0]), float(np.median(ordered))
    first = np.arange(ordered.size // 2, ordered.size - _FEWEST_FAILURES + 1)
    height = ordered[first] - best
    end = np.searchsorted(ordered, ordered[first] + _ALIKE * height, side="right")
    apart = ordered[first] - ordered[first - 1] > _APART * height
    high = height > max(3 * (middle - best), _UNTRAINED * abs(best))
    plateau = np.flatnonzero((end - first >= _FEWEST_FAILURES) & apart & high)
    if not plateau.size:
        return []
    lowest = plateau[0]
    return [int(runs[index]) for index in order[first[lowest] : end[lowest]]]
