"""Ray Tune: experiment folders, one folder for every trial; the pickles in them are never opened.

A scheduler that stops a trial early leaves the same word behind as one that ended: of trials of one batch
size, those that reported less often than the longest one are taken as stopped.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from surge_fit._support.wording import plural
from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import flattened
from surge_fit.sweep.sources.history import is_rate
from surge_fit.sweep.sources.logged import collected
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "Ray Tune"
_PARAMS, _RESULT, _ERROR = "params.json", "result.json", "error.txt"
_OWN = {
    *("config", "trial_id", "experiment_id", "date", "timestamp", "time_this_iter_s", "time_total_s", "pid"),
    *("hostname", "node_ip", "time_since_restore", "iterations_since_restore", "done", "should_checkpoint"),
    *("checkpoint_dir_name", "experiment_tag", "warmup_time", "timesteps_total", "episodes_total"),
}


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is that of a trial."""
    return _PARAMS in entries and _RESULT in entries


def read(request: Request) -> Tracked:
    """Read the trials of experiments.

    Raises
    ------
    SweepError
        If a file of a trial is damaged.
    """
    states: dict[Path, Mapping[str, str]] = {}
    trials = []
    for place in request.each_place():
        experiment = place.parent
        if experiment not in states:
            states[experiment] = _states(experiment)
        trials.append(_trial(place, states[experiment], request.name_of(place)))
    stopped = _stopped_early(trials)
    runs = [replace(run, status="stopped") if index in stopped else run for index, run in enumerate(trials)]
    notes = (
        (
            f"{plural(len(stopped), 'trial')} reported less often than the longest of the same settings but "
            "the learning rate: taken as stopped early.",
        )
        if stopped
        else ()
    )
    return Tracked(tracker=NAME, runs=runs, notes=notes)


def _states(experiment: Path) -> dict[str, str]:
    """Return the word for how each trial ended, by its id, from the newest state of an experiment."""
    files = sorted(experiment.glob("experiment_state-*.json"))
    if not files:
        return {}
    try:
        trials = [json.loads(state) for state, *_ in json.loads(files[-1].read_bytes())["trial_data"]]
        return {str(trial["trial_id"]): str(trial["status"]) for trial in trials}
    except (ValueError, KeyError, TypeError) as error:
        msg = f"'{files[-1]}' must be the state of an experiment of Ray Tune; it is not. Remove it."
        raise SweepError(msg) from error


def _trial(place: Path, states: Mapping[str, str], name: str) -> TrackedRun:
    config = _json(place / _PARAMS, (place / _PARAMS).read_bytes())
    lines = (place / _RESULT).read_bytes().splitlines()
    last = _json(place / _RESULT, lines[-1]) if lines else {}
    is_set = any(is_rate(key) for key, _ in flattened(config))
    rates = [key for key in last if is_rate(key) and key not in _OWN]
    rows = [] if is_set or not rates else [_json(place / _RESULT, line) for line in lines]
    summary = {key: value for key, value in last.items() if key not in _OWN and key not in rates}
    status = "ERROR" if (place / _ERROR).is_file() else states.get(str(last.get("trial_id")), "")
    return TrackedRun(
        run_id=name,
        status=status,
        config=config,
        summary=summary,
        history=collected({key: row[key] for key in rates if key in row} for row in rows),
    )


def _json(file: Path, text: bytes) -> dict[str, Any]:
    try:
        held = json.loads(text)
    except ValueError as error:
        msg = f"'{file}' must be JSON as Ray Tune writes it; it is not: {error}. Remove the trial's folder."
        raise SweepError(msg) from error
    return held if isinstance(held, dict) else {}


def _stopped_early(trials: Sequence[TrackedRun]) -> set[int]:
    """Return which trials ended before the longest one that was set alike, but for the learning rate."""
    alike: dict[str, dict[int, int]] = defaultdict(dict)
    for index, trial in enumerate(trials):
        settings = sorted((key, str(value)) for key, value in flattened(trial.config) if not is_rate(key))
        if trial.status == "TERMINATED":
            alike[repr(settings)][index] = int(trial.summary.get("training_iteration", 0))
    return {
        index for counts in alike.values() for index, count in counts.items() if count < max(counts.values())
    }
