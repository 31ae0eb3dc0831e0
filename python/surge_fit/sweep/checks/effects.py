"""Whether batch size and learning rate show any effect on the losses, beyond their scatter.

A permutation test on ranks. At each learning rate the losses are ranked over the batch sizes. Where the batch
size has an effect, the ranks follow a parabola in its logarithm, and neighbouring learning rates rank alike;
shuffling the batch sizes within each learning rate shows how much of either is scatter. The same test with
the two exchanged asks whether any learning rate matters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.typing import FloatArray, IndexArray

_PERMUTATIONS = 199
_SIGNIFICANCE = 0.1
"""An effect counts as seen below this p-value."""

_LEAST_SHARE = 0.25
"""With many runs the smallest effect is significant: so much of what chance leaves over it must explain."""

_FEWEST_RUNS, _FEWEST_AT_THREE, _MOST_RUNS = 15, 24, 20_000
"""With fewer (where three levels were tried at once, and where more were) the test has no power; with more it
takes long, and no effect would be too small to see."""


@dataclass(frozen=True, slots=True, eq=False)
class _Stratum:
    """The runs at one level of the factor that is held fixed.

    Attributes
    ----------
    group : int
    levels : ndarray, shape (level,)
        Of the factor in question, in log units.
    ranks : ndarray, shape (order, level)
        Centred ranks of the mean outcome; as observed, then permuted.
    """

    group: int
    levels: FloatArray
    ranks: FloatArray


@dataclass(frozen=True, slots=True)
class _Effect:
    """How much of the ranks a factor explains.

    Attributes
    ----------
    p_value : float
        Share of the permutations that show as much, in whichever way shows more, times two ways.
    share : float
        Explained share of the sum of squares, 0 for what chance explains on average, 1 for all of it, and 1
        where nobody can tell.
    """

    p_value: float
    share: float

    @property
    def is_seen(self) -> bool:
        return self.p_value < _SIGNIFICANCE and self.share > _LEAST_SHARE


def check_effects(sweep: SweepColumns) -> list[Finding | None]:
    """Return the findings about effects that do not show, None for what was not found."""
    usable = np.flatnonzero(np.isfinite(sweep.outcome) & np.isfinite(sweep.learning_rate))
    if not _FEWEST_RUNS <= len(usable) <= _MOST_RUNS:
        return [None, None]
    group = sweep.group_index[usable]
    size, rate = np.log(sweep.batch_size[usable]), np.log(sweep.learning_rate[usable])
    outcome = sweep.outcome[usable]
    of_size = _effect(list(_strata(group, rate, size, outcome, fewest_levels=3)))
    # Three rates around the best one rank like any other three.
    of_rate = _effect(list(_strata(group, size, rate, outcome, fewest_levels=4)))
    return [
        None if of_size is None or of_size.is_seen else _no_effect_of_batch_size(of_size),
        None if of_rate is None or of_rate.is_seen else _no_effect_of_learning_rate(of_rate),
    ]


def _no_effect_of_batch_size(effect: _Effect) -> Finding:
    return Finding(
        "no_effect_of_batch_size",
        "warning",
        "Batch size shows no effect: at equal learning rates the losses do not move with it beyond their "
        f"scatter (permutation test, p = {effect.p_value:.2g}).",
        "Make sure that the training script applied it: do times or numbers of steps change with it?",
    )


def _no_effect_of_learning_rate(effect: _Effect) -> Finding:
    return Finding(
        "no_effect_of_learning_rate",
        "warning",
        "Learning rate shows no effect: at equal batch sizes the losses do not move with it beyond their "
        f"scatter (permutation test, p = {effect.p_value:.2g}).",
        "Make sure that the training script applied it; if it did, try rates much farther apart.",
    )


def _strata(
    group: IndexArray, fixed: FloatArray, varied: FloatArray, outcome: FloatArray, *, fewest_levels: int
) -> Iterator[_Stratum]:
    """Yield the strata of all groups, in the order of group and fixed level."""
    rng = np.random.default_rng(0)
    order = np.lexsort((fixed, group))
    ends = (np.diff(group[order]) != 0) | (np.diff(fixed[order]) != 0)
    for here in np.split(order, np.flatnonzero(ends) + 1):
        levels, which = np.unique(varied[here], return_inverse=True)
        if levels.size < fewest_levels:
            continue
        mean = np.bincount(which, weights=outcome[here]) / np.bincount(which)
        ranks = np.argsort(np.argsort(mean)) - 0.5 * (levels.size - 1)
        permuted = rng.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)
        yield _Stratum(int(group[here[0]]), levels, np.vstack([ranks, permuted]))


def _effect(strata: Sequence[_Stratum]) -> _Effect | None:
    """Test whether the levels explain the ranks; None where too little is known."""
    # A parabola through three levels explains whatever ranks they have.
    telling = [stratum for stratum in strata if stratum.levels.size > 3]
    fewest = _FEWEST_RUNS if telling else _FEWEST_AT_THREE
    if sum(stratum.levels.size for stratum in strata) < fewest:
        return None
    explained = sum((_explained(stratum) for stratum in telling), start=np.zeros(_PERMUTATIONS + 1))
    alike = np.zeros(_PERMUTATIONS + 1)
    for one, next_one in pairwise(strata):
        if one.group == next_one.group:
            alike += _alike(one, next_one)
    # Either may show it; the observed order is one of those that chance could have given.
    p_value = min(1.0, 2 * min(float((shown >= shown[0] - 1e-9).mean()) for shown in (explained, alike)))
    if not telling:
        return _Effect(p_value, 1.0)
    total = sum(float((stratum.ranks[0] ** 2).sum()) for stratum in telling)
    by_chance = float(explained[1:].mean())
    return _Effect(p_value, (float(explained[0]) - by_chance) / (total - by_chance))


def _explained(stratum: _Stratum) -> FloatArray:
    """Sum of squares of ranks, shape (order,), that a parabola in the levels explains."""
    x = stratum.levels - stratum.levels.mean()
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, x**2], axis=1))
    return np.asarray(((stratum.ranks @ basis[:, 1:]) ** 2).sum(axis=1))


def _alike(one: _Stratum, other: _Stratum) -> FloatArray:
    """Inner product of the ranks, shape (order,), over the levels that two strata share."""
    _, here, there = np.intersect1d(one.levels, other.levels, return_indices=True)
    return np.asarray((one.ranks[:, here] * other.ranks[:, there]).sum(axis=1))
