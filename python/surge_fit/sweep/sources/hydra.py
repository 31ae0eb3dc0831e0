"""Hydra: the folders of ``multirun`` and ``outputs``, with any file of metrics beside ``.hydra``."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from surge_fit.sweep.sources.base import flattened
from surge_fit.sweep.sources.run_folder import files_below, outcome_of
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun
from surge_fit.sweep.sources.yaml_text import read_yaml

NAME = "Hydra"
_CONFIG = ".hydra/config.yaml"
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is that of a job."""
    return ".hydra" in entries


def read(request: Request) -> Tracked:
    """Read one run from every job's folder.

    Raises
    ------
    SweepError
        If a file is damaged.
    """
    runs = []
    for place in request.each_place():
        file = place / _CONFIG
        settings = dict(flattened(read_yaml(file) or {})) if file.is_file() else {}
        stated, summary, history = outcome_of(files_below(place))
        runs.append(
            TrackedRun(
                run_id=request.name_of(place),
                config={**stated, **{key: _resolved(value, settings) for key, value in settings.items()}},
                summary=summary,
                history=history,
            )
        )
    return Tracked(tracker=NAME, runs=runs)


def _resolved(value: Any, settings: Mapping[str, Any]) -> Any:
    """Return a setting, or the one that it refers to as ``${batch_size}``."""
    for _ in settings:
        reference = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if reference is None:
            break
        value = settings.get(reference[1])
    return value
