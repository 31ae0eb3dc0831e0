"""Plain training logs: folders with a file of settings beside what was logged, or one such pair per run.

nanochat's checkpoints (``meta_*.json``), Megatron-LM's logs, which list their arguments, torchtitan's and
llm.c's logs, Keras's ``CSVLogger``, and JSON lines or CSV of one's own.
"""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from surge_fit.sweep.sources.logged import SETTINGS_SUFFIXES, TEXT_SUFFIXES, is_text_log, settings_of
from surge_fit.sweep.sources.run_folder import is_history, is_summary, outcome_of
from surge_fit.sweep.sources.tensorboard import EVENTS, parameters_in
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "training logs"
_SETTINGS = re.compile(
    r"(config|configs|conf|args|arguments|params|parameters|hparams|hyperparameters|settings|options|job|meta)",
    re.IGNORECASE,
)
_CHECKPOINT = re.compile(r"meta_0*(\d+)\.json")  # of nanochat
_STATED = ("user_config", "model_config", "config", "args")


def is_run_folder(folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries holds settings and what was logged under them."""
    if any(_CHECKPOINT.fullmatch(name) for name in entries):
        return True
    logged = [name for name in entries if _is_logged(name)]
    if logged and (any(map(_is_settings, entries)) or _pairs(entries) or parameters_in(folder.name)):
        return True
    return any(name.endswith(TEXT_SUFFIXES) and is_text_log(folder / name) for name in logged)


def read(request: Request) -> Tracked:
    """Read the runs of every folder: one each, or one for every pair of files of the same name.

    Raises
    ------
    SweepError
        If a file is damaged.
    """
    runs = []
    for place in request.each_place():
        files = sorted(entry for entry in place.iterdir() if entry.is_file())
        pairs = _pairs([file.name for file in files])
        if pairs and not any(_is_settings(file.name) for file in files):
            runs += [_pair(place / settings, place / logged, request) for logged, settings in pairs.items()]
        else:
            runs.append(_folder(place, files, request))
    return Tracked(tracker=NAME, runs=[run for run in runs if run.history or run.summary])


def _is_settings(name: str) -> bool:
    stem, _, suffix = name.rpartition(".")
    return f".{suffix}" in SETTINGS_SUFFIXES and (suffix == "toml" or _SETTINGS.search(stem) is not None)


def _is_logged(name: str) -> bool:
    return is_history(name) or is_summary(name) or name.startswith(EVENTS)


def _pairs(files: Collection[str]) -> dict[str, str]:
    """Return the histories that have a file of settings of the same stem, and that file."""
    settings = {Path(name).stem: name for name in files if name.endswith(SETTINGS_SUFFIXES)}
    return {
        name: settings[Path(name).stem] for name in files if is_history(name) and Path(name).stem in settings
    }


def _pair(settings: Path, logged: Path, request: Request) -> TrackedRun:
    stated, summary, history = outcome_of(iter([logged]))
    return TrackedRun(
        run_id=request.name_of(logged.with_suffix("")),
        config={**stated, **(settings_of(settings) or {})},
        summary=summary,
        history=history,
    )


def _folder(place: Path, files: list[Path], request: Request) -> TrackedRun:
    config: dict[str, Any] = dict(parameters_in(request.name_of(place)))
    summary: dict[str, Any] = {}
    checkpoints = [file for file in files if _CHECKPOINT.fullmatch(file.name)]
    if checkpoints:
        last = max(checkpoints, key=lambda file: int(_CHECKPOINT.fullmatch(file.name)[1]))  # type: ignore[index]
        held = dict(settings_of(last) or {})
        for key in _STATED:
            config |= held.pop(key, None) or {}
        summary |= held
    for file in files:
        if _is_settings(file.name) and file not in checkpoints:
            config |= settings_of(file) or {}
    stated, measured, history = outcome_of(
        file for file in files if _is_logged(file.name) and not _is_settings(file.name)
    )
    return TrackedRun(
        run_id=request.name_of(place), config=stated | config, summary=summary | measured, history=history
    )
