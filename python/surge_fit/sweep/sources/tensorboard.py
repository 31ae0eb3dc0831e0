"""TensorBoard: folders of event files, every scalar of them, read without TensorBoard.

Event files are records of TensorFlow (length, checksum, bytes, checksum) that hold Protocol Buffers messages.
Hyperparameters are those of the HParams plugin; else a run's folder may name them (``lr=0.001,bs=64``).
Source: ``tensorboard/compat/proto/{event,summary}.proto``, ``plugins/hparams/plugin_data.proto``
"""

import math
import re
import struct
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from surge_fit._support.wording import plural
from surge_fit.sweep.sources import protobuf
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "TensorBoard"
EVENTS = "events.out.tfevents."
_PARTS = frozenset({"train", "training", "validation", "valid", "val", "eval", "test"})
_LENGTH, _FLOAT32 = struct.Struct("<Q"), struct.Struct("<f")
# An event of one scalar, as most are: time, step, and a summary of a tag and a number.
_PLAIN = re.compile(
    rb"(?:\x09.{8})?(?:\x10([\x80-\xff]*[\x00-\x7f]))?\x2a[\x80-\xff]*[\x00-\x7f]"
    rb"\x0a[\x80-\xff]*[\x00-\x7f]\x0a(.)(.{1,127})\x15(.{4})",
    re.DOTALL,
)
_FLOAT, _DOUBLE = 1, 2  # types of a tensor
_NAMED = re.compile(r"(?:^|[,;&_/ ])([A-Za-z][A-Za-z_.]*)=([^,;&/ ]+?)(?=$|[,;&/ ]|_[A-Za-z][A-Za-z_.]*=)")


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries holds event entries."""
    return any(name.startswith(EVENTS) for name in entries)


def read(request: Request) -> Tracked:
    """Read one run from every folder of event files; writers put some scalars into folders below.

    Event files that end in the middle of a record, as those of a killed run do, are read up to there.
    """
    events = {place: Events.of_folder(place) for place in request.each_place()}
    runs: dict[Path, Events] = {}
    for place, held in events.items():
        run = _run_of(place, events)
        if run == place:
            runs.setdefault(run, Events()).merge(held, "")
        else:
            runs.setdefault(run, Events()).merge(held, "" if held.settings else f"{place.name}/")
    runs = {place: held for place, held in runs.items() if held.history or held.settings}
    cut = sum(held.is_cut for held in events.values())
    return Tracked(
        tracker=NAME,
        runs=[
            TrackedRun(
                run_id=request.name_of(place),
                config={**parameters_in(request.name_of(place)), **held.settings},
                history=held.history,
            )
            for place, held in runs.items()
        ],
        notes=(f"The event files of {plural(cut, 'run')} end in the middle of a record.",) if cut else (),
    )


def _run_of(place: Path, events: Mapping[Path, "Events"]) -> Path:
    """Return the folder of the run that event files belong to: their own, or one above.

    Training and validation are written into two folders of one run, several curves of one figure into folders
    below it, and one set of hyperparameters too; several sets are runs of their own.
    """
    if place.name.lower() in _PARTS:
        return place.parent
    above = next((folder for folder in place.parents if folder in events), None)
    if above is None:
        return place
    if events[place].settings:
        sets = [other for other in events if above in other.parents and events[other].settings]
        return place if len(sets) > 1 else above
    return above


def parameters_in(name: str) -> dict[str, str]:
    """Return the settings that a folder's name states as ``key=value``."""
    return dict(_NAMED.findall(name))


