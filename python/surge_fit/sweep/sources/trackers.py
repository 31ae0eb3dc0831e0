"""The places of trackers: folders by what they hold, databases by their tables, addresses by their scheme."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from surge_fit._support.wording import listing, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.sources import sqlite
from surge_fit.sweep.sources.base import Table
from surge_fit.sweep.sources.tracked import Request, Tracked, table_of
from surge_fit.sweep.sources.where import Condition
from surge_fit.typing import Progress

_DEEPEST = 8
_SQLITE = "sqlite:///"
_OTHER_DATABASES = ("postgresql", "mysql", "mssql", "oracle", "redis", "mariadb")
_NOT_RUNS = frozenset({"node_modules", "__pycache__", "site-packages", "venv"})


Reader = Callable[[Request], Tracked]


class _Folders(Protocol):
    """A tracker that keeps each run in a folder."""

    NAME: str

    def is_run_folder(self, folder: Path, entries: Collection[str], /) -> bool: ...

    def read(self, request: Request) -> Tracked: ...


_FOLDERS = (
    *("huggingface", "ray_tune", "hydra", "mlflow", "wandb_offline"),
    *("lightning", "tensorboard", "training_logs"),
)
"""Modules of trackers that keep each run in a folder; a folder belongs to the first that takes it."""

_WHOLE = frozenset({"Hugging Face Trainer", "Ray Tune", "Hydra", "MLflow", "Weights & Biases"})
"""Trackers whose folder of a run holds all that other loggers wrote of the same run."""


def recognises(location: str) -> bool:
    """Tell whether a location is a tracker's: an address, a folder, a database, a journal."""
    if _scheme(location) is not None:
        return True
    path = Path(location)
    return path.is_dir() or (path.is_file() and _file_reader(path) is not None)


def read(location: str, *, where: Sequence[Condition] = (), progress: Progress | None = None) -> Table:
    """Read the runs at a location of a tracker.

    Parameters
    ----------
    location : str
        ``wandb:entity/project[/sweep]``, ``sqlite:///file.db``, ``http://server``, a folder or a file.
    where : sequence of Condition
        What the runs must meet. Readers pass over what need not be fetched for it; others remain.
    progress : callable or None
        Called with a sentence and the share that is done, or None.

    Raises
    ------
    SweepError
        If the place holds no runs, those of several trackers, or what is damaged.
    """
    request, reader = _request(location, where, progress)
    try:
        tracked = reader(request)
    except SweepError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        msg = (
            f"'{location}' must hold runs as their tracker writes them; something in it is damaged: "
            f"{type(error).__name__}, {error}. Copy it again, or leave out the run that is damaged."
        )
        raise SweepError(msg) from error
    return table_of(tracked, request)


def _request(location: str, where: Sequence[Condition], progress: Progress | None) -> tuple[Request, Reader]:
    scheme = _scheme(location)
    if scheme == "wandb":
        return Request(address=location, where=where, progress=progress), _module("wandb_api").read
    if scheme == "http":
        return Request(address=location, where=where, progress=progress), _module("mlflow").read_server
    if scheme is not None and scheme != "sqlite":
        msg = (
            f"A database of runs must be an SQLite file; got {location.partition('://')[0]}://…. Export its "
            "runs as a table, such as study.trials_dataframe().to_csv('runs.csv')."
        )
        raise SweepError(msg)
    path = Path(unquote(location.removeprefix(_SQLITE)) if scheme == "sqlite" else location)
    if path.is_dir():
        return _folder_request(path, where, progress)
    if not path.is_file():
        msg = f"A database of runs must be there; '{path}' is not. Check the path."
        raise SweepError(msg)
    found = _file_reader(path)
    if found is None:
        msg = (
            f"'{path}' must hold runs of Optuna, MLflow or Trackio; its tables are none of theirs. Export "
            "its runs as a table."
        )
        raise SweepError(msg)
    request = Request(address=str(path), folder=path.parent, places=[path], where=where, progress=progress)
    return request, found[1]


