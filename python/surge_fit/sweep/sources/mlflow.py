"""MLflow: a tracking folder, an SQLite database or a tracking server, read without MLflow."""

import base64
import math
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from surge_fit._support.wording import listing
from surge_fit.errors import SweepError
from surge_fit.sweep.sources import sqlite
from surge_fit.sweep.sources.history import is_rate
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun
from surge_fit.sweep.sources.web import fetch_json
from surge_fit.sweep.sources.yaml_text import read_yaml

NAME = "MLflow"
_TABLES = {"experiments", "runs", "params", "metrics", "latest_metrics"}
_STATES = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_GREATEST = 1.7976931348623157e308  # databases hold it for infinity
_PAGE = 1000


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is a run of a tracking folder."""
    return {"meta.yaml", "params", "metrics"} <= set(entries)


def holds_database(tables: frozenset[str]) -> bool:
    """Tell whether a database with these tables is a tracking store."""
    return tables >= _TABLES


def read(request: Request) -> Tracked:
    """Read the runs of a tracking folder.

    Raises
    ------
    SweepError
        If a file of a run is damaged.
    """
    experiments: dict[Path, str] = {}
    runs = []
    for place in request.each_place():
        if place.parent not in experiments:
            experiments[place.parent] = _experiment_name(place.parent)
        if not request.wants("experiment", experiments[place.parent]):
            continue
        meta = read_yaml(place / "meta.yaml")
        if isinstance(meta, dict) and meta.get("lifecycle_stage") != "deleted":
            runs.append(_of_folder(place, meta, experiments[place.parent]))
    return _tracked(runs)


def read_database(request: Request) -> Tracked:
    """Read the runs of an SQLite tracking store.

    Raises
    ------
    SweepError
        If the database is damaged.
    """
    with sqlite.opened(request.places[0]) as connection:
        rows = connection.execute
        experiments = dict(rows("SELECT experiment_id, name FROM experiments"))
        wanted = {key: name for key, name in experiments.items() if request.wants("experiment", name)}
        runs = {
            key: TrackedRun(
                run_id=key,
                name=name or "",
                status=state,
                config={"experiment": wanted[experiment]},
                summary={},
                history={},
            )
            for key, name, state, experiment in rows(
                "SELECT run_uuid, name, status, experiment_id FROM runs WHERE lifecycle_stage = 'active' "
                "ORDER BY start_time, run_uuid"
            )
            if experiment in wanted
        }
        settings: dict[str, dict[str, Any]] = {key: {} for key in runs}
        summaries: dict[str, dict[str, float]] = {key: {} for key in runs}
        histories: dict[str, dict[str, list[float]]] = {key: {} for key in runs}
        for key, name, value in rows("SELECT run_uuid, key, value FROM params"):
            if key in runs:
                settings[key][name] = value
        for key, name, value, is_nan in rows("SELECT run_uuid, key, value, is_nan FROM latest_metrics"):
            if key in runs:
                summaries[key][name] = _finite_or_not(value, is_nan)
        rates = [name for (name,) in rows("SELECT DISTINCT key FROM latest_metrics") if is_rate(name)]
        for rate in rates:
            for key, value, is_nan in rows(
                "SELECT run_uuid, value, is_nan FROM metrics WHERE key = ? ORDER BY step, timestamp", (rate,)
            ):
                if key in runs:
                    histories[key].setdefault(rate, []).append(_finite_or_not(value, is_nan))
                    summaries[key].pop(rate, None)
    return _tracked(
        [
            TrackedRun(
                run_id=key,
                name=run.name,
                status=run.status,
                config={**run.config, **settings[key]},
                summary=summaries[key],
                history=histories[key],
            )
            for key, run in runs.items()
        ]
    )


def read_server(request: Request) -> Tracked:
    """Read the runs of a tracking server; the address of an experiment's page names that experiment.

    Raises
    ------
    SweepError
        If the server cannot be reached, or its experiment is not there.
    """
    address, _, page = request.address.partition("#")
    server = _Server(address.rstrip("/"))
    experiments = {key: name for key, name in server.experiments() if request.wants("experiment", name)}
    asked = re.search(r"/experiments/(\w+)", page)
    if asked:
        if asked[1] not in experiments:
            msg = (
                f"{server.address} must have the experiment {asked[1]}; it has "
                f"{listing((f'{key} ({name})' for key, name in experiments.items()), 12) or 'none'}."
            )
            raise SweepError(msg)
        experiments = {asked[1]: experiments[asked[1]]}
    runs = []
    for run in server.runs(list(experiments)):
        runs.append(server.tracked(run, experiments))
        request.tell(len(runs))
    return _tracked(runs)


def _tracked(runs: Sequence[TrackedRun]) -> Tracked:
    return Tracked(tracker=NAME, runs=runs, collection="experiment")


def _experiment_name(folder: Path) -> str:
    file = folder / "meta.yaml"
    meta = read_yaml(file) if file.is_file() else None
    return str(meta.get("name", folder.name)) if isinstance(meta, dict) else folder.name


def _of_folder(place: Path, meta: Mapping[str, Any], experiment: str) -> TrackedRun:
    state = meta.get("status", "")
    return TrackedRun(
        run_id=str(meta.get("run_id") or meta.get("run_uuid") or place.name),
        name=str(meta.get("run_name") or ""),
        status=_STATES.get(state, "") if isinstance(state, int) else str(state),
        config={"experiment": experiment, **dict(_texts(place / "params"))},
        history={key: _logged(text) for key, text in _texts(place / "metrics")},
    )


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder, whose names may hold slashes and so be folders themselves."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.relative_to(folder).as_posix(), file.read_text(encoding="utf-8", errors="replace")


def _logged(text: str) -> list[float]:
    """Return the values of a metric's file, whose lines are time, value and step, ordered by step."""
    words = text.split()
    if len(words) != 3 * text.count("\n"):  # lines that name a data set too, or of before steps were kept
        rows = [line.split() for line in text.splitlines() if line.count(" ")]
        words = [word for row in rows for word in [*row, "0"][:3]]
    times, values, steps = map(int, words[0::3]), list(map(float, words[1::3])), map(int, words[2::3])
    ordered = sorted(zip(steps, times, range(len(values)), strict=True))
    return [values[row] for _, _, row in ordered]


