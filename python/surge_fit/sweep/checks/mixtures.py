"""Runs of several kinds in one sweep: their losses do not lie in one valley."""

from collections.abc import Iterator, Sequence

import numpy as np

from surge_fit._support.wording import listing
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns

_MOST_NAMED = 4


def mixed_settings(sweep: SweepColumns) -> Finding | None:
    """Find settings that take several values at one batch size of one group."""
    mixed = {name: values for name, cells in _columns(sweep) if (values := _values_in_a_cell(sweep, cells))}
    if not mixed:
        return None
    told = [f"'{name}' ({listing([repr(value) for value in values], 4)})" for name, values in mixed.items()]
    names = ",".join(mixed)
    return Finding(
        "mixed_settings",
        "warning",
        f"At one batch size there are runs of different {listing(told, _MOST_NAMED)}: their best rates "
        "and losses may have nothing in common.",
        f"Read each as a group of its own, with group_by={[*mixed]!r} (command line: --group-by {names}), or "
        "leave all but one out.",
    )


def _columns(sweep: SweepColumns) -> Iterator[tuple[str, Sequence[str]]]:
    for name in ("optimizer", "schedule"):
        cells = getattr(sweep, name)
        if cells is not None:
            yield name, cells
    yield from sweep.settings.items()


def _values_in_a_cell(sweep: SweepColumns, cells: Sequence[str]) -> tuple[str, ...]:
    """The values of a column, if two of them were tried at one batch size of one group; else none."""
    values, code = np.unique(np.array(cells, dtype=str), return_inverse=True)
    known = values[code] != ""
    if not known.any():
        return ()
    size = np.searchsorted(sweep.batch_sizes, sweep.batch_size)
    cell = sweep.group_index * sweep.batch_sizes.size + size
    pairs = np.unique((cell * values.size + code)[known])
    crossed = np.diff(pairs // values.size) == 0
    return tuple(values[values != ""].tolist()) if crossed.any() else ()
