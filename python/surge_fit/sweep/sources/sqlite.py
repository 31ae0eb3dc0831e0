"""Databases of trackers: SQLite files, opened so that nothing in or beside them changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from surge_fit.errors import SweepError

if TYPE_CHECKING:
    import sqlite3

_MAGIC = b"SQLite format 3\0"


def is_database(file: Path) -> bool:
    """Tell whether a file is an SQLite database, by its first bytes."""
    try:
        with file.open("rb") as opened:
            return opened.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading alone.

    Without a journal of pending writes beside it, the file is opened as one that nobody changes, so that
    SQLite makes no files of its own; else the journal is read too.

    Raises
    ------
    SweepError
        If the file is no sound database.
    """
    import sqlite3

    pending = file.with_name(f"{file.name}-wal")
    mode = "mode=ro" if pending.is_file() and pending.stat().st_size else "immutable=1"
    address = f"{file.resolve().as_uri()}?{mode}"
    try:
        connection = sqlite3.connect(address, uri=True)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        msg = (
            f"'{file}' must be an SQLite database that its tracker wrote; it cannot be read: {error}. "
            "Check that it is whole, and that no other program is writing it."
        )
        raise SweepError(msg) from error


def tables(file: Path) -> frozenset[str]:
    """Return the names of a database's tables.

    Raises
    ------
    SweepError
        If the file is no sound database.
    """
    with opened(file) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return frozenset(name for (name,) in found)
