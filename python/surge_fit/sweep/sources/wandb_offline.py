"""Weights & Biases: the folders ``wandb/offline-run-*`` (and ``run-*``), read without wandb.

A run's file is a log of records in blocks, as LevelDB writes them, of Protocol Buffers messages.
Source: https://github.com/wandb/wandb, ``core/internal/transactionlog`` and ``wandb_internal.proto``
"""

import json
import struct
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from surge_fit._support.wording import plural
from surge_fit.errors import SweepError
from surge_fit.sweep.sources import protobuf
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "Weights & Biases"
_MAGIC, _HEADER = b":W&B", 7
_BLOCK, _FRAME = 32768, struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HISTORY, _SUMMARY, _CONFIG, _RUN, _EXIT = 2, 3, 5, 17, 18  # fields of a record
_KEY, _NESTED_KEY, _JSON = 1, 2, 16  # fields of an item


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is one of a run."""
    return any(_is_log(name) for name in entries)


def read(request: Request) -> Tracked:
    """Read the runs of several folders; those of one id are one run that was resumed.

    Raises
    ------
    SweepError
        If a file is not of a run.
    """
    parts: dict[str, list[Path]] = defaultdict(list)
    for place in sorted(request.places):
        for file in sorted(place.iterdir()):
            if _is_log(file.name):
                parts[file.stem].append(file)
    runs: list[_Run] = []
    for done, files in enumerate(parts.values()):
        request.tell(done, len(parts))
        run = _Run(files[0].stem.removeprefix("run-"))
        for file in files:
            run.replay(file)
        if request.wants("project", run.project):
            runs.append(run)
    cut = [run.run_id for run in runs if run.is_cut]
    notes = (
        (f"The files of {plural(len(cut), 'run')} end in the middle of a record: {', '.join(cut[:5])}.",)
        if cut
        else ()
    )
    return Tracked(tracker=NAME, runs=[run.tracked() for run in runs], collection="project", notes=notes)


def _is_log(name: str) -> bool:
    return name.startswith("run-") and name.endswith(".wandb")


class _Run:
    """What the records of a run have said so far."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.project = ""
        self.is_cut = False
        self._name = ""
        self._status = "running"
        self._sweep = ""
        self._config: dict[str, Any] = {}
        self._summary: dict[str, Any] = {}
        self._history: dict[str, list[float]] = defaultdict(list)

    def tracked(self) -> TrackedRun:
        config = {"project": self.project} | ({"sweep": self._sweep} if self._sweep else {})
        summary = {key: value for key, value in self._summary.items() if key not in self._history}
        return TrackedRun(
            run_id=self.run_id,
            name=self._name,
            status=self._status,
            config=config | self._config,
            summary=summary,
            history=self._history,
        )

    def replay(self, file: Path) -> None:
        """Read one file; what a crash cut off at its end is left out."""
        data = file.read_bytes()
        if data[: len(_MAGIC)] != _MAGIC:
            msg = f"'{file}' must be a run's file of wandb; it does not begin as one. Remove it."
            raise SweepError(msg)
        try:
            for record in _records(data):
                self._take(record)
        except ValueError:
            self.is_cut = True

    def _take(self, record: bytes) -> None:
        for number, value in protobuf.fields(record):
            if number == _HISTORY:
                for key, text in _items(protobuf.message(value), 1):
                    self._log(key, text)
            elif number == _SUMMARY:
                for key, text in _items(protobuf.message(value), 1):
                    self._summary[key] = json.loads(text)
            elif number == _CONFIG:
                self._set(protobuf.message(value))
            elif number == _RUN:
                self._begin(protobuf.message(value))
            elif number == _EXIT:
                codes = [held for field, held in protobuf.fields(protobuf.message(value)) if field == 1]
                self._status = "failed" if any(codes) else "finished"

    def _log(self, key: str, text: bytes) -> None:
        try:
            self._history[key].append(float(text))
        except ValueError:  # a string, a picture's place, or a mapping
            value = json.loads(text)
            if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
                self._history[key].append(float(value))

    def _begin(self, message: bytes) -> None:
        self._status = "running"
        for number, value in protobuf.fields(message):
            if number == 3:
                self.project = protobuf.text(value)
            elif number == 4:
                self._set(protobuf.message(value))
            elif number == 8:
                self._name = protobuf.text(value)
            elif number == 12:
                self._sweep = protobuf.text(value)

    def _set(self, message: bytes) -> None:
        for key, text in _items(message, 1):
            self._config[key] = json.loads(text)


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a log, put together from the blocks that they were cut into.

    Raises
    ------
    ValueError
        Where the log is cut off or damaged.
    """
    position, parts = _HEADER, b""
    while position < len(data):
        left = _BLOCK - position % _BLOCK
        if left < _FRAME.size:  # what remains of a block is zeros
            position += left
            continue
        if position + _FRAME.size > len(data):
            msg = "a frame that ends after its file"
            raise ValueError(msg)
        _, size, kind = _FRAME.unpack_from(data, position)
        position += _FRAME.size
        part = data[position : position + size]
        position += size
        if len(part) < size or kind not in (_WHOLE, _FIRST, _MIDDLE, _LAST):
            msg = "a frame that is cut off"
            raise ValueError(msg)
        parts = part if kind in (_WHOLE, _FIRST) else parts + part
        if kind in (_WHOLE, _LAST):
            yield parts


def _items(message: bytes, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield key and JSON of the items that a message repeats in a field, but for wandb's own."""
    for field, item in protobuf.fields(message):
        if field != number:
            continue
        keys: list[str] = []
        text = b"null"
        for part, value in protobuf.fields(protobuf.message(item)):
            if part in (_KEY, _NESTED_KEY):
                keys.append(protobuf.text(value))
            elif part == _JSON:
                text = protobuf.message(value)
        if keys and not keys[0].startswith("_"):
            yield "/".join(keys), text
