"""Logs of gradient norms at two batch sizes, as a training loop or a tracker writes them."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path as _Path
from typing import Any

from surge_fit._support.wording import listing, plural
from surge_fit.errors import DumpError
from surge_fit.typing import Path

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LINES, _FILES = (".jsonl", ".ndjson"), ".csv, .tsv, .jsonl, .ndjson, .json or .parquet"
_SMALL = {"small", "micro", "microbatch", "local", "rank", "device", "worker", "single", "example", "shard"}
_BIG = {"big", "large", "global", "total", "full", "accumulated", "accum", "all", "reduced"}
_BATCH = {"batch", "batchsize", "bs", "bsz", "microbatch", "minibatch", "b", "size", "examples", "samples"}
_NORM = {"norm", "gnorm", "gradnorm", "norms", "norm2", "normsq", "gradnormsq", "sqnorm"}
_GRADIENT = {"grad", "grads", "gradient", "gradients", "g", "gnorm", "gradnorm", "gradnormsq"}
_OTHER = {"param", "params", "weight", "weights", "update", "activation", "act", "layernorm", "clip", "ratio"}
_STEP = {"step", "globalstep", "iteration", "iter", "it", "update", "trainstep"}
_SQUARED = re.compile(r"sq(?!rt)|\^2|\*\*2|²|norm_?2\b")
_BOUND = re.compile(r"__(?:MIN|MAX)$")
_MISSING = {"", "nan", "none", "null", "n/a", "na", "-", "—"}


@dataclass(frozen=True, slots=True)
class NormLog:
    """Squared gradient norms at a small and a big batch size, step by step.

    Attributes
    ----------
    source : str
    small_batch_size, big_batch_size : tuple of float
        [examples], of every step.
    small_norm_squared, big_norm_squared : tuple of float
        Where a step has several norms of one size (micro-batches, ranks), the mean of their squares.
    notes : tuple of str
        A sentence for everything that was decided.
    """

    source: str
    small_batch_size: tuple[float, ...]
    small_norm_squared: tuple[float, ...]
    big_batch_size: tuple[float, ...]
    big_norm_squared: tuple[float, ...]
    notes: tuple[str, ...]


def read_norm_log(
    path: Path, *, small_batch_size: float | None = None, big_batch_size: float | None = None
) -> NormLog:
    """Read a log of gradient norms, for `noise_scale_from_norms`.

    Parameters
    ----------
    path : path-like
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``, ``.json`` or ``.parquet`` file with one row per logged
        event. Either a norm of each size in a column of its own (``micro_grad_norm`` and ``grad_norm``,
        ``local_norm_sq`` and ``global_norm_sq``), or one norm column with a column ``batch_size`` of two
        values; a column ``step`` joins the rows of a step. Headers that say so (``norm_sq``, ``norm^2``)
        hold squares, others are squared.
    small_batch_size, big_batch_size : float, optional
        [examples]. By default the columns ``micro_batch_size`` and ``batch_size``, by these or like names.

    Returns
    -------
    NormLog

    Raises
    ------
    DumpError
        If the file cannot be read, or its columns do not give two norms and two batch sizes.
    """
    file = _Path(path)
    rows = _rows(file)
    columns = _Columns.of(list(dict.fromkeys(key for row in rows for key in row)), file.name)
    if len(columns.norms) == 1:
        return _long(columns, rows, file.name)
    return _wide(columns, rows, file.name, small_batch_size, big_batch_size)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Headers by what they hold."""

    norms: tuple[str, ...]
    sizes: tuple[str, ...]
    step: str | None

    @classmethod
    def of(cls, headers: Sequence[str], name: str) -> _Columns:
        told = [header for header in headers if not _BOUND.search(header)]
        norms = tuple(header for header in told if _is_norm(header))
        norms = tuple(header for header in norms if _words(header) & _GRADIENT) or norms
        sizes = tuple(h for h in told if h not in norms and _is_size(h))
        if not 1 <= len(norms) <= 2:
            msg = (
                "A log of gradient norms needs a norm at a small and one at a big batch size; the norms of "
                f"'{name}' are {listing(norms, 4) or 'none'}, of the columns "
                f"{listing(told, 6) or 'none'}. Keep two, such as micro_grad_norm and grad_norm, or one "
                "beside batch_size."
            )
            raise DumpError(msg)
        return cls(norms, sizes, next((h for h in told if "".join(_parts(h)) in _STEP), None))


