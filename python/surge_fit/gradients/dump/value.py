"""A gradient dump as one immutable value: what is where, and nothing of it read yet."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surge_fit._core import GradientFile
from surge_fit._support.wording import plural
from surge_fit.typing import FloatArray

Layout: TypeAlias = Literal["examples", "rows", "items"]
"""Rows along the first axis of every array, one file per row, or one item of a list per row."""

LossReduction: TypeAlias = Literal["none", "mean", "sum"]
"""The loss that was differentiated: see `open_dump`."""


ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
}
"""Bytes of one number, by dtype."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows of one tensor that lie in one array.

    Attributes
    ----------
    file : GradientFile or None
        None where the file lacks the tensor and absent means zero.
    entry : int
        The array's position in the file.
    rows : int
    """

    file: GradientFile | None
    entry: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class DumpTensor:
    """One parameter tensor of a dump.

    Attributes
    ----------
    name : str
    dtype : str
        How its gradients are stored: ``float32``, ``bfloat16``, …
    shape : tuple of int
        Shape of the parameter, without the axis of examples.
    segments : tuple of Segment
        Its rows, in order.
    present : ndarray of int, or None
        Rows of the dump that have a gradient of it, ascending; None for all.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    segments: tuple[Segment, ...]
    present: NDArray[np.int64] | None = None

    @property
    def parameters(self) -> int:
        """Numbers in one gradient."""
        return prod(self.shape)

    @property
    def rows(self) -> int:
        """Number of gradients stored."""
        return sum(segment.rows for segment in self.segments)

    @property
    def bytes(self) -> int:
        """Stored bytes of all its gradients."""
        return self.rows * self.parameters * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class Dump:
    """Gradients on disk or in memory, described but not read.

    Row k holds the gradient of one example, or the mean over the examples of one micro-batch.

    Attributes
    ----------
    source : str
        The files, for messages.
    layout : {"examples", "rows", "items"}
    tensors : tuple of DumpTensor
        In the order of the files.
    row_names : tuple of tuple
        ``(label, rows)`` of every file, in order; see `row_name`.
    microbatch_size : ndarray, shape (row,)
        Examples in each row.
    microbatch_known : bool
        Whether it was stated; otherwise a row counts as one example.
    loss_reduction : {"none", "mean", "sum"}
    loss_scale : float
        The loss was multiplied by this before it was differentiated.
    clipped : bool
        Whether gradients were clipped before they were written.
    row_groups : tuple of str, or None
        Label of every row; rows of one label (a document, a rank) are correlated.
    absent : {"zero", "missing"} or None
    step, loss : float or None
        Step and loss of the checkpoint, where the files state them.
    skipped : tuple of (str, str)
        Arrays left out, and why.
    assumptions : tuple of str
        A sentence for every fact that the files did not state.
    """

    source: str
    layout: Layout
    tensors: tuple[DumpTensor, ...]
    row_names: tuple[tuple[str, int], ...]
    microbatch_size: FloatArray
    microbatch_known: bool
    loss_reduction: LossReduction
    loss_scale: float
    clipped: bool
    row_groups: tuple[str, ...] | None
    absent: Literal["zero", "missing"] | None
    step: float | None
    loss: float | None
    skipped: tuple[tuple[str, str], ...]
    assumptions: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Dump({self.source}: {plural(self.rows, 'gradient')} of {plural(self.parameters, 'parameter')} "
            f"in {plural(len(self.tensors), 'tensor')}, {self.bytes / 1e6:.3g} MB)"
        )

    @property
    def rows(self) -> int:
        """Number of gradients."""
        return len(self.microbatch_size)

    @property
    def examples(self) -> float:
        """Number of examples, all micro-batches together."""
        return float(self.microbatch_size.sum())

    @property
    def parameters(self) -> int:
        """Numbers in one gradient, all tensors together."""
        return sum(tensor.parameters for tensor in self.tensors)

    @property
    def bytes(self) -> int:
        """Bytes of all gradients stored."""
        return sum(tensor.bytes for tensor in self.tensors)

    @property
    def scale(self) -> float:
        """Factor that turns a stored number into the gradient of the mean loss of its row's examples."""
        size = float(self.microbatch_size[0])
        reduction = {"none": 1.0, "sum": 1.0 / size, "mean": self.examples / size}
        return reduction[self.loss_reduction] / self.loss_scale

    def row_name(self, row: int) -> str:
        """Name a row so that a person can find it: ``grads.safetensors[17]``, or its file.

        Parameters
        ----------
        row : int

        Returns
        -------
        str
        """
        for label, rows in self.row_names:
            if row < rows:
                return label if self.layout == "rows" else f"{label}[{row}]"
            row -= rows
        raise IndexError(row)
