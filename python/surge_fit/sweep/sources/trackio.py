"""Trackio: a project's SQLite database, read without Trackio."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from surge_fit.sweep.sources import sqlite
from surge_fit.sweep.sources.logged import collected
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "Trackio"
_TABLES = {"metrics", "configs", "system_metrics"}


def holds_database(tables: frozenset[str]) -> bool:
    """Tell whether a database with these tables is a project."""
    return tables >= _TABLES


def read(request: Request) -> Tracked:
    """Read the runs of every database; each holds one project.

    Raises
    ------
    SweepError
        If a database is damaged.
    """
    runs = []
    for place in request.each_place():
        if request.wants("project", place.stem):
            runs += _runs_of(place, place.stem)
    return Tracked(tracker=NAME, runs=runs, collection="project")


def _runs_of(place: Any, project: str) -> list[TrackedRun]:
    with sqlite.opened(place) as connection:
        # Before runs had ids, their names told them apart.
        columns = [column for _, column, *_ in connection.execute("PRAGMA table_info(metrics)")]
        key = "run_id" if "run_id" in columns else "run_name"
        settings = {
            run: (name, _public(json.loads(text)))
            for run, name, text in connection.execute(f"SELECT {key}, run_name, config FROM configs")  # noqa: S608
        }
        rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for run, name, text in connection.execute(
            f"SELECT {key}, run_name, metrics FROM metrics ORDER BY step, id"  # noqa: S608
        ):
            rows[run].append(json.loads(text))
            settings.setdefault(run, (name, {}))
    return [
        TrackedRun(
            run_id=run,
            name=name if name != run else "",
            config={"project": project, **config},
            history=collected(rows[run]),
        )
        for run, (name, config) in settings.items()
    ]


def _public(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without what Trackio put into it."""
    return {name: value for name, value in config.items() if not name.startswith("_")}
