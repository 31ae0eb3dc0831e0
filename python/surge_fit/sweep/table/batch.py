"""The whole batch of an optimizer step, of all devices and accumulation together."""

from collections.abc import Collection, Mapping

import numpy as np

from surge_fit._support.wording import Source, listing
from surge_fit.sweep.table.cells import NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.matching import Match, missing, unsure
from surge_fit.typing import FloatArray

Factors = Mapping[str, FloatArray]


def whole_batch(draft: Draft, match: Match, chosen: Collection[str]) -> NumberColumn | None:
    """Return the batch sizes of the runs, or None where they must be asked for.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the questions.
    match : Match
    chosen : collection of str
        The columns that the caller names.
    """
    found, source = match.found, draft.source
    if "micro_batch_size" in chosen and "batch_size" not in chosen:
        found.pop("batch_size", None)
    if "batch_size" in found and "micro_batch_size" not in found:
        column = draft.numbers(found["batch_size"])
        partial = {} if "batch_size" in chosen else _more_than_one(draft, match)
        if partial and not draft.headers[found["batch_size"]].words & _SAYS_WHOLE:
            draft.refuse(_micro_or_whole(found["batch_size"], partial, source))
        return column
    if "batch_size" in found:
        header = found.pop("micro_batch_size")
        if "batch_size" in chosen or _is_whole(draft, found["batch_size"], header):
            draft.decide(
                "columns", f"'{found['batch_size']}' is the whole batch, of which '{header}' is a part."
            )
            return draft.numbers(found["batch_size"])
        draft.refuse(
            f"Which column of {source.name} is the whole batch of an optimizer step, '{found['batch_size']}' "
            f"or '{header}' times accumulation and data-parallel devices? Say it with "
            f"{source.column_remedy('batch_size', found['batch_size'])}, or "
            f"{source.column_remedy('micro_batch_size', header)}."
        )
        return None
    if "micro_batch_size" in found:
        return _multiplied(draft, match)
    if "batch_size?" in found:
        draft.refuse(unsure("batch_size", found.pop("batch_size?"), source))
    else:
        draft.refuse(missing("batch_size", list(draft.headers), source))
    return None


_OF_ONE_DEVICE = frozenset(["device", "gpu", "rank", "core", "replica", "worker", "chip", "local"])
_SAYS_WHOLE = frozenset(
    ["global", "total", "effective", "overall", "gbs", "gbsz", "per", "step", "tokens", "update"]
)


def _is_whole(draft: Draft, whole: str, part: str) -> bool:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = draft.numbers(whole).values / draft.numbers(part).values
    known = ratio[np.isfinite(ratio)]
    return bool(known.size and (known >= 1).all() and (known > 1).any() and (known == np.rint(known)).all())


def _more_than_one(draft: Draft, match: Match) -> dict[str, str]:
    """Return the factors of a micro batch that the table has and that are not 1 everywhere."""
    return {
        name: match.found[name]
        for name in ("accumulation", "data_parallel", "devices")
        if name in match.found and (draft.numbers(match.found[name]).values > 1).any()
    }


def _micro_or_whole(header: str, partial: Mapping[str, str], source: Source) -> str:
    factors = listing([f"'{name}'" for name in partial.values()])
    return (
        f"Is '{header}' of {source.name} the whole batch of an optimizer step, or the part of it that "
        f"{factors} {'multiplies' if len(partial) == 1 else 'multiply'}? Say it with "
        f"{source.column_remedy('batch_size', header)} for the whole batch, or with "
        f"{source.column_remedy('micro_batch_size', header)} for the part."
    )


def _multiplied(draft: Draft, match: Match) -> NumberColumn | None:
    """Multiply a micro batch by accumulation and data-parallel size; ask for what the table does not have."""
    found, source = match.found, draft.source
    header = found["micro_batch_size"]
    parallel = next((found[name] for name in ("data_parallel", "devices") if name in found), None)
    absent = []
    if "accumulation" not in found:
        absent.append("'gradient_accumulation_steps'")
    of_one_device = bool(draft.headers[header].words & _OF_ONE_DEVICE)
    if parallel is None and (of_one_device or "accumulation" not in found):
        absent.append("'world_size' (data-parallel devices)")
    if absent:
        draft.refuse(
            f"'{header}' of {source.name} is the batch of one device in one backward pass, not that of an "
            f"optimizer step. Add the {'column' if len(absent) == 1 else 'columns'} {listing(absent)} (1 "
            "where there is one), or a column 'global_batch_size'."
        )
        return None
    column = draft.numbers(header)
    factors = [found["accumulation"], *([parallel] if parallel else [])]
    values = column.values.copy()
    for factor in factors:
        values = values * np.where(draft.numbers(factor).blank, 1.0, draft.numbers(factor).values)
    if "data_parallel" not in found and parallel is not None:
        for split in draft.with_meaning("model_parallel"):
            sizes = draft.numbers(split.text).values
            values = values / np.where(np.isfinite(sizes), sizes, 1.0)
            factors.append(f"1/{split.text}")
    doubt = parallel is None
    one = ", on one data-parallel device, as the table names no more" if doubt else ""
    product = " × ".join([header, *factors])
    found["batch_size"] = header
    draft.decide("columns", f"The batch size is {product}{one}.", doubt=doubt)
    return column.mapped(lambda _: values, "")


def used_factors(match: Match) -> set[str]:
    """Return the headers of what a micro batch was multiplied by."""
    return {match.found[name] for name in ("accumulation", "data_parallel", "devices") if name in match.found}