def _parts(header: str) -> list[str]:
    """Split the last component of a header into words: ``train/gradNormSq`` → grad, norm, sq."""
    last = re.split(r"/| - |\.", header.strip())[-1]
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", last).lower()
    return [part for part in re.split(r"[^0-9a-z²]+", spaced) if part]


def _words(header: str) -> set[str]:
    return set(_parts(header))


def _is_norm(header: str) -> bool:
    words = _words(header)
    squared = bool(words & _GRADIENT) and _is_squared(header)
    return bool(words & _NORM or squared) and not words & _OTHER


def _is_size(header: str) -> bool:
    words = _words(header)
    return bool(words & _BATCH) and not words & {"loss", "per", "second", "sec", "seen", "time", "index"}


def _is_squared(header: str) -> bool:
    return _SQUARED.search(header.lower().rpartition("/")[2]) is not None


def _small_and_big(headers: Sequence[str]) -> tuple[str, str] | None:
    """Tell which of two columns is of the small batches, which of the big ones; one may leave it unsaid."""
    if len(headers) != 2:
        return None
    stated = _sizes_in(headers)
    if stated is not None:
        return (headers[0], headers[1]) if stated[0] < stated[1] else (headers[1], headers[0])
    sides = [("small" if w & _SMALL else "big" if w & _BIG else "") for w in map(_words, headers)]
    if sides[0] == sides[1]:
        return None
    first_is_small = sides[0] == "small" or sides[1] == "big"
    return (headers[0], headers[1]) if first_is_small else (headers[1], headers[0])


def _sizes_in(headers: Sequence[str]) -> tuple[int, int] | None:
    """Read batch sizes off the names of two norms: ``grad_norm_b8`` and ``grad_norm_b64``."""
    found = [re.findall(r"(?:^|_|\bb)(?:b|bs|batch)?(\d+)\b", "_".join(_parts(header))) for header in headers]
    sizes = [int(digits[0]) for digits in found if len(digits) == 1]
    return (sizes[0], sizes[1]) if len(sizes) == 2 and len(set(sizes)) == 2 and min(sizes) > 0 else None


