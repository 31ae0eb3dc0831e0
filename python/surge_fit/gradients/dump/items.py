"""A list with one item per example, saved in one file, → its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from surge_fit.gradients.dump.sources import Source

_FEWEST = 3
_ITEM = re.compile(
    r"^(?:(?:per_(?:example|sample)_)?grad(?:ient)?s?\.|(?:examples|samples|rows)\.|arr_)?(\d+)(?:\.(.+))?$"
)
"""``17``, ``17.layer.weight``, ``grads.17.layer.weight``; ``arr_17`` of `numpy.savez`."""


def items_of(source: Source) -> list[Source]:
    """Split a list into its items, each a source of its own.

    Parameters
    ----------
    source : Source

    Returns
    -------
    list of Source
        In order, with the names within an item; empty where the source is no list.
    """
    found: dict[int, list[tuple[str, int]]] = {}
    for position, array in enumerate(source.arrays):
        match = _ITEM.match(array.name)
        if match is None:
            return []
        found.setdefault(int(match[1]), []).append((match[2] or "gradient", position))
    if len(found) < _FEWEST or set(found) != set(range(len(found))):
        return []
    return [
        Source(
            f"{source.label}[{number}]",
            tuple(replace(source.arrays[position], name=name) for name, position in found[number]),
            source.metadata,
        )
        for number in range(len(found))
    ]


def is_list_of_rows(source: Source) -> bool:
    """Tell whether a file is a list of gradients rather than of layers, each with an axis of examples.

    Parameters
    ----------
    source : Source

    Returns
    -------
    bool
        All items have the same names and shapes; and they cannot be layers, because an array has one axis or
        two arrays have another first axis, or are less likely layers, because there are more of them than
        rows in each.
    """
    items = items_of(source)
    shapes = [_shapes(item) for item in items]
    if not items or any(held != shapes[0] for held in shapes[1:]):
        return False
    return _cannot_be_layers(list(shapes[0].values()), len(items))


def _shapes(source: Source) -> dict[str, tuple[int, ...]]:
    return {array.name: array.shape for array in source.arrays if array.shape}


def _cannot_be_layers(shapes: Sequence[tuple[int, ...]], items: int) -> bool:
    firsts = {shape[0] for shape in shapes}
    return (
        len(firsts) > 1 or any(len(shape) == 1 for shape in shapes) or any(items > first for first in firsts)
    )
