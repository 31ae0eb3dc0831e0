"""Opened files → tensors with their rows, in one of two layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit._support.wording import listing, plural
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.items import is_list_of_rows, items_of
from surge_fit.gradients.dump.kinds import parameters_in
from surge_fit.gradients.dump.sources import Array, Source
from surge_fit.gradients.dump.value import DumpTensor, Layout, Segment

_MIN_ROWS = 3


@dataclass(frozen=True, slots=True)
class _Held:
    """One array and the source that holds it."""

    source: str
    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def segment(self, rows: int) -> Segment:
        return Segment(self.array.file, self.array.entry, rows)


def choose_layout(sources: Sequence[Source], stated: Layout | None) -> tuple[Layout, str | None]:
    """Tell along what the rows lie: the first axis of every array, the files, or the items of a list.

    Parameters
    ----------
    sources : sequence of Source
    stated : {"examples", "rows", "items"} or None
        What the caller or the files say.

    Returns
    -------
    layout : {"examples", "rows", "items"}
    assumption : str or None
        A sentence, where the arrays alone do not decide.
    """
    if stated is not None:
        return stated, None
    if sources and all(is_list_of_rows(source) for source in sources):
        count = len(items_of(sources[0]))
        return "items", (
            f"'{sources[0].label}' is a list of {count} items of the same names and shapes: each was "
            "taken for one row. If they are layers, say layout='examples' (command line: --layout examples)."
        )
    if len(sources) == 1:
        return "examples", None
    shapes = [{array.name: array.shape for array in source.arrays} for source in sources]
    alike = len({tuple(sorted(held.items())) for held in shapes}) == 1
    leading = [{shape[:1] for shape in held.values()} for held in shapes]
    with_axis = all(len(sizes) == 1 and () not in sizes for sizes in leading)
    if not with_axis or any(not source.says_gradients and parameters_in(source.arrays) for source in sources):
        return "rows", None
    if alike and all(len(shape) == 1 for shape in shapes[0].values()):
        return "rows", None
    if not alike:
        return "examples", None
    return "examples", (
        f"The {len(sources)} files hold arrays of the same shapes, all with the same first axis: it was "
        "taken for "
        "the axis of examples. If every file is one gradient, say layout='rows' (command line: --layout "
        "rows)."
    )


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
                    "single number. Leave it out (leave_out=, command line: --leave-out), or pass one file "
                    "per row."
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
                "file is one gradient, pass several files with layout='rows' (command line: --layout "
                "rows). What is no gradient, leave out (leave_out=, command line: --leave-out)."
            )
            raise DumpError(msg)
    tensors = [
        DumpTensor(
            name=name,
            dtype=held[0].array.dtype,
            shape=held[0].shape[1:],
            segments=tuple(array.segment(array.shape[0]) for array in held),
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
        segments = {row: array.segment(1) for row, array in zip(present, held, strict=True)}
        if absent == "zero":
            segments = {row: segments.get(row, Segment(None, 0, 1)) for row in range(len(sources))}
        tensors.append(
            DumpTensor(
                name=name,
                dtype=held[0].array.dtype,
                shape=held[0].shape,
                segments=tuple(segments.values()),
                present=present if lacking and absent == "missing" else None,
            )
        )
    names = [(source.label, 1) for source in sources]
    _require_rows(len(sources), "files, each one row", names)
    return tensors, names


def one_per_item(
    sources: Sequence[Source], absent: str | None
) -> tuple[list[DumpTensor], list[tuple[str, int]]]:
    """Stack the items of lists, each of them one row.

    Parameters
    ----------
    sources : sequence of Source
    absent : {"zero", "missing"} or None
        What it means that an item lacks a tensor.

    Returns
    -------
    tensors : list of DumpTensor
    row_names : list of (str, int)
        Label and items of every file.

    Raises
    ------
    DumpError
        If a file is no list, or as `one_per_file`.
    """
    lists = [items_of(source) for source in sources]
    for source, items in zip(sources, lists, strict=True):
        if not items:
            msg = (
                "With the layout 'items', a file must be a list with one gradient per row, named 0, 1, 2, …; "
                f"'{source.label}' holds {listing([array.name for array in source.arrays], 4) or 'nothing'}. "
                "Save such a list, or say another layout."
            )
            raise DumpError(msg)
    tensors, _ = one_per_file([item for items in lists for item in items], absent)
    return tensors, [(source.label, len(items)) for source, items in zip(sources, lists, strict=True)]


def _by_name(sources: Sequence[Source]) -> dict[str, list[_Held]]:
    found: dict[str, list[_Held]] = {}
    for source in sources:
        for array in source.arrays:
            held = found.setdefault(array.name, [])
            if held and held[0].array.dtype != array.dtype:
                raise _contradiction(array.name, "dtype", held[0], _Held(source.label, array), 0)
            held.append(_Held(source.label, array))
    if not found:
        left = [f"{name}: {why}" for source in sources for name, why in source.skipped]
        msg = (
            f"A gradient dump must hold arrays of floating-point numbers; {_names(sources)} "
            f"{'holds' if len(sources) == 1 else 'hold'} none"
            f"{f', but {listing(left, 3)}' if left else ''}. Check what was written."
        )
        raise DumpError(msg)
    return found


def _contradiction(name: str, what: str, first: _Held, other: _Held, axis: int) -> DumpError:
    def said(array: _Held) -> str:
        return f"{array.array.dtype if what == 'dtype' else array.shape[axis:]} in '{array.source}'"

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


def _places(held: Sequence[_Held]) -> str:
    return listing(list(dict.fromkeys(array.source for array in held)), 3)


def _names(sources: Sequence[Source]) -> str:
    return listing([f"'{source.label}'" for source in sources], 3)