def _scheme(location: str) -> str | None:
    """Return the kind of an address, None of a path; a letter alone is a drive."""
    scheme, colon, _ = location.partition(":")
    if not colon or Path(location).exists():
        return None
    if scheme in ("http", "https"):
        return "http"
    if scheme.partition("+")[0] in _OTHER_DATABASES:
        return "database"
    return scheme if scheme in ("wandb", "sqlite") else None


def _file_reader(file: Path) -> tuple[str, Reader] | None:
    """Return the tracker that wrote a file, and its reader."""
    if sqlite.is_database(file):
        tables = sqlite.tables(file)
        optuna, mlflow, trackio = map(_module, ("optuna", "mlflow", "trackio"))
        if optuna.holds_database(tables):
            return optuna.NAME, optuna.read
        if mlflow.holds_database(tables):
            return mlflow.NAME, mlflow.read_database
        return (trackio.NAME, trackio.read) if trackio.holds_database(tables) else None
    return (_module("optuna").NAME, _module("optuna").read) if _is_journal(file) else None


def _is_journal(file: Path) -> bool:
    """Tell whether a file is a journal of Optuna's operations, by its first line."""
    try:
        with file.open("rb") as opened:
            first = opened.readline(4096)
    except OSError:
        return False
    return first.startswith(b"{") and b'"op_code"' in first and b'"worker_id"' in first


def _module(name: str) -> Any:
    """Return the module of a tracker, imported when a place may be its own."""
    return import_module(f"surge_fit.sweep.sources.{name}")


@dataclass(slots=True)
class _Found:
    """What one tracker left below a folder."""

    reader: Reader
    places: list[Path]


def _folder_request(
    folder: Path, where: Sequence[Condition], progress: Progress | None
) -> tuple[Request, Reader]:
    found = _search(folder)
    if len(found) > 1:  # files that only look like plain logs lie about everywhere
        found.pop("training logs", None)
    if not found:
        msg = (
            f"'{folder}' must hold runs of {listing(_names())}; nothing in it is recognised. Name the folder "
            "or file that holds them."
        )
        raise SweepError(msg)
    if len(found) > 1:
        kinds = listing(
            f"{name} ({plural(len(held.places), 'place')}, such as '{held.places[0]}')"
            for name, held in found.items()
        )
        msg = (
            f"'{folder}' must hold the runs of one tracker; it holds those of {kinds}. Name the folder or "
            "file of one."
        )
        raise SweepError(msg)
    (held,) = found.values()
    request = Request(address=str(folder), folder=folder, places=held.places, where=where, progress=progress)
    return request, held.reader


def _names() -> list[str]:
    return [_module(name).NAME for name in (*_FOLDERS, "optuna", "trackio")]


def _search(folder: Path) -> dict[str, _Found]:
    """Return what each tracker left in a folder and below it; links are not followed."""
    trackers: list[_Folders] = [_module(name) for name in _FOLDERS]
    found: dict[str, _Found] = {}
    inside: list[Path] = []  # folders of runs that hold what other loggers wrote of them
    for path, folders, files in os.walk(folder):
        here = Path(path)
        folders.sort()
        entries = {*files, *folders}
        tracker = next((kind for kind in trackers if kind.is_run_folder(here, entries)), None)
        within = bool(inside) and any(above in inside for above in (here, *here.parents))
        if tracker is not None and (not within or tracker.NAME in _WHOLE):
            found.setdefault(tracker.NAME, _Found(tracker.read, [])).places.append(here)
            if tracker.NAME in _WHOLE:
                inside.append(here.parent if here.name.startswith("checkpoint-") else here)
        deep = len(here.relative_to(folder).parts) >= _DEEPEST
        folders[:] = [] if deep else [name for name in folders if name[0] != "." and name not in _NOT_RUNS]
        if not within and tracker is None:
            for name in sorted(files):
                kind = _file_reader(here / name) if name.endswith((".db", ".sqlite", ".sqlite3")) else None
                if kind is not None:
                    found.setdefault(kind[0], _Found(kind[1], [])).places.append(here / name)
    return found
