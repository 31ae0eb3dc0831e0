"""What files hold, gradients or not, as text and as a dict for strict JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from surge_fit._support.wording import plural
from surge_fit.gradients.dump import FileContents
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.records import strict_dict

_MOST_ARRAYS, _MOST_WORDS, _LONGEST_WORD = 40, 12, 60


def contents_to_text(
    files: Sequence[FileContents], problem: str, *, width: int = MAX_WIDTH, color: bool = False
) -> str:
    """Tell what files hold that are no gradient dump.

    Parameters
    ----------
    files : sequence of FileContents
    problem : str
        Why they are none.
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks: list[Block] = []
    for file in files:
        blocks += [None] if blocks else []
        blocks += _file(file)
    return render([*blocks, None, Line(problem, "warning", "As gradients: ")], width=width, color=color)


def _file(file: FileContents) -> list[Block]:
    if file.problem is not None:
        said = f"cannot be read{f'; by its name {file.looks_like}' if file.looks_like else ''}"
        return [Line(f"{file.label}: {said}", "heading"), Line(file.problem, bullet="  ")]
    what = f": {file.looks_like}" if file.looks_like else ""
    kind = f" ({file.format})" if file.format else ""
    blocks: list[Block] = [Line(f"{file.label}{kind}, {plural(len(file.arrays), 'array')}{what}", "heading")]
    if file.arrays:
        rows = [
            (array.dtype, "×".join(map(str, array.shape)) or "scalar", array.name)
            for array in file.arrays[:_MOST_ARRAYS]
        ]
        blocks += [None, Table(("dtype", "shape", "array"), tuple(rows), 1)]
        more = len(file.arrays) - _MOST_ARRAYS
        blocks += [Line(f"and {more:,} more; --json lists them all.", bullet="  ")] if more > 0 else []
    words = [f"{key} = {value[:_LONGEST_WORD]}" for key, value in file.metadata[:_MOST_WORDS]]
    words += [f"{len(file.metadata) - _MOST_WORDS} more"] if len(file.metadata) > _MOST_WORDS else []
    blocks += [None, Line(f"{', '.join(words)}.", bullet="  Says: ")] if words else []
    blocks += [Line(f"{name}: {why}.", "faint", "  Besides: ") for name, why in file.skipped[:_MOST_WORDS]]
    return blocks


def contents_to_json(files: Sequence[FileContents], problem: str) -> dict[str, Any]:
    """Tell what files hold that are no gradient dump, as a dict of JSON types.

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
    return strict_dict({"problem": problem, "files": [_record(file) for file in files]})


def _record(file: FileContents) -> dict[str, Any]:
    told = asdict(file)
    told["metadata"] = dict(file.metadata)
    told["skipped"] = [{"name": name, "reason": why} for name, why in file.skipped]
    return told
