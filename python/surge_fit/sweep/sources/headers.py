"""Which header of a table is which canonical column; a doubt is a question, never a guess."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import ALL_COLUMNS, Column, normalise


def find_columns(
    headers: Sequence[str], columns: Mapping[str, str] | None, group_by: Sequence[str], source: Source
) -> dict[str, str]:
    """Match the headers of a table with the canonical columns.

    Parameters
    ----------
    headers : sequence of str
        The headers as the table has them.
    columns : mapping of str to str, optional
        Canonical name → header, for what the synonyms cannot know. A header picked here is not matched
        with another column as well.
    group_by : sequence of str
        Columns that make groups. They are what the user says they are, so no synonym claims them.
    source : Source
        For the messages.

    Returns
    -------
    dict of str to str
        Canonical name → header, for every column that is there.

    Raises
    ------
    SweepError
        If `columns` names a column or a header that does not exist, or if several headers could be the
        same column.
    """
    found = {name: _chosen_header(name, header, headers, source) for name, header in (columns or {}).items()}
    kept = {normalise(name) for name in group_by} - {column.name for column in ALL_COLUMNS}
    free = [header for header in headers if header not in found.values() and normalise(header) not in kept]
    for column in ALL_COLUMNS:
        if column.name not in found:
            candidates = _candidates(column, free)
            if len(candidates) > 1:
                raise _ambiguous(column, candidates, source)
            if candidates:
                found[column.name] = candidates[0]
    return found


def find_group_columns(
    headers: Sequence[str], group_by: Sequence[str], found: Mapping[str, str], source: Source
) -> dict[str, str]:
    """Match the names in `group_by` with headers: as written, as canonical name, or spelt alike."""
    chosen: dict[str, str] = {}
    for name in group_by:
        alike = [header for header in headers if normalise(header) == normalise(name)]
        if name in headers:
            chosen[name] = name
        elif name in found:
            chosen[name] = found[name]
        elif len(alike) == 1:
            chosen[name] = alike[0]
        else:
            msg = (
                f"'group_by' must name columns of {source.name}; {name!r} is not one. It has "
                f"{_columns_found(headers)}.{_did_you_mean(name, headers)}"
            )
            raise SweepError(msg)
    return chosen


def missing(column: Column, headers: Sequence[str], source: Source) -> SweepError:
    """Return the error for a column that must be there and is not."""
    near = get_close_matches(normalise(column.name), [normalise(header) for header in headers], 1, 0.6)
    guess = next((header for header in headers if near and normalise(header) == near[0]), "<header>")
    hint = ""
    if len(headers) == 1 and (";" in headers[0] or "\t" in headers[0]):
        hint = "The header line is one single column: separate the columns of a .csv file with commas. "
    return SweepError(
        f"A table of runs must have a column for '{column.name}' ({column.help}); {source.name} has "
        f"{_columns_found(headers)}. {hint}"
        f"Name the column with {source.column_remedy(column.name, guess)}, or add it to the table."
    )


def _chosen_header(name: str, header: str, headers: Sequence[str], source: Source) -> str:
    names = [column.name for column in ALL_COLUMNS]
    if name not in names:
        msg = (
            f"'columns' maps canonical names to headers; {name!r} is not a canonical name."
            f"{_did_you_mean(name, names)} The names are {listing(names)}."
        )
        raise SweepError(msg)
    if header in headers:
        return header
    alike = [candidate for candidate in headers if normalise(candidate) == normalise(header)]
    if len(alike) != 1:
        msg = (
            f"'columns' maps '{name}' to the header {header!r}, which {source.name} does not have. It has "
            f"{_columns_found(headers)}.{_did_you_mean(header, headers)}"
        )
        raise SweepError(msg)
    return alike[0]


def _candidates(column: Column, headers: Sequence[str]) -> list[str]:
    spellings = {normalise(name) for name in (column.name, *column.synonyms)}
    return [header for header in headers if normalise(header) in spellings]


def _ambiguous(column: Column, candidates: Sequence[str], source: Source) -> SweepError:
    return SweepError(
        f"Only one column can be '{column.name}'; {source.name} has "
        f"{listing([repr(candidate) for candidate in candidates])}. Say which one it is, for example with "
        f"{source.column_remedy(column.name, candidates[-1])}."
    )


def _columns_found(headers: Sequence[str]) -> str:
    return f"the columns {listing([repr(header) for header in headers], 20)}"


def _did_you_mean(word: str, words: Sequence[str]) -> str:
    near = get_close_matches(word, words, 1)
    return f" Did you mean {near[0]!r}?" if near else ""
