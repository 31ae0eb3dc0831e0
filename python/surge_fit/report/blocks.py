"""Paragraphs and tables, laid out for a terminal in colour or for a file in plain aligned text."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

MAX_WIDTH = 100
"""Nothing is wider, however wide the terminal."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under headers; a header may have two lines.

    Attributes
    ----------
    headers : tuple of str
    rows : tuple of tuple of str
    words : int
        The last so many columns are words, which wrap and align left; all others align right.
    kept : int
        Columns after the first that stay together, in groups of so many, where the table is split.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 0
    kept: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph; what follows its indent wraps under it.

    Attributes
    ----------
    text : str
    style : {"plain", "heading", "warning", "error", "faint"}
    bullet : str
        Written before the first line; the others are indented as far.
    """

    text: str
    style: Literal["plain", "heading", "warning", "error", "faint"] = "plain"
    bullet: str = ""


Block: TypeAlias = Table | Line | None
"""One part of a text; None is a blank line."""

_CONTROLS = dict.fromkeys([*range(10), *range(11, 32), *range(127, 160)], "\ufffd")
"""Control characters but the line break: names from a stranger's file must not steer the terminal."""

_STYLES = {"plain": "", "heading": "bold", "warning": "yellow", "error": "bold red", "faint": "dim"}


def render(blocks: Sequence[Block], *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Lay blocks out.

    Parameters
    ----------
    blocks : sequence of Table, Line or None
    width : int
        Width of the terminal [columns].
    color : bool
        Whether it shows colours and rules.

    Returns
    -------
    str
        Ends with a line break; without `color`, no escape codes and no trailing spaces.
    """
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out,
        width=min(width, MAX_WIDTH),
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
    )
    for block in blocks:
        if block is None:
            console.print()
        elif isinstance(block, Table):
            rows = tuple(tuple(cell.translate(_CONTROLS) for cell in row) for row in block.rows)
            _print_table(console, replace(block, rows=rows), color)
        else:
            _print_line(console, replace(block, text=block.text.translate(_CONTROLS)))
    text = out.getvalue()
    return text if color else "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _print_table(console: Console, block: Table, color: bool) -> None:
    """Print a table; where the terminal is too narrow for its numbers, in halves."""
    table = _rich_table(block, color)
    halves = [] if _least_width(console, block, color) <= console.width else _halves(block)
    if not halves:
        console.print(table, soft_wrap=not block.words)
    for position, half in enumerate(halves):
        if position:
            console.print()
        _print_table(console, half, color)


def _least_width(console: Console, block: Table, color: bool) -> int:
    """Columns of the terminal that a table needs: numbers do not wrap, words do between them."""
    from rich.measure import Measurement

    def narrowest(cells: tuple[str, ...]) -> tuple[str, ...]:
        end = len(cells) - block.words
        return (*cells[:end], *(max(words.split() or [""], key=len) for words in cells[end:]))

    narrow = Table(narrowest(block.headers), tuple(map(narrowest, block.rows)), block.words)
    unbounded = console.options.update(width=10 * MAX_WIDTH)
    return Measurement.get(console, unbounded, _rich_table(narrow, color)).maximum


def _halves(block: Table) -> list[Table]:
    """Split a table into two that both have its first column; nothing where it cannot be split.

    Words stay with the second.
    """
    end = len(block.headers)
    groups = math.ceil((end - 1 - block.words) / block.kept)
    if groups < 2:
        return []
    middle = 1 + block.kept * math.ceil(groups / 2)
    return [
        Table(
            (block.headers[0], *block.headers[start:stop]),
            tuple((row[0], *row[start:stop]) for row in block.rows),
            words=words,
            kept=block.kept,
        )
        for start, stop, words in ((1, middle, 0), (middle, end, block.words))
    ]


def _rich_table(block: Table, color: bool) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(
        box=box.SIMPLE_HEAD if color else None,
        header_style="bold" if color else "",
        padding=(0, 1) if color else (0, 2, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    numbers = len(block.headers) - block.words
    for position, header in enumerate(block.headers):
        is_number = position < numbers
        table.add_column(
            Text(header), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold"
        )
    for row in block.rows:
        table.add_row(*map(Text, row))
    return table


def _print_line(console: Console, block: Line) -> None:
    from rich.table import Table as RichTable
    from rich.text import Text

    style = _STYLES[block.style]
    if not block.bullet:
        console.print(Text(block.text, style=style))
        return
    grid = RichTable.grid(padding=0)
    grid.add_column(width=len(block.bullet), no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(block.bullet, style=style), Text(block.text, style=style))
    console.print(grid)
