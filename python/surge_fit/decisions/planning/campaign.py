"""Posterior → `NextRuns`: runs chosen one block after another, each valued given those before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from surge_fit._support.arguments import require_batch_sizes, require_positive
from surge_fit.decisions.known_batch_sizes import require_known_batch_sizes
from surge_fit.decisions.planning.candidates import Block, blocks_of, default_runs, given_runs
from surge_fit.decisions.planning.costs import Cost, cost_of
from surge_fit.decisions.planning.outlook import Outlook, State, outlook_of
from surge_fit.decisions.planning.value import NextRun, NextRuns
from surge_fit.decisions.planning.wording import Familiar, advice, reason
from surge_fit.errors import InputError
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray

MIN_SHRINKAGE, MIN_NOISE = 0.05, 0.1
"""Least value that counts as something: a share of the expected regret, a multiple of one run's noise."""

SCREENED = 300
"""Blocks beyond which only the most promising are valued with all outcomes and draws."""

_KEPT = 30
"""How many of them by value per cost, and as many by value."""


def next_runs(
    posterior: Posterior,
    *,
    batch_size: float | Sequence[float],
    candidates: Iterable[tuple[float, float]] | None = None,
    cost: str | Cost | None = None,
    count: int = 4,
    worth: float | None = None,
    random_seed: int = 0,
) -> NextRuns:
    """Choose the runs to make next: those that shrink the expected regret most per unit of cost.

    Parameters
    ----------
    posterior : Posterior
        The fit of runs with losses, from `surge_fit.fit`.
    batch_size : float or sequence of float
        The targets: batch sizes that need a learning rate, in the sweep's batch unit.
    candidates : iterable of (float, float), optional
        Batch size and learning rate of every run that can be made. By default seven rates around the
        predicted optimum at each batch size tried, each target, and between them where they are far apart.
    cost : str or callable, optional
        Cost of a run: a column of the sweep such as ``"tokens"`` (the mean at the nearest batch size that
        has it), or a function of batch size and learning rate. By default every run costs 1.
    count : int
        Maximum number of runs to choose; fewer where more would add nothing.
    worth : float, optional
        The cost that a reduction of the loss at the targets by one nat is worth; decides when to stop.
    random_seed : int

    Returns
    -------
    NextRuns

    Raises
    ------
    InputError
        If no losses were fitted, an argument is out of its range, or the posterior pools several groups or
        describes a group that was never run (`Posterior.group`).

    Notes
    -----
    The value of a run is the expected value of sample information (Raiffa and Schlaifer 1961): how far its
    outcome, loss or divergence, is expected to shrink the least expected regret, averaged over the targets.
    It is computed from the posterior predictive by reweighting the draws; see
    `surge_fit.decisions.planning.information`. Runs are chosen greedily by value per cost, each given the
    runs before it; those that shrink the expected regret by less than 5 % or a tenth of the noise of one run
    come last, however cheap. At batch sizes never tried, where the floor of the loss is unknown, two or three
    runs are also weighed together. Of more than 300 runs and blocks all are valued by a third of the outcomes
    and draws, and the best 30 to 60 by all of them. Stop means that the first choice is not worth its cost
    or, without `worth`, that none shrinks the expected regret by that much.

    Examples
    --------
    >>> plan = sf.next_runs(
    ...     posterior, batch_size=4096, candidates=[(4096, 1e-2), (4096, 3e-2), (4096, 1e-1)], count=2
    ... )
    >>> len(plan.runs), plan.stop
    (2, False)
    >>> plan.runs[1].expected_regret_after < plan.expected_regret
    True
    """
    targets = require_batch_sizes(np.atleast_1d(np.asarray(batch_size, dtype=np.float64)))
    require_known_batch_sizes(posterior, targets)
    _require(posterior, count, worth)
    price = cost_of(posterior, cost)
    runs = default_runs(posterior, targets) if candidates is None else given_runs(candidates)
    tried = posterior.observations.batch_size
    blocks = [block for block in blocks_of(runs, tried) if len(block.learning_rates) <= count]
    prices = {run: price(*run) for run in runs}
    outlook = outlook_of(posterior, targets, runs, random_seed)
    noise = float(np.median(posterior.draws("loss_noise")))
    chosen = _choose(outlook, blocks, prices, count, noise)
    unit = "runs" if cost is None else cost if isinstance(cost, str) else "cost"
    first = chosen[0]
    least = _something(outlook.expected_regret, noise) if worth is None else first.cost / worth
    stop = first.value < least
    return NextRuns(
        targets=tuple(targets.tolist()),
        batch_unit=posterior.sweep.batch_unit,
        runs=tuple(_run_by_run(outlook, chosen, prices, tried)),
        expected_regret=outlook.expected_regret,
        interval_width=outlook.interval_width,
        cost_unit=unit,
        stop=stop,
        advice=advice(
            stop,
            first.value,
            len(first.block.learning_rates),
            least,
            loss_unit=posterior.sweep.loss_unit,
            priced=worth is not None,
        ),
        candidates=len(blocks),
        random_seed=random_seed,
        loss_unit=posterior.sweep.loss_unit,
    )


