"""Which rows of a table are runs: the others are left out and named, and cells that cannot be are refused."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import listing
from surge_fit.sweep.schema import OPTIMUM_COLUMN, Column
from surge_fit.sweep.table.cells import RULES, BoolArray, NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.matching import COLUMNS, Match

_SUMMARIES = frozenset(
    [
        "mean",
        "average",
        "avg",
        "total",
        "sum",
        "std",
        "sd",
        "median",
        "count",
        "overall",
        "mean:",
        "total:",
        "average:",
        "avg.",
        "±",
    ]
)
_MOST_LEFT_OUT = 0.2
"""A larger share of rows left out is a doubt."""


class Rows:
    """The rows of a table, of which some are runs.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the refusals.
    match : Match
    kind : str
        Of the sweep.
    values : mapping of str to NumberColumn
        By canonical column.
    is_said : ndarray of bool, shape (row,)
        Whether the cells of a row say how it ended.
    """

    def __init__(
        self, draft: Draft, match: Match, kind: str, values: Mapping[str, NumberColumn], is_said: BoolArray
    ) -> None:
        self.draft, self.match, self.kind, self.values = draft, match, kind, values
        self.is_said = is_said
        self.left_out: dict[str, BoolArray] = {}

    def keep(self, group_headers: Mapping[str, str]) -> BoolArray:
        """Return which rows are runs, and refuse cells that make an answer wrong."""
        needed = ["batch_size", *(["learning_rate"] if self.kind != "steps_to_target" else [])]
        keep = ~self._summaries(needed)
        both_unusable = np.ones(self.draft.frame.count, dtype=bool)
        for name in needed:
            column = self.values[name]
            both_unusable &= column.unreadable | column.blank
        self._leave_out("hold no run", both_unusable & keep)
        keep &= ~both_unusable
        for name in needed:
            keep &= ~self._empty(name, keep)
        for name, column in self.values.items():
            if name in COLUMNS:
                self._refuse(name, column, keep, required=name in needed)
        for header in group_headers.values():
            self._refuse_blank_group(header, keep)
        if not keep.any() and not self.draft.problems:
            self.draft.refuse(
                "A table of runs must have rows with a batch size and a learning rate; in "
                f"{self.draft.source.name} no row has both."
            )
        self._tell(keep)
        return keep

    def _summaries(self, needed: Sequence[str]) -> BoolArray:
        """Find rows of means and totals, and headers that are repeated further down."""
        summary = np.zeros(self.draft.frame.count, dtype=bool)
        headers = [self.match.found[name] for name in needed if name in self.match.found]
        for header in headers:
            column = self.draft.numbers(header)
            for row in np.flatnonzero(column.unreadable):
                text = str(column.written()[int(row)]).strip()
                summary[row] |= text.lower() in _SUMMARIES or text == header
        if "run_id" in self.match.found:
            names = self.draft.words(self.match.found["run_id"])
            summary |= np.array([name.lower() in _SUMMARIES for name in names], dtype=bool)
        self._leave_out("hold a mean, a total or the header again", summary)
        return summary

    def _empty(self, name: str, keep: BoolArray) -> BoolArray:
        """Find rows without a batch size or learning rate, or with zero."""
        column = self.values[name]
        noun = name.replace("_", " ")
        blank = (column.blank | np.isnan(column.values)) & ~column.unreadable
        self._leave_out(f"have no {noun}", blank & keep)
        zero = column.values == 0
        self._leave_out(f"have a {noun} of 0", zero & keep)
        return np.asarray(blank | zero)

    def _leave_out(self, why: str, rows: BoolArray) -> None:
        if rows.any():
            self.left_out[why] = rows

    def _refuse(self, name: str, column: NumberColumn, keep: BoolArray, *, required: bool) -> None:
        definition = COLUMNS[
            OPTIMUM_COLUMN.name if self.kind == "optimum_points" and name == "learning_rate" else name
        ]
        expected, keeps_rule = RULES[definition.rule]
        missing = column.blank | (np.isnan(column.values) if definition.rule != "any" or required else False)
        offending = (
            (column.unreadable | (~keeps_rule(column.values) & ~missing)) & keep & ~(self.is_said & missing)
        )
        rows = np.flatnonzero(offending)
        if rows.size:
            self.draft.refuse(self._must_be(definition, column, rows, expected))

    def _must_be(
        self, definition: Column, column: NumberColumn, rows: NDArray[np.intp], expected: str
    ) -> str:
        first, source = int(rows[0]), self.draft.source
        place = source.place(first)
        run = self.match.found.get("run_id")
        where = f"run '{self.draft.words(run)[first]}' ({place})" if run else place
        header = self.match.found.get(definition.name, definition.name)
        named = "" if header == definition.name else f" (column '{header}')"
        more = f" The same holds for {source.places(rows[1:])}." if rows.size > 1 else ""
        return (
            f"'{definition.name}'{named} must be {expected}; got {column.shown(first)} in {where}.{more} "
            "Correct the column or drop the run."
        )

    def _refuse_blank_group(self, header: str, keep: BoolArray) -> None:
        words = self.draft.words(header)
        rows = np.flatnonzero(np.array([word == "" for word in words], dtype=bool) & keep)
        if rows.size:
            self.draft.refuse(
                f"Every run must belong to a group, but the column '{header}' is blank in "
                f"{self.draft.places(rows)}. Fill it in, or drop it from 'group_by'."
            )

    def _tell(self, keep: BoolArray) -> None:
        doubt = bool((~keep).mean() > _MOST_LEFT_OUT)
        for why, rows in self.left_out.items():
            indices = np.flatnonzero(rows)
            verb = why.replace("hold", "holds", 1).replace("have", "has", 1) if indices.size == 1 else why
            noun = "1 row" if indices.size == 1 else f"{indices.size} rows"
            self.draft.decide(
                "rows",
                f"{noun} left out, in {self.draft.places(indices)}: {_subject(indices, verb)}.",
                doubt=doubt,
            )


def _subject(indices: NDArray[np.intp], verb: str) -> str:
    return f"{'it' if indices.size == 1 else 'they'} {verb}"


def name_runs(draft: Draft, header: str | None, rows: NDArray[np.intp]) -> tuple[str, ...]:
    """Return a name of its own for every run: blank names are filled in, repeated ones numbered."""
    if header is None:
        return tuple(f"run-{index + 1}" for index in range(len(rows)))
    words = draft.words(header)
    names = [words[row] or f"run-{row + 1}" for row in rows]
    counts = Counter(names)
    if len(counts) == len(names):
        return tuple(names)
    taken, seen = set(names), Counter[str]()
    unique = []
    for name in names:
        seen[name] += 1
        candidate, number = name, seen[name]
        while number > 1 and (candidate := f"{name} ({number})") in taken:
            number += 1
        taken.add(candidate)
        unique.append(candidate)
    repeated = [name for name, count in counts.items() if count > 1]
    draft.decide("rows", f"Names in '{header}' that several runs have are numbered: {listing(repeated, 3)}.")
    return tuple(unique)
