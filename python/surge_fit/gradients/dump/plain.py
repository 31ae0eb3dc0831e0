"""Arrays of a file as they are: optimizer state, curvature, weights; no axis of examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as _Path

import numpy as np

from surge_fit.gradients.dump.files import open_sources
from surge_fit.typing import FloatArray, Path


def read_arrays(path: Path) -> tuple[Mapping[str, FloatArray], Mapping[str, str]]:
    """Read all arrays of a file, or of the shards of an index, into memory.

    Parameters
    ----------
    path : path-like
        Any format that `open_dump` reads.

    Returns
    -------
    arrays : mapping of str to ndarray
        In the order of the file.
    metadata : mapping of str to str

    Raises
    ------
    DumpError
        If the file cannot be read.
    """
    arrays: dict[str, FloatArray] = {}
    metadata: dict[str, str] = {}
    for source in open_sources([_Path(path)], None):
        metadata |= source.metadata
        for file in source.files:
            for index, (name, _, shape, _) in enumerate(file.entries):
                count = int(np.prod(shape, dtype=np.int64))
                arrays[name] = file.read(index, 0, count).reshape(shape)
    return arrays, metadata
