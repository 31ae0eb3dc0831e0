"""Tables in Markdown, as in a README or a lab notebook."""

import re

import numpy as np

from surge_fit._support.wording import Source, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources.base import Table, frame_of_lists

_RULE = re.compile(r"^\s*\|?\s*:?-{1,}:?\s*(?:\|\s*:?-{1,}:?\s*)*\|?\s*$")
_HEAD = 10_000
"""Letters among which the first two lines are looked for."""

_SPLIT = re.compile(r"(?<!\\)\|")


def looks_like_markdown(text: str) -> bool:
    """Whether a text begins with a table between bars."""
    lines = text[:_HEAD].lstrip().splitlines()[:2]
    return len(lines) == 2 and lines[0].lstrip().startswith("|") and bool(_RULE.match(lines[1]))


def read_markdown(text: str, name: str) -> Table:
    """Read the longest table of a Markdown text.

    Raises
    ------
    SweepError
        If it has none.
    """
    lines = text.splitlines()
    tables = []
    for index in range(1, len(lines)):
        if "|" in lines[index] and _RULE.match(lines[index]) and "|" in lines[index - 1]:
            end = next((row for row in range(index + 1, len(lines)) if "|" not in lines[row]), len(lines))
            tables.append((index - 1, range(index + 1, end)))
    if not tables or not any(len(rows) for _, rows in tables):
        msg = f"{name} must hold a table between bars, with a line of dashes below its header; there is none."
        raise SweepError(msg)
    first, rows = max(tables, key=lambda table: len(table[1]))
    header = [cell or f"column {place}" for place, cell in enumerate(_cells(lines[first]), start=1)]
    held = [(row, _cells(lines[row])) for row in rows]
    decisions = []
    if len(tables) > 1:
        decisions.append(
            Decision(
                "shape",
                f"The longest of {plural(len(tables), 'table')} of {name} is read, in line {first + 1}.",
                True,
            )
        )
    width = len(header)
    columns = {
        title: [cells[place] if place < len(cells) else None for _, cells in held]
        for place, title in enumerate(header[:width])
    }
    source = Source(name, np.array([row + 1 for row, _ in held], dtype=np.int64), is_file=True)
    return Table(frame_of_lists(columns, len(held)), source, decisions=tuple(decisions))


def _cells(line: str) -> list[str]:
    text = line.strip()
    text = text.removeprefix("|")
    text = text[:-1] if text.endswith("|") and not text.endswith("\\|") else text
    return [cell.strip().replace("\\|", "|") for cell in _SPLIT.split(text)]
