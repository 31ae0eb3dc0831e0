"""What files hold, gradients or not, sound or not: for a look before anything is asked of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as _Path

from surge_fit.errors import DumpError
from surge_fit.gradients.dump.files import labelled, open_source
from surge_fit.gradients.dump.items import is_list_of_rows, items_of
from surge_fit.gradients.dump.kinds import (
    has_rows,
    kind_of_file,
    kinds_of_arrays,
    parameters_in,
    weights_by_name,
)
from surge_fit.gradients.dump.sources import Array, Source
from surge_fit.typing import Path


@dataclass(frozen=True, slots=True)
class HeldArray:
    """One array of a file.

    Attributes
    ----------
    name, dtype : str
    shape : tuple of int
    """

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FileContents:
    """What one file, or one folder of another tool, holds.

    Attributes
    ----------
    label : str
    format : str or None
        ``safetensors``, ``npy``, ``npz``, ``torch``, ``raw``, ``bergson``, ``memory`` (HDF5, zarr); None
        where it cannot be read.
    arrays : tuple of HeldArray
        Of floating-point numbers.
    metadata : tuple of (str, str)
    skipped : tuple of (str, str)
        Everything else, and what it is.
    looks_like : str or None
        What it is, where names and shapes tell; None for what may be gradients.
    problem : str or None
        Why it cannot be read.
    """

    label: str
    format: str | None = None
    arrays: tuple[HeldArray, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    looks_like: str | None = None
    problem: str | None = None


def list_contents(paths: Path | Sequence[Path], *, void_dtype: str | None = None) -> tuple[FileContents, ...]:
    """List what files hold, whether they are gradients or not; reads headers only.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        As for `open_dump`.
    void_dtype : str, optional
        As for `open_dump`.

    Returns
    -------
    tuple of FileContents
        In natural order; a file that cannot be read has its `problem`.

    Raises
    ------
    DumpError
        If a path means no file.
    """
    given = [paths] if isinstance(paths, str) or not isinstance(paths, Sequence) else list(paths)
    return tuple(
        _contents(path, label, void_dtype) for path, label in labelled([_Path(path) for path in given])
    )


def _contents(path: _Path, label: str, void_dtype: str | None) -> FileContents:
    try:
        source = open_source(path, label, void_dtype)
    except DumpError as error:
        kind = kind_of_file(label) or weights_by_name(label)
        return FileContents(label, looks_like=None if kind is None else kind.what, problem=str(error))
    return FileContents(
        label,
        source.arrays[0].file.format if source.arrays else path.suffix.lstrip(".").lower() or None,
        tuple(_held(source.arrays)),
        tuple(sorted(source.metadata.items())),
        source.skipped,
        looks_like(source),
    )


def _held(arrays: Iterable[Array]) -> Iterable[HeldArray]:
    return (HeldArray(array.name, array.dtype, array.shape) for array in arrays)


def looks_like(source: Source) -> str | None:
    """Say what a source is, by its names and shapes, where they tell.

    Parameters
    ----------
    source : Source

    Returns
    -------
    str or None
        With its article; None for what may be gradients.
    """
    kinds = list(kinds_of_arrays(source).values())
    named = kind_of_file(source.label)
    if named is not None:
        return named.what
    if kinds:
        return kinds[0].what if len(kinds) == len(source.arrays) else f"{kinds[0].what}, and more"
    if is_list_of_rows(source):
        return f"a list of {len(items_of(source))} gradients"
    shaped = parameters_in(source.arrays)
    if shaped is not None:
        return f"{shaped[0].what}, or one gradient"
    weights = weights_by_name(source.label)
    return weights.what if weights is not None and not has_rows(source.arrays) else None
