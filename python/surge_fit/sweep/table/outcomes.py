"""How every run of a table ended: by its status, by what its other cells say, else by its loss."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import listing, plural
from surge_fit.sweep.table.cells import BoolArray, NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.statuses import status_of
from surge_fit.sweep.vocabulary import CONTAINERS, FLAGS, letters

_YES = frozenset(("true", "1", "1.0", "yes", "y", "x", "✓", "✔", "t"))
_NO = frozenset(("false", "0", "0.0", "no", "n", "f", "-", "—", ""))
_BY_GRAVITY: tuple[str, ...] = ("", "finished", "stopped", "crashed", "diverged")
_NONE, _FINISHED, _STOPPED, _CRASHED, _DIVERGED = range(5)
_GRAVITY = {status: place for place, status in enumerate(_BY_GRAVITY)}

Gravities: TypeAlias = NDArray[np.int8]
"""Statuses as places in the order of their gravity: a run that finished and diverged has diverged."""


class StatusReading(NamedTuple):
    """How every row ended, and whether the cells of its numbers said it; shape (row,) each."""

    gravity: Gravities
    is_said: BoolArray

    def of(self, rows: NDArray[np.intp]) -> tuple[str, ...]:
        """Return the statuses of some rows."""
        return tuple(map(_BY_GRAVITY.__getitem__, self.gravity[rows].tolist()))


def flag_of(header: str) -> tuple[str, str] | None:
    """Return what a yes and a no mean in a column of that name, or None where it is no such column."""
    parts = [part for part in header.replace("/", ".").split(".") if part.lower() not in CONTAINERS]
    return FLAGS.get(letters(parts[-1].replace(" ", "").replace("-", ""))) if parts else None


def read_statuses(
    draft: Draft,
    headers: Sequence[str],
    flags: dict[str, tuple[str, str]],
    values: Mapping[str, NumberColumn],
    kind: str,
    nan_loss: str | None,
) -> StatusReading:
    """Tell how every run ended.

    What a cell of its own numbers says counts first (``diverged`` in place of a loss), then its status,
    except that a finished run whose loss is NaN or infinite has diverged. Without any word an infinite loss
    means diverged, a loss or steps to the target mean finished, and neither means stopped; a loss of NaN is a
    question, and until it is answered the run is kept out.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the questions.
    headers : sequence of str
        Columns of status words.
    flags : dict of str to tuple of str
        Columns of yes and no; those that hold anything else are taken out of it.
    values : mapping of str to NumberColumn
    kind : str
    nan_loss : {"diverged", "crashed"} or None
        What a loss of NaN without a status means.
    """
    count = draft.frame.count
    said = _said_in_cells(values, count)
    told = np.zeros(count, dtype=np.int8)
    for header in headers:
        told = np.maximum(told, _words(draft, header))
    for header, (yes, no) in list(flags.items()):
        answers = _answers(draft, header, yes, no)
        if answers is None:
            del flags[header]
        else:
            told = np.maximum(told, answers)
    blank = np.ones(count, dtype=bool)
    infinite, is_nan = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    if "loss" in values:
        loss = values["loss"]
        blank &= loss.blank | (said != _NONE)
        infinite = np.isinf(loss.values)
        is_nan = np.isnan(loss.values) & ~loss.blank & ~loss.unreadable & (said == _NONE)
    if "steps_to_target" in values:
        reached = np.isfinite(values["steps_to_target"].values)
        blank &= ~reached
        is_nan &= ~reached
    if kind == "optimum_points":
        blank[:] = False
    unknown = is_nan & (told == _NONE) & (nan_loss is None)
    _ask_about_nan(draft, unknown)
    derived = np.where(infinite, _DIVERGED, np.where(blank, _STOPPED, _FINISHED))
    derived = np.where(is_nan, _GRAVITY[nan_loss or "stopped"], derived)
    told = np.where((told == _FINISHED) & (infinite | is_nan), _DIVERGED, told)
    gravity = np.where(said != _NONE, said, np.where(told != _NONE, told, derived))
    return StatusReading(gravity.astype(np.int8), said != _NONE)


def _said_in_cells(values: Mapping[str, NumberColumn], count: int) -> Gravities:
    said = np.zeros(count, dtype=np.int8)
    for name in ("learning_rate", "steps_to_target", "loss"):
        if name in values:
            for row, status in values[name].statuses:
                said[row] = _GRAVITY[status]
    return said


def _words(draft: Draft, header: str) -> Gravities:
    words = draft.words(header)
    meaning = {word: status_of(word) for word in dict.fromkeys(words) if word}
    unknown = [word for word, status in meaning.items() if not status]
    if unknown:
        rows = np.array([row for row, word in enumerate(words) if word in unknown])
        draft.decide(
            "status",
            f"{listing([repr(word) for word in unknown], 5)} in '{header}' is no known word for how a run "
            f"ended: {plural(len(rows), 'run')} in {draft.places(rows)} {'is' if len(rows) == 1 else 'are'} "
            "kept out. Write finished, diverged, crashed or stopped.",
            doubt=True,
        )
    told = {
        word: f"'{word}' is {status}" for word, status in meaning.items() if status and status != word.lower()
    }
    if told:
        draft.decide("status", f"In '{header}', {listing(told.values(), 8)}.")
    gravity = {word: _GRAVITY[status or "stopped"] for word, status in meaning.items()} | {"": _NONE}
    return np.array([gravity[word] for word in words], dtype=np.int8)


def _answers(draft: Draft, header: str, yes: str, no: str) -> Gravities | None:
    words = [word.lower() for word in draft.words(header)]
    if not set(words) <= _YES | _NO:
        return None
    meaning = f"yes in '{header}' is {yes}" + (f", no is {no}" if no else "")
    draft.decide("status", f"{meaning[0].upper()}{meaning[1:]}.")
    meant = {word: _GRAVITY[yes if word in _YES else no if word else ""] for word in set(words)}
    return np.array([meant[word] for word in words], dtype=np.int8)


def _ask_about_nan(draft: Draft, unknown: BoolArray) -> None:
    rows = np.flatnonzero(unknown)
    if not rows.size:
        return
    one = rows.size == 1
    draft.decide(
        "status",
        f"{plural(int(rows.size), 'run')} in {draft.places(rows)} {'has' if one else 'have'} a loss of NaN "
        f"and no status, unknown: diverged or crashed? {'It is' if one else 'They are'} kept out. Say "
        f"{draft.source.option_remedy('nan_loss', 'diverged')} where the loss diverged, or add a column "
        "'status'.",
        doubt=True,
    )
