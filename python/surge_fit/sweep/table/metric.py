"""Which way of a metric is better and what it counts: every metric becomes a loss in a unit that is known."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from surge_fit._support.wording import Source
from surge_fit.sweep.table.cells import NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.headers import Header
from surge_fit.sweep.vocabulary import BOUNDED
from surge_fit.typing import FloatArray


class Loss(NamedTuple):
    """The losses of the runs, and what they count."""

    column: NumberColumn
    unit: str


@dataclass(frozen=True, slots=True)
class _Transform:
    """What makes a loss of a metric: value, and how errors scale there."""

    value: FloatArray
    slope: FloatArray
    unit: str
    choice: str


def loss_of(draft: Draft, header: Header, maximize: bool | None, stated_unit: str | None) -> Loss | None:
    """Return the metric as a loss, or None where its direction must be asked for.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the questions.
    header : Header
        Of the metric.
    maximize : bool or None
        Whether more is better, where the caller or the table says it.
    stated_unit : str or None
        The unit of the loss, where a column says it.
    """
    column = draft.numbers(header.text)
    if header.meaning == "score" and not maximize:
        draft.refuse(_ask_direction(header, maximize, draft.source))
        return None
    transform = _transform(header, column, bool(maximize), stated_unit)
    if transform.choice:
        draft.decide("units", f"'{header.text}': {transform.choice}.")
    errors = None if column.errors is None else column.errors * transform.slope
    changed = NumberColumn(
        transform.value,
        column.blank,
        column.unreadable,
        column.written,
        errors,
        column.statuses,
        column.unit,
        column.choices,
    )
    return Loss(changed, transform.unit)


def _ask_direction(header: Header, maximize: bool | None, source: Source) -> str:
    what = (
        f"'{header.text}' of {source.name} is {'an' if header.metric[:1] in 'aAF' else 'a'} {header.metric}"
    )
    if maximize is False:
        return (
            f"{what}, of which more is better, but less is said to be. Name the column of the loss with "
            f"{source.column_remedy('loss', '<header>')}, or say maximize=True."
        )
    option = " (command line: --maximize)" if source.is_file else ""
    return (
        f"Runs are judged by a loss, of which less is better; {what}, of which more is better. Say so with "
        f"maximize=True{option}, or name the column of the loss with "
        f"{source.column_remedy('loss', '<header>')}."
    )


def _transform(header: Header, column: NumberColumn, maximize: bool, stated_unit: str | None) -> _Transform:
    values = column.values
    ones = np.ones_like(values)
    metric = header.metric
    if metric == "perplexity":
        with np.errstate(divide="ignore", invalid="ignore"):
            return _Transform(
                np.log(values), 1 / values, "log perplexity", "its natural logarithm is the loss"
            )
    if maximize:
        known = values[np.isfinite(values)]
        percent = (
            metric in BOUNDED and known.size and known.max() > 1 and known.min() >= 0 and known.max() <= 100
        )
        scale = 0.01 if percent else 1.0
        unit = metric or header.text
        if metric in BOUNDED and known.size and known.min() >= 0 and known.max() * scale <= 1:
            of_percent = "percent; " if percent else ""
            return _Transform(1 - scale * values, scale * ones, unit, f"{of_percent}1 − {unit} is the loss")
        return _Transform(-values, ones, unit, "more is better: its negative is the loss")
    unit = stated_unit or header.unit or column.unit or metric or "nats"
    if unit == "%":
        unit = metric or "nats"
    if unit in ("value", "objective") and not stated_unit:
        unit = header.text
    return _Transform(values, ones, unit, "" if unit == "nats" else f"its unit is {unit}")
