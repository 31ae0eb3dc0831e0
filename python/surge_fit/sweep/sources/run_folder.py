"""What one run left in its folder: histories, last values and event files, whichever logger wrote them."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from surge_fit.sweep.sources import tensorboard
from surge_fit.sweep.sources.history import History
from surge_fit.sweep.sources.logged import (
    HISTORY_SUFFIXES,
    SETTINGS_SUFFIXES,
    TEXT_SUFFIXES,
    history_of,
    settings_of,
    text_log_of,
)

_SUMMARY = re.compile(r"(summary|results?|metrics|scores?|final|eval\w*|test\w*)", re.IGNORECASE)


def is_summary(name: str) -> bool:
    """Tell whether a file's name says that it holds what came out, as ``eval_results.json`` does."""
    stem, _, suffix = name.rpartition(".")
    return suffix in ("json", "yaml") and _SUMMARY.search(stem) is not None and "config" not in stem


def is_history(name: str) -> bool:
    """Tell whether a file's name says that it may hold what was logged."""
    return name.endswith((*HISTORY_SUFFIXES, *TEXT_SUFFIXES)) and not name.startswith("requirements")


def holds_outcome(files: Collection[str]) -> bool:
    """Tell whether a folder with these files may hold what a run measured."""
    return any(is_history(name) or is_summary(name) for name in files)


def outcome_of(files: Iterator[Path]) -> tuple[dict[str, Any], dict[str, Any], History]:
    """Read everything that was measured in some files.

    Parameters
    ----------
    files : iterator of Path
        Of one run; a folder of event files is given by the files in it.

    Returns
    -------
    settings : dict of str to object
        What logs and event files say of what was set.
    summary : dict of str to object
    history : History
        Of equal names in several files, the later file counts.
    """
    settings: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    history: dict[str, Any] = {}
    event_folders: dict[Path, None] = {}
    for file in files:
        if file.name.startswith(tensorboard.EVENTS):
            event_folders[file.parent] = None
        elif file.name.endswith(HISTORY_SUFFIXES):
            history |= history_of(file)
        elif file.name.endswith(TEXT_SUFFIXES) and is_history(file.name):
            stated, logged = text_log_of(file)
            settings |= stated
            history |= logged
        elif file.suffix in SETTINGS_SUFFIXES and is_summary(file.name):
            summary |= settings_of(file) or {}
    for folder in event_folders:
        events = tensorboard.Events.of_folder(folder)
        settings |= events.settings
        history = {**events.history, **history}
    return settings, summary, history


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, but for hidden ones, in the order of their names."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from files_below(entry)
        elif entry.is_file():
            yield entry