class Events:
    """The scalars and hyperparameters of a folder's event files.

    Attributes
    ----------
    history : dict of str to list of float
        Tag → values, ordered by step; of a step that was logged twice, the later one.
    settings : dict of str to object
    last_step : int
    is_cut : bool
        Whether a file ends in the middle of a record.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.settings: dict[str, Any] = {}
        self.last_step = 0
        self.is_cut = False

    @classmethod
    def of_folder(cls, folder: Path) -> "Events":
        """Read all event files of a folder, the older ones first."""
        events = cls()
        scalars: dict[str, dict[int, float]] = defaultdict(dict)
        for file in sorted(folder.iterdir()):
            if file.name.startswith(EVENTS):
                events._read(file.read_bytes(), scalars)
        events.history = {
            tag: [value for _, value in sorted(values.items())] for tag, values in scalars.items()
        }
        return events

    def merge(self, other: "Events", prefix: str) -> None:
        """Take what another writer of the same run wrote, under tags with a prefix."""
        self.settings |= other.settings
        self.history |= {f"{prefix}{tag}": values for tag, values in other.history.items()}

    def _read(self, data: bytes, scalars: dict[str, dict[int, float]]) -> None:
        try:
            for record in _records(data):
                self._take(record, scalars)
        except ValueError:
            self.is_cut = True

    def _take(self, record: bytes, scalars: dict[str, dict[int, float]]) -> None:
        plain = _PLAIN.fullmatch(record)
        if plain is not None and plain[2][0] == len(plain[3]):
            step = protobuf.varint(plain[1], 0)[0] if plain[1] else 0
            scalars[plain[3].decode("utf-8", errors="replace")][step] = _FLOAT32.unpack(plain[4])[0]
            self.last_step = max(self.last_step, step)
            return
        step, summary = 0, b""
        for number, value in protobuf.fields(record):
            if number == 2 and isinstance(value, int):
                step = value
            elif number == 5:
                summary = protobuf.message(value)
        for number, value in protobuf.fields(summary):
            if number != 1:
                continue
            tag, scalar, plugin = _value(protobuf.message(value))
            if plugin is not None:
                self.settings |= _hyperparameters(plugin)
            elif scalar is not None:
                scalars[tag][step] = scalar
                self.last_step = max(self.last_step, step)


def _records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        if position + 12 > len(data):
            msg = "a record that ends after its file"
            raise ValueError(msg)
        (size,) = _LENGTH.unpack_from(data, position)
        start = position + 12
        position = start + size + 4
        if position > len(data):
            msg = "a record that ends after its file"
            raise ValueError(msg)
        yield data[start : start + size]


def _value(message: bytes) -> tuple[str, float | None, bytes | None]:
    """Return the tag of a summary's value, its scalar, and the content of the HParams plugin."""
    tag, scalar, plugin = "", None, None
    for number, value in protobuf.fields(message):
        if number == 1:
            tag = protobuf.text(value)
        elif number == 2:
            scalar = protobuf.float32(value)
        elif number == 8:
            scalar = _tensor(protobuf.message(value))
        elif number == 9:
            plugin = _hparams_plugin(protobuf.message(value))
    return tag, scalar, plugin


def _tensor(message: bytes) -> float | None:
    """Return the number of a tensor of one number, None of any other."""
    kind, numbers = 0, []
    for number, value in protobuf.fields(message):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number in (4, 5, 6) and isinstance(value, bytes):
            size = 8 if number == 6 or (number == 4 and kind == _DOUBLE) else 4
            whole = len(value) == size
            numbers.append(
                (protobuf.float64 if size == 8 else protobuf.float32)(value) if whole else math.nan
            )
            if not whole:
                return None
    return numbers[0] if kind in (_FLOAT, _DOUBLE) and len(numbers) == 1 else None


def _hparams_plugin(metadata: bytes) -> bytes | None:
    for number, value in protobuf.fields(metadata):
        if number == 1:
            parts = dict(protobuf.fields(protobuf.message(value)))
            if parts.get(1) == b"hparams":
                return protobuf.message(parts.get(2, b""))
    return None


def _hyperparameters(content: bytes) -> dict[str, Any]:
    """Return the hyperparameters of a session that starts: a map of names to values of any kind."""
    found: dict[str, Any] = {}
    for number, session in protobuf.fields(content):
        if number != 3:
            continue
        for field, entry in protobuf.fields(protobuf.message(session)):
            if field == 1:
                parts = dict(protobuf.fields(protobuf.message(entry)))
                for kind, value in protobuf.fields(protobuf.message(parts.get(2, b""))):
                    found[protobuf.text(parts.get(1, b""))] = (
                        protobuf.float64(value)
                        if kind == 2
                        else protobuf.text(value)
                        if kind == 3
                        else bool(value)
                    )
    return found
