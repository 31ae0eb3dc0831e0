"""What weakens a fit: too few batch sizes and rates, optima at their ends, settings that moved with them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import listing, number, plural
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.sweep.schema import STATUSES
from surge_fit.typing import FloatArray

FEW_STEPS = 5000
"""Below about this many optimizer steps, warmup and schedule shape the optimum more than the batch size."""

_SCALED_WITH_BATCH = ("beta2", "weight_decay")
_HELD_ALIKE = ("beta1", "beta2", "weight_decay", "optimizer", "schedule")


@dataclass(frozen=True)
class _Valley:
    """The runs of one group at one batch size: the learning rates tried, and the best of them."""

    group: str
    batch_size: float
    learning_rates: FloatArray
    best: float


def check_runs(sweep: SweepColumns) -> tuple[list[Finding | None], list[Finding | None]]:
    """Return the findings about learning rates and runs, then those about batch sizes and settings."""
    valleys = [] if sweep.kind == "steps_to_target" else list(_valleys(sweep))
    about_runs = [_one_batch_size(sweep)]
    if sweep.kind == "runs":
        about_runs += [
            _no_usable_run(sweep),
            _few_learning_rates(valleys),
            _winner_on_edge(valleys),
            _without_outcome(sweep),
            _diverged(sweep),
        ]
    about_batch_sizes = [
        _few_batch_sizes(sweep, valleys),
        _peak_not_bracketed(sweep, valleys),
        _few_steps(sweep),
        _changes_with_batch_size(sweep),
        _fixed_with_batch_size(sweep),
    ]
    return about_runs, about_batch_sizes


def _one_batch_size(sweep: SweepColumns) -> Finding | None:
    if sweep.batch_sizes.size != 1:
        return None
    size = number(sweep.batch_sizes[0])
    if sweep.kind == "runs":
        return Finding(
            "one_batch_size",
            "warning",
            f"All {plural(len(sweep), 'run')} of {sweep.source} have batch size {size}: its best rate can be "
            "estimated, but not how it changes with the batch size.",
            "Add runs at other batch sizes, a factor of four or more away.",
        )
    return Finding(
        "one_batch_size",
        "error",
        f"A law of the batch size needs runs at two or more batch sizes; all {plural(len(sweep), 'run')} of "
        f"{sweep.source} have batch size {size}.",
        "Add runs at other batch sizes.",
    )


def _no_usable_run(sweep: SweepColumns) -> Finding | None:
    if np.isfinite(sweep.outcome).any():
        return None
    counts = [f"{sweep.status.count(status)} {status}" for status in STATUSES if status in sweep.status]
    found = "all diverged" if sweep.is_diverged.all() else f"none did ({listing(counts)})"
    return Finding(
        "no_usable_run",
        "error",
        f"A sweep needs runs that finished with a finite loss; of the {plural(len(sweep), 'run')} of "
        f"{sweep.source} {found if counts else 'none is left'}.",
        "Add runs at smaller learning rates, or correct the columns 'loss' and 'status'.",
    )


def _few_learning_rates(valleys: Sequence[_Valley]) -> Finding | None:
    few = [valley for valley in valleys if valley.learning_rates.size < 3]
    if not few:
        return None
    return Finding(
        "few_learning_rates",
        "warning",
        f"Fewer than three learning rates were tried at {_places(few)}.",
        "Two cannot show a valley: add learning rates there, above and below the best.",
    )


def _winner_on_edge(valleys: Sequence[_Valley]) -> Finding | None:
    # With one or two learning rates every winner is on an edge, which `_few_learning_rates` says better.
    judged = [valley for valley in valleys if valley.learning_rates.size >= 3 and np.isfinite(valley.best)]
    highest = [valley for valley in judged if valley.best == valley.learning_rates[-1]]
    lowest = [valley for valley in judged if valley.best == valley.learning_rates[0]]
    edges = [
        f"the {edge} tried at {_places(there)}"
        for edge, there in (("highest", highest), ("lowest", lowest))
        if there
    ]
    if not edges:
        return None
    beyond = [word for word, there in (("higher", highest), ("lower", lowest)) if there]
    if len(judged) > 1 and len(highest) + len(lowest) == len(judged):
        return Finding(
            "every_winner_on_edge",
            "warning",
            f"At every batch size the best learning rate is an end of the grid: {listing(edges)}. No valley "
            "has shown its bottom, and what is said of the optima is extrapolated.",
            f"Add {listing(beyond)} learning rates there before anything else.",
        )
    return Finding(
        "winner_on_edge",
        "warning",
        f"The best learning rate is {listing(edges)}: the optimum may lie beyond the grid.",
        f"Add {listing(beyond)} learning rates there.",
    )


def _few_batch_sizes(sweep: SweepColumns, valleys: Sequence[_Valley]) -> Finding | None:
    few = {group: held for group, held in _by_group(valleys).items() if len(held) < 3}
    if not few or sweep.batch_sizes.size == 1:
        return None
    return Finding(
        "few_batch_sizes",
        "warning",
        f"There are usable runs at {_places([valley for held in few.values() for valley in held])} only.",
        "A peak needs three batch sizes to bracket it: add more, a factor of 4 or so apart.",
    )


def _peak_not_bracketed(sweep: SweepColumns, valleys: Sequence[_Valley]) -> Finding | None:
    ends = {group: end for group, held in _by_group(valleys).items() if (end := _highest_at_end(held))}
    if not ends:
        return None
    where = next(iter(ends.values()))
    if len(sweep.groups) > 1:
        where = f"an end of the batch sizes tried in {_groups(ends)}"
    return Finding(
        "peak_not_bracketed",
        "warning",
        f"The best learning rate is highest at {where}: a peak, if there is one, is not bracketed.",
        "Add batch sizes beyond that end, or read the noise scale as a bound.",
    )


def _highest_at_end(valleys: Sequence[_Valley]) -> str | None:
    """Return at which end of the batch sizes of one group the best learning rate is highest, if at one."""
    if len(valleys) < 3:
        return None
    first, last = number(valleys[0].batch_size), number(valleys[-1].batch_size)
    highest = max(valley.best for valley in valleys)
    ends = (valleys[0].best == highest, valleys[-1].best == highest)
    return {
        (True, True): f"both ends of the batch sizes tried, {first} and {last}",
        (True, False): f"the smallest batch size tried, {first}",
        (False, True): f"the largest batch size tried, {last}",
    }.get(ends)


def _few_steps(sweep: SweepColumns) -> Finding | None:
    steps = sweep.steps if sweep.steps is not None else sweep.steps_to_target
    if steps is None or sweep.protocol == "one_step":
        return None
    short = sweep.is_finished & (steps < FEW_STEPS)
    if not short.any():
        return None
    return Finding(
        "few_steps",
        "note",
        f"Runs at {_sizes(sweep.batch_size[short])} finished with fewer than {FEW_STEPS} optimizer steps, "
        f"the shortest with {number(steps[short].min())}.",
        "Warmup and schedule shape so short a run, not the batch size alone.",
    )


def _changes_with_batch_size(sweep: SweepColumns) -> Finding | None:
    changing = [
        f"'{name}'"
        for name in _HELD_ALIKE
        if any(
            len(held) > 1 and not set.intersection(*held.values())
            for held in _values_by_batch_size(sweep, name).values()
        )
    ]
    if not changing:
        return None
    return Finding(
        "changes_with_batch_size",
        "warning",
        f"No value of {listing(changing)} was tried at every batch size: its effect cannot be told from "
        "that of the batch size.",
        "Read the law as one of both together, or add runs with one value at every batch size.",
    )


def _fixed_with_batch_size(sweep: SweepColumns) -> Finding | None:
    fixed: dict[str, set[Any]] = {}
    for name in _SCALED_WITH_BATCH:
        groups = [held for held in _values_by_batch_size(sweep, name).values() if len(held) > 1]
        tried = [set.union(*held.values()) for held in groups]
        if tried and all(len(values) == 1 for values in tried) and set.union(*tried) != {0.0}:
            fixed[name] = set.union(*tried)
    if not fixed:
        return None
    names = [
        f"'{name}' ({listing([number(value) for value in sorted(held)], 3)})" for name, held in fixed.items()
    ]
    return Finding(
        "fixed_with_batch_size",
        "note",
        f"{listing(names)} stayed fixed while the batch size changed.",
        "Per token it then acted differently at every batch size (arXiv:2507.07101).",
    )


def _diverged(sweep: SweepColumns) -> Finding | None:
    count = int(sweep.is_diverged.sum())
    if not count:
        return None
    return Finding(
        "diverged_runs",
        "note",
        f"{count} of {plural(len(sweep), 'run')} diverged, at {_sizes(sweep.batch_size[sweep.is_diverged])}.",
        "They are kept: they say where the learning rate is too high.",
    )


def _without_outcome(sweep: SweepColumns) -> Finding | None:
    missing = np.flatnonzero(np.isnan(sweep.outcome) & ~sweep.is_diverged & np.isnan(sweep.steps_when_missed))
    if not missing.size:
        return None
    names = [
        f"'{sweep.run_id[index]}' ({sweep.status[index] if sweep.status[index] != 'finished' else 'no loss'})"
        for index in missing[:6]
    ]
    rest = missing.size - len(names)
    return Finding(
        "runs_without_loss",
        "warning",
        f"{missing.size} of {plural(len(sweep), 'run')} did not finish with a loss: "
        f"{listing([*names, f'{rest} more'] if rest else names)}.",
        "They are kept and tell the fit nothing; finish them, or correct the columns 'loss' and 'status'.",
    )


def _valleys(sweep: SweepColumns) -> Iterator[_Valley]:
    """Yield the valley of every group and batch size, in the order of the groups, batch sizes ascending."""
    if not len(sweep):
        return
    group = _group_index(sweep)
    order = np.lexsort((sweep.learning_rate, sweep.batch_size, group))
    key = np.stack([group, sweep.batch_size])[:, order]
    starts = np.flatnonzero((np.diff(key) != 0).any(axis=0)) + 1
    outcome = sweep.outcome if sweep.kind == "runs" else -sweep.learning_rate
    labels = sweep.groups or ("",)
    for runs in np.split(order, starts):
        rates, which = np.unique(sweep.learning_rate[runs], return_inverse=True)
        best = _best(rates, which, outcome[runs])
        yield _Valley(labels[group[runs[0]]], float(sweep.batch_size[runs[0]]), rates, best)


def _best(rates: FloatArray, which: NDArray[np.intp], outcome: FloatArray) -> float:
    """Return the learning rate with the least mean outcome over its replicates, NaN without any outcome."""
    usable = np.isfinite(outcome)
    if not usable.any():
        return float("nan")
    replicates = np.bincount(which[usable], minlength=rates.size)
    total = np.bincount(which[usable], weights=outcome[usable], minlength=rates.size)
    mean = np.full(rates.size, np.inf)
    np.divide(total, replicates, out=mean, where=replicates > 0)
    return float(rates[np.argmin(mean)])


def _group_index(sweep: SweepColumns) -> NDArray[np.intp]:
    if sweep.group_labels is None:
        return np.zeros(len(sweep), dtype=np.intp)
    position = {label: index for index, label in enumerate(sweep.groups)}
    return np.array([position[label] for label in sweep.group_labels], dtype=np.intp)


def _by_group(valleys: Sequence[_Valley]) -> dict[str, list[_Valley]]:
    """Return the valleys of every group that have a best learning rate."""
    held: dict[str, list[_Valley]] = {}
    for valley in valleys:
        if np.isfinite(valley.best):
            held.setdefault(valley.group, []).append(valley)
    return held


def _values_by_batch_size(sweep: SweepColumns, name: str) -> dict[int, dict[float, set[Any]]]:
    """Return group → batch size → the distinct values of a column, blank cells left out."""
    column = getattr(sweep, name)
    if column is None:
        return {}
    _, batch = np.unique(sweep.batch_size, return_inverse=True)
    values, code = np.unique(np.asarray(column), return_inverse=True)
    held: dict[int, dict[float, set[Any]]] = {}
    for g, b, c in np.unique(np.stack([_group_index(sweep), batch, code]), axis=1).T.tolist():
        value = values[c].item()
        if value != "" and value == value:
            held.setdefault(g, {}).setdefault(b, set()).add(value)
    return held


def _places(valleys: Sequence[_Valley]) -> str:
    """Name the batch sizes of valleys, by group where there are groups."""
    by_group: dict[str, list[float]] = {}
    for valley in valleys:
        by_group.setdefault(valley.group, []).append(valley.batch_size)
    if list(by_group) == [""]:
        return _sizes(np.array(by_group[""]))
    return listing([f"{_sizes(np.array(sizes))} ({group})" for group, sizes in by_group.items()], 3)


def _sizes(batch_sizes: FloatArray) -> str:
    sizes = np.unique(batch_sizes)
    noun = "batch size" if sizes.size == 1 else "batch sizes"
    return f"{noun} {listing([number(size) for size in sizes], 10)}"


def _groups(labels: Iterable[str]) -> str:
    names = [f"'{label}'" for label in labels]
    return f"{'group' if len(names) == 1 else 'groups'} {listing(names, 3)}"