def _require(posterior: Posterior, count: int, worth: float | None) -> None:
    posterior.require_one_group()
    if not posterior.has_own_runs:
        msg = (
            f"Next runs are planned for a group that has runs, whose losses show where its floor is; "
            f"{posterior.group_label!r} was never run. Make its first run at the recommended learning rate."
        )
        raise InputError(msg)
    if not posterior.has_surface:
        msg = (
            "Next runs are chosen from a posterior of losses; this one was fitted to optimum points, which "
            "do not show what a wrong learning rate costs. Fit the runs that they came from."
        )
        raise InputError(msg)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        msg = f"'count' must be a whole number of runs, at least 1; got {count!r}."
        raise InputError(msg)
    require_positive("worth", worth)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A block and what it is worth, given the runs chosen before it."""

    block: Block
    cost: float
    value: float

    @property
    def per_cost(self) -> float:
        return self.value / self.cost


_Prices = Mapping[tuple[float, float], float]


def _something(regret: float, noise: float) -> float:
    return max(MIN_SHRINKAGE * regret, MIN_NOISE * noise)


def _choose(
    outlook: Outlook, blocks: Sequence[Block], prices: _Prices, count: int, noise: float
) -> list[_Choice]:
    """Choose blocks greedily by value per cost.

    Blocks that are worth something come before those that are not, however cheap: else a plan of few runs
    would be spent on the cheapest ones.
    """
    state, known, chosen = outlook.start, 0.0, list[_Choice]()
    taken: set[tuple[float, float]] = set()
    while open_to := [
        block
        for block in blocks
        if len(block.learning_rates) + len(taken) <= count
        and not any((block.batch_size, rate) in taken for rate in block.learning_rates)
    ]:
        choices = _valued(outlook, state, known, _promising(outlook, state, open_to, prices), prices)
        least = _something(outlook.expected_regret - known, noise)
        worthy = [choice for choice in choices if choice.value >= least]
        best = max(worthy or choices, key=lambda choice: choice.per_cost)
        if chosen and best.value <= 0:
            break
        chosen.append(best)
        size, rates = best.block.batch_size, best.block.learning_rates
        state, known = state.after(outlook, size, rates), known + best.value
        taken |= {(size, rate) for rate in rates}
    return chosen


def _promising(outlook: Outlook, state: State, blocks: Sequence[Block], prices: _Prices) -> Sequence[Block]:
    """The blocks of most value, and of most value per cost, as a share of the outcomes and draws has it."""
    if len(blocks) <= SCREENED:
        return blocks
    outlook, state = outlook.coarse(), state.coarse()
    rough = _valued(outlook, state, outlook.value(state), blocks, prices)
    ranked = (
        sorted(rough, key=key, reverse=True)[:_KEPT] for key in (lambda c: c.per_cost, lambda c: c.value)
    )
    kept = {choice.block for best in ranked for choice in best}
    return [block for block in blocks if block in kept]


def _valued(
    outlook: Outlook, state: State, known: float, blocks: Sequence[Block], prices: _Prices
) -> list[_Choice]:
    """Value every block after the runs chosen so far."""
    choices = []
    for size, group in groupby(blocks, key=lambda block: block.batch_size):
        here = list(group)
        after = outlook.values(state, size, [block.learning_rates for block in here])
        for block, value in zip(here, after, strict=True):
            cost = sum(prices[size, rate] for rate in block.learning_rates)
            choices.append(_Choice(block, cost, value - known))
    return choices


def _run_by_run(
    outlook: Outlook, chosen: Sequence[_Choice], prices: _Prices, tried: FloatArray
) -> list[NextRun]:
    """Follow the plan run by run."""
    state, known = outlook.start, 0.0
    runs: list[NextRun] = []
    for choice in chosen:
        size = choice.block.batch_size
        familiar: Familiar = (
            "sweep" if size in tried else "plan" if any(r.batch_size == size for r in runs) else None
        )
        for position, rate in enumerate(choice.block.learning_rates):
            state = state.after(outlook, size, (rate,))
            value, width = outlook.value(state), outlook.interval_width_after(state)
            runs.append(
                NextRun(
                    batch_size=size,
                    learning_rate=rate,
                    cost=prices[size, rate],
                    expected_regret_after=outlook.expected_regret - value,
                    value=value - known,
                    value_per_cost=choice.per_cost,
                    expected_interval_width=width,
                    interval_shrinkage=width / outlook.interval_width,
                    reason=reason(
                        rate / outlook.likely_rate[size], familiar, position, len(choice.block.learning_rates)
                    ),
                )
            )
            known = value
    return runs
