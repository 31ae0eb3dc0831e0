"""Minibatches as prefixes of permutations, and the best learning rate that they give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from surge_fit.typing import FloatArray, IndexArray

GROUPS = 9
"""Parts of the rows: their scatter tells how sure the mean gradient is, and three of them make a third."""

T_QUANTILE = 2.306
"""The 97.5 % quantile of Student's t with GROUPS − 1 degrees of freedom."""

_WINDOW = 4
"""The first rows of a permutation follow each other, so that small batches meet every row equally often."""

_NEAR = 3
"""Groups whose rows come with those of the first, before all others."""


@dataclass(frozen=True, slots=True, eq=False)
class Minibatches:
    """Which rows make which minibatch.

    Attributes
    ----------
    order : ndarray of int, shape (position,)
        Rows of the dump, shuffled; a position is a place in it.
    permutations : ndarray of uint32, shape (resample, largest size)
        Positions.
    sizes : tuple of int
        Rows of a minibatch: the first so many of each permutation.
    """

    order: IndexArray
    permutations: NDArray[np.uint32]
    sizes: tuple[int, ...]

    @property
    def group_of(self) -> IndexArray:
        """The group of each position, as the kernels cut them."""
        count = len(self.order)
        ends = [group * count // GROUPS for group in range(1, GROUPS)]
        return np.searchsorted(ends, np.arange(count), side="right").astype(np.int64)


def draw_minibatches(rows: IndexArray, sizes: tuple[int, ...], resamples: int, seed: int) -> Minibatches:
    """Draw nested minibatches without replacement.

    A permutation goes through the rows of four groups before those of the others, which batches up to four
    ninths of the rows leave untouched. Starts are spread evenly over the rows.

    Parameters
    ----------
    rows : ndarray of int, shape (position,)
        Rows of the dump that take part.
    sizes : tuple of int
        Ascending, less than the number of rows.
    resamples : int
    seed : int

    Returns
    -------
    Minibatches
    """
    random = np.random.default_rng(seed)
    order = random.permutation(rows)
    count, largest = len(order), max(sizes, default=0)
    cuts = [group * count // GROUPS for group in range(GROUPS + 1)]
    members = [np.arange(start, end) for start, end in pairwise(cuts)]
    permutations = np.empty((resamples if largest else 0, largest), dtype=np.uint32)
    for resample in range(len(permutations)):
        start = resample * count // resamples if resamples < count else resample % count
        group = int(np.searchsorted(cuts, start, side="right")) - 1
        own = np.roll(members[group], cuts[group] - start)
        others = random.permutation(np.delete(np.arange(GROUPS), group))
        near = np.concatenate([own[_WINDOW:], *(members[other] for other in others[:_NEAR])])
        far = np.concatenate([members[other] for other in others[_NEAR:]])
        whole = (own[:_WINDOW], random.permutation(near), random.permutation(far))
        permutations[resample] = np.concatenate(whole)[:largest]
    return Minibatches(order, permutations, sizes)


@dataclass(frozen=True, slots=True)
class Ratio:
    """𝔼[VᵀG]/𝔼[VᵀHV] with its standard error.

    Attributes
    ----------
    numerator, denominator : float
    log_error : float
        Standard error of the log of the ratio; NaN where it cannot be estimated.
    """

    numerator: float
    denominator: float
    log_error: float

    @property
    def value(self) -> float | None:
        """The learning rate; None where the gradient gives no descent or the curvature is not positive."""
        if self.numerator > 0 and self.denominator > 0:
            return self.numerator / self.denominator
        return None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval."""
        if self.value is None or not math.isfinite(self.log_error):
            return None
        factor = math.exp(min(T_QUANTILE * self.log_error, 700.0))
        return self.value / factor, self.value * factor


def resampled_ratio(
    size: int,
    numerators: FloatArray,
    forms: FloatArray,
    group_numerators: FloatArray,
    group_forms: FloatArray | None,
    touched: NDArray[np.bool_],
    rows: int,
) -> Ratio:
    """Give the best learning rate at one batch size, from all resamples.

    Parameters
    ----------
    size : int
        Rows of a minibatch.
    numerators : ndarray, shape (resample,)
        V·μ with μ the mean over rows that are not in the minibatch.
    forms : ndarray, shape (resample,)
        VᵀHV.
    group_numerators : ndarray, shape (resample, group)
        V·μ with μ the mean of one group.
    group_forms : ndarray, shape (resample, group), or None
        VᵀFV with F the Fisher of one group, where the curvature comes from the same rows.
    touched : ndarray of bool, shape (resample, group)
        Whether a minibatch has rows of the group.
    rows : int
        Rows that take part.

    Returns
    -------
    Ratio

    Notes
    -----
    The error has two parts. That of the directions: a mean over all minibatches of B of N rows has at most
    B/N of the variance of one of them (Hoeffding 1948), a mean over K disjoint ones 1/K. That of the mean
    gradient: the scatter over groups of what the mean direction says there, where no minibatch has touched
    the group.
    """
    numerator, denominator = float(numerators.mean()), float(forms.mean())
    if not (numerator > 0 and denominator > 0) or len(forms) < 2:
        return Ratio(numerator, denominator, math.nan)
    residual = numerators / numerator - forms / denominator
    share = 1.0 / len(forms)
    disjoint = size <= _WINDOW or size * len(forms) <= rows
    of_directions = max(share, size / rows) if disjoint else min(1.0, share + size / rows)
    variance = float(residual.var(ddof=1)) / (1.0 - size / rows) * of_directions
    says = group_numerators / numerator
    if group_forms is not None:
        says = says - group_forms / denominator
    free = ~touched
    told = free.any(axis=0)
    if told.sum() < 3:
        return Ratio(numerator, denominator, math.nan)
    means = np.where(free, says, 0.0).sum(axis=0)[told] / free.sum(axis=0)[told]
    variance += float(means.var(ddof=1)) / GROUPS * rows / (rows - size)
    return Ratio(numerator, denominator, math.sqrt(variance))
