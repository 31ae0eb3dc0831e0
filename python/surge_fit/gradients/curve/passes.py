"""Passes over a dump: the directions of minibatches, and the sums that the estimates need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit._core import BatchSums, DirectionSums
from surge_fit.gradients.curve.curvature import Curvature
from surge_fit.gradients.curve.resampling import GROUPS, Minibatches
from surge_fit.gradients.curve.sign_sums import SignForms, SignSums, TheoryRows, fisher_forms, hessian_forms
from surge_fit.gradients.curve.state import SingleArray, UpdateRule
from surge_fit.gradients.dump import Dump
from surge_fit.typing import CountProgress, FloatArray

_CHUNK_BYTES = 256 << 20
"""Of directions that are held at a time, unless those of one resample are more."""


@dataclass(frozen=True, slots=True, eq=False)
class Singles:
    """What the directions of single rows give for SGD, M the mean direction.

    Attributes
    ----------
    numerators : ndarray, shape (row,)
        v·G with G from the other rows.
    form_of_one, form_of_mean : float
        Mean of vᵀHv, and MᵀHM, without bias.
    moves_of_numerator, moves_of_one, moves_of_mean : ndarray, shape (row,)
        How far each row moves the numerator and the two forms.
    """

    numerators: FloatArray
    form_of_one: float
    form_of_mean: float
    moves_of_numerator: FloatArray
    moves_of_one: FloatArray
    moves_of_mean: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """What the directions of minibatches give, resamples first.

    Attributes
    ----------
    numerators, forms : ndarray, shape (resample, size)
        V·μ with μ from the other rows; VᵀHV.
    group_numerators : ndarray, shape (resample, size, group)
    group_forms : ndarray, shape (resample, size, group), or None
    touched : ndarray of bool, shape (resample, size, group)
    apart : ndarray of bool, shape (resample, size)
        Whether a minibatch shares no row with that of the next resample.
    """

    numerators: FloatArray
    forms: FloatArray
    group_numerators: FloatArray
    group_forms: FloatArray | None
    touched: NDArray[np.bool_]
    apart: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PassSums:
    """All that one pass over minibatches sums.

    Attributes
    ----------
    resampled : Resampled
    signs : SignSums
    tensors : tuple of BatchSums
    total : BatchSums
        Over all tensors.
    """

    resampled: Resampled
    signs: SignSums
    tensors: tuple[BatchSums, ...]
    total: BatchSums


@dataclass(frozen=True, slots=True, eq=False)
class CurvePass:
    """One dump, one optimizer, one curvature: passes on request.

    Attributes
    ----------
    dump : Dump
    rule : UpdateRule
    curvature : Curvature
    mean_square : float
        Mean of |g|² over rows, the trace of the Fisher.
    progress : callable or None
    """

    dump: Dump
    rule: UpdateRule
    curvature: Curvature
    mean_square: float
    progress: CountProgress | None

    @property
    def fisher_factor(self) -> float:
        """What the Fisher of the dump is multiplied by: it takes its trace from a Hessian diagonal."""
        if self.curvature.kind != "diagonal":
            return 1.0
        return float(self.curvature.diagonal.sum(dtype=np.float64)) / self.mean_square

    @property
    def uses_fisher(self) -> bool:
        """Whether VᵀHV of minibatches comes from the gradients themselves."""
        return self.curvature.kind in ("fisher", "diagonal")

    def minibatches(self, drawn: Minibatches, theory: Sequence[float]) -> PassSums:
        """Sum over all parameters what minibatches and the theory give.

        Parameters
        ----------
        drawn : Minibatches
        theory : sequence of float
            Batch sizes [rows], those of `drawn` first.

        Returns
        -------
        PassSums
        """
        totals, tensors = _core.scan_directions(
            self._tensors(),
            self._request(drawn, theory, fisher=self.uses_fisher),
            self._report("directions of minibatches"),
        )
        whole = reduce(BatchSums.merge, tensors)
        resamples, sizes = len(drawn.permutations), len(drawn.sizes)
        count = resamples * sizes
        group_of, in_group = drawn.group_of, np.bincount(drawn.group_of, minlength=GROUPS).astype(np.float64)
        rows = len(drawn.order)
        shape = (resamples, sizes)
        groups = totals.groups
        size = np.array(drawn.sizes, dtype=np.float64)
        numerators = (groups[:count].sum(axis=1).reshape(shape) - totals.own) / (rows - size)
        inside = _membership(drawn)
        touched = np.stack([inside[:, :, group_of == group].any(axis=2) for group in range(GROUPS)], axis=2)
        group_forms = None
        if self.uses_fisher:
            squares = self.fisher_factor * totals.rows[:count].reshape(*shape, rows) ** 2
            forms = np.where(inside, 0.0, squares).sum(axis=2) / (rows - size)
            by_group = [squares[:, :, group_of == group].mean(axis=2) for group in range(GROUPS)]
            group_forms = np.stack(by_group, axis=2)
        else:
            forms = self._forms(drawn)
        found = Resampled(
            numerators,
            forms,
            groups[:count].reshape(*shape, GROUPS) / in_group,
            group_forms,
            touched,
            np.logical_not((inside & np.roll(inside, -1, axis=0)).any(axis=2)),
        )
        signs = self._sign_sums(totals, whole, drawn, theory, in_group, count)
        return PassSums(found, signs, tuple(tensors), whole)

    def singles(self, order: NDArray[np.int64]) -> Singles:
        """Sum what the direction of every row alone gives.

        Parameters
        ----------
        order : ndarray of int, shape (row,)

        Returns
        -------
        Singles
        """
        rows = len(order)
        drawn = Minibatches(order, np.arange(rows, dtype=np.uint32)[:, None], (1,))
        totals, _ = _core.scan_directions(
            self._tensors(),
            self._request(drawn, (1.0,), fisher=self.curvature.kind == "fisher"),
            self._report("directions of single rows"),
        )
        of_all = totals.groups[:rows].sum(axis=1)
        numerators = (of_all - totals.own[:, 0]) / (rows - 1)
        moves_of_numerator = 2.0 * numerators
        if self.curvature.kind == "fisher":
            products = totals.rows[:rows].copy()
            np.fill_diagonal(products, 0.0)
            squares, sums = products**2, products.sum(axis=0)
            of_one = squares.sum() / (rows * (rows - 1))
            of_mean = (sums**2 - squares.sum(axis=0)).sum() / (rows * (rows - 1) * (rows - 2))
            mean = sums / (rows - 1)
            as_direction, as_fisher = squares.sum(axis=1), squares.sum(axis=0)
            moves_of_one = (as_direction + as_fisher) / (rows - 1)
            moves_of_mean = 2.0 * (products @ mean) / (rows - 1) + mean**2
            return Singles(numerators, of_one, of_mean, moves_of_numerator, moves_of_one, moves_of_mean)
        mean_direction = np.zeros(self.dump.parameters)
        alone = np.empty(rows)
        chunks = list(self._chunks(drawn))
        for chunk, directions in self._written(chunks, drawn):
            mean_direction += directions.sum(axis=0, dtype=np.float64) / rows
            alone[chunk] = self.curvature.forms(directions, directions)
        mean = mean_direction.astype(np.float32)[None, :]
        against = np.empty(rows)
        for chunk, directions in self._written(chunks, drawn):
            against[chunk] = self.curvature.forms(directions, np.repeat(mean, len(directions), axis=0))
        of_mean = (rows**2 * float(against.mean()) - alone.sum()) / (rows * (rows - 1))
        return Singles(numerators, float(alone.mean()), of_mean, moves_of_numerator, alone, 2.0 * against)

    def _sign_sums(
        self,
        totals: DirectionSums,
        whole: BatchSums,
        drawn: Minibatches,
        theory: Sequence[float],
        in_group: FloatArray,
        count: int,
    ) -> SignSums:
        """Cut the rows of the theory out of the matrix, and give them their forms."""
        batches = len(theory)
        curvature, ratio_curvature = whole.curvature, whole.ratio_curvature
        independent, split = whole.independent, whole.independent_split
        approximate = whole.independent_approximate
        if self.curvature.kind == "diagonal":
            sums = (curvature - independent, curvature - split, curvature - approximate)
            forms = SignForms(*sums, curvature, ratio_curvature)
        elif self.curvature.kind == "fisher":
            forms = fisher_forms(TheoryRows.cut(totals.rows[count:], batches), drawn.group_of)
        else:
            none = Minibatches(drawn.order, np.empty((0, 0), dtype=np.uint32), ())
            matrix = self._matrix(none, theory, TheoryRows.count(batches))
            forms = hessian_forms(TheoryRows.cut(matrix, batches), self.curvature)
        return SignSums(
            in_group=in_group,
            products=TheoryRows.cut(totals.groups[count:], batches),
            independent=independent,
            independent_split=split,
            independent_approximate=approximate,
            forms=forms,
            ratio_curvature=ratio_curvature,
            curvature=curvature,
            drift=whole.drift,
        )

    def _forms(self, drawn: Minibatches) -> FloatArray:
        """VᵀHV of every direction, shape (resample, size)."""
        sizes = len(drawn.sizes)
        found = np.empty((len(drawn.permutations), sizes))
        for chunk, directions in self._written(list(self._chunks(drawn)), drawn):
            found[chunk] = self.curvature.forms(directions, directions).reshape(-1, sizes)
        return found

    def _chunks(self, drawn: Minibatches) -> Iterator[slice]:
        of_one = 4 * max(1, len(drawn.sizes)) * self.dump.parameters
        step = max(1, _CHUNK_BYTES // of_one)
        for start in range(0, len(drawn.permutations), step):
            yield slice(start, min(start + step, len(drawn.permutations)))

    def _written(self, chunks: list[slice], drawn: Minibatches) -> Iterator[tuple[slice, SingleArray]]:
        for chunk in chunks:
            part = replace(drawn, permutations=np.ascontiguousarray(drawn.permutations[chunk]))
            count = len(part.permutations) * len(part.sizes)
            sizes = tuple(map(float, part.sizes))
            yield chunk, self._matrix(part, sizes, count + TheoryRows.count(len(sizes)))[:count]

    def _matrix(self, drawn: Minibatches, theory: Sequence[float], rows: int) -> SingleArray:
        target = np.empty((rows, self.dump.parameters), dtype=np.float32)
        _core.write_directions(
            self._tensors(),
            self._request(drawn, theory, fisher=False),
            target,
            self._report("directions for the curvature"),
        )
        return target

    def _request(self, drawn: Minibatches, theory: Sequence[float], *, fisher: bool) -> dict[str, Any]:
        return {
            "order": np.ascontiguousarray(drawn.order, dtype=np.int64),
            "groups": GROUPS,
            "permutations": drawn.permutations,
            "sizes": list(drawn.sizes),
            "theory": np.asarray(theory, dtype=np.float64),
            "optimizer": self.rule.optimizer,
            "constants": list(self.rule.constants),
            "first": self.rule.first,
            "second": self.rule.second,
            "weights": self.rule.weights,
            "decay": self.rule.weight_decay,
            "diagonal": self.curvature.diagonal,
            "scale": self.dump.scale,
            "fisher": fisher,
        }

    def _tensors(self) -> list[Any]:
        return [
            (t.name, t.dtype, t.shape, [(s.file, s.entry, s.rows) for s in t.segments], t.present)
            for t in self.dump.tensors
        ]

    def _report(self, stage: str) -> Callable[[int], None]:
        def report(done: int) -> None:
            if self.progress is not None:
                self.progress(stage, done, self.dump.bytes)

        report(0)
        return report


def _membership(drawn: Minibatches) -> NDArray[np.bool_]:
    """Whether a minibatch holds a position, shape (resample, size, position)."""
    resamples, count = len(drawn.permutations), len(drawn.order)
    place = np.full((resamples, count), np.iinfo(np.int64).max)
    if resamples:
        np.put_along_axis(
            place,
            drawn.permutations.astype(np.int64),
            np.broadcast_to(np.arange(drawn.permutations.shape[1]), drawn.permutations.shape),
            axis=1,
        )
    sizes = np.array(drawn.sizes, dtype=np.int64)
    return place[:, None, :] < sizes[None, :, None]
