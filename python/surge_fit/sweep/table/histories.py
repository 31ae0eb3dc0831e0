"""Histories, which have a row per step or epoch of each run, and what is left of each run: one row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import Source, number, plural
from surge_fit.sweep.sources.base import Cells, Frame, Numbers
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.headers import Header
from surge_fit.sweep.table.matching import Match
from surge_fit.typing import FloatArray, IndexArray

_FEWEST_ROWS = 2.0
"""Rows per run, on average, from which a table is a history."""


def reduce_history(draft: Draft, match: Match) -> tuple[Frame, Source] | None:
    """Return one row per run of a history, or None where the table is none.

    Of the learning rates that a run logged the highest is kept, of everything else the last that is not
    blank: a rate follows its schedule, a loss is judged at the end.
    """
    header = match.found.get("index") or match.found.get("steps")
    if header is None or not any(name in match.found for name in ("learning_rate", "loss")):
        return None
    index = draft.numbers(header).values
    if not np.isfinite(index).all():
        return None
    runs = _runs_of(draft, match, index, only_alike="index" not in match.found)
    if runs is None:
        return None
    count = int(runs.max()) + 1
    last = np.full(count, -1, dtype=np.int64)
    last[runs] = np.arange(len(runs))
    cells = {
        header: _reduced(draft, draft.headers[header], column, runs, index, count)
        for header, column in draft.frame.cells.items()
    }
    lengths = f"; if they are runs of several lengths, group by '{header}'"
    draft.decide(
        "shape",
        f"A history: the {draft.frame.count} rows are steps of {plural(count, 'run')}; of each run the "
        "highest learning rate and the last loss are kept"
        f"{_peak_caution(draft, match, runs, index)}{'' if 'index' in match.found else lengths}.",
        doubt=True,
    )
    return Frame(cells, count), draft.source.taking(last)


def _peak_caution(draft: Draft, match: Match, runs: IndexArray, index: FloatArray) -> str:
    """Say so where the rate only falls: the peak may lie before the first row."""
    rate = match.found.get("learning_rate")
    if rate is None:
        return ""
    values = draft.numbers(rate).values
    same = runs[1:] == runs[:-1]
    falls = same & (values[1:] < values[:-1])
    if not same.any() or falls.sum() < 0.9 * same.sum():
        return ""
    first = index[np.flatnonzero(np.r_[True, ~same])].min()
    return f"; the rates fall from the first row on (at {number(first)}), so the peak may have been higher"


def _runs_of(draft: Draft, match: Match, index: FloatArray, *, only_alike: bool) -> IndexArray | None:
    """Number the run of every row, or return None where rows are runs.

    Under a header that may also be the length of a run, rows are steps only if every run has as many.
    """
    for key in _keys(draft, match):
        runs = _numbered(key)
        rows = np.bincount(runs)
        if _are_histories(runs, index) and not (only_alike and rows.min() < rows.max()):
            return runs
    if only_alike:
        return None
    batch = match.found.get("batch_size") or match.found.get("micro_batch_size")
    if batch is None:
        return None
    size = draft.numbers(batch).values
    begins = np.r_[True, (index[1:] <= index[:-1]) | (size[1:] != size[:-1])]
    runs = np.cumsum(begins) - 1
    return runs if _are_histories(runs, index) else None


def _keys(draft: Draft, match: Match) -> list[list[Sequence[object]]]:
    """Return what may tell runs apart: their names, or their whole configuration."""
    keys: list[list[Sequence[object]]] = []
    if "run_id" in match.found:
        names = draft.words(match.found["run_id"])
        if len(set(names)) == len(names):
            return []
        keys.append([names])
    configuration = [
        draft.words(match.found[name])
        for name in (
            "batch_size",
            "micro_batch_size",
            "learning_rate",
            "seed",
            "optimizer",
            "weight_decay",
            "beta2",
        )
        if name in match.found
    ]
    if configuration and "learning_rate" in match.found:
        keys.append(list(configuration))
    return keys


def _numbered(key: Sequence[Sequence[object]]) -> IndexArray:
    order: dict[tuple[object, ...], int] = {}
    return np.array([order.setdefault(row, len(order)) for row in zip(*key, strict=True)], dtype=np.int64)


def _are_histories(runs: IndexArray, index: FloatArray) -> bool:
    """Whether the index rises from row to row of nearly every run, and there are several rows of each."""
    count = int(runs.max()) + 1
    rows = np.bincount(runs, minlength=count)
    if len(runs) / count < _FEWEST_ROWS or np.median(rows) < _FEWEST_ROWS:
        return False
    order = np.lexsort((np.arange(len(runs)), runs))
    same = runs[order][1:] == runs[order][:-1]
    return bool((np.diff(index[order])[same] > 0).all())


def _reduced(
    draft: Draft, header: Header, column: Cells, runs: IndexArray, index: FloatArray, count: int
) -> Cells:
    written = column.written()
    if column.numbers is not None or header.meaning in ("learning_rate", "loss", "score", "index"):
        numbers = draft.numbers(header.text)
        blank = numbers.blank | (np.isnan(numbers.values) & (header.meaning != "loss"))
    else:
        blank = np.array([cell in (None, "") for cell in written], dtype=bool)
    if header.meaning == "learning_rate" and not header.strange:
        chosen = _highest(draft.numbers(header.text).values, runs, count)
    else:
        chosen = _last(np.flatnonzero(~blank), runs, index, count)
    kept = [None if row < 0 else written[row] for row in chosen]
    typed = column.numbers() if column.numbers is not None else None
    if typed is None:
        return Cells(header.text, lambda: kept)
    values, blank = typed
    found = Numbers(np.where(chosen < 0, np.nan, values[chosen]), (chosen < 0) | blank[chosen])
    return Cells(header.text, lambda: kept, lambda: found)


def _highest(values: FloatArray, runs: IndexArray, count: int) -> IndexArray:
    order = np.lexsort((np.nan_to_num(values, nan=-np.inf), runs))
    return _ends(order, runs, count)


def _last(rows: NDArray[np.intp], runs: IndexArray, index: FloatArray, count: int) -> IndexArray:
    order = rows[np.lexsort((index[rows], runs[rows]))]
    return _ends(order, runs, count)


def _ends(order: NDArray[np.intp], runs: IndexArray, count: int) -> IndexArray:
    chosen = np.full(count, -1, dtype=np.int64)
    chosen[runs[order]] = order
    return chosen
