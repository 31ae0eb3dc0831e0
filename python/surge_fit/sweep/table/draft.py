"""A table while it is read: its headers and columns, what was decided so far and what must be asked."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision, Topic
from surge_fit.sweep.sources.base import Frame
from surge_fit.sweep.table.cells import Kind, NumberColumn, read_column, words
from surge_fit.sweep.table.headers import Header, read_header

_BATCHES = ("batch_size", "micro_batch_size")
_COUNTS = frozenset(
    [
        "batch_size",
        "micro_batch_size",
        "accumulation",
        "data_parallel",
        "devices",
        "model_parallel",
        "steps",
        "tokens",
        "index",
        "steps_to_target",
        "examples_to_target",
        "tokens_to_target",
        "examples_per_epoch",
        "warmup",
    ]
)


class Draft:
    """The table, read column by column as it is asked for.

    Attributes
    ----------
    frame : Frame
    source : Source
    headers : dict of str to Header
        Every header, read.
    decisions : list of Decision
    problems : list of str
        What keeps the table from being a sweep, a message each; told all at once.
    """

    def __init__(self, frame: Frame, source: Source, decisions: Iterable[Decision]) -> None:
        self.frame, self.source = frame, source
        self.headers = {text: read_header(text) for text in frame.cells}
        self.decisions = list(decisions)
        self.problems: list[str] = []
        self._numbers: dict[str, NumberColumn] = {}
        self._decimal_comma: bool | None = None

    def decide(self, topic: Topic, message: str, *, doubt: bool = False) -> None:
        """Keep a decision; once, however often it is made."""
        decision = Decision(topic, message, doubt)
        if decision not in self.decisions:
            self.decisions.append(decision)

    def refuse(self, message: str) -> None:
        """Keep a problem, to be told with all others."""
        if message not in self.problems:
            self.problems.append(message)

    def raise_problems(self) -> None:
        """Raise what was refused so far, all of it.

        Raises
        ------
        SweepError
            If anything was.
        """
        if len(self.problems) == 1:
            raise SweepError(self.problems[0])
        if self.problems:
            told = "\n".join(f"* {problem}" for problem in self.problems)
            msg = f"{self.source.name} is not a sweep yet, for {len(self.problems)} reasons:\n{told}"
            raise SweepError(msg)

    def numbers(self, header: str) -> NumberColumn:
        """Return the cells of a column as numbers, logarithms and factors of its header undone."""
        if header not in self._numbers:
            self._numbers[header] = self._read(header)
        return self._numbers[header]

    def words(self, header: str) -> list[str]:
        """Return the cells of a column as text."""
        return words(self.frame.cells[header])

    def with_meaning(self, *meanings: str) -> list[Header]:
        """Return the headers whose meaning is one of these, in the order of the table."""
        return [header for header in self.headers.values() if header.meaning in meanings]

    def is_text(self, header: str) -> bool:
        """Whether a column holds words and not a single number: ``params_loss`` of ``mse`` is no loss."""
        column = self.numbers(header)
        readable = np.isfinite(column.values)
        return bool(column.unreadable.any()) and not readable.any()

    def places(self, rows: NDArray[np.intp]) -> str:
        """Name rows of the table."""
        return self.source.places(rows)

    def _read(self, header: str) -> NumberColumn:
        cells, read = self.frame.cells[header], self.headers[header]
        kind: Kind = (
            "batch" if read.meaning in _BATCHES else "count" if read.meaning in _COUNTS else "measure"
        )
        column = read_column(cells, kind, self._has_decimal_comma())
        if read.base is not None:
            base = read.base
            name = {2.0: "2", 10.0: "10"}.get(base, "e")
            column = column.mapped(lambda x: np.power(base, x), f"{name} to the power of its cells")
        if read.factor != 1.0:
            column = column.mapped(lambda x: x * read.factor, f"its cells times {read.factor:g}")
        if read.unit == "%" and not any("%" in str(cell) for cell in cells.written()[:1]):
            column = column.mapped(lambda x: x / 100, "percent")
        return column

    def _has_decimal_comma(self) -> bool:
        if self._decimal_comma is None:
            self._decimal_comma = False
            wanted = self.with_meaning("learning_rate", "loss", "score")
            self._decimal_comma = any(
                choice.startswith("decimal comma")
                for header in wanted
                for choice in read_column(self.frame.cells[header.text], "measure").choices
            )
        return self._decimal_comma


def quoted_headers(headers: Iterable[str], most: int | None = None) -> str:
    """Quote headers for a message."""
    return listing([repr(header) for header in headers], most)
