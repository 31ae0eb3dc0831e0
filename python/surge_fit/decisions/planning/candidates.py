"""Which runs are weighed: single runs at tried batch sizes, blocks of one to three at new ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from surge_fit._support.arguments import positive_number
from surge_fit._support.intervals import Interval
from surge_fit.errors import InputError
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray

RATES = 7
"""Learning rates at each batch size."""

_MARGIN = 1.0
"""How far they reach beyond the optimum's central 90 % interval, in log units: a valley is flat at its
bottom, so the runs that tell where it lies are those on its flanks."""

_FAR = 8.0
"""Batch sizes further apart than this factor have another one tried between them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Runs at one batch size that are chosen together.

    Attributes
    ----------
    batch_size : float
    learning_rates : tuple of float
        In the order to make them.
    """

    batch_size: float
    learning_rates: tuple[float, ...]


def default_runs(posterior: Posterior, targets: FloatArray) -> list[tuple[float, float]]:
    """Spread runs over the tried batch sizes, the targets and the gaps between them.

    Parameters
    ----------
    posterior : Posterior
    targets : ndarray, shape (target,)

    Returns
    -------
    list of (batch size, learning rate)
        Rates of two digits around the predicted optimum.
    """
    known = np.unique(np.concatenate([posterior.observations.batch_size, targets]))
    # Between far neighbours, near their geometric mean: a power of two times the smaller.
    between = [
        low * 2.0 ** math.ceil(math.log2(high / low) / 2)
        for low, high in pairwise(known)
        if high / low > _FAR
    ]
    sizes = np.unique(np.concatenate([known, between]))
    optimum = posterior.log_optimal_learning_rate(sizes)
    runs = []
    for j, size in enumerate(sizes):
        likely = Interval.of(optimum[:, j], tail=0.05)
        rates = np.exp(np.linspace(likely.low - _MARGIN, likely.high + _MARGIN, RATES))
        runs += [(float(size), float(f"{rate:.1e}")) for rate in rates]
    return runs


def given_runs(candidates: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Check the runs that a user can make.

    Raises
    ------
    InputError
        If there is none, or one is not a pair of positive finite numbers.
    """
    runs = []
    for position, pair in enumerate(candidates):
        try:
            size, rate = map(positive_number, pair)
        except (TypeError, ValueError):
            size = rate = None
        if size is None or rate is None:
            msg = (
                "'candidates' must be pairs of a positive batch size and a positive learning rate; "
                f"got {pair!r} at index {position}."
            )
            raise InputError(msg)
        runs.append((size, rate))
    if not runs:
        msg = "'candidates' must hold at least one (batch size, learning rate); got none."
        raise InputError(msg)
    return runs


def blocks_of(runs: Sequence[tuple[float, float]], tried: FloatArray) -> list[Block]:
    """Group runs into what is chosen at once.

    Where the floor of the loss is unknown a run alone says little of the optimum: at new batch sizes there
    are also all pairs of rates, and all triples at even distances, the outer rates first.

    Parameters
    ----------
    runs : sequence of (batch size, learning rate)
    tried : ndarray
        Batch sizes of the sweep.

    Returns
    -------
    list of Block
    """
    blocks = []
    for size in sorted({size for size, _ in runs}):
        rates = sorted({rate for at, rate in runs if at == size})
        blocks += [Block(size, (rate,)) for rate in rates]
        if size not in tried:
            blocks += [Block(size, pair) for pair in combinations(rates, 2)]
            blocks += [
                Block(size, (rates[middle - step], rates[middle + step], rates[middle]))
                for middle in range(1, len(rates) - 1)
                for step in range(1, min(middle, len(rates) - 1 - middle) + 1)
            ]
    return blocks
