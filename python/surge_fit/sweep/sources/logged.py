"""Files that runs leave behind: settings (JSON, YAML, TOML) and what was logged (CSV, JSON lines, text)."""

import csv
import json
import math
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from surge_fit.errors import SweepError
from surge_fit.sweep.sources.yaml_text import read_yaml

SETTINGS_SUFFIXES = (".json", ".yaml", ".yml", ".toml")
HISTORY_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
TEXT_SUFFIXES = (".log", ".txt", ".out")

_NUMBERS = (float, int)
_NOT_FINITE = ("NaN", "nan", "Infinity", "-Infinity", "inf", "-inf")
_HEAD = 65536  # bytes of a log that are looked at
_NUMBER = r"[-+]?(?:\d[\d,]*\.?\d*(?:e[-+]?\d+)?|nan|inf)"
_PAIR = re.compile(rf"([A-Za-z][\w ./-]*?)\s*[:=]\s*({_NUMBER})(?![\w.])", re.IGNORECASE)
_BARE_PAIR = re.compile(rf"([A-Za-z][\w ]*?)\s+({_NUMBER})(?![\w.])", re.IGNORECASE)
_ARGUMENT = re.compile(r"\s+(\w+) \.{3,} (.+)")  # as Megatron-LM lists its arguments
_MEASURED = re.compile(r"loss|bpb|ppl|\b(?:tel|trl):", re.IGNORECASE)
_LLM_C = {"tel": "val loss", "trl": "train loss", "s": "step"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def settings_of(file: Path) -> Mapping[str, Any] | None:
    """Return the mapping that a JSON, YAML or TOML file holds, or None where it holds something else.

    Raises
    ------
    SweepError
        If the file is not what its name says.
    """
    kind = file.suffix.lower()
    if kind in (".yaml", ".yml"):
        held = read_yaml(file)
    else:
        try:
            held = (
                json.loads(file.read_bytes()) if kind == ".json" else tomllib.loads(file.read_text("utf-8"))
            )
        except ValueError as error:
            msg = f"'{file}' must be {kind[1:].upper()}; it is not: {error}. Correct it or take it away."
            raise SweepError(msg) from error
    return held if isinstance(held, dict) else None


def history_of(file: Path) -> dict[str, list[float]]:
    """Return what a CSV file or one of JSON lines logged: every column's numbers, without blank cells.

    Raises
    ------
    SweepError
        If a line of JSON is none; the last one may be cut off.
    """
    if file.suffix.lower() in (".jsonl", ".ndjson", ".json"):
        return collected(_json_lines(file))
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        return _columns(text, "\t" if file.suffix.lower() == ".tsv" else ",")


def is_text_log(file: Path) -> bool:
    """Tell whether the beginning of a file has a line that `text_log_of` reads."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD).decode("utf-8", errors="replace")
    return any(_MEASURED.search(line) and next(iter(_pairs(line)), None) for line in head.splitlines()) or (
        _is_table(head.partition("\n")[0])
    )


def text_log_of(file: Path) -> tuple[dict[str, str], dict[str, list[float]]]:
    """Return the settings and the history in a log that a person reads.

    Lines count that speak of a loss and hold pairs (``loss: 3.2``, ``lr=1e-3``; or ``loss 3.2 | lr 1e-3``),
    as Megatron-LM, torchtitan, nanochat and llm.c write them. A table with a header line, as Keras writes it
    under such a name, is read as one.
    """
    with file.open(encoding="utf-8-sig", errors="replace") as text:
        is_table = _is_table(text.readline())
        text.seek(0)
        if is_table:
            return {}, _columns(text, ",")
        settings: dict[str, str] = {}
        history: dict[str, list[float]] = defaultdict(list)
        for line in text:
            argument = _ARGUMENT.fullmatch(line.rstrip())
            if argument is not None:
                settings[argument[1]] = argument[2].strip()
            elif _MEASURED.search(line):
                for key, value in _pairs(_ESCAPES.sub("", line)):
                    history[key].append(value)
        return settings, dict(history)


def collected(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return the numbers of rows by their keys, those of mappings in them as ``eval/loss``."""
    held = list(rows)
    history: dict[str, list[float]] = {}
    for key in dict.fromkeys(chain.from_iterable(held)):
        cells = [row[key] for row in held if key in row]
        values = [float(cell) for cell in cells if type(cell) in _NUMBERS or cell in _NOT_FINITE]
        if values:
            history[key] = values
        inner = [cell for cell in cells if isinstance(cell, dict)]
        history |= {f"{key}/{below}": numbers for below, numbers in collected(inner).items()} if inner else {}
    return history


def _is_table(line: str) -> bool:
    """Tell whether a line is the header of a table of losses."""
    return "," in line and "loss" in line.lower() and re.search(r"[\d:]", line) is None


def _columns(text: Iterable[str], separator: str) -> dict[str, list[float]]:
    rows = csv.reader(text, delimiter=separator)
    header = [cell.strip() for cell in next(rows, [])]
    columns: list[list[float]] = [[] for _ in header]
    for row in rows:
        for column, cell in zip(columns, row, strict=False):
            if cell:
                try:
                    column.append(float(cell))
                except ValueError:
                    if _is_divergent(cell):
                        column.append(math.nan)
    return {key: values for key, values in zip(header, columns, strict=True) if key and values}


def _is_divergent(cell: str) -> bool:
    """Tell whether a cell is a tensor's ``nan``, such as ``tensor(nan)``."""
    return "nan" in cell.lower() and "tensor" in cell.lower()


def _json_lines(file: Path) -> list[Mapping[str, Any]]:
    lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    try:
        rows = json.loads(b"[" + b",".join(lines) + b"]")  # as fast again as line by line
    except ValueError:
        rows = list(_each_line(lines, file))
    return [row for row in rows if isinstance(row, dict)]


def _each_line(lines: Sequence[bytes], file: Path) -> Iterator[Any]:
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines):
                return
            msg = f"Every line of '{file}' must be JSON; row {number} is not: {error}. Correct or drop it."
            raise SweepError(msg) from error


def _pairs(line: str) -> Iterable[tuple[str, float]]:
    found = _PAIR.findall(line) or [
        pair for part in line.split("|") for pair in _BARE_PAIR.findall(part.strip())[:1]
    ]
    prefix = "validation " if re.match(r"\W*(val|eval)", line, re.IGNORECASE) else ""
    for key, text in found:
        name = _LLM_C.get(key.strip(), key.strip())
        if prefix and re.search(r"\bval(id|idation)?\b", name, re.IGNORECASE) is None:
            name = prefix + name
        yield name, float(text.replace(",", ""))
