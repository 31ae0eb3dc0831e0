"""Optuna: studies in an SQLite database or a journal file, read without Optuna.

A pruned trial was stopped, a waiting one has not begun; a trial that failed after a value of NaN diverged.
"""

import json
import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from surge_fit.errors import SweepError
from surge_fit.sweep.sources import sqlite
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "Optuna"
_TABLES = {"studies", "study_directions", "trials", "trial_params", "trial_values"}
_STATES = ("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING")
_MAXIMIZE = (2, "MAXIMIZE")


@dataclass(slots=True)
class _Study:
    name: str
    maximized: tuple[bool, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    metric_names: tuple[str, ...] = ()


@dataclass(slots=True)
class _Trial:
    study: int
    number: int
    state: str = "RUNNING"
    params: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    values: dict[int, float] = field(default_factory=dict)
    last: tuple[int, float] = (-1, math.nan)  # step and value of the last report

    def report(self, step: int, value: float) -> None:
        self.last = max(self.last, (step, value), key=lambda reported: reported[0])


def holds_database(tables: frozenset[str]) -> bool:
    """Tell whether a database with these tables holds studies."""
    return tables >= _TABLES


def read(request: Request) -> Tracked:
    """Read the trials of a database or journal.

    Raises
    ------
    SweepError
        If the file is damaged.
    """
    file = request.places[0]
    studies, trials = _of_database(file) if sqlite.is_database(file) else _of_journal(file)
    studies = {key: study for key, study in studies.items() if request.wants("study", study.name)}
    begun = [trial for trial in trials if trial.state != "WAITING" and trial.study in studies]
    several = len({trial.study for trial in begun}) > 1
    runs = [_run_of(trial, studies[trial.study], several) for trial in begun]
    aims = {(study.maximized, study.metric_names) for study in studies.values()}
    maximized, names = next(iter(aims)) if len(aims) == 1 else ((), ())
    objective = (names[0] if names else "value") if len(maximized) == 1 else None
    return Tracked(
        tracker=NAME,
        runs=runs,
        collection="study",
        objective=objective,
        maximized=objective is not None and maximized[0],
    )


def _run_of(trial: _Trial, study: _Study, named: bool) -> TrackedRun:
    values = trial.values.values()
    bad = trial.state == "FAIL" and trial.last[0] >= 0 and not math.isfinite(trial.last[1])
    state = "diverged" if bad or any(map(math.isinf, values)) else trial.state
    plain = ("value",) if len(study.maximized) == 1 else tuple(f"values_{i}" for i in range(len(values)))
    names = study.metric_names or plain
    number = f"trial-{trial.number}"
    return TrackedRun(
        run_id=f"{study.name}/{number}" if named else number,
        status=state,
        config={"study": study.name} | study.settings | trial.attributes | trial.params,
        summary={names[index]: value for index, value in trial.values.items() if index < len(names)},
    )


def _of_database(file: Path) -> tuple[dict[int, _Study], Iterable[_Trial]]:
    with sqlite.opened(file) as connection:
        rows = connection.execute
        directions: dict[int, dict[int, bool]] = defaultdict(dict)
        for study, objective, direction in rows(
            "SELECT study_id, objective, direction FROM study_directions"
        ):
            directions[study][objective] = direction in _MAXIMIZE
        studies = {
            key: _Study(name, tuple(directions[key][index] for index in sorted(directions[key])))
            for key, name in rows("SELECT study_id, study_name FROM studies")
        }
        for study, key, text in rows("SELECT study_id, key, value_json FROM study_user_attributes"):
            studies[study].settings[key] = json.loads(text)
        for study, key, text in rows("SELECT study_id, key, value_json FROM study_system_attributes"):
            if key == "study:metric_names":
                studies[study].metric_names = tuple(json.loads(text))
        trials = {
            key: _Trial(study, number, state)
            for key, study, number, state in rows(
                "SELECT trial_id, study_id, number, state FROM trials ORDER BY study_id, number"
            )
        }
        _fill(trials, connection)
    return studies, trials.values()


def _fill(trials: Mapping[int, _Trial], connection: sqlite3.Connection) -> None:
    rows = connection.execute
    for key, name, value, text in rows(
        "SELECT trial_id, param_name, param_value, distribution_json FROM trial_params"
    ):
        trials[key].params[name] = _meant(value, json.loads(text))
    for key, name, text in rows("SELECT trial_id, key, value_json FROM trial_user_attributes"):
        trials[key].attributes[name] = json.loads(text)
    for key, objective, value, kind in rows(
        "SELECT trial_id, objective, value, value_type FROM trial_values"
    ):
        trials[key].values[objective] = _stored(value, kind)
    for key, step, value, kind in rows(
        "SELECT trial_id, step, intermediate_value, intermediate_value_type FROM trial_intermediate_values"
    ):
        trials[key].report(step, _stored(value, kind))


def _stored(value: float | None, kind: str) -> float:
    if kind.startswith("INF"):
        return -math.inf if kind == "INF_NEG" else math.inf
    return math.nan if value is None else value


def _meant(value: float, distribution: Mapping[str, Any]) -> Any:
    """Return what a parameter was: choices are stored by their place, whole numbers as floats."""
    attributes = distribution.get("attributes", distribution)
    kind = str(distribution.get("name", distribution.get("type", ""))).lower()
    if "choices" in attributes:
        return attributes["choices"][int(value)]
    return int(value) if kind.startswith("int") else value


def _of_journal(file: Path) -> tuple[dict[int, _Study], Iterable[_Trial]]:
    journal = _Journal()
    lines = file.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            journal.replay(json.loads(line))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            if number == len(lines) and isinstance(error, json.JSONDecodeError):
                break  # the last line is still being written
            msg = (
                f"Every line of '{file.name}' must be an operation of Optuna's journal; line {number} is "
                "not. Copy the journal again while no study writes it."
            )
            raise SweepError(msg) from error
    return journal.studies, journal.trials


class _Journal:
    """Studies and trials after the operations so far; what came too late to count is passed over."""

    def __init__(self) -> None:
        self.studies: dict[int, _Study] = {}
        self.trials: list[_Trial] = []
        self._created = 0
        self._numbers: Counter[int] = Counter()

    def replay(self, log: Mapping[str, Any]) -> None:
        """Apply one operation."""
        code = log["op_code"]
        if code == 0:
            self._create_study(log)
        elif code == 4:
            self._create_trial(log)
        elif code in (1, 2, 3):
            self._change_study(code, log)
        elif code in (5, 6, 7, 8):
            self._change_trial(code, log, self.trials[log["trial_id"]])

    def _create_study(self, log: Mapping[str, Any]) -> None:
        if log["study_name"] not in {study.name for study in self.studies.values()}:
            aims = tuple(aim in _MAXIMIZE for aim in log["directions"])
            self.studies[self._created] = _Study(log["study_name"], aims)
            self._created += 1

    def _change_study(self, code: int, log: Mapping[str, Any]) -> None:
        study = self.studies.get(log["study_id"])
        if study is None:
            return
        if code == 1:
            del self.studies[log["study_id"]]
        elif code == 2:
            study.settings |= log["user_attr"]
        elif "study:metric_names" in log["system_attr"]:
            study.metric_names = tuple(log["system_attr"]["study:metric_names"])

    def _create_trial(self, log: Mapping[str, Any]) -> None:
        study = log["study_id"]
        if study not in self.studies:
            return
        trial = _Trial(study, self._numbers[study], _STATES[log.get("state", 0)])
        self._numbers[study] += 1
        kinds = {name: json.loads(text) for name, text in log.get("distributions", {}).items()}
        trial.params = {name: _meant(value, kinds[name]) for name, value in log.get("params", {}).items()}
        trial.attributes = dict(log.get("user_attrs", {}))
        single = log.get("value")
        trial.values = _numbered([single] if single is not None else log.get("values"))
        for step, value in log.get("intermediate_values", {}).items():
            trial.report(int(step), float(value))
        self.trials.append(trial)

    def _change_trial(self, code: int, log: Mapping[str, Any], trial: _Trial) -> None:
        if trial.state not in ("RUNNING", "WAITING"):
            return
        if code == 5:
            kind = json.loads(log["distribution"])
            trial.params[log["param_name"]] = _meant(log["param_value_internal"], kind)
        elif code == 6:
            trial.state = _STATES[log["state"]]
            trial.values |= _numbered(log["values"])
        elif code == 7:
            trial.report(log["step"], float(log["intermediate_value"]))
        else:
            trial.attributes |= log["user_attr"]


def _numbered(values: Iterable[float] | None) -> dict[int, float]:
    return {index: float(value) for index, value in enumerate(values or ())}
