"""Gradient dumps: tensors and rows as they are stored, and what would be assumed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit._support.wording import number, plural
from surge_fit.gradients.dump import Dump
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import plain
from surge_fit.report.progress import amount_of_bytes


def blocks(dumps: Sequence[Dump]) -> list[Block]:
    """Tell gradient dumps as text."""
    text: list[Block] = []
    for dump in dumps:
        text += [None] if text else []
        text += [Line(_heading(dump), "heading"), None, _table(dump), None]
        text += [Line(fact, bullet="  ") for fact in _facts(dump)]
        text += [Line(sentence, "warning", "Note: ") for sentence in dump.assumptions]
        text += [Line(f"{name}: {reason}.", "faint", "Left out: ") for name, reason in dump.skipped]
    return text


def record(dumps: Sequence[Dump]) -> dict[str, Any]:
    """Tell gradient dumps as a dict for strict JSON.

    Parameters
    ----------
    dumps : sequence of Dump

    Returns
    -------
    dict
        The fields of one dump; of several, ``checkpoints``: a list of them.
    """
    records = [_record(dump) for dump in dumps]
    return records[0] if len(records) == 1 else {"checkpoints": records}


def _record(dump: Dump) -> dict[str, Any]:
    return strict_dict(
        {
            "source": dump.source,
            "layout": dump.layout,
            "rows": dump.rows,
            "examples": dump.examples,
            "parameters": dump.parameters,
            "bytes": dump.bytes,
            "microbatch_known": dump.microbatch_known,
            "loss_reduction": dump.loss_reduction,
            "loss_scale": dump.loss_scale,
            "clipped": dump.clipped,
            "step": dump.step,
            "loss": dump.loss,
            "tensors": [
                {
                    "name": tensor.name,
                    "dtype": tensor.dtype,
                    "shape": tensor.shape,
                    "rows": tensor.rows,
                    "parameters": tensor.parameters,
                }
                for tensor in dump.tensors
            ],
            "skipped": [{"name": name, "reason": reason} for name, reason in dump.skipped],
            "assumptions": dump.assumptions,
        }
    )


def _heading(dump: Dump) -> str:
    return (
        f"{dump.source}: {plural(dump.rows, 'row')}, {dump.parameters:,} parameters in "
        f"{plural(len(dump.tensors), 'tensor')}, {amount_of_bytes(dump.bytes)}"
    )


def _table(dump: Dump) -> Table:
    rows = [
        (
            str(tensor.rows),
            f"{tensor.parameters:,}",
            tensor.dtype,
            "×".join(map(str, tensor.shape)) or "scalar",
            str(len(tensor.segments)),
            tensor.name,
        )
        for tensor in dump.tensors
    ]
    return Table(("rows", "parameters", "dtype", "shape", "arrays", "tensor"), tuple(rows), 1)


def _facts(dump: Dump) -> list[str]:
    sizes = dump.microbatch_size
    low, high = number(float(sizes.min())), number(float(sizes.max()))
    mean = low if low == high else f"{low} to {high}"
    along = {
        "examples": "along the first axis of every array",
        "rows": "one file per row",
        "items": "one item of the list per row",
    }[dump.layout]
    facts = [f"Rows: {along}; each the mean of {mean} {'example' if mean == '1' else 'examples'}."]
    facts.append(f"Stored numbers are multiplied by {dump.scale:.6g}.")
    facts += ["Gradients were clipped."] if dump.clipped else []
    facts += [f"Step {number(dump.step)}."] if dump.step is not None else []
    facts += [f"Loss {plain(dump.loss, 4)}."] if dump.loss is not None else []
    groups = len(set(dump.row_groups or ()))
    return facts + ([f"Rows are correlated within {plural(groups, 'group')}."] if groups else [])
