"""Gradients → safetensors files that `open_dump` reads, row by row, whole or not at all.

A file of safetensors holds one tensor after the other, gradients arrive one row after the other: the
place of every number is known as soon as the number of rows is, so rows are written where they belong
and memory holds one chunk of them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.files import replacing
from surge_fit._support.wording import plural
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump.shard import HELD, Shard, StoredDtype, header, writing
from surge_fit.gradients.dump.value import ITEM_BYTES

_BFLOAT16_EXPONENT = 0x7F80
_LONGEST_LOSS = 30
_PAGE = 64


def require_new(path: Path) -> None:
    """Refuse a path at which something is, or whose folder is not there.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DumpError
    """
    if path.exists():
        msg = f"Captured gradients must go to a new file; '{path}' exists. Name another, or remove it first."
        raise DumpError(msg)
    if not path.parent.is_dir():
        msg = f"Captured gradients must go to a folder that exists; '{path.parent}' does not."
        raise DumpError(msg)


@contextmanager
def gradient_writer(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    rows: int,
    *,
    dtype: StoredDtype,
    metadata: Mapping[str, str],
    shard_bytes: int,
) -> Iterator[GradientWriter]:
    """Give a writer of gradients; its files appear at the end, and not at all if anything is raised.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``. More than `shard_bytes` go to ``<stem>-00001.safetensors`` and so on.
    shapes : mapping of str to tuple of int
        Of one gradient, by tensor.
    rows : int
        Rows that will be written at most.
    dtype : {"float32", "bfloat16"}
    metadata : mapping of str to str
    shard_bytes : int
        Size from which on a further file is begun; every file holds one row at least.

    Yields
    ------
    GradientWriter

    Raises
    ------
    DumpError
        If a file exists already, the disk has too little room, or no row was written.
    InputError
        If `path` has another ending, or `dtype` is another.
    """
    if dtype not in HELD:
        msg = f"'dtype' must be one of {', '.join(map(repr, HELD))}; got {dtype!r}."
        raise InputError(msg)
    if path.suffix != ".safetensors":
        msg = f"'path' must end in .safetensors; got {str(path)!r}."
        raise InputError(msg)
    row_bytes = ITEM_BYTES[dtype] * sum(map(prod, shapes.values()))
    per_shard = min(rows, max(1, shard_bytes // max(1, row_bytes)))
    paths = [path]
    if per_shard < rows:
        paths = [
            path.with_name(f"{path.stem}-{number:05d}{path.suffix}")
            for number in range(1, -(-rows // per_shard) + 1)
        ]
    for shard in paths:
        require_new(shard)
    free = shutil.disk_usage(path.parent).free
    if rows * row_bytes > free:
        msg = (
            f"{plural(rows, 'gradient')} of {row_bytes:,} bytes each take {rows * row_bytes:,} bytes; the "
            f"disk of '{path.parent}' has {free:,} left. Capture fewer examples, store bfloat16, or name "
            "another disk."
        )
        raise DumpError(msg)
    with ExitStack() as drafts:
        writer = GradientWriter(paths, per_shard, dict(shapes), dtype, dict(metadata), drafts)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


@dataclass
class GradientWriter:
    """Rows of gradients, each written where it belongs; from `gradient_writer`.

    Attributes
    ----------
    paths : list of Path
        Of all files that there is need of; `written` are those begun.
    per_shard : int
        Rows of a file.
    shapes : dict of str to tuple of int
    dtype : {"float32", "bfloat16"}
    metadata : dict of str to str
    """

    paths: list[Path]
    per_shard: int
    shapes: dict[str, tuple[int, ...]]
    dtype: StoredDtype
    metadata: dict[str, str]
    _drafts: ExitStack
    _shards: list[Shard] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return sum(shard.rows for shard in self._shards)

    @property
    def written(self) -> tuple[Path, ...]:
        """Files begun so far."""
        return tuple(self.paths[: len(self._shards)])

    @property
    def mean_loss(self) -> float | None:
        """Mean over the rows [nats]; None where losses were not told."""
        if not self.rows or any(shard.loss is None for shard in self._shards):
            return None
        return sum(shard.loss or 0.0 for shard in self._shards) / self.rows

    def append(self, gradients: Mapping[str, NDArray[Any]], losses: NDArray[Any] | None) -> None:
        """Write further rows.

        Parameters
        ----------
        gradients : mapping of str to ndarray, shape (row, *shape)
            Of all tensors. Single precision; or bfloat16, as such or as its bits.
        losses : ndarray, shape (row,), or None
            The loss of every row.

        Raises
        ------
        DumpError
            If a number is not finite; the message names row and tensor.
        """
        if losses is not None and not np.isfinite(losses).all():
            row = self.rows + int(np.flatnonzero(~np.isfinite(losses))[0])
            msg = (
                f"Losses must be finite; that of row {row} is not. Nothing was kept: leave that example out."
            )
            raise DumpError(msg)
        held = {name: self._stored(name, gradients[name]) for name in self.shapes}
        total, done = len(next(iter(held.values()))), 0
        while done < total:
            if not self._shards or self._shards[-1].rows == self.per_shard:
                self._begin()
            shard = self._shards[-1]
            count = min(self.per_shard - shard.rows, total - done)
            with writing(self.paths[0]):
                shard.write({name: array[done : done + count] for name, array in held.items()})
            if losses is None:
                shard.loss = None
            elif shard.loss is not None:
                shard.loss += float(np.sum(losses[done : done + count], dtype=np.float64))
            shard.rows += count
            done += count

    def finish(self) -> None:
        """Close the gaps of a last file that is not full, and write the headers.

        Raises
        ------
        DumpError
            If there is no row.
        """
        if not self.rows:
            msg = "At least one gradient must be captured; there was none. Run the loop for longer."
            raise DumpError(msg)
        told = {} if self.mean_loss is None else {"loss": f"{self.mean_loss:.17g}"}
        row_bytes = [ITEM_BYTES[self.dtype] * prod(shape) for shape in self.shapes.values()]
        for shard in self._shards:
            head = header(self._stacked(shard.rows), self.dtype, self.metadata | told)
            head = head.ljust(shard.room - 8)
            with writing(self.paths[0]):
                shard.close_gaps(row_bytes)
                shard.file.seek(0)
                shard.file.write(len(head).to_bytes(8, "little") + head)
                shard.file.flush()

    def put_beside(self, path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
        """Write small arrays, such as optimizer state, to a file that appears with the gradients.

        Parameters
        ----------
        path : Path
        arrays : mapping of str to ndarray
            Stored as single precision.
        metadata : mapping of str to str

        Raises
        ------
        DumpError
            If the file exists, or a number is not finite.
        """
        require_new(path)
        held = {name: np.ascontiguousarray(array, dtype="<f4") for name, array in arrays.items()}
        broken = [name for name, array in held.items() if not np.isfinite(array).all()]
        if broken:
            msg = (
                f"What is captured must be finite; '{broken[0]}' is not. Nothing was kept: capture a "
                "checkpoint before it overflowed."
            )
            raise DumpError(msg)
        head = header({name: array.shape for name, array in held.items()}, "float32", metadata)
        with writing(path):
            self._drafts.enter_context(replacing(path)).write_bytes(
                len(head).to_bytes(8, "little") + head + b"".join(a.tobytes() for a in held.values())
            )

    def close(self) -> None:
        """Close the files."""
        for shard in self._shards:
            with suppress(OSError):  # of what could not be written, said already
                shard.file.close()

    def _begin(self) -> None:
        """Open the next file, with room for the longest header."""
        draft = self._drafts.enter_context(replacing(self.paths[len(self._shards)]))
        longest = self.metadata | {"loss": "0" * _LONGEST_LOSS}
        room = 8 + len(header(self._stacked(self.per_shard), self.dtype, longest))
        room += -room % _PAGE
        with writing(self.paths[0]):
            self._shards.append(Shard(draft.open("w+b"), room, self.per_shard))

    def _stacked(self, rows: int) -> dict[str, tuple[int, ...]]:
        return {name: (rows, *shape) for name, shape in self.shapes.items()}

    def _stored(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Give the numbers as they are stored; refuse what is not finite."""
        if self.dtype == "bfloat16":
            array = array.view(np.uint16)
            finite = (array & _BFLOAT16_EXPONENT) != _BFLOAT16_EXPONENT
        else:
            finite = np.isfinite(array)
        if not finite.all():
            row = int(np.flatnonzero(~finite.reshape(len(array), -1).all(axis=1))[0])
            msg = (
                f"Gradients must be finite; that of row {self.rows + row}, tensor '{name}', has "
                f"{plural(int((~finite[row]).sum()), 'number')} that are not. Nothing was kept: leave that "
                "example out, or capture a checkpoint before it overflowed."
            )
            raise DumpError(msg)
        return np.ascontiguousarray(array, dtype=HELD[self.dtype])
