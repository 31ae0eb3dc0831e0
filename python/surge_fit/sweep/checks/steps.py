"""Checks of what weakens a fit of steps to a target loss."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surge_fit._support.wording import listing, number, plural
from surge_fit.sweep.best_steps import choose_runs
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.typing import FloatArray

_HALF_WAY = -0.5
"""Exponent of the steps in the batch size at the critical one: d log S/d log B = −1/(1 + B/B_crit)."""


_RISE = 0.1
"""Rise in log steps between neighbouring batch sizes that replicates hardly explain."""


@dataclass(frozen=True)
class _Curve:
    """The steps to the target of one group: geometric means over replicates, batch sizes ascending."""

    group: str
    batch_sizes: FloatArray
    log_steps: FloatArray

    def slope(self, low: int, high: int) -> float:
        """Exponent between two batch sizes."""
        run = np.log(self.batch_sizes[high] / self.batch_sizes[low])
        return float((self.log_steps[high] - self.log_steps[low]) / run)


def check_steps(sweep: SweepColumns) -> list[Finding | None]:
    """Return the findings about the steps to a target that a sweep holds, None for what was not found."""
    curves = list(_curves(sweep))
    return [
        _never_reached(sweep, curves),
        _several_targets(sweep),
        _few_batch_sizes_reached(curves),
        _rising(curves),
        _critical_batch_size_not_bracketed(curves),
        _target_not_reached(sweep),
    ]


def _curves(sweep: SweepColumns) -> Iterator[_Curve]:
    for label in sweep.groups or ("",):
        held = sweep.select(label) if label else sweep
        steps = held.steps_when_reached
        chosen, _ = choose_runs(held.batch_size, held.learning_rate, steps, np.full(len(held), np.nan))
        sizes, which = np.unique(held.batch_size[chosen], return_inverse=True)
        total = np.bincount(which, weights=np.log(steps[chosen]), minlength=sizes.size)
        yield _Curve(label, sizes, total / np.maximum(np.bincount(which, minlength=sizes.size), 1))


def _never_reached(sweep: SweepColumns, curves: list[_Curve]) -> Finding | None:
    if sweep.kind != "steps_to_target" or any(curve.batch_sizes.size for curve in curves):
        return None
    return Finding(
        "no_usable_run",
        "error",
        f"Steps to a target need runs that reached it; none of the {plural(len(sweep), 'run')} of "
        f"{sweep.source} did.",
        "Add runs that did, or correct the columns 'steps_to_target' and 'status'.",
    )


def _several_targets(sweep: SweepColumns) -> Finding | None:
    if sweep.target_loss is None:
        return None
    for label in sweep.groups or ("",):
        held = sweep.select(label).target_loss if label else sweep.target_loss
        assert held is not None
        targets = np.unique(held[np.isfinite(held)])
        if targets.size > 1:
            return Finding(
                "several_targets",
                "error" if sweep.kind == "steps_to_target" else "warning",
                f"Steps to different targets do not lie on one curve; {f'group {label!r} of ' * bool(label)}"
                f"{sweep.source} has the target losses {listing([number(x) for x in targets], 6)}.",
                "Make groups of one target each, by group_by='target_loss' (command line: --group-by "
                "target_loss) or by what the targets belong to, such as a model size.",
            )
    return None


def _few_batch_sizes_reached(curves: list[_Curve]) -> Finding | None:
    few = [curve for curve in curves if curve.batch_sizes.size in (1, 2)]
    if not few:
        return None
    return Finding(
        "few_batch_sizes_reached",
        "warning",
        f"The target was reached at fewer than three batch sizes{_groups(few)}.",
        "Two cannot show how well the law of the steps fits: add more, a factor of 4 or so apart.",
    )


def _critical_batch_size_not_bracketed(curves: list[_Curve]) -> Finding | None:
    judged = [curve for curve in curves if curve.batch_sizes.size >= 3]
    below = [curve for curve in judged if curve.slope(-2, -1) < _HALF_WAY]
    above = [curve for curve in judged if curve.slope(0, 1) > _HALF_WAY]
    said = []
    if below:
        end = number(below[0].batch_sizes[-1])
        said.append(
            f"steps still fall faster than 1/√B at the largest batch size tried{_end(end, below, judged)}"
        )
    if above:
        end = number(above[0].batch_sizes[0])
        said.append(
            f"steps fall more slowly than 1/√B at the smallest batch size tried{_end(end, above, judged)}"
        )
    if not said:
        return None
    sentence = listing(said)
    where = [word for word, there in (("larger", below), ("smaller", above)) if there]
    return Finding(
        "critical_batch_size_not_bracketed",
        "warning",
        f"{sentence[0].upper()}{sentence[1:]}: the critical batch size is not bracketed.",
        f"Add {listing(where)} batch sizes, or read it as a bound.",
    )


def _rising(curves: list[_Curve]) -> Finding | None:
    """Find steps that rise with the batch size, which no law of a tuned rate lets them do."""
    rising: list[_Curve] = []
    places: list[str] = []
    for curve in curves:
        up = np.flatnonzero(np.diff(curve.log_steps) > _RISE)
        if up.size:
            rising.append(curve)
            low, high = (number(curve.batch_sizes[up[0] + end]) for end in (0, 1))
            places.append(f"from batch size {low} to {high}")
    if not rising:
        return None
    return Finding(
        "steps_rise_with_batch_size",
        "warning",
        f"Steps to the target rise {places[0]}{_groups(rising)}; at the best learning rate of each batch "
        "size they can only fall.",
        "The rate was not tuned there, or the target was reached by luck before: add learning rates, or "
        "leave that batch size out.",
    )


def _target_not_reached(sweep: SweepColumns) -> Finding | None:
    missed = sweep.steps_when_missed
    count = int(np.isfinite(missed).sum())
    if not count:
        return None
    return Finding(
        "target_not_reached",
        "note",
        f"{count} of {plural(len(sweep), 'run')} ended without reaching the target.",
        "They are kept: the target needs more steps there than they ran.",
    )


def _end(size: str, there: list[_Curve], judged: list[_Curve]) -> str:
    return f", {size}" if len(judged) == 1 else _groups(there)


def _groups(curves: list[_Curve]) -> str:
    names = [f"'{curve.group}'" for curve in curves if curve.group]
    return f" in {'group' if len(names) == 1 else 'groups'} {listing(names, 3)}" if names else ""
