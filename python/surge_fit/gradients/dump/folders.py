"""Folders that other tools write, recognised by what they hold: bergson's index and TRAK's store."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from surge_fit._core import GradientFile
from surge_fit._support.wording import listing
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.sources import Source, source_of

_BERGSON = "gradients.bin"
_TRAK, _TRAK_FACTOR = "grads.mmap", "out_to_loss.mmap"
_BLOCK_NUMBERS = 2 << 20


def indexes_in(folder: Path) -> list[Path]:
    """List the stores of other tools in a folder: the folder itself, or the folders in it.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        Empty where it is no such folder.

    Raises
    ------
    DumpError
        If it holds gradients of several models, which are several dumps.
    """
    if _holds_gradients(folder):
        return [folder]
    below = [inner for inner in folder.iterdir() if inner.is_dir() and _holds_gradients(inner)]
    models = [inner.name for inner in below if (inner / _TRAK).is_file()]
    if len(models) > 1:
        msg = (
            f"Gradients of one dump must be of one model; '{folder}' has TRAK's of "
            f"{listing(sorted(models), 4)}. Name one of these folders."
        )
        raise DumpError(msg)
    return below


def _holds_gradients(folder: Path) -> bool:
    bergson = (folder / _BERGSON).is_file() and (folder / "info.json").is_file()
    return bergson or (folder / _TRAK).is_file()


def open_folder(folder: Path, label: str) -> Source:
    """Open the store of another tool.

    Parameters
    ----------
    folder : Path
        One of `indexes_in`.
    label : str

    Returns
    -------
    Source

    Raises
    ------
    DumpError
        If it is broken.
    """
    if (folder / _TRAK).is_file():
        return _trak(folder, label)
    file = GradientFile.open(folder / _BERGSON)
    tokens = file.metadata.get("attribute_tokens") == "true"
    return source_of(label, [file], {"group": _documents(folder / "offsets.npy")} if tokens else None)


def _documents(path: Path) -> str:
    """Label the rows, which are tokens, by their documents."""
    try:
        offsets = np.load(path, allow_pickle=False)
        counts = offsets[1:].astype(np.int64) - offsets[:-1].astype(np.int64)
        labels = np.repeat(np.arange(len(counts)), counts)
    except (OSError, ValueError, EOFError) as error:
        msg = (
            f"Rows that are tokens need '{path}', which says to which document they belong; {error}. Build "
            "the index again."
        )
        raise DumpError(msg) from error
    return json.dumps(labels.tolist())


def _trak(folder: Path, label: str) -> Source:
    """Open TRAK's gradients, of the model's output, and turn them into gradients of the loss.

    The store has ∂f/∂θ for each example, randomly projected, and ∂loss/∂f beside it: arXiv:2303.14186.
    """
    gradients = GradientFile.open(folder / _TRAK)
    (name, _, shape, _) = gradients.entries[0] if gradients.entries else ("", "", (), None)
    factor = folder / _TRAK_FACTOR
    left_out = [
        (file.name, "no gradients of the training examples: TRAK's features, scores or targets")
        for file in sorted(folder.glob("*.mmap"))
        if file.name not in (_TRAK, _TRAK_FACTOR)
    ]
    if len(shape) == 2 and factor.is_file():
        slopes = _numbers(GradientFile.open(factor))
        if len(slopes) == shape[0] and np.any(slopes) and np.any(slopes != slopes[0]):
            gradients = _scaled(gradients, name, shape, slopes)
        left_out.append(
            (_TRAK_FACTOR, "one slope of the loss per example, which its gradient was multiplied by")
        )
    return source_of(label, [gradients]).naming(left_out)


def _numbers(file: GradientFile) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    count = int(np.prod(file.entries[0][2], dtype=np.int64)) if file.entries else 0
    return np.asarray(file.read(0, 0, count)) if count else np.empty(0)


def _scaled(
    file: GradientFile,
    name: str,
    shape: tuple[int, ...],
    slopes: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> GradientFile:
    """Multiply every row, block by block, into a mapped temporary file without a name."""
    rows, width = shape
    with tempfile.TemporaryFile() as room:
        target = np.memmap(room, dtype=np.float32, mode="w+", shape=shape)
    step = max(1, _BLOCK_NUMBERS // max(1, width))
    for start in range(0, rows, step):
        end = min(rows, start + step)
        block = file.read(0, start * width, (end - start) * width).reshape(-1, width)
        target[start:end] = block * slopes[start:end, None]
    return GradientFile.from_array(name, target)
