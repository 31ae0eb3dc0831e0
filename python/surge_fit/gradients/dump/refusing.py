"""Files and arrays that are no gradients are left out and named; where nothing else is there, refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from surge_fit._support.wording import listing
from surge_fit.errors import DumpError
from surge_fit.gradients.dump.kinds import (
    WEIGHTS,
    Kind,
    has_rows,
    kind_of_file,
    kinds_of_arrays,
    last_part,
    parameters_in,
    weights_by_name,
)
from surge_fit.gradients.dump.sources import Source
from surge_fit.gradients.dump.value import Layout


def gradient_files(
    files: Sequence[tuple[Path, str]],
) -> tuple[list[tuple[Path, str]], list[tuple[str, str]]]:
    """Leave out files that never hold gradients by their names, such as ``optimizer.pt``.

    Parameters
    ----------
    files : sequence of (Path, str)
        With their labels.

    Returns
    -------
    files : list of (Path, str)
    left_out : list of (str, str)
        Label, and what it is.

    Raises
    ------
    DumpError
        If no file is left.
    """
    kinds = {label: kind for _, label in files if (kind := kind_of_file(label)) is not None}
    if len(kinds) == len(files):
        raise other_kind(list(kinds), next(iter(kinds.values())))
    left_out = [(label, f"it looks like {kind.what}") for label, kind in kinds.items()]
    return [file for file in files if file[1] not in kinds], left_out


def gradients_among(sources: Sequence[Source]) -> list[Source]:
    """Leave out arrays that are something else by their names, whatever their shapes.

    Parameters
    ----------
    sources : sequence of Source

    Returns
    -------
    list of Source
        Those that hold anything else.

    Raises
    ------
    DumpError
        If none does.
    """
    left: list[Source] = []
    others: dict[str, Kind] = {}
    for source in sources:
        found = kinds_of_arrays(source)
        if found and len(found) == len(source.arrays):
            others[source.label] = next(iter(found.values()))
        else:
            reasons = {name: f"it looks like {kind.what}" for name, kind in found.items()}
            left.append(source.leaving_out(reasons))
    if others and not any(source.arrays for source in left):
        raise other_kind(list(others), next(iter(others.values())))
    if others:
        left[0] = left[0].naming((label, f"it looks like {kind.what}") for label, kind in others.items())
    return left


def without_weights(sources: Sequence[Source]) -> list[Source]:
    """Leave out files with the shapes of the parameters beside files that have an axis of examples.

    Parameters
    ----------
    sources : sequence of Source

    Returns
    -------
    list of Source
    """
    weights = {source.label: found[0] for source in sources if (found := _weights(source)) is not None}
    left = [source for source in sources if source.label not in weights]
    if not weights or not left or not all(has_rows(source.arrays) for source in left):
        return list(sources)
    left[0] = left[0].naming((label, f"it looks like {kind.what}") for label, kind in weights.items())
    return left


def require_gradients(sources: Sequence[Source], layout: Layout) -> None:
    """Refuse weights, by their shapes where rows lie along an axis, else by the names of the files.

    Parameters
    ----------
    sources : sequence of Source
    layout : {"examples", "rows", "items"}

    Raises
    ------
    DumpError
    """
    for source in sources:
        if layout == "examples" and (found := _weights(source)) is not None:
            kind, why = found
            raise other_kind([source.label], kind, why, _AXIS)
        named = weights_by_name(source.label)
        if named is not None and not source.says_gradients and not has_rows(source.arrays):
            raise other_kind([source.label], named, None, _STATED)


_AXIS = (
    "If its first axis is that of the examples all the same, say layout='examples' (command line: --layout "
    "examples)."
)
_STATED = "If it holds gradients all the same, say the layout (command line: --layout)."


def _weights(source: Source) -> tuple[Kind, str] | None:
    return None if source.says_gradients else parameters_in(source.arrays) or _uneven(source)


def _uneven(source: Source) -> tuple[Kind, str] | None:
    """Tell whether the parameters of layers have first axes of different lengths."""
    layers = [
        array
        for array in source.arrays
        if array.shape and last_part(array.name) in ("weight", "bias", "kernel")
    ]
    other = next((array for array in layers if array.shape[0] != layers[0].shape[0]), None)
    if other is None or has_rows(layers):
        return None
    first = layers[0]
    return (
        WEIGHTS,
        f"'{first.name}' is {first.shape}, '{other.name}' {other.shape}, without a common axis of examples",
    )


def other_kind(labels: Sequence[str], kind: Kind, why: str | None = None, *further: str) -> DumpError:
    """Refuse what holds something else than gradients.

    Parameters
    ----------
    labels : sequence of str
        The files.
    kind : Kind
    why : str, optional
        What shows it.
    *further : str
        Sentences that follow.

    Returns
    -------
    DumpError
    """
    files = listing([f"'{label}'" for label in labels], 3)
    said = f"{files} {'looks' if len(labels) == 1 else 'look'} like {kind.what}{f': {why}' if why else ''}"
    return DumpError(" ".join((f"A gradient dump must hold gradients; {said}.", kind.remedy, *further)))
