"""Arrays that other libraries hold: in memory, in HDF5 or in zarr."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from surge_fit._core import GradientFile
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.value import ITEM_BYTES

ARRAY_STORES = (".h5", ".hdf5", ".zarr")
"""Endings of stores that their own libraries read."""

_BLOCK_BYTES = 8 << 20
_EIGHT_BITS = ("float8_e4m3fn", "float8_e5m2")
_BITS = {"bfloat16": np.uint16, **dict.fromkeys(_EIGHT_BITS, np.uint8)}


def from_memory(arrays: Mapping[str, Any]) -> tuple[GradientFile, ...]:
    """Take arrays of NumPy, PyTorch or JAX as they are, without a copy where they are contiguous.

    Parameters
    ----------
    arrays : mapping of str to array
        Anything with the buffer, DLPack or array protocol, on the CPU.

    Returns
    -------
    tuple of GradientFile

    Raises
    ------
    DumpError
        If something is no array of floating-point numbers.
    """
    return tuple(_held(name, array) for name, array in arrays.items())


def _held(name: str, array: Any) -> GradientFile:
    dtype = str(getattr(array, "dtype", "")).removeprefix("torch.")
    if dtype not in ITEM_BYTES:
        what = f"an array of {dtype}" if dtype else f"a {type(array).__name__}"
        msg = (
            f"A tensor of gradients must be an array of {', '.join(ITEM_BYTES)}; '{name}' is {what}. "
            "Convert it."
        )
        raise DumpError(msg)
    if array.ndim == 0:
        msg = f"A tensor of gradients must have a first axis of examples; '{name}' is a single number."
        raise DumpError(msg)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        plain = array.detach().cpu().contiguous()
        if dtype in _BITS:
            plain = plain.view(torch.int16 if dtype == "bfloat16" else torch.uint8)
        held = plain.numpy()
    else:
        held = np.ascontiguousarray(array)
    if dtype in _BITS:
        held = held.view(_BITS[dtype])
    return GradientFile.from_array(name, held, dtype)


def open_store(path: Path) -> tuple[list[GradientFile], list[tuple[str, str]]]:
    """Copy the arrays of an HDF5 or zarr store, block by block, to unnamed temporary files.

    Parameters
    ----------
    path : Path
        Ends in ``.h5``, ``.hdf5`` or ``.zarr``.

    Returns
    -------
    files : list of GradientFile
    skipped : list of (str, str)
        Arrays that are not of floating-point numbers, and why.

    Raises
    ------
    DumpError
        If the library is not installed, or the store cannot be read.
    """
    opened = _open_zarr(path) if path.suffix.lower() == ".zarr" else _open_hdf5(path)
    files: list[GradientFile] = []
    skipped: list[tuple[str, str]] = []
    for name, array in opened:
        dtype = str(array.dtype)
        if dtype not in ITEM_BYTES:
            skipped.append((name, f"type {dtype}, which holds no gradients"))
        elif array.ndim == 0:
            skipped.append((name, "a single number"))
        else:
            files.append(_held(name, _copied(path, array)))
    return files, skipped


def _open_hdf5(path: Path) -> Iterator[tuple[str, Any]]:
    import h5py

    try:
        with h5py.File(path, "r") as store:
            found: list[tuple[str, Any]] = []
            store.visititems(
                lambda name, node: found.append((name, node)) if isinstance(node, h5py.Dataset) else None
            )
            for name, array in found:
                yield name.replace("/", "."), array
    except OSError as error:
        msg = f"'{path}' cannot be read as HDF5: {error}. Write it again."
        raise DumpError(msg) from error


def _open_zarr(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        import zarr
    except ImportError:
        msg = f"Reading '{path}' needs zarr; it is not installed. `pip install zarr`."
        raise DumpError(msg) from None
    try:
        store = zarr.open(path, mode="r")
    except (OSError, ValueError, KeyError) as error:
        msg = f"'{path}' cannot be read as zarr: {error}. Write it again."
        raise DumpError(msg) from error
    if isinstance(store, zarr.Array):
        yield path.stem, store
        return
    for name, array in store.members(max_depth=None):
        if isinstance(array, zarr.Array):
            yield name.replace("/", "."), array


def _copied(path: Path, array: Any) -> Any:
    try:
        return _spilled(array)
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"'{path}', array '{array.name}', cannot be read: {error}. Write it again."
        raise DumpError(msg) from error


def _spilled(array: Any) -> Any:
    """Copy an array on disk to a mapped temporary file, a bounded number of rows at a time."""
    if array.size == 0 or array.ndim == 0:
        return np.asarray(array[...])
    with tempfile.TemporaryFile() as file:
        target = np.memmap(file, dtype=array.dtype, mode="w+", shape=array.shape)
    step = max(1, _BLOCK_BYTES // max(1, target[:1].nbytes))
    for start in range(0, array.shape[0], step):
        target[start : start + step] = array[start : start + step]
    return target