class _Steps:
    """Norms and batch sizes, gathered step by step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: dict[Any, dict[str, list[float]]] = {}

    def add(self, step: Any, side: str, norm_squared: float | None, size: float | None) -> None:
        """Add one norm of the small or the big batches."""
        row = self.held.setdefault(step, {"small": [], "big": [], "small_size": [], "big_size": []})
        row[side] += [] if norm_squared is None else [norm_squared]
        row[f"{side}_size"] += [] if size is None else [size]

    def joined(self, notes: Iterable[str]) -> NormLog:
        """Take the mean over the norms of each step; leave out steps that lack one."""
        whole = [row for row in self.held.values() if all(row.values())]
        if not whole:
            msg = (
                f"A log of gradient norms must have both norms at the same steps; '{self.name}' has no step "
                "with both. Log them together, or add a column 'step' that joins their rows."
            )
            raise DumpError(msg)
        lacking = len(self.held) - len(whole)
        left_out = [f"{plural(lacking, 'step')} without both norms and sizes left out."] if lacking else []

        def mean(key: str) -> tuple[float, ...]:
            return tuple(math.fsum(row[key]) / len(row[key]) for row in whole)

        told = (mean("small_size"), mean("small"), mean("big_size"), mean("big"))
        return NormLog(self.name, *told, (*notes, *left_out))


def _wide(
    columns: _Columns, rows: Sequence[Mapping[str, Any]], name: str, small: float | None, big: float | None
) -> NormLog:
    norms = _small_and_big(columns.norms)
    if norms is None:
        msg = (
            "The names of two norm columns must tell which is of the small batch size; those of "
            f"'{name}' are {listing(columns.norms)}. Put small (micro, local) or big (global) into the names."
        )
        raise DumpError(msg)
    sizes = _small_and_big(columns.sizes)
    in_names = _sizes_in(norms)
    if sizes is None and in_names is not None:
        small, big = small or in_names[0], big or in_names[1]
    if sizes is None and (small is None or big is None):
        msg = (
            f"The batch sizes of two norms must be known; the columns of '{name}' with sizes are "
            f"{listing(columns.sizes, 4) or 'none'}. Add micro_batch_size and batch_size, or state them "
            "(small_batch_size, big_batch_size; command line: --microbatch-size, --batch-size)."
        )
        raise DumpError(msg)
    steps = _Steps(name)
    for number, row in enumerate(rows):
        step = number if columns.step is None else row.get(columns.step)
        for place, (side, stated) in enumerate((("small", small), ("big", big))):
            size = stated if sizes is None or stated is not None else _number(row, sizes[place], number, name)
            steps.add(step, side, _norm_squared(row, norms[place], number, name), size)
    return steps.joined([_read(norms, sizes if small is None or big is None else None)])


def _long(columns: _Columns, rows: Sequence[Mapping[str, Any]], name: str) -> NormLog:
    (norm,) = columns.norms
    if len(columns.sizes) != 1:
        msg = (
            f"One column of norms needs one column of batch sizes beside it; those of '{name}' are "
            f"{listing(columns.sizes, 4) or 'none'}. Add batch_size, or a norm at a second batch size."
        )
        raise DumpError(msg)
    (header,) = columns.sizes
    read = [
        (row, _norm_squared(row, norm, number, name), _number(row, header, number, name))
        for number, row in enumerate(rows)
    ]
    sizes = sorted({size for _, value, size in read if value is not None and size is not None})
    if len(sizes) < 2:
        msg = (
            f"Norms must be of two batch sizes; '{name}' has {listing(map('{:g}'.format, sizes)) or 'none'} "
            f"in '{header}'. Log the norm of a part of the batch too, such as one micro-batch or rank."
        )
        raise DumpError(msg)
    sides, seen = {sizes[0]: "small", sizes[-1]: "big"}, {"small": 0, "big": 0}
    steps = _Steps(name)
    for row, value, size in read:
        if value is not None and size in sides:
            side = sides[size]
            steps.add(seen[side] if columns.step is None else row.get(columns.step), side, value, size)
            seen[side] += 1
    notes = [_read((norm,), (header,))]
    if len(sizes) > 2:
        notes.append(f"Of {len(sizes)} batch sizes the smallest and the biggest count.")
    return steps.joined(notes)


def _read(norms: Iterable[str], sizes: Iterable[str] | None) -> str:
    said = [f"{header} ({'squares' if _is_squared(header) else 'squared here'})" for header in norms]
    return f"Read from the columns {listing([*said, *(sizes or ())])}."


def _norm_squared(row: Mapping[str, Any], header: str, number: int, name: str) -> float | None:
    value = _number(row, header, number, name)
    return value if value is None or _is_squared(header) else value * value


def _number(row: Mapping[str, Any], header: str, number: int, name: str) -> float | None:
    value = row.get(header)
    if value is None or (isinstance(value, str) and value.strip().lower() in _MISSING):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = -1.0
    if found < 0:
        msg = (
            f"Norms and batch sizes must be numbers from 0 on; row {number + 1} of '{name}' has "
            f"{str(value)[:40]!r} in '{header}'. Correct it."
        )
        raise DumpError(msg)
    return found if math.isfinite(found) else None


def _rows(file: _Path) -> Sequence[Mapping[str, Any]]:
    """Read a table as one mapping per row."""
    kind = file.suffix.lower()
    if kind not in (*_SEPARATORS, *_LINES, ".json", ".parquet"):
        msg = f"A log of gradient norms must end in {_FILES}; '{file}' does not. Save it as one of these."
        raise DumpError(msg)
    try:
        if kind == ".parquet":
            return _parquet(file)
        text = file.read_text(encoding="utf-8-sig")
        if kind in _SEPARATORS:
            return _table(text, _SEPARATORS[kind])
        lines = text.splitlines() if kind in _LINES else []
        rows = [json.loads(line) for line in lines if line.strip()] if kind in _LINES else json.loads(text)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        msg = f"A log of gradient norms must be a readable {kind} file; '{file}': {error}. Check the file."
        raise DumpError(msg) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = (
            f"A log of gradient norms must be a list of objects, one per row; '{file}' is none. Write it so."
        )
        raise DumpError(msg)
    return rows


def _table(text: str, separator: str) -> list[Mapping[str, Any]]:
    lines = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    header = next(lines, [])
    return [dict(zip(header, line, strict=False)) for line in lines if any(line)]


def _parquet(file: _Path) -> Sequence[Mapping[str, Any]]:
    import polars as pl

    try:
        return list(pl.read_parquet(file).iter_rows(named=True))
    except pl.exceptions.PolarsError as error:
        raise ValueError(str(error)) from error
