"""Paths, folders and patterns → opened files, each of them a source of gradients."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from surge_fit._core import GradientFile, index_files
from surge_fit._support.wording import listing
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.arrays import ARRAY_STORES, open_store
from surge_fit.gradients.dump.folders import indexes_in, open_folder
from surge_fit.gradients.dump.sources import Source, source_of

_INDEX = ".index.json"
_REFUSED = (".distcp",)
"""Files that are never read, but by which a folder is recognised."""
_FILES = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".bin", ".raw", ".dat")


def labelled(paths: Iterable[Path]) -> list[tuple[Path, str]]:
    """List all that paths, folders and patterns mean, in natural order, each with its name for messages.

    Parameters
    ----------
    paths : iterable of Path

    Returns
    -------
    list of (Path, str)

    Raises
    ------
    DumpError
        If a path means nothing.
    """
    found = [file for path in paths for file in _meant(path)]
    twice = [str(file) for file, times in Counter(found).items() if times > 1]
    if twice:
        msg = f"Every file must be given once; {listing(twice, 3)} came twice. Drop the copy."
        raise DumpError(msg)
    names = Counter(file.name for file in found)
    return [(file, file.name if names[file.name] == 1 else str(file)) for file in found]


def _meant(path: Path) -> list[Path]:
    if path.suffix.lower() in ARRAY_STORES and path.exists():
        return [path]
    if path.is_dir():
        if indexes := indexes_in(path):
            return sorted(indexes, key=_natural)
        inside = [file for file in path.iterdir() if not file.name.startswith(".")]
        listed = [file for file in inside if file.name.endswith(_INDEX)]
        files = listed or [
            file for file in inside if file.suffix.lower() in (*_FILES, *_REFUSED, *ARRAY_STORES)
        ]
        if not files:
            msg = (
                f"A folder of gradients must hold files ending in {', '.join(_FILES)}; '{path}' holds none. "
                "Name the files, or another folder."
            )
            raise DumpError(msg)
        return sorted(files, key=_natural)
    if path.exists():
        return [path]
    matches = list(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    if not matches:
        what = "matches no file" if glob.has_magic(str(path)) else "does not exist"
        msg = f"A gradient dump must be a file, a folder or a pattern; '{path}' {what}."
        raise DumpError(msg)
    return [file for match in sorted(matches, key=_natural) for file in _meant(match)]


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort ``rank10`` after ``rank9``."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def open_source(path: Path, label: str, void_dtype: str | None = None) -> Source:
    """Open what one path of `labelled` stands for.

    Parameters
    ----------
    path : Path
    label : str
    void_dtype : str or None

    Returns
    -------
    Source

    Raises
    ------
    DumpError
        If it cannot be read.
    """
    if path.suffix.lower() in ARRAY_STORES:
        files, skipped = open_store(path)
        return source_of(label, files).naming(skipped)
    if path.is_dir():
        return open_folder(path, label)
    if path.name.endswith(_INDEX):
        shards = index_files(path, void_dtype)
        return source_of(label, (GradientFile.open(shard, void_dtype) for shard in shards))
    return source_of(label, [GradientFile.open(path, void_dtype)])
