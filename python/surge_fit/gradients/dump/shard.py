"""One file of safetensors that is being written: its header, and rows where they belong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surge_fit.errors import DumpError
from surge_fit.gradients.dump.value import ITEM_BYTES

StoredDtype: TypeAlias = Literal["float32", "bfloat16"]
"""How captured gradients are stored."""

HELD: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "bfloat16": np.dtype("<u2")}
"""The numbers of a file as NumPy holds them; bfloat16 as its bits."""

_CODES = {"float32": "F32", "bfloat16": "BF16"}


@dataclass(slots=True)
class Shard:
    """One file: bytes before its numbers, rows it has room for, rows there, the sum of their losses."""

    file: BufferedRandom
    room: int
    capacity: int
    rows: int = 0
    loss: float | None = 0.0

    def write(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write rows where they belong."""
        offset = self.room
        for array in arrays.values():
            row_bytes = array[:1].nbytes
            self.file.seek(offset + self.rows * row_bytes)
            self.file.write(array.tobytes())
            offset += self.capacity * row_bytes

    def close_gaps(self, row_bytes: Sequence[int]) -> None:
        """Move the tensors of a file that is not full together; `row_bytes` of each."""
        if self.rows == self.capacity:
            return
        source = target = self.room
        for size in row_bytes:
            for row in range(self.rows):
                self.file.seek(source + row * size)
                held = self.file.read(size)
                self.file.seek(target + row * size)
                self.file.write(held)
            source += self.capacity * size
            target += self.rows * size
        self.file.truncate(target)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of what the system refuses to write what it means."""
    try:
        yield
    except OSError as error:
        msg = (
            f"'{path}' could not be written: {error.strerror or error}. Nothing was kept; make room, or name "
            "another disk."
        )
        raise DumpError(msg) from error


def header(shapes: Mapping[str, tuple[int, ...]], dtype: StoredDtype, metadata: Mapping[str, str]) -> bytes:
    """Write the header of safetensors for tensors without gaps, in order."""
    told: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + ITEM_BYTES[dtype] * prod(shape)
        told[name] = {"dtype": _CODES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
    return json.dumps(told).encode()
