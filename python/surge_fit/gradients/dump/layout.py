"""Opened files → tensors with their rows, in one of two layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit._core import GradientFile
from surge_fit._support.wording import listing, plural
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.files import Source
from surge_fit.gradients.dump.value import DumpTensor, Layout, Segment

_MIN_ROWS = 3


@dataclass(frozen=True, slots=True)
class _Array:
    """One array of one source."""

    source: str
    file: GradientFile
    entry: int
    dtype: str
    shape: tuple[int, ...]


def choose_layout(sources: Sequence[Source], stated: Layout | None) -> tuple[Layout, str | None]:
    """Tell along what the rows lie: the first axis of every array, or the files.

    Parameters
    ----------
    sources : sequence of Source
    stated : {"examples", "rows"} or None
        What the caller or the files say.

    Returns
    -------
    layout : {"examples", "rows"}
    assumption : str or None
        A sentence, where the arrays alone do not decide.
    """
    if stated is not None:
        return stated, None
    if len(sources) == 1:
        return "examples", None
    shapes = [_shapes(source) for source in sources]
    alike = len({tuple(sorted(held.items())) for held in shapes}) == 1
    leading = [{shape[:1] for shape in held.values()} for held in shapes]
    along_axis = all(len(sizes) == 1 and () not in sizes for sizes in leading)
    if not along_axis or (alike and all(len(shape) == 1 for shape in shapes[0].values())):
        return "rows", None
    if not alike:
        return "examples", None
    return "examples", (
        f"The {len(sources)} files hold arrays of the same shapes, all with the same first axis: it was "
        "taken for "
        "the axis of examples. If every file is one gradient, say layout='rows' (command line: --layout "
        "rows)."
    )


def _shapes(source: Source) -> dict[str, tuple[int, ...]]:
    return {name: shape for file in source.files for name, _, shape, _ in file.entries}


def along_axis(sources: Sequence[Source]) -> tuple[list[DumpTensor], list[tuple[str, int]]]:
    """Join arrays with a leading axis of examples; files may split tensors, examples, or both.

    Parameters
    ----------
    sources : sequence of Source

    Returns
    -------
    tensors : list of DumpTensor
    row_names : list of (str, int)
        Label and rows of every file that holds the first tensor.

    Raises
    ------
    DumpError
        If dtypes or shapes contradict each other, or the tensors have different numbers of examples.
    """
    arrays = _by_name(sources)
    for name, held in arrays.items():
        for array in held:
            if not array.shape:
                msg = (
                    f"'{array.source}', tensor '{name}': must have a first axis of examples; it is a "
                    "single number. "
                    "Leave it out, or pass one file per row."
                )
                raise DumpError(msg)
            if array.shape[1:] != held[0].shape[1:]:
                raise _contradiction(name, "shape without the first axis", held[0], array, 1)
    rows = {name: sum(array.shape[0] for array in held) for name, held in arrays.items()}
    first = next(iter(arrays))
    for name, count in rows.items():
        if count != rows[first]:
            msg = (
                f"All tensors must have the same number of examples along their first axis; '{first}' "
                f"({_places(arrays[first])}) has {rows[first]}, '{name}' ({_places(arrays[name])}) has "
                f"{count}. If every "
                "file is one gradient, pass several files with layout='rows' (command line: --layout rows)."
            )
            raise DumpError(msg)
    tensors = [
        DumpTensor(
            name=name,
            dtype=held[0].dtype,
            shape=held[0].shape[1:],
            segments=tuple(Segment(array.file, array.entry, array.shape[0]) for array in held),
        )
        for name, held in arrays.items()
    ]
    names = [(array.source, array.shape[0]) for array in arrays[first]]
    _require_rows(rows[first], "examples along the first axis", names)
    return tensors, names


def one_per_file(
    sources: Sequence[Source], absent: str | None
) -> tuple[list[DumpTensor], list[tuple[str, int]]]:
    """Stack files of which each is one row.

    Parameters
    ----------
    sources : sequence of Source
    absent : {"zero", "missing"} or None
        What it means that a file lacks a tensor.

    Returns
    -------
    tensors : list of DumpTensor
    row_names : list of (str, int)

    Raises
    ------
    DumpError
        If dtypes or shapes contradict each other, or a file lacks a tensor and nobody said what that means.
    """
    arrays = _by_name(sources)
    position = {source.label: row for row, source in enumerate(sources)}
    tensors = []
    for name, held in arrays.items():
        for array in held:
            if array.shape != held[0].shape:
                raise _contradiction(name, "shape", held[0], array, 0)
        present = np.array([position[array.source] for array in held], dtype=np.int64)
        lacking = len(sources) - len(held)
        if lacking and absent is None:
            without = next(source.label for source in sources if source.label not in {a.source for a in held})
            msg = (
                f"Every file must hold every tensor; '{name}' is in '{held[0].source}' but not in "
                f"'{without}' "
                f"({plural(lacking, 'file')} lack it). Say what that means: absent='zero' for a gradient "
                "of zero, "
                "absent='missing' for one that is not there (command line: --absent)."
            )
            raise DumpError(msg)
        segments = {
            row: Segment(array.file, array.entry, 1) for row, array in zip(present, held, strict=True)
        }
        if absent == "zero":
            segments = {row: segments.get(row, Segment(None, 0, 1)) for row in range(len(sources))}
        tensors.append(
            DumpTensor(
                name=name,
                dtype=held[0].dtype,
                shape=held[0].shape,
                segments=tuple(segments.values()),
                present=present if lacking and absent == "missing" else None,
            )
        )
    names = [(source.label, 1) for source in sources]
    _require_rows(len(sources), "files, each one row", names)
    return tensors, names


def _by_name(sources: Sequence[Source]) -> dict[str, list[_Array]]:
    found: dict[str, list[_Array]] = {}
    for source in sources:
        for file in source.files:
            for entry, (name, dtype, shape, _) in enumerate(file.entries):
                held = found.setdefault(name, [])
                array = _Array(source.label, file, entry, dtype, shape)
                if held and held[0].dtype != dtype:
                    raise _contradiction(name, "dtype", held[0], array, 0)
                held.append(array)
    if not found:
        msg = (
            f"A gradient dump must hold arrays of floating-point numbers; {_names(sources)} "
            f"{'holds' if len(sources) == 1 else 'hold'} none. Check what was written."
        )
        raise DumpError(msg)
    return found


def _contradiction(name: str, what: str, first: _Array, other: _Array, axis: int) -> DumpError:
    def said(array: _Array) -> str:
        return f"{array.dtype if what == 'dtype' else array.shape[axis:]} in '{array.source}'"

    return DumpError(
        f"Files of one dump must agree; the {what} of tensor '{name}' is {said(first)} but {said(other)}. "
        "Pass files of one model and one format."
    )


def _require_rows(rows: int, what: str, names: Sequence[tuple[str, int]]) -> None:
    if rows < _MIN_ROWS:
        where = listing([repr(label) for label, _ in names], 3) if names else "the dump"
        msg = (
            f"Noise is seen between gradients, so at least {_MIN_ROWS} {what} must be there; {where} "
            f"{'has' if len(names) <= 1 else 'have'} {rows}. Dump more of them."
        )
        raise DumpError(msg)


def _places(held: Sequence[_Array]) -> str:
    return listing(list(dict.fromkeys(array.source for array in held)), 3)


def _names(sources: Sequence[Source]) -> str:
    return listing([f"'{source.label}'" for source in sources], 3)
