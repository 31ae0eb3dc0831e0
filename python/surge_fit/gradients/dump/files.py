"""Paths, folders and patterns → opened files, each of them a source of gradients."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from surge_fit._core import GradientFile, index_files
from surge_fit._support.wording import listing
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.arrays import ARRAY_STORES, open_store

_INDEX = ".index.json"
_FILES = (".safetensors", ".npy", ".npz", ".pt", ".pth", ".bin", ".raw", ".dat")


@dataclass(frozen=True, slots=True)
class Source:
    """What one path stands for: a file, or the shards that an index lists.

    Attributes
    ----------
    label : str
        Its name, for messages; its path where another has the same name.
    files : tuple of GradientFile
    """

    label: str
    files: tuple[GradientFile, ...]

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the files say of themselves, the first one that says it."""
        merged: dict[str, str] = {}
        for file in reversed(self.files):
            merged |= file.metadata
        return merged


def open_sources(paths: Iterable[Path], void_dtype: str | None) -> list[Source]:
    """Open everything that paths, folders and patterns mean, in natural order within each.

    Parameters
    ----------
    paths : iterable of Path
    void_dtype : str or None
        What two-byte void numbers of ``.npy`` files are.

    Returns
    -------
    list of Source

    Raises
    ------
    DumpError
        If a path means nothing, or a file cannot be read.
    """
    found = [file for path in paths for file in _meant(path)]
    twice = [str(file) for file, times in Counter(found).items() if times > 1]
    if twice:
        msg = f"Every file must be given once; {listing(twice, 3)} came twice. Drop the copy."
        raise DumpError(msg)
    names = Counter(file.name for file in found)
    return [_open(file, file.name if names[file.name] == 1 else str(file), void_dtype) for file in found]


def _meant(path: Path) -> list[Path]:
    if path.suffix.lower() in ARRAY_STORES and path.exists():
        return [path]
    if path.is_dir():
        inside = [file for file in path.iterdir() if not file.name.startswith(".")]
        indexes = [file for file in inside if file.name.endswith(_INDEX)]
        files = indexes or [file for file in inside if file.suffix.lower() in (*_FILES, *ARRAY_STORES)]
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


def _open(path: Path, label: str, void_dtype: str | None) -> Source:
    if path.name.endswith(_INDEX):
        shards = index_files(path, void_dtype)
        return Source(label, tuple(GradientFile.open(shard, void_dtype) for shard in shards))
    if path.suffix.lower() in ARRAY_STORES:
        return Source(label, open_store(path))
    return Source(label, (GradientFile.open(path, void_dtype),))
