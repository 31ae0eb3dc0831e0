"""What a sweep holds, and its way out and back: as a frame, and as a dict for strict JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit._support.files import replacing
from surge_fit.sweep.columns import SweepColumns
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.schema import OPTIMUM_COLUMN, RUN_COLUMNS
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    import polars as pl


def frame_of(sweep: SweepColumns) -> pl.DataFrame:
    """Return the runs as `Sweep.to_frame` promises them."""
    import polars as pl

    held = {
        name: list(values) if isinstance(values, tuple) else values
        for name, values in sweep.present_columns().items()
    }
    if "group_labels" in held:
        held["group"] = held.pop("group_labels")
    if sweep.kind == "optimum_points":
        held[OPTIMUM_COLUMN.name] = held.pop("learning_rate")
    if sweep.kind == "steps_to_target":
        del held["learning_rate"]
    frame = pl.DataFrame(held).with_columns(pl.lit(sweep.batch_unit).alias("batch_unit"))
    if sweep.protocol is not None:
        frame = frame.with_columns(pl.lit(sweep.protocol).alias("protocol"))
    if sweep.loss_unit != "nats":
        frame = frame.with_columns(pl.lit(sweep.loss_unit).alias("loss_unit"))
    blank = pl.col("loss").is_nan() & (pl.col("status") != "diverged")
    return frame.with_columns(pl.when(blank).then(None).otherwise(pl.col("loss")).alias("loss"))


def write_table(sweep: SweepColumns, path: Path) -> None:
    """Write the runs to a table, whole or not at all, in the format that its name ends in.

    Parameters
    ----------
    sweep : SweepColumns
    path : Path
        Of a ``.csv`` or ``.parquet`` file.
    """
    frame = frame_of(sweep)
    with replacing(path) as draft:
        if path.suffix.lower() == ".parquet":
            frame.write_parquet(draft)
        else:
            frame.write_csv(draft)


def dict_of(sweep: SweepColumns) -> dict[str, Any]:
    """Return the sweep as a dict for strict JSON; NaN becomes None, infinities become words."""
    held = {
        name: [_to_json(value) for value in values.tolist()]
        if isinstance(values, np.ndarray)
        else list(values)
        for name, values in sweep.present_columns().items()
    }
    scalars = {**sweep.scalars(), "ignored_columns": list(sweep.ignored_columns)}
    scalars["reading"] = [asdict(decision) for decision in sweep.reading]
    groups = {label: dict(values) for label, values in sweep.group_values.items()}
    settings = {name: list(cells) for name, cells in sweep.settings.items()}
    return {**scalars, **held, "group_values": groups, "settings": settings}


def fields_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the sweep that `dict_of` stored.

    Parameters
    ----------
    stored : mapping
        What `dict_of` returned, perhaps after a trip through JSON.

    Returns
    -------
    dict
        Arguments of `Sweep`.

    Raises
    ------
    TypeError, ValueError
        If a column does not hold what it must.
    """
    fields = dict(stored)
    for column in RUN_COLUMNS:
        if column.name in fields:
            values = fields[column.name]
            fields[column.name] = tuple(values) if column.is_text else _from_json(values)
    for name in ("group_labels", "ignored_columns"):
        fields[name] = None if fields.get(name) is None else tuple(fields[name])
    fields["settings"] = {name: tuple(cells) for name, cells in fields.get("settings", {}).items()}
    fields["reading"] = tuple(Decision(**decision) for decision in fields.get("reading", ()))
    return fields


def _to_json(value: float) -> float | str | None:
    return value if np.isfinite(value) else None if np.isnan(value) else str(value)


def _from_json(values: Sequence[float | str | None]) -> FloatArray:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
