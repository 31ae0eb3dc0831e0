"""Runs as trackers keep them: settings, histories and last values of each, whatever tracker it was."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources.base import Frame, Table, flattened, frame_of_lists
from surge_fit.sweep.sources.history import History, reduced
from surge_fit.sweep.sources.where import Condition
from surge_fit.typing import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """One run of a tracker.

    Attributes
    ----------
    run_id : str
        The tracker's own id, or the run's folder: names need not be unique, ids are.
    name : str
        What a person called it; may be empty.
    status : str
        The tracker's word for how the run ended; empty where it has none.
    config : mapping of str to object
        What was set before the run; mappings in it are opened: ``optimizer.lr``.
    summary : mapping of str to object
        What the tracker says of the run as a whole: last or best values.
    history : mapping of str to sequence of float
        Every metric's values in the order in which they were logged. They count more than `summary`.
    """

    run_id: str
    name: str = ""
    status: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """All runs of one place.

    Attributes
    ----------
    tracker : str
        Its name, for messages.
    runs : sequence of TrackedRun
    collection : str or None
        The setting that tells collections of runs apart which share no more than the place: a study, an
        experiment, a project.
    objective : str or None
        The metric that the place itself says was optimized.
    maximized : bool
        Whether more of the objective is better.
    columns : mapping of str to str
        Canonical name → setting, where the tracker's own name may be doubted.
    notes : tuple of str
        What was decided while reading, one sentence each.
    """

    tracker: str
    runs: Sequence[TrackedRun]
    collection: str | None = None
    objective: str | None = None
    maximized: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a reader is asked for.

    Attributes
    ----------
    address : str
        What the user named, for messages and for sources that are no files.
    folder : Path
        Where the search for runs began; names of runs are relative to it.
    places : sequence of Path
        The folders of runs, or the files, that were recognised.
    where : sequence of Condition
        What the runs must meet; a reader may pass over those that do not, and need not.
    progress : callable or None
    """

    address: str
    folder: Path = Path()
    places: Sequence[Path] = ()
    where: Sequence[Condition] = ()
    progress: Progress | None = None

    def each_place(self) -> Iterator[Path]:
        """Yield the places one by one, and tell how far the reading is."""
        for done, place in enumerate(self.places):
            self.tell(done, len(self.places))
            yield place

    def tell(self, done: int, count: int | None = None) -> None:
        """Tell that runs are being read, and the share that is done where their count is known."""
        if self.progress is not None:
            self.progress("reading runs", done / count if count else None)

    def wants(self, key: str, value: object) -> bool:
        """Tell whether runs with this value of a setting are asked for."""
        return all(condition.holds(value) for condition in self.where if condition.key == key)

    def name_of(self, place: Path) -> str:
        """Return the path of a run below the folder where the search began."""
        relative = place.relative_to(self.folder).as_posix()
        return place.resolve().name if relative == "." else relative


def table_of(tracked: Tracked, request: Request) -> Table:
    """Make a table with one row per run.

    Raises
    ------
    SweepError
        If no run was found, or the runs are of several collections, which a condition must choose from.
    """
    if not tracked.runs:
        msg = (
            f"'{request.address}' must hold runs of {tracked.tracker}; it holds none"
            f"{' that meet the conditions' if request.where else ''}. Check the address."
        )
        raise SweepError(msg)
    key = tracked.collection
    if key is not None:
        names = dict.fromkeys(str(run.config.get(key, "")) for run in tracked.runs)
        if len(names) > 1:
            msg = (
                f"The runs of a sweep must be of one {key}; '{request.address}' holds "
                f"{len(names)}: {listing(map(repr, names), 8)}. Choose with where=['{key}=…'] (command line: "
                f"--where {key}=…)."
            )
            raise SweepError(msg)
    frame, outcomes = _frame_of(tracked.runs)
    columns = {name: name for name in ("run_id", "status") if name in frame.cells} | dict(tracked.columns)
    if tracked.objective is not None:
        columns["loss"] = outcomes[tracked.objective]
    decisions = tuple(Decision("shape", note) for note in tracked.notes)
    return Table(
        frame,
        Source(f"{request.address} ({tracked.tracker})", is_file=True),
        columns,
        tracked.maximized if tracked.objective is not None else None,
        "diverged",
        decisions,
    )


def _frame_of(runs: Sequence[TrackedRun]) -> tuple[Frame, dict[str, str]]:
    """Return one row per run, and the header of each metric.

    A name that stands for a setting and a metric, such as a learning rate that was logged too, becomes
    ``config.…`` and ``summary.…``.
    """
    rows = [_parts_of(run) for run in runs]
    settings = dict.fromkeys(key for config, _ in rows for key in config)
    outcomes = dict.fromkeys(key for _, summary in rows for key in summary)
    columns: dict[str, list[Any]] = {"run_id": [run.run_id for run in runs]}
    for header, words in (
        ("display name", [run.name for run in runs]),
        ("status", [run.status for run in runs]),
    ):
        if any(words):
            columns[header] = list[Any](words)
    taken = {*columns, *(settings.keys() & outcomes.keys())}
    headers: dict[str, str] = {}
    for keys, part, prefix in ((settings, 0, "config"), (outcomes, 1, "summary")):
        for key in keys:
            headers[key] = f"{prefix}.{key}" if key in taken else key
            cells = [row[part].get(key) for row in rows]
            if any(cell is not None for cell in cells):
                columns[headers[key]] = cells
    return frame_of_lists(columns, len(rows)), headers


def _parts_of(run: TrackedRun) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what was set and what came out, a cell each; lists are no cells."""
    config = {key: value for key, value in flattened(run.config) if _is_cell(value)}
    summary = {key: value for key, value in flattened(run.summary) if _is_cell(value)}
    return config, summary | reduced(run.history, config)


def _is_cell(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
