"""The geometry of a pooled posterior of many groups: blocks that lean on what the groups share.

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

from surge_fit.sampling.transform import Geometry, regress
from surge_fit.typing import FloatArray, IndexArray

_POINTS = 16
"""Draws at which the curvature is taken; its mean is positive where that of one draw is not."""

_STEP = 0.01
"""Of finite differences of gradients, in standard deviations."""

_CHANGE = 0.25
"""Of the logs of scales, to see what follows."""

_LEAST = 1e-5
"""Least eigenvalue of a block, scaled to a unit diagonal."""

_DOUBT = 0.25
"""Weight of the density's word on the shared and the coupling to it, relative to that of the draws."""

Density = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Log densities and gradients at positions of shape (point, entry)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """A group given what is shared, as a normal approximation has it.

    Attributes
    ----------
    entries : ndarray of int, shape (entry,)
    root : ndarray, shape (axis, entry)
        Of the covariance.
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
    head = np.setdiff1d(np.flatnonzero(group_of < 0), scales)
    shared = np.concatenate([scales, head])
    walk = draws.reshape(-1, size)
    mean, deviation = walk.mean(axis=0), np.maximum(walk.std(axis=0), 1e-9)
    few = len(scales)
    members = [np.flatnonzero(group_of == group) for group in range(int(group_of.max()) + 1)]
    look = _Look(shared, members, deviation, density)
    points = walk[np.unique(np.linspace(0, len(walk) - 1, _POINTS).astype(np.intp))]
    joint, groups = look.normal(points)

    # The head given the scales, as the density has it, and then as the draws do.
    away = walk - mean
    phi = away[:, scales]
    root = _root(joint[few:, few:], deviation[head])
    head_slope = -joint[:few, few:] @ root.T @ root
    along = (away[:, head] - phi @ head_slope) @ np.linalg.inv(root)
    correction = regress(phi, along, _DOUBT)
    head_slope += correction @ root
    along -= phi @ correction
    scatter = along.T @ along / len(walk)
    variances, turned = np.linalg.eigh((scatter + _DOUBT * np.eye(len(head))) / (1 + _DOUBT))
    root = (turned * variances**0.5) @ turned.T @ root
    along = along @ (turned * variances**-0.5) @ turned.T

    def widths(at: FloatArray) -> FloatArray:
        """Logs of the widths along the axes of all groups, but for a constant."""
        moved = look.precisions(at)
        parts = [_along(group.root, precision) for group, precision in zip(groups, moved, strict=True)]
        return -0.5 * np.log(np.concatenate(parts))

    exponent = np.zeros((few, size - few))
    for which, scale in enumerate(scales):
        change = np.zeros(size)
        change[scale] = _CHANGE
        exponent[which, len(head) :] = (widths(points + change) - widths(points - change)) / (2 * _CHANGE)

    # How the groups follow from scales and head: through the shared, and beyond that as the draws show.
    leaders = np.concatenate([phi, along], axis=1)
    of_leaders = np.eye(len(shared))
    of_leaders[:few, few:], of_leaders[few:, few:] = head_slope, root
    follows, rests = [], [along]
    for group in groups:
        inverse = np.linalg.inv(group.root)
        slope = of_leaders @ group.slope
        beyond = (away[:, group.entries] - leaders @ slope) @ inverse
        correction = regress(leaders, beyond, _DOUBT)
        follows.append(slope + correction @ group.root)
        rests.append(beyond - leaders @ correction)
    others = np.concatenate([head, *members])
    follow = np.concatenate(follows, axis=1)
    coordinates = walk.copy()
    coordinates[:, others] = np.concatenate(rests, axis=1) * np.exp(-phi @ exponent)
    return Geometry(
        scales=scales,
        reference=np.ones(few),
        centre=mean[scales],
        others=others,
        blocks=np.array([len(head), *map(len, members)]),
        mean=mean[others],
        slope=np.concatenate([head_slope, follow[:few]], axis=1),
        axes=np.concatenate([root.ravel(), *(group.root.ravel() for group in groups)]),
        lean=follow[few:],
        exponent=exponent,
        starts=coordinates.reshape(draws.shape)[:, -1],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """Normal approximations, by differences of gradients.

    Entries of different groups are moved at once, of which each group's gradient feels its own alone.
    """

    shared: IndexArray
    members: list[IndexArray]
    deviation: FloatArray
    density: Density

    def normal(self, points: FloatArray) -> tuple[FloatArray, list[_Group]]:
        """Give the precision of what is shared, and the groups, from the mean curvature over points."""
        few, step = len(self.shared), self.step[self.shared]
        moves = np.zeros((few, len(self.step)))
        moves[np.arange(few), self.shared] = step
        of_shared = self._change(points, moves) / step[:, None]
        joint, groups = of_shared[:, self.shared], []
        for entries, precision in zip(self.members, self.precisions(points), strict=True):
            root = _root(precision, self.deviation[entries])
            coupling = of_shared[:, entries]
            slope = -coupling @ root.T @ root
            joint = joint + slope @ coupling.T
            groups.append(_Group(entries, root, slope))
        return joint, groups

    def precisions(self, points: FloatArray) -> list[FloatArray]:
        """Give the precision of each group given what is shared, from the mean curvature over points."""
        moves = np.zeros((max(map(len, self.members)), len(self.step)))
        for entries in self.members:
            moves[np.arange(len(entries)), entries] = self.step[entries]
        change = self._change(points, moves)
        return [change[: len(entries), entries] / self.step[entries, None] for entries in self.members]

    @property
    def step(self) -> FloatArray:
        """Of finite differences."""
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