def _finite_or_not(value: float, is_nan: object) -> float:
    if is_nan:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _GREATEST else float(value)


class _Server:
    """The questions that are asked of a tracking server."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._headers = _credentials()

    def experiments(self) -> Iterator[tuple[str, str]]:
        for answer in self._pages("experiments/search", {}):
            for experiment in answer.get("experiments", ()):
                yield experiment["experiment_id"], experiment["name"]

    def runs(self, experiments: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        question = {"experiment_ids": experiments, "order_by": ["attributes.start_time ASC"]}
        for answer in self._pages("runs/search", question):
            yield from answer.get("runs", ())

    def tracked(self, run: Mapping[str, Any], experiments: Mapping[str, str]) -> TrackedRun:
        info, data = run["info"], run.get("data", {})
        settings = {param["key"]: param.get("value", "") for param in data.get("params", ())}
        summary = {
            metric["key"]: _finite_or_not(float(metric.get("value", 0.0)), False)
            for metric in data.get("metrics", ())
        }
        rates = [] if any(map(is_rate, settings)) else [key for key in summary if is_rate(key)]
        for rate in rates:
            del summary[rate]
        return TrackedRun(
            run_id=info["run_id"],
            name=info.get("run_name", ""),
            status=info.get("status", ""),
            config={"experiment": experiments[info["experiment_id"]], **settings},
            summary=summary,
            history={rate: self._history(info["run_id"], rate) for rate in rates},
        )

    def _history(self, run_id: str, key: str) -> list[float]:
        path = f"metrics/get-history?run_id={quote(run_id)}&metric_key={quote(key)}&max_results=25000"
        values: list[float] = []
        token = ""
        while True:
            answer = self._ask(path + (f"&page_token={quote(token)}" if token else ""), None)
            values += [float(metric.get("value", 0.0)) for metric in answer.get("metrics", ())]
            token = answer.get("next_page_token", "")
            if not token:
                return values

    def _pages(self, path: str, question: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        token = ""
        for page in count():
            if page and not token:
                return
            body = {**question, "max_results": _PAGE, **({"page_token": token} if token else {})}
            answer = self._ask(path, body)
            yield answer
            token = answer.get("next_page_token", "")

    def _ask(self, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        answer = fetch_json(f"{self.address}/api/2.0/mlflow/{path}", body=body, headers=self._headers)
        if not isinstance(answer, dict):
            msg = f"{self.address} must be an MLflow tracking server; its answer is none of one."
            raise SweepError(msg)
        return answer


def _credentials() -> dict[str, str]:
    """Return the header that logs in, from the variables that MLflow's own client reads."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    user = os.environ.get("MLFLOW_TRACKING_USERNAME")
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user:
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
