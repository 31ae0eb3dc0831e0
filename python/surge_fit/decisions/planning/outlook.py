"""Fantasies of every run that a plan may choose, simulated once, and the knowledge after some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.planning import information
from surge_fit.decisions.planning.information import Matrix
from surge_fit.decisions.planning.predictive import Floor, Prospect, SurfaceDraws, fantasize, predict_surface
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray

OUTCOMES, BELIEVED = 300, 800
"""Number of fantasies, and of draws that are weighed by each; fewer where the posterior has fewer draws."""

_COARSER = 3
"""A coarse outlook has so many times fewer outcomes and draws."""

_ACTIONS, _REACH = 64, 0.75
"""Learning rates that may be recommended at a target, and how far they reach beyond the optimum's draws."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Knowledge after the fantasies of the runs so far, whatever their order.

    Attributes
    ----------
    log_likelihood : ndarray of float32, shape (outcome, draw)
    floors : mapping of batch size to Floor
    """

    log_likelihood: Matrix
    floors: Mapping[float, Floor]

    def after(self, outlook: Outlook, batch_size: float, learning_rates: Sequence[float]) -> State:
        """Return what is known after more runs at one batch size."""
        known, floor = self.log_likelihood, self.floors[batch_size]
        for rate in learning_rates:
            seen, floor = outlook.prospects[batch_size, rate].learn(floor)
            known = known + seen
        return State(known, {**self.floors, batch_size: floor})

    def coarse(self) -> State:
        """Return what `Outlook.coarse` knows in this state."""
        floors = {
            size: Floor(*map(_coarse, (floor.mean, floor.variance))) for size, floor in self.floors.items()
        }
        return State(_coarse(self.log_likelihood), floors)


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Fantasies of every run that might be made, and what is at stake.

    Attributes
    ----------
    prospects : mapping of (batch size, learning rate) to Prospect
    start : State
        Before any run.
    regrets : tuple of ndarray of float32, each (draw, action)
        One for each target.
    log_optimum : ndarray, shape (draw, target)
    likely_rate : mapping of batch size to float
        Median of the optimal learning rate.
    """

    prospects: Mapping[tuple[float, float], Prospect]
    start: State
    regrets: tuple[Matrix, ...]
    log_optimum: FloatArray
    likely_rate: Mapping[float, float]

    def coarse(self) -> Outlook:
        """Return the same with a share of the outcomes and of the draws."""
        return Outlook(
            prospects={
                run: Prospect(*(_coarse(getattr(prospect, field.name)) for field in fields(Prospect)))
                for run, prospect in self.prospects.items()
            },
            start=self.start.coarse(),
            regrets=tuple(np.ascontiguousarray(table[::_COARSER]) for table in self.regrets),
            log_optimum=self.log_optimum[::_COARSER],
            likely_rate=self.likely_rate,
        )

    @property
    def expected_regret(self) -> float:
        """Expected regret of the best rates before any run, averaged over the targets [loss]."""
        return information.least_regret(self.regrets)

    @property
    def interval_width(self) -> float:
        """Width log(high/low) of the optimum's interval before any run, averaged over the targets."""
        return information.interval_width(None, self.log_optimum, PROBABILITY)

    def value(self, state: State) -> float:
        """Value of the information in a state: how far it shrinks the expected regret [loss]."""
        return information.value_of_information(information.weights(state.log_likelihood), self.regrets)

    def values(self, state: State, batch_size: float, blocks: Sequence[Sequence[float]]) -> list[float]:
        """Return `value` after each block of learning rates; all at once, in Rust."""
        rates = sorted({rate for block in blocks for rate in block})
        position = {rate: i for i, rate in enumerate(rates)}
        floor = state.floors[batch_size]
        known = {
            "log_likelihood": state.log_likelihood,
            "floor_mean": floor.mean,
            "floor_variance": floor.variance,
        }
        runs = [self.prospects[batch_size, rate] for rate in rates]
        prospects = [{f.name: getattr(run, f.name).ravel() for f in fields(Prospect)} for run in runs]
        positions = [[position[rate] for rate in block] for block in blocks]
        return _core.values_of_blocks(known, prospects, positions, self.regrets)

    def interval_width_after(self, state: State) -> float:
        """Width log(high/low) of the optimum's interval in a state: mean over fantasies and targets."""
        return information.interval_width(
            information.weights(state.log_likelihood), self.log_optimum, PROBABILITY
        )


def outlook_of(
    posterior: Posterior, targets: FloatArray, runs: Sequence[tuple[float, float]], random_seed: int
) -> Outlook:
    """Fantasize the outcomes of runs.

    Parameters
    ----------
    posterior : Posterior
        A fit of losses.
    targets : ndarray, shape (target,)
        Batch sizes.
    runs : sequence of (batch size, learning rate)
    random_seed : int

    Returns
    -------
    Outlook
    """
    rng = np.random.default_rng(random_seed)
    sizes = np.unique(np.concatenate([targets, [size for size, _ in runs]]))
    everything = predict_surface(posterior, sizes)
    order = rng.permutation(len(everything.noise))
    outcomes = min(OUTCOMES, len(order) // 3)
    truth = everything.take(order[:outcomes])
    truth = replace(truth, floor=truth.floor + truth.floor_sd * rng.standard_normal(truth.floor.shape))
    believed = everything.take(order[outcomes : outcomes + BELIEVED])
    index = {float(size): j for j, size in enumerate(sizes)}
    at = [index[float(target)] for target in targets]
    return Outlook(
        prospects={run: fantasize(truth, believed, index[run[0]], run[1], rng) for run in sorted(set(runs))},
        start=State(
            np.zeros((outcomes, len(believed.noise)), dtype=np.float32),
            {size: _floor(believed, j) for size, j in index.items()},
        ),
        regrets=tuple(believed.regret(j, _actions(believed.log_optimum[:, j])) for j in at),
        log_optimum=believed.log_optimum[:, at],
        likely_rate={
            size: float(np.exp(np.median(everything.log_optimum[:, j]))) for size, j in index.items()
        },
    )


def _coarse(values: NDArray[Any]) -> NDArray[Any]:
    """Every third outcome and draw of something of shape (outcome, draw), each of which may be 1."""
    return np.ascontiguousarray(values[::_COARSER, ::_COARSER])


def _floor(believed: SurfaceDraws, size: int) -> Floor:
    mean, variance = believed.floor[None, :, size], believed.floor_sd[None, :, size] ** 2
    return Floor(mean.astype(np.float32), variance.astype(np.float32))


def _actions(log_optimum: FloatArray) -> FloatArray:
    low, high = np.quantile(log_optimum, [0.005, 0.995])
    return np.linspace(low - _REACH, high + _REACH, _ACTIONS)
