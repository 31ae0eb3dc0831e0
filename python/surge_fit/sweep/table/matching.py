"""Which header of a table is which column; a doubt is a question, never a guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import ALL_COLUMNS, Column
from surge_fit.sweep.table.cells import NumberColumn
from surge_fit.sweep.table.draft import Draft, quoted_headers
from surge_fit.sweep.table.headers import Header, read_header, spelt_alike
from surge_fit.sweep.table.ranking import (
    first_by_rank,
    metric_class,
    rank_batch,
    rank_loss,
    rank_rate,
    says_global,
)

COLUMNS: dict[str, Column] = {column.name: column for column in ALL_COLUMNS}
CHOSEN_HELPERS = ("micro_batch_size", "examples_to_target", "tokens_to_target", "epochs_to_target")
"""What `columns` may name beside the canonical columns."""

_REQUIRED = ("batch_size", "learning_rate", "loss")


@dataclass(slots=True)
class Match:
    """Which header is which column.

    Attributes
    ----------
    found : dict of str to str
        Canonical column or helper → header.
    same : dict of str to list of str
        Canonical column → further headers that agree with it row by row, and fill its blank cells.
    statuses : list of str
        Headers of columns of words that say how runs ended.
    """

    found: dict[str, str] = field(default_factory=dict)
    same: dict[str, list[str]] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)

    @property
    def used(self) -> set[str]:
        """All headers that are read."""
        return {*self.found.values(), *(h for further in self.same.values() for h in further), *self.statuses}


def match_columns(
    draft: Draft,
    columns: Mapping[str, str],
    group_by: Sequence[str],
    batch_unit: str | None,
    maximize: bool | None,
) -> Match:
    """Match the headers of a table with the canonical columns and the helpers.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the questions.
    columns : mapping of str to str
        Canonical name → header, for what no vocabulary can know. Such a header is no other column as well.
    group_by : sequence of str
        Columns that make groups. They are what the user says they are, so no vocabulary claims them.
    batch_unit : str or None
        What a batch counts, where the caller says it.
    maximize : bool or None
        Whether more of the metric is better, where the caller or the source says it.
    """
    match = Match()
    for name, header in columns.items():
        match.found[name] = _chosen_header(name, header, list(draft.headers), draft.source)
    taken = set(match.found.values())
    kept = [name for name in group_by if name not in COLUMNS]
    free = [
        header
        for header in draft.headers.values()
        if header.text not in taken and not any(spelt_alike(header.text, name) for name in kept)
    ]
    for name in ("batch_size", "learning_rate", "loss"):
        if name not in match.found:
            _required(draft, match, name, free, batch_unit, maximize)
    for name in COLUMNS:
        if name not in match.found and name not in (*_REQUIRED, "run_id", "status"):
            _optional(draft, match, name, [header for header in free if _means(header, name)])
    for name in ("micro_batch_size", "accumulation", "data_parallel", "devices", "index"):
        helpers = [header for header in free if _means(header, name)]
        if helpers and name not in match.found:
            match.found[name] = min(helpers, key=lambda header: len(header.before)).text
    for name in (
        *CHOSEN_HELPERS[1:],
        "examples_per_epoch",
        "direction",
        "end_learning_rate",
        "loss_deviation",
    ):
        helpers = [header for header in free if _means(header, name)]
        if len(helpers) == 1 and name not in match.found:
            match.found[name] = helpers[0].text
    if "run_id" not in match.found:
        _run_id(draft, match, [header for header in free if _means(header, "run_id")])
    match.statuses = (
        [match.found.pop("status")]
        if "status" in match.found
        else [header.text for header in free if _means(header, "status")]
    )
    return match


def _means(header: Header, name: str) -> bool:
    return header.meaning == name and not header.strange


def _required(
    draft: Draft,
    match: Match,
    name: str,
    free: Sequence[Header],
    batch_unit: str | None,
    maximize: bool | None,
) -> None:
    """Find the column of a batch size, a learning rate or a loss."""
    meanings = ("loss", "score") if name == "loss" else (name,)
    sure = [header for header in free if header.meaning in meanings and not header.strange]
    texts = [header for header in sure if draft.is_text(header.text)]
    for header in texts if len(texts) < len(sure) else ():
        sure.remove(header)
        draft.decide("ignored", f"'{header.text}' holds words, such as {draft.words(header.text)[0]!r}.")
    sure = [header for header in sure if not draft.numbers(header.text).blank.all()] or sure[:1]
    if name == "loss":
        sure = _one_kind_of_metric(draft, sure, maximize)
    elif name == "batch_size" and batch_unit is not None and len(sure) > 1:
        sure = [header for header in sure if header.unit in ("", batch_unit)] or sure
    if not sure:
        unsure = [header for header in free if header.meaning in meanings and header.strange]
        unsure = [header for header in unsure if not draft.is_text(header.text)]
        if unsure and (name != "loss" or not _is_steps_table(free)):
            match.found[f"{name}?"] = unsure[0].text
        return
    distinct = _distinct(draft, sure)
    columns = {header.text: draft.numbers(header.text) for header, _ in distinct}
    if name == "batch_size" and len(distinct) > 1:
        distinct = _whole_batch(draft, distinct)
    ranks: list[object] = [
        rank_rate(header, columns)
        if name == "learning_rate"
        else rank_loss(header)
        if name == "loss"
        else rank_batch(header)
        for header, _ in distinct
    ]
    best = first_by_rank([header for header, _ in distinct], ranks)
    match.found[name] = best.text
    match.same[name] = next(same for header, same in distinct if header is best)
    if len(distinct) > 1:
        draft.refuse(_ambiguous(name, [header.text for header, _ in distinct], best.text, draft.source))


def _is_steps_table(free: Sequence[Header]) -> bool:
    return any(header.meaning.endswith("_to_target") for header in free)


def _one_kind_of_metric(draft: Draft, sure: list[Header], maximize: bool | None) -> list[Header]:
    """Prefer a loss to another metric, and a metric of which more is better where the caller says so."""
    scores = [header for header in sure if header.meaning == "score"]
    losses = [header for header in sure if header.meaning == "loss"]
    neutral = [header for header in losses if header.metric in ("objective", "value")]
    if maximize:
        kept = scores or neutral or losses
    elif losses:
        level = min(metric_class(header) for header in losses)
        kept = [header for header in losses if metric_class(header) == level]
    else:
        kept = scores
    for header in sure:
        if header not in kept:
            draft.decide("ignored", f"'{header.text}' is another metric beside '{kept[0].text}'.")
    return kept


def _distinct(draft: Draft, headers: Sequence[Header]) -> list[tuple[Header, list[str]]]:
    """Gather headers whose columns agree row by row."""
    gathered: list[tuple[Header, list[str]]] = []
    for header in headers:
        column = draft.numbers(header.text)
        for first, same in gathered:
            if _agree(draft.numbers(first.text), column) and first.unit in ("", header.unit):
                same.append(header.text)
                break
        else:
            gathered.append((header, []))
    for first, same in gathered:
        if same:
            draft.decide("columns", f"{quoted_headers([first.text, *same])} agree row by row and are one.")
    return gathered


def _agree(one: NumberColumn, other: NumberColumn) -> bool:
    both = np.isfinite(one.values) & np.isfinite(other.values)
    words = one.unreadable | other.unreadable
    return not words.any() and bool(np.allclose(one.values[both], other.values[both], rtol=1e-6, atol=0))


def _whole_batch(draft: Draft, distinct: list[tuple[Header, list[str]]]) -> list[tuple[Header, list[str]]]:
    """Take the batch that says it is global where the others are whole parts of it."""
    named = [pair for pair in distinct if says_global(pair[0])]
    if len(named) != 1:
        return distinct
    whole = draft.numbers(named[0][0].text).values
    for header, _ in distinct:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = whole / draft.numbers(header.text).values
        known = ratio[np.isfinite(ratio)]
        if (known < 1).any() or (np.abs(known - np.rint(known)) > 1e-9).any():
            return distinct
    parts = [header.text for header, _ in distinct if header is not named[0][0]]
    draft.decide(
        "columns", f"'{named[0][0].text}' is the whole batch, of which {quoted_headers(parts)} is a part."
    )
    return named


def _optional(draft: Draft, match: Match, name: str, candidates: Sequence[Header]) -> None:
    """Find a column that may be missing; where several differ, none of them is used."""
    if not candidates:
        return
    if COLUMNS[name].is_text:
        agree = len({tuple(draft.words(header.text)) for header in candidates}) == 1
    else:
        columns = [draft.numbers(header.text) for header in candidates]
        agree = all(_agree(columns[0], other) for other in columns[1:])
    if agree:
        match.found[name] = candidates[0].text
        match.same[name] = [header.text for header in candidates[1:]]
    else:
        names = quoted_headers([header.text for header in candidates])
        draft.decide(
            "ignored",
            f"{names} differ and may all be '{name}': none is used. Name one with "
            f"{draft.source.column_remedy(name, candidates[0].text)}.",
        )


def _run_id(draft: Draft, match: Match, candidates: Sequence[Header]) -> None:
    """Take the names that tell the most runs apart."""
    if candidates:
        counts = [len(set(draft.words(header.text))) for header in candidates]
        match.found["run_id"] = candidates[int(np.argmax(counts))].text


def find_group_columns(draft: Draft, group_by: Sequence[str], found: Mapping[str, str]) -> dict[str, str]:
    """Match the names in `group_by` with headers: as written, as canonical name, or spelt alike."""
    headers, chosen = list(draft.headers), {}
    for name in group_by:
        alike = [header for header in headers if spelt_alike(header, name)]
        ends = [
            header for header in headers if spelt_alike(header.replace("/", ".").rpartition(".")[2], name)
        ]
        if name in headers:
            chosen[name] = name
        elif name in found:
            chosen[name] = found[name]
        elif len(alike) == 1 or (not alike and len(ends) == 1):
            chosen[name] = (alike or ends)[0]
        else:
            draft.refuse(
                f"'group_by' must name columns of {draft.source.name}; {name!r} is not one. It has "
                f"{columns_found(headers)}.{_did_you_mean(name, headers)}"
            )
    return chosen


def missing(name: str, headers: Sequence[str], source: Source) -> str:
    """Return the message for a column that must be there and is not."""
    column = COLUMNS[name]
    near = get_close_matches(column.name, headers, 1, 0.6)
    guess = near[0] if near else "<header>"
    return (
        f"A table of runs must have a column for '{column.name}' ({column.help}); {source.name} has "
        f"{columns_found(headers)}. "
        f"Name the column with {source.column_remedy(column.name, guess)}, or add it to the table."
    )


def unsure(name: str, header: str, source: Source) -> str:
    """Return the question for a column that may be meant."""
    if "log" in read_header(header).strange:
        return (
            f"'{header}' of {source.name} is a logarithm without its base. Name the column by its base: "
            f"'log10_{name}', 'log2_{name}' or 'ln_{name}'."
        )
    return (
        f"Is the column '{header}' of {source.name} the '{name}' ({COLUMNS[name].help})? If so, say it with "
        f"{source.column_remedy(name, header)}; if not, name another or add it to the table."
    )


def _chosen_header(name: str, header: str, headers: Sequence[str], source: Source) -> str:
    names = [*COLUMNS, *CHOSEN_HELPERS]
    if name not in names:
        msg = (
            f"'columns' maps canonical names to headers; {name!r} is not a canonical name."
            f"{_did_you_mean(name, names)} The names are {listing(names)}."
        )
        raise SweepError(msg)
    if header in headers:
        return header
    alike = [candidate for candidate in headers if spelt_alike(candidate, header)]
    if len(alike) != 1:
        msg = (
            f"'columns' maps '{name}' to the header {header!r}, which {source.name} does not have. It has "
            f"{columns_found(headers)}.{_did_you_mean(header, headers)}"
        )
        raise SweepError(msg)
    return alike[0]


def _ambiguous(name: str, candidates: Sequence[str], example: str, source: Source) -> str:
    return (
        f"Only one column can be '{name}'; {source.name} has {quoted_headers(candidates)}. Say which one it "
        f"is, for example with {source.column_remedy(name, example)}."
    )


def columns_found(headers: Sequence[str]) -> str:
    """List the columns of a table for a message."""
    return f"the columns {listing([repr(header) for header in headers], 20)}"


def _did_you_mean(word: str, candidates: Sequence[str]) -> str:
    near = get_close_matches(word, candidates, 1)
    return f" Did you mean {near[0]!r}?" if near else ""
