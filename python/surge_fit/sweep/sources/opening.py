"""Which source a location belongs to, and which of its runs are asked for."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from surge_fit._support.wording import plural
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources import files, trackers
from surge_fit.sweep.sources.base import Table
from surge_fit.sweep.sources.where import Condition, chosen
from surge_fit.typing import Progress


def open_source(location: str, *, where: Sequence[str] = (), progress: Progress | None = None) -> Table:
    """Return the table of runs at a location.

    Parameters
    ----------
    location : str
        A file, a folder, or an address such as ``sqlite:///study.db``.
    where : sequence of str
        Conditions that the runs must meet, such as ``optimizer=adamw``.
    progress : callable or None
        Called with a sentence and the share that is done, or None, where runs are read one by one.

    Raises
    ------
    SweepError
        If the runs cannot be read.
    """
    conditions = [Condition.parsed(text) for text in where]
    if trackers.recognises(location):
        table = trackers.read(location, where=conditions, progress=progress)
    else:
        table = files.read(location)
    return _those_that_meet(table, conditions) if conditions else table


def _those_that_meet(table: Table, conditions: Sequence[Condition]) -> Table:
    frame, rows = chosen(table.frame, conditions, table.source.name)
    left_out = table.frame.count - frame.count
    decisions = table.decisions
    if left_out:
        met = ", ".join(f"{condition.key}{condition.comparison}{condition.value}" for condition in conditions)
        decisions += (Decision("rows", f"{plural(left_out, 'run')} left out that do not meet {met}."),)
    source = table.source.taking(np.array(rows, dtype=np.intp))
    return replace(table, frame=frame, source=source, decisions=decisions)
