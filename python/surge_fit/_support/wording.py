"""How messages speak: of numbers, of lists, and of the place where something was found."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


def number(value: float) -> str:
    """Write a number as a person would: whole numbers in full, others with six digits."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def listing(items: Iterable[str], most: int | None = None) -> str:
    """Join words to ``a, b and c``; beyond `most` of them, to ``a, b and 7 more``; none to nothing."""
    words = list(items)
    if not words:
        return ""
    if most is not None and len(words) > most:
        words = [*words[:most], f"{len(words) - most} more"]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 run``, ``3 runs``, ``2 batch sizes``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Source:
    """Where a table came from, so that a message can name the file and the row.

    Attributes
    ----------
    name : str
        The file's name, or "the frame".
    lines : ndarray of int, shape (run,), or None
        The line of the file at which each run starts (the header is line 1). Without lines, rows are
        counted from 1.
    is_file : bool
        Whether the command line can have asked for it, so that a remedy names its option too.
    rows : ndarray of int, shape (run,), or None
        The row of each run, counted from 1, where a table without lines is not read row by row.
    """

    name: str
    lines: NDArray[np.int64] | None = None
    is_file: bool = False
    rows: NDArray[np.int64] | None = None

    def place(self, index: int) -> str:
        """Return "line 17 of runs.csv" or "row 16 of the frame" for the run at position `index`."""
        if self.lines is None:
            return f"row {index + 1 if self.rows is None else self.rows[index]} of {self.name}"
        return f"line {self.lines[index]} of {self.name}"

    def taking(self, indices: NDArray[np.intp]) -> "Source":
        """Return the source of a table made of some of its rows, perhaps repeated."""
        if self.lines is not None:
            return replace(self, lines=self.lines[indices])
        rows = indices + 1 if self.rows is None else self.rows[indices]
        return replace(self, rows=rows.astype(np.int64))

    def places(self, indices: NDArray[np.intp]) -> str:
        """Return the first places among `indices`, and how many more there are."""
        numbers = self.lines if self.lines is not None else self.rows
        word = "row" if self.lines is None else "line"
        rows = list(dict.fromkeys(indices + 1 if numbers is None else numbers[indices]))
        if len(rows) == 1:
            return self.place(int(indices[0]))
        return f"{word}s {listing([str(row) for row in rows], 3)} of {self.name}"

    def column_remedy(self, name: str, header: str) -> str:
        """Return the argument, and for a file the command-line option, that picks a column."""
        argument = f"columns={{{name!r}: {header!r}}}"
        return f"{argument} (command line: --column {name}={header!r})" if self.is_file else argument

    def option_remedy(self, argument: str, value: str) -> str:
        """Return an argument, and for a file the command-line option, with its value."""
        option = argument.replace("_", "-")
        return f"{argument}={value!r}" + (f" (command line: --{option} {value})" if self.is_file else "")
