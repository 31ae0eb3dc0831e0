"""From a frame of cells to the validated columns of a sweep.

Every source takes this road: files, arrays and the frames of other libraries become a frame of cells first.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import (
    ALL_COLUMNS,
    BATCH_UNITS,
    OPTIMUM_COLUMN,
    PROTOCOLS,
    RUN_COLUMNS,
    STATUS_WORDS,
    STATUSES,
    unit_in_header,
)
from surge_fit.sweep.sources.base import Cells, Frame, Numbers
from surge_fit.sweep.sources.cells import numbers, words
from surge_fit.sweep.sources.headers import find_columns, find_group_columns, missing

_COLUMNS = {column.name: column for column in ALL_COLUMNS}


def read_table(
    frame: Frame,
    source: Source,
    *,
    columns: Mapping[str, str] | None,
    batch_unit: str | None,
    protocol: str | None,
    group_by: str | Sequence[str] | None,
) -> dict[str, Any]:
    """Validate a frame of runs and return the fields of a `Sweep`.

    Parameters
    ----------
    frame : Frame
    source : Source
        Where the frame came from, for the messages.
    columns, batch_unit, protocol, group_by
        As for `surge_fit.read_sweep`.

    Returns
    -------
    dict
        Field → value, ready for ``Sweep(**fields)``.

    Raises
    ------
    SweepError
        If the frame does not hold what a sweep must hold.
    """
    if not frame.count:
        msg = f"A table of runs must have one row per run; there is none in {source.name}."
        raise SweepError(msg)
    headers = list(frame.cells)
    group_by = (group_by,) if isinstance(group_by, str) else tuple(group_by or ())
    found = find_columns(headers, columns, group_by, source)
    if "batch_size" not in found:
        raise missing(_COLUMNS["batch_size"], headers, source)
    held_fixed = _protocol(protocol, frame.cells[found["protocol"]] if "protocol" in found else None, source)
    kind = _kind(found, held_fixed, headers, source)
    group_headers = find_group_columns(headers, group_by, found, source)

    cells = {name: frame.cells[header] for name, header in found.items()}
    run_ids = _run_ids(cells.get("run_id"), frame.count, source)
    named = list(run_ids) if "run_id" in found else None
    values: dict[str, Numbers] = {
        name: numbers(
            held,
            _COLUMNS[name],
            source,
            named,
            required=name in ("batch_size", "learning_rate", "optimal_learning_rate"),
        )
        for name, held in cells.items()
        if not _COLUMNS[name].is_text
    }
    if kind == "optimum_points":
        values["learning_rate"] = values.pop(OPTIMUM_COLUMN.name)
    fields: dict[str, Any] = {column.name: None for column in RUN_COLUMNS}
    fields |= {name: column.values for name, column in values.items()}
    fields |= {name: tuple(words(cells[name])) for name in ("optimizer", "schedule") if name in cells}
    for name in ("loss", "learning_rate"):
        if name not in values:
            fields[name] = np.full(frame.count, np.nan)
    fields["run_id"] = run_ids
    fields["status"] = _statuses(cells.get("status"), values, kind, frame.count, source)
    fields["batch_unit"] = _batch_unit(batch_unit, cells.get("batch_unit"), found["batch_size"], source)
    fields["protocol"] = held_fixed or ("to_target" if kind == "steps_to_target" else None)
    fields["kind"] = kind
    if "steps" in found and found["steps"] == found.get("steps_to_target"):
        finished = np.array(fields["status"]) == "finished"
        fields["steps_to_target"] = np.where(finished, fields["steps"], np.nan)
    fields |= _groups(frame, group_headers, source)
    used = {*found.values(), *group_headers.values()}
    fields["ignored_columns"] = tuple(header for header in headers if header not in used)
    fields["source"] = source.name
    return fields


def _kind(found: dict[str, str], protocol: str | None, headers: Sequence[str], source: Source) -> str:
    """Tell what a table holds by its columns, and leave in `found` those that belong to it.

    In a table without learning rates, ``steps`` are those to the target where the table says that there was
    one: nothing else could be read off them.
    """
    optima = found.pop("optimal_learning_rate", None)
    if "learning_rate" in found:
        if "loss" not in found and "steps_to_target" not in found:
            raise missing(_COLUMNS["loss"], headers, source)
        return "runs"
    if optima is not None:
        found[OPTIMUM_COLUMN.name] = optima
        return "optimum_points"
    if "steps" in found and ("target_loss" in found or protocol == "to_target"):
        found.setdefault("steps_to_target", found["steps"])
    if "steps_to_target" in found:
        return "steps_to_target"
    if "steps" in found and "loss" not in found:
        msg = (
            "The steps of a table without learning rates must be those to a target loss; "
            f"{source.name} does not say that its column '{found['steps']}' holds them. Say it with "
            f"{source.option_remedy('protocol', 'to_target')}, or add the column 'target_loss' or "
            "'learning_rate'."
        )
        raise SweepError(msg)
    raise missing(_COLUMNS["learning_rate"], headers, source)


def _run_ids(cells: Cells | None, count: int, source: Source) -> tuple[str, ...]:
    if cells is None:
        return tuple(f"run-{index + 1}" for index in range(count))
    run_ids = words(cells)
    if len(set(run_ids)) < count or "" in run_ids:
        name = "" if "" in run_ids else Counter(run_ids).most_common(1)[0][0]
        places = source.places(np.flatnonzero([run_id == name for run_id in run_ids]))
        found = f"{name!r} names the runs" if name else "it is blank"
        msg = (
            f"'run_id' (column '{cells.name}') must name every run differently; {found} in {places}. "
            f"Rename them, or name another column with {source.column_remedy('run_id', '<header>')}."
        )
        raise SweepError(msg)
    return tuple(run_ids)


def _statuses(
    cells: Cells | None, values: Mapping[str, Numbers], kind: str, count: int, source: Source
) -> tuple[str, ...]:
    """Return how every run ended.

    A word of the table counts, except that a finished run whose loss is NaN or infinite has diverged. Where
    the table has no word: a loss that is not finite means diverged, a loss or steps to the target mean
    finished, and neither means stopped.
    """
    blank: NDArray[np.bool_] = np.ones(count, dtype=bool)
    not_finite = np.zeros(count, dtype=bool)
    if "loss" in values:
        blank &= values["loss"].blank
        not_finite = ~np.isfinite(values["loss"].values) & ~values["loss"].blank
    if "steps_to_target" in values:
        blank &= values["steps_to_target"].blank
    if kind == "optimum_points":
        blank[:] = False
    derived = np.where(not_finite, "diverged", np.where(blank, "stopped", "finished"))
    if cells is None:
        return tuple(derived.tolist())
    stated = words(cells)
    known: dict[str, str] = {word: STATUS_WORDS.get(word.lower(), "") for word in set(stated) if word}
    unknown = [word for word, status in known.items() if not status]
    if unknown:
        index = min(stated.index(word) for word in unknown)
        msg = (
            f"'status' (column '{cells.name}') must be one of {listing(STATUSES)}, or a word that means one "
            f"of them ({listing(word for word in STATUS_WORDS if word not in STATUSES)}); got "
            f"{stated[index]!r} in {source.place(index)}. Correct the column."
        )
        raise SweepError(msg)
    known[""] = ""
    told = np.array([known[word] for word in stated])
    told = np.where((told == "finished") & not_finite, "diverged", told)
    return tuple(np.where(told == "", derived, told).tolist())


def _batch_unit(argument: str | None, cells: Cells | None, header: str, source: Source) -> str:
    if argument is not None and argument not in BATCH_UNITS:
        msg = f"'batch_unit' must be one of {listing(BATCH_UNITS)}; got {argument!r}."
        raise SweepError(msg)
    stated = _one_word("batch_unit", cells, BATCH_UNITS, source) or unit_in_header(header)
    if argument and stated and argument != stated:
        where = f"column '{cells.name}'" if cells is not None else f"header '{header}'"
        msg = (
            f"batch_unit={argument!r} contradicts the {where} of {source.name}, which says {stated}. "
            "Drop the argument or correct the table."
        )
        raise SweepError(msg)
    unit = argument or stated
    if unit is None:
        msg = (
            f"Is the batch size of {source.name} (column '{header}') counted in examples, sequences or "
            "tokens? The table does not say, and it is never guessed. Say it with "
            f"{source.option_remedy('batch_unit', 'sequences')}, or add a column 'batch_unit'."
        )
        raise SweepError(msg)
    return unit


def _protocol(argument: str | None, cells: Cells | None, source: Source) -> str | None:
    if argument is not None and argument not in PROTOCOLS:
        msg = f"'protocol' must be one of {listing(PROTOCOLS)}; got {argument!r}."
        raise SweepError(msg)
    return argument or _one_word("protocol", cells, PROTOCOLS, source)


def _one_word(name: str, cells: Cells | None, allowed: Sequence[str], source: Source) -> str | None:
    """Return the one word that a column holds in every row, or None without the column or any word."""
    if cells is None:
        return None
    column = words(cells)
    first = column[0]
    other = next((index for index, word in enumerate(column) if word != first), None)
    if other is not None:
        msg = (
            f"'{name}' must be the same for all runs of a sweep; it is {first!r} in {source.place(0)} and "
            f"{column[other]!r} in {source.place(other)}. Convert the runs to one, or read two sweeps."
        )
        raise SweepError(msg)
    if first and first.lower() not in allowed:
        msg = f"'{name}' must be one of {listing(allowed)}; got {first!r} in {source.place(0)}."
        raise SweepError(msg)
    return first.lower() or None


def _groups(frame: Frame, group_headers: Mapping[str, str], source: Source) -> dict[str, Any]:
    """Return the label of every run's group, and what the group columns hold in each group."""
    if not group_headers:
        return {"group_labels": None, "group_values": {}}
    columns = [words(frame.cells[header]) for header in group_headers.values()]
    for header, column in zip(group_headers.values(), columns, strict=True):
        if "" in column:
            msg = (
                f"Every run must belong to a group, but the column '{header}' is blank in "
                f"{source.place(column.index(''))}. Fill it in, or drop it from 'group_by'."
            )
            raise SweepError(msg)
    joint = list(zip(*columns, strict=True))
    labels = {
        values: ", ".join(f"{name}={value}" for name, value in zip(group_headers, values, strict=True))
        for values in dict.fromkeys(joint)
    }
    return {
        "group_labels": tuple(labels[values] for values in joint),
        "group_values": {
            label: dict(zip(group_headers, values, strict=True)) for values, label in labels.items()
        },
    }
