"""Arrays of a file as they are: optimizer state, curvature, weights; no axis of examples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as _Path

import numpy as np

from surge_fit.gradients.dump.files import labelled, open_source
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
    for source in (open_source(found, label) for found, label in labelled([_Path(path)])):
        metadata |= source.metadata
        for held in source.arrays:
            count = int(np.prod(held.shape, dtype=np.int64))
            arrays[held.name] = held.file.read(held.entry, 0, count).reshape(held.shape)
    return arrays, metadata
