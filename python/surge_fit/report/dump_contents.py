"""Contents of files that are no gradient dump."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit._support.wording import plural
from surge_fit.gradients.dump import FileContents
from surge_fit.report.blocks import Block, Line, Table

_MOST_ARRAYS, _MOST_WORDS, _LONGEST_WORD = 40, 12, 60


def blocks(files: Sequence[FileContents], problem: str) -> list[Block]:
    """Tell the contents of files, and why they are no gradient dump, as text."""
    text: list[Block] = []
    for file in files:
        text += [None] if text else []
        text += _file(file)
    return [*text, None, Line(problem, "warning", "As gradients: ")]


def _file(file: FileContents) -> list[Block]:
    if file.problem is not None:
        trouble = f"cannot be read{f'; by its name {file.looks_like}' if file.looks_like else ''}"
        return [Line(f"{file.label}: {trouble}", "heading"), Line(file.problem, bullet="  ")]
    likeness = f": {file.looks_like}" if file.looks_like else ""
    kind = f" ({file.format})" if file.format else ""
    text: list[Block] = [
        Line(f"{file.label}{kind}, {plural(len(file.arrays), 'array')}{likeness}", "heading")
    ]
    if file.arrays:
        rows = [
            (array.dtype, "×".join(map(str, array.shape)) or "scalar", array.name)
            for array in file.arrays[:_MOST_ARRAYS]
        ]
        text += [None, Table(("dtype", "shape", "array"), tuple(rows), 1)]
        more = len(file.arrays) - _MOST_ARRAYS
        text += [Line(f"and {more:,} more; --json lists them all.", bullet="  ")] if more > 0 else []
    words = [f"{key} = {value[:_LONGEST_WORD]}" for key, value in file.metadata[:_MOST_WORDS]]
    words += [f"{len(file.metadata) - _MOST_WORDS} more"] if len(file.metadata) > _MOST_WORDS else []
    text += [None, Line(f"{', '.join(words)}.", bullet="  Says: ")] if words else []
    text += [
        Line(f"{name}: {reason}.", "faint", "  Besides: ") for name, reason in file.skipped[:_MOST_WORDS]
    ]
    return text


def record(files: Sequence[FileContents], problem: str) -> dict[str, Any]:
    """Tell the contents of files, and why they are no gradient dump, as a dict for strict JSON.

    Parameters
    ----------
    files : sequence of FileContents
    problem : str
        Why they are none.

    Returns
    -------
    dict
        ``problem`` and ``files``, each with ``label, format, arrays, metadata, skipped, looks_like`` and
        ``problem``.
    """
    return strict_dict({"problem": problem, "files": [_file_record(file) for file in files]})


def _file_record(file: FileContents) -> dict[str, Any]:
    values = asdict(file)
    values["metadata"] = dict(file.metadata)
    values["skipped"] = [{"name": name, "reason": reason} for name, reason in file.skipped]
    return values
