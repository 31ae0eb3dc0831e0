"""Whether batch size and learning rate show any effect on the losses, beyond their scatter.

A permutation test on ranks: at each learning rate the losses are ranked over the batch sizes and regressed on
the log batch size and its square; shuffling the batch sizes within each learning rate shows how much of that
is scatter. The same test with the two exchanged asks whether any learning rate matters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns
from surge_fit.typing import FloatArray, IndexArray

_PERMUTATIONS = 199
_SIGNIFICANCE = 0.05
"""An effect counts as seen below this p-value."""

_LEAST_SHARE = 0.25
"""With many runs the smallest effect is significant: it must explain this share of what chance leaves over."""

_FEWEST_RUNS, _MOST_RUNS = 12, 20_000
"""With fewer the test has no power, with more it takes long and no effect would be too small to see."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """How much of the ranks a factor explains.

    Attributes
    ----------
    p_value : float
        Share of the permutations that explain as much.
    share : float
        Explained share of the sum of squares, 0 for what chance explains on average, 1 for all of it.
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
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield levels of the varied factor and centred ranks of the mean outcome there, for each fixed level."""
    _, stratum = np.unique(np.stack([group, fixed]), axis=1, return_inverse=True)
    order = np.argsort(stratum.ravel(), kind="stable")
    for here in np.split(order, np.flatnonzero(np.diff(stratum.ravel()[order])) + 1):
        levels, which = np.unique(varied[here], return_inverse=True)
        if levels.size < fewest_levels:
            continue
        mean = np.bincount(which, weights=outcome[here]) / np.bincount(which)
        ranks = np.argsort(np.argsort(mean)).astype(np.float64)
        yield levels, ranks - ranks.mean()


def _effect(strata: Sequence[tuple[FloatArray, FloatArray]]) -> _Effect | None:
    """Test whether the levels explain the ranks; None where too little is known."""
    if sum(len(ranks) for _, ranks in strata) < _FEWEST_RUNS:
        return None
    rng = np.random.default_rng(0)
    explained, total = np.zeros(_PERMUTATIONS + 1), 0.0
    for levels, ranks in strata:
        orders = rng.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)
        explained += _explained(levels, np.vstack([ranks, orders]))
        total += float((ranks**2).sum())
    by_chance = float(explained[1:].mean())
    # The observed order is one of those that chance could have given.
    p_value = float((explained >= explained[0] * (1 - 1e-12)).mean())
    return _Effect(p_value, (float(explained[0]) - by_chance) / (total - by_chance))


def _explained(levels: FloatArray, ranks: FloatArray) -> FloatArray:
    """Sum of squares of ranks, shape (order, level), that a parabola explains; of three levels, a line."""
    x = levels - levels.mean()
    terms = [np.ones_like(x), x, x**2][: 2 if x.size == 3 else 3]
    basis, _ = np.linalg.qr(np.stack(terms, axis=1))
    return np.asarray(((ranks @ basis[:, 1:]) ** 2).sum(axis=1))
