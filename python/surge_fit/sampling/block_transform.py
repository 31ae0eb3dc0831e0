"""The geometry of a pooled posterior of many groups: blocks that depend on a common one.

Draws are too few to show how hundreds of entries depend on each other, but the density tells: given what all
groups share, they are independent, so that the curvature of the log density has one block for each group and
one for its coupling to what is shared, and a few dozen gradients give them all. What a normal approximation
gets wrong, the widths of what is shared foremost, the draws correct. One group at many batch sizes is a block
as well: neighbouring optima are nearly one.

How widths follow the scales the density tells as well: an offset that its runs pin down is a value over the
spread, a value of which they tell little is as wide as the spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from surge_fit.sampling.transform import Geometry, ridge
from surge_fit.typing import FloatArray, IndexArray

_POINTS = 16
"""Draws at which the curvature is taken; its mean is positive where that of one draw is not."""

_STEP = 0.01
"""Step of finite differences of gradients, in standard deviations."""

_CHANGE = 0.25
"""Change of the logs of scales, for the derivatives of the widths."""

_LEAST = 1e-5
"""Least eigenvalue of a block, scaled to a unit diagonal."""

_RIDGE = 0.25
"""Ridge penalty that keeps the draws' corrections near to what the density says."""

Density = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Log densities and gradients at positions of shape (point, entry)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A group given what is shared, as a normal approximation has it.

    Attributes
    ----------
    entries : ndarray of int, shape (entry,)
    root : ndarray, shape (axis, entry)
        Root of the covariance.
    slope : ndarray, shape (shared, entry)
    """

    entries: IndexArray
    root: FloatArray
    slope: FloatArray


def learn_blocks(draws: FloatArray, group_of: IndexArray, scales: IndexArray, density: Density) -> Geometry:
    """Learn the geometry of a posterior of many groups.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw, entry)
        On the unconstrained scale.
    group_of : ndarray of int, shape (entry,)
        The group of each entry, −1 for what all groups share.
    scales : ndarray of int, shape (scale,)
        Entries that are logs of scales that others follow, such as the spreads between groups.
    density : callable

    Returns
    -------
    Geometry
    """
    size = draws.shape[-1]
    common = np.setdiff1d(np.flatnonzero(group_of < 0), scales)
    shared = np.concatenate([scales, common])
    positions = draws.reshape(-1, size)
    mean, deviation = positions.mean(axis=0), np.maximum(positions.std(axis=0), 1e-9)
    few = len(scales)
    members = [np.flatnonzero(group_of == group) for group in range(int(group_of.max()) + 1)]
    curvature = _Curvature(shared, members, deviation, density)
    points = positions[np.unique(np.linspace(0, len(positions) - 1, _POINTS).astype(np.intp))]
    schur, groups = curvature.normal(points)

    # The common block given the scales, as the density has it, and then as the draws do.
    centred = positions - mean
    phi = centred[:, scales]
    root = _root(schur[few:, few:], deviation[common])
    common_slope = -schur[:few, few:] @ root.T @ root
    along = (centred[:, common] - phi @ common_slope) @ np.linalg.inv(root)
    correction = ridge(phi, along, _RIDGE)
    common_slope += correction @ root
    along -= phi @ correction
    scatter = along.T @ along / len(positions)
    variances, turned = np.linalg.eigh((scatter + _RIDGE * np.eye(len(common))) / (1 + _RIDGE))
    root = (turned * variances**0.5) @ turned.T @ root
    along = along @ (turned * variances**-0.5) @ turned.T

    def widths(at: FloatArray) -> FloatArray:
        """Logs of the widths along the axes of all groups, but for a constant."""
        moved = curvature.precisions(at)
        parts = [_along(group.root, precision) for group, precision in zip(groups, moved, strict=True)]
        return -0.5 * np.log(np.concatenate(parts))

    exponent = np.zeros((few, size - few))
    for which, scale in enumerate(scales):
        change = np.zeros(size)
        change[scale] = _CHANGE
        exponent[which, len(common) :] = (widths(points + change) - widths(points - change)) / (2 * _CHANGE)

    # The groups given scales and common block: through the shared entries, and beyond that as the draws show.
    regressors = np.concatenate([phi, along], axis=1)
    to_shared = np.eye(len(shared))
    to_shared[:few, few:], to_shared[few:, few:] = common_slope, root
    slopes, rests = [], [along]
    for group in groups:
        inverse = np.linalg.inv(group.root)
        slope = to_shared @ group.slope
        beyond = (centred[:, group.entries] - regressors @ slope) @ inverse
        correction = ridge(regressors, beyond, _RIDGE)
        slopes.append(slope + correction @ group.root)
        rests.append(beyond - regressors @ correction)
    others = np.concatenate([common, *members])
    of_groups = np.concatenate(slopes, axis=1)
    coordinates = positions.copy()
    coordinates[:, others] = np.concatenate(rests, axis=1) * np.exp(-phi @ exponent)
    return Geometry(
        scales=scales,
        reference=np.ones(few),
        centre=mean[scales],
        others=others,
        blocks=np.array([len(common), *map(len, members)]),
        mean=mean[others],
        slope=np.concatenate([common_slope, of_groups[:few]], axis=1),
        axes=np.concatenate([root.ravel(), *(group.root.ravel() for group in groups)]),
        lean=of_groups[few:],
        exponent=exponent,
        starts=coordinates.reshape(draws.shape)[:, -1],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Curvature:
    """Normal approximations, by differences of gradients.

    Entries of different groups are moved at once, of which each group's gradient feels its own alone.
    """

    shared: IndexArray
    members: list[IndexArray]
    deviation: FloatArray
    density: Density

    def normal(self, points: FloatArray) -> tuple[FloatArray, list[_Group]]:
        """Give the Schur complement of the groups in the mean curvature over points, and the groups."""
        few, step = len(self.shared), self.step[self.shared]
        moves = np.zeros((few, len(self.step)))
        moves[np.arange(few), self.shared] = step
        of_shared = self._change(points, moves) / step[:, None]
        schur, groups = of_shared[:, self.shared], []
        for entries, precision in zip(self.members, self.precisions(points), strict=True):
            root = _root(precision, self.deviation[entries])
            coupling = of_shared[:, entries]
            slope = -coupling @ root.T @ root
            schur = schur + slope @ coupling.T
            groups.append(_Group(entries, root, slope))
        return schur, groups

    def precisions(self, points: FloatArray) -> list[FloatArray]:
        """Give the precision of each group given what is shared, from the mean curvature over points."""
        moves = np.zeros((max(map(len, self.members)), len(self.step)))
        for entries in self.members:
            moves[np.arange(len(entries)), entries] = self.step[entries]
        change = self._change(points, moves)
        return [change[: len(entries), entries] / self.step[entries, None] for entries in self.members]

    @property
    def step(self) -> FloatArray:
        """Steps of finite differences."""
        return _STEP * self.deviation

    def _change(self, points: FloatArray, moves: FloatArray) -> FloatArray:
        change = np.zeros(moves.shape)
        for point in points:
            _, gradients = self.density(np.concatenate([point - moves, point + moves]))
            # Where a step leaves what can be computed, the draws tell the width.
            before, after = np.split(np.nan_to_num(gradients, posinf=0.0, neginf=0.0), 2)
            change += (before - after) / (2 * len(points))
        return change


def _along(root: FloatArray, precision: FloatArray) -> FloatArray:
    """Precision along every axis of a root, which is one where that is what the root is of."""
    return np.asarray(np.maximum(((root @ precision) * root).sum(axis=1), _LEAST))


def _root(precision: FloatArray, deviation: FloatArray) -> FloatArray:
    """A root of the covariance, shape (axis, entry), of a precision matrix in units of the entries' own.

    Where the density does not tell the unit of an entry, the draws do.
    """
    diagonal = np.diag(precision)
    unit = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), deviation)
    values, turned = np.linalg.eigh(0.5 * (precision + precision.T) * unit[:, None] * unit)
    return np.asarray((turned * np.maximum(values, _LEAST) ** -0.5) @ turned.T * unit)
