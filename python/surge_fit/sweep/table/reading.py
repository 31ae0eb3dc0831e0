"""From a table to the fields of a sweep: the one road that every source takes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from surge_fit._support.wording import listing
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import BATCH_UNITS, OPTIMUM_COLUMN, PROTOCOLS, RUN_COLUMNS
from surge_fit.sweep.sources.base import Table
from surge_fit.sweep.table.batch import used_factors, whole_batch
from surge_fit.sweep.table.cells import RULES, BoolArray, NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.histories import reduce_history
from surge_fit.sweep.table.matching import COLUMNS, Match, find_group_columns, match_columns, missing, unsure
from surge_fit.sweep.table.metric import Loss, loss_of
from surge_fit.sweep.table.outcomes import StatusReading, flag_of, read_statuses
from surge_fit.sweep.table.rows import Rows, name_runs
from surge_fit.sweep.table.settings import settings_of
from surge_fit.sweep.table.shapes import shape
from surge_fit.sweep.table.targets import TARGETS, steps_to_target
from surge_fit.typing import IndexArray


def read_table(
    table: Table,
    *,
    columns: Mapping[str, str] | None = None,
    batch_unit: str | None = None,
    protocol: str | None = None,
    group_by: str | Sequence[str] | None = None,
    maximize: bool | None = None,
    nan_loss: str | None = None,
) -> dict[str, Any]:
    """Read a table of runs into the fields of a `Sweep`.

    Parameters
    ----------
    table : Table
    columns, batch_unit, protocol, group_by, maximize, nan_loss
        As for `surge_fit.read_sweep`.

    Returns
    -------
    dict
        Field → value, ready for ``Sweep(**fields)``.

    Raises
    ------
    SweepError
        If the table does not hold what a sweep must hold; the message names all that is missing.
    """
    _require_words(batch_unit, protocol, nan_loss)
    if not table.frame.count:
        msg = f"A table of runs must have one row per run; there is none in {table.source.name}."
        raise SweepError(msg)
    groups = (group_by,) if isinstance(group_by, str) else tuple(group_by or ())
    chosen = {**table.columns, **(columns or {})}
    frame, source, decisions = shape(table.frame, table.source)
    draft = Draft(frame, source, (*table.decisions, *decisions))
    maximize = table.maximize if maximize is None else maximize
    match = match_columns(draft, chosen, groups, batch_unit, maximize)
    reduced = None if _groups_by_index(match, groups) else reduce_history(draft, match)
    if reduced is not None:
        draft = Draft(*reduced, draft.decisions)
        match = match_columns(draft, chosen, groups, batch_unit, maximize)
        nan_loss = nan_loss or "diverged"
    return _Reading(draft, match, chosen, groups, batch_unit, protocol, maximize, nan_loss).fields()


def _require_words(batch_unit: str | None, protocol: str | None, nan_loss: str | None) -> None:
    given = {"batch_unit": batch_unit, "protocol": protocol, "nan_loss": nan_loss}
    allowed = {"batch_unit": BATCH_UNITS, "protocol": PROTOCOLS, "nan_loss": ("diverged", "crashed")}
    for name, value in given.items():
        if value is not None and value not in allowed[name]:
            msg = f"'{name}' must be one of {listing(allowed[name])}; got {value!r}."
            raise SweepError(msg)


def _cells(fields: Mapping[str, Any]) -> IndexArray:
    """Index of the group and batch size of every run."""
    sizes, size = np.unique(fields["batch_size"], return_inverse=True)
    order = {label: index for index, label in enumerate(fields.get("group_values", ()))}
    group = np.array([order[label] for label in fields["group_labels"] or ()], dtype=np.int64)
    return np.asarray(size.ravel() + (group * sizes.size if group.size else 0), dtype=np.int64)


def _groups_by_index(match: Match, groups: Sequence[str]) -> bool:
    return any(match.found.get(name) in groups for name in ("index", "steps"))


class _Reading:
    """A draft whose columns are matched, on its way to the fields of a sweep."""

    def __init__(
        self,
        draft: Draft,
        match: Match,
        chosen: Mapping[str, str],
        groups: Sequence[str],
        batch_unit: str | None,
        protocol: str | None,
        maximize: bool | None,
        nan_loss: str | None,
    ) -> None:
        self.draft, self.match, self.chosen, self.groups = draft, match, chosen, groups
        self.batch_unit, self.protocol = batch_unit, protocol
        self.maximize, self.nan_loss = maximize, nan_loss
        self.values: dict[str, NumberColumn] = {}
        self.optional_ignored: list[str] = []

    def fields(self) -> dict[str, Any]:
        """Return the fields of the sweep."""
        draft, match = self.draft, self.match
        found = match.found
        protocol = self.protocol or self._one_word("protocol", PROTOCOLS)
        batch = whole_batch(draft, match, self.chosen)
        if batch is not None:
            self.values["batch_size"] = self._filled("batch_size", batch)
        self._targets()
        kind = self._kind(protocol)
        group_headers = find_group_columns(draft, self.groups, found)
        unit = self._batch_unit()
        self._numbers(kind)
        loss = self._loss(kind)
        if kind == "optimum_points":
            self.values["learning_rate"] = self.values.pop(OPTIMUM_COLUMN.name)
        draft.raise_problems()
        flags = {
            header: pair for header in draft.headers if (pair := flag_of(header)) and header not in match.used
        }
        statuses = read_statuses(draft, match.statuses, flags, self.values, kind, self.nan_loss)
        rows = Rows(draft, match, kind, self.values, statuses.is_said)
        keep = rows.keep(group_headers)
        draft.raise_problems()
        return self._assembled(kind, protocol, unit, loss, group_headers, statuses, keep, flags)

    def _one_word(self, name: str, allowed: Sequence[str]) -> str | None:
        """Return the one word that a column holds in every row, or None without the column or any word."""
        header = self.match.found.get(name)
        if header is None:
            return None
        column, source = self.draft.words(header), self.draft.source
        words = dict.fromkeys(word for word in column if word)
        if len(words) > 1:
            first, other, *_ = words
            self.draft.refuse(
                f"'{name}' must be the same for all runs of a sweep; it is {first!r} in "
                f"{source.place(column.index(first))} and {other!r} in {source.place(column.index(other))}. "
                "Convert the runs to one, or read two sweeps."
            )
            return None
        if not words:
            return None
        word = next(iter(words))
        if allowed and word.lower() not in allowed:
            self.draft.refuse(
                f"'{name}' must be one of {listing(allowed)}; got {word!r} in {source.place(0)}."
            )
            return None
        return word.lower() if allowed else word

    def _targets(self) -> None:
        """Turn examples, tokens or epochs to the target into steps."""
        steps = steps_to_target(self.draft, self.match, self.values.get("batch_size"), self._stated_unit())
        if steps is not None:
            self.values["steps_to_target"] = steps

    def _kind(self, protocol: str | None) -> str:
        """Tell what a table holds by its columns, and ask for what is missing.

        In a table without learning rates, ``steps`` are those to the target where the table says that there
        was one: nothing else could be read off them.
        """
        found, draft = self.match.found, self.draft
        headers = list(draft.headers)
        has_steps_to_target = any(name in found for name in ("steps_to_target", *TARGETS))
        optima = found.pop("optimal_learning_rate", None)
        if "steps" not in found and "index" in found and "step" in found["index"].lower():
            found["steps"] = found["index"]
        if "learning_rate" not in found and optima is not None and has_steps_to_target:
            found["learning_rate"], optima = optima, None
        if "learning_rate" in found:
            if "loss" not in found and not has_steps_to_target:
                draft.refuse(self._missing("loss"))
            return "runs"
        if optima is not None:
            found[OPTIMUM_COLUMN.name] = optima
            return "optimum_points"
        if (
            "steps" in found
            and ("target_loss" in found or protocol == "to_target")
            and not has_steps_to_target
        ):
            found["steps_to_target"] = found["steps"]
            has_steps_to_target = True
        if has_steps_to_target:
            return "steps_to_target"
        if (
            "steps" in found
            and "loss" not in found
            and "loss?" not in found
            and "learning_rate?" not in found
        ):
            draft.refuse(
                "The steps of a table without learning rates must be those to a target loss; "
                f"{draft.source.name} does not say that its column '{found['steps']}' holds them. Say it "
                f"with {draft.source.option_remedy('protocol', 'to_target')}, or add the column "
                "'target_loss' or 'learning_rate'."
            )
            return "steps_to_target"
        draft.refuse(self._missing("learning_rate"))
        if "loss" not in found and headers:
            draft.refuse(self._missing("loss"))
        return "runs"

    def _missing(self, name: str) -> str:
        doubtful = self.match.found.pop(f"{name}?", None)
        if doubtful is not None:
            return unsure(name, doubtful, self.draft.source)
        return missing(name, list(self.draft.headers), self.draft.source)

    def _stated_unit(self) -> str:
        header = self.match.found.get("batch_size")
        if header is None:
            return ""
        stated = self.draft.headers[header].unit or self.draft.numbers(header).unit
        return stated if stated in BATCH_UNITS else ""

    def _batch_unit(self) -> str | None:
        found, source = self.match.found, self.draft.source
        if "batch_size" not in found:
            return self.batch_unit
        header, argument = found["batch_size"], self.batch_unit
        questions = len(self.draft.problems)
        stated = self._one_word("batch_unit", BATCH_UNITS) or self._stated_unit()
        if len(self.draft.problems) > questions:
            return argument
        if argument and stated and argument != stated:
            where = f"column '{found['batch_unit']}'" if "batch_unit" in found else f"header '{header}'"
            self.draft.refuse(
                f"batch_unit={argument!r} contradicts the {where} of {source.name}, which says {stated}. "
                "Drop the argument or correct the table."
            )
        if not (argument or stated):
            self.draft.refuse(
                f"Is the batch size of {source.name} (column '{header}') counted in examples, sequences or "
                "tokens? The table does not say, and it is never guessed. Say it with "
                f"{source.option_remedy('batch_unit', 'sequences')}, or add a column 'batch_unit'."
            )
        if stated and "batch_unit" not in found:
            self.draft.decide("units", f"The batch size counts {stated}, as '{header}' says.")
        return argument or stated

    def _filled(self, name: str, column: NumberColumn) -> NumberColumn:
        """Fill blank cells of a column from others that agree with it."""
        values, blank = column.values, column.blank
        for header in self.match.same.get(name, ()):
            other = self.draft.numbers(header)
            values = np.where(blank, other.values, values)
            blank = blank & other.blank
        return replace(column, values=values, blank=blank) if blank is not column.blank else column

    def _numbers(self, kind: str) -> None:
        """Read the other columns of numbers; an optional one that does not parse is ignored and named."""
        needed = (
            {"learning_rate", "steps_to_target", OPTIMUM_COLUMN.name} if kind != "runs" else {"learning_rate"}
        )
        for name, header in list(self.match.found.items()):
            column = COLUMNS.get(name)
            if column is None or column.is_text or name in ("batch_size", "loss") or name in self.values:
                continue
            numbers = self._filled(name, self.draft.numbers(header))
            if name in needed or name in self.chosen:
                self.values[name] = numbers
            elif (problem := _unusable(numbers, RULES[column.rule])) is not None:
                del self.match.found[name]
                self.draft.decide(
                    "ignored", f"'{header}' must be {RULES[column.rule][0]} to be '{name}'; it is {problem}."
                )
            else:
                self.values[name] = numbers

    def _loss(self, kind: str) -> str:
        """Read the metric as a loss; return its unit."""
        header = self.match.found.get("loss")
        stated = self._one_word("loss_unit", ())
        if header is None or kind == "optimum_points":
            return stated or "nats"
        maximize = self.maximize
        if (word := self._one_word("direction", ())) is not None and maximize is None:
            maximize = "max" in word.lower()
        read: Loss | None = loss_of(self.draft, self.draft.headers[header], maximize, stated)
        if read is None:
            return stated or "nats"
        column = self._filled("loss", read.column)
        self.values["loss"] = column
        if column.errors is not None and "loss_se" not in self.values:
            blank = np.isnan(column.errors)
            self.values["loss_se"] = NumberColumn(column.errors, blank, np.zeros_like(blank), column.written)
            self.draft.decide(
                "columns", f"What stands behind ± in '{header}' is its standard error, 'loss_se'."
            )
        return read.unit

    def _assembled(
        self,
        kind: str,
        protocol: str | None,
        unit: str | None,
        loss_unit: str,
        group_headers: Mapping[str, str],
        statuses: StatusReading,
        keep: BoolArray,
        flags: Mapping[str, tuple[str, str]],
    ) -> dict[str, Any]:
        draft, found = self.draft, self.match.found
        rows = np.flatnonzero(keep)
        count = len(rows)
        fields: dict[str, Any] = {column.name: None for column in RUN_COLUMNS}
        fields |= {name: column.values[rows] for name, column in self.values.items() if name in COLUMNS}
        for name in ("optimizer", "schedule"):
            if name in found:
                cells = draft.words(found[name])
                fields[name] = tuple(cells[row] for row in rows)
        for name in ("loss", "learning_rate"):
            if name not in self.values:
                fields[name] = np.full(count, np.nan)
        fields["run_id"] = name_runs(draft, found.get("run_id"), rows)
        fields["status"] = statuses.of(rows)
        if "steps" in found and found["steps"] == found.get("steps_to_target"):
            finished = np.array(fields["status"]) == "finished"
            fields["steps_to_target"] = np.where(finished, fields["steps"], np.nan)
        fields |= _groups(draft, group_headers, rows)
        used = {*self.match.used, *group_headers.values(), *flags}
        for name in ("end_learning_rate", "loss_deviation", "index", *TARGETS):
            used -= {header for key, header in found.items() if key == name}
        used |= {header for key, header in found.items() if key in COLUMNS or key in TARGETS}
        if (deviation := found.get("loss_deviation")) is not None:
            draft.decide("ignored", f"'{deviation}' is a deviation between runs, not a standard error.")
        if "batch_size" in found and found["batch_size"] == found.get("micro_batch_size"):
            used |= used_factors(self.match)
        self._tell_columns(flags)
        ignored = tuple(header for header in draft.headers if header not in used and header)
        return {
            **fields,
            "batch_unit": unit,
            "protocol": protocol or ("to_target" if kind == "steps_to_target" else None),
            "kind": kind,
            "loss_unit": loss_unit,
            "ignored_columns": ignored,
            "settings": settings_of(draft, ignored, _cells(fields), rows),
            "reading": tuple(draft.decisions),
            "source": draft.source.name,
        }

    def _tell_columns(self, flags: Mapping[str, tuple[str, str]]) -> None:
        """Say which header was read as which column, and what was chosen for its cells."""
        draft, told = self.draft, []
        for name, header in self.match.found.items():
            if name == "batch_size" and header == self.match.found.get("micro_batch_size"):
                continue
            if name in COLUMNS or name == "micro_batch_size":
                if name != header:
                    told.append(f"'{header}' is '{name}'")
                column = self.values.get(name)
                for choice in filter(None, column.choices if column else ()):
                    draft.decide("cells", f"'{header}': {choice}.")
        told += [f"'{header}' is 'status'" for header in (*self.match.statuses, *flags) if header != "status"]
        if told:
            draft.decide("columns", f"{listing(told)}.")


def _unusable(column: NumberColumn, rule: tuple[str, Any]) -> str | None:
    """Return what keeps an optional column from being used, as a message quotes it."""
    wrong = column.unreadable | (~rule[1](column.values) & ~column.blank & ~np.isnan(column.values))
    rows = np.flatnonzero(wrong)
    return None if not rows.size else listing(dict.fromkeys(column.shown(int(row)) for row in rows[:50]), 3)


def _groups(draft: Draft, group_headers: Mapping[str, str], rows: Any) -> dict[str, Any]:
    """Return the label of every run's group, and what the group columns hold in each group."""
    if not group_headers:
        return {"group_labels": None, "group_values": {}}
    cells = [draft.words(header) for header in group_headers.values()]
    joint = [tuple(column[row] for column in cells) for row in rows]
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
