"""A server on the loopback address that answers the questions of Weights & Biases' public API."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WandbServer:
    """Runs of one project, as the server has them, and what it was asked.

    Attributes
    ----------
    runs : list of dict
        With ``id``, ``name``, ``state``, ``sweep``, ``created``, ``config``, ``summary`` and rows of
        ``history``, oldest first.
    pages : list of dict
        The variables of every question for a page of runs.
    histories : list of str
        The ids of the runs whose history was asked for.
    fail_after : int or None
        Pages after which it refuses to give another.
    """

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        self.runs = runs
        self.pages: list[dict[str, Any]] = []
        self.histories: list[str] = []
        self.fail_after: int | None = None
        self.unknown: list[str] = []

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        name = (re.search(r"query\s+(\w+)", query) or ["", ""])[1]
        if "viewer" in query:
            user = {"id": "1", "entity": "team", "username": "u", "email": "u@example.org", "flags": "{}"}
            return {"viewer": {**user, "teams": {"edges": []}}}
        if name == "Runs":
            self.pages.append(variables)
            if self.fail_after is not None and len(self.pages) > self.fail_after:
                message = "the server is closed"
                raise PermissionError(message)
            return {"project": self._page(variables)}
        asked = {variables.get("name"), variables.get("runName"), variables.get("run")}
        run = next((run for run in self.runs if run["id"] in asked), None)
        if name == "RunHistoryKeys" and run is not None:
            self.histories.append(run["id"])
            return {"project": {"run": {"historyKeys": _history_keys(run)}}}
        if name == "RunParquetHistory" and run is not None:
            return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": run["history"]}}}}
        if name == "SampledHistoryPage" and run is not None:
            spec = json.loads(variables["spec"])
            rows = [row for row in run["history"] if spec["minStep"] <= row["_step"] <= spec["maxStep"]]
            return {"project": {"run": {"sampledHistory": [rows]}}}
        self.unknown.append(query)
        return {}

    def _page(self, variables: dict[str, Any]) -> dict[str, Any]:
        filters = json.loads(variables.get("filters") or "{}")
        runs = [run for run in self.runs if _meets(run, filters)]
        start = int(variables.get("cursor") or 0)
        page = runs[start : start + variables["perPage"]]
        edges = [
            {"cursor": str(start + place), "node": _node(run)} for place, run in enumerate(page, start=1)
        ]
        more = start + len(page) < len(runs)
        return {
            "internalId": "7",
            "runCount": len(runs),
            "readOnly": True,
            "runs": {"edges": edges, "pageInfo": {"endCursor": str(start + len(page)), "hasNextPage": more}},
        }


def _node(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"storage-{run['id']}",
        "internalId": run["id"],
        "projectId": "7",
        "name": run["id"],
        "displayName": run["name"],
        "state": run["state"],
        "sweepName": run.get("sweep"),
        "createdAt": run["created"],
        "heartbeatAt": run["created"],
        "group": None,
        "jobType": None,
        "tags": [],
        "commit": None,
        "readOnly": True,
        "description": None,
        "notes": None,
        "historyLineCount": len(run.get("history", ())),
        "historyKeys": _history_keys(run),
        "config": json.dumps({key: {"value": value} for key, value in run["config"].items()}),
        "summaryMetrics": json.dumps(run["summary"]),
        "systemMetrics": "{}",
        "user": {"name": "u", "username": "u"},
    }


def _history_keys(run: dict[str, Any]) -> dict[str, Any]:
    return {"lastStep": len(run.get("history", ())) - 1, "keys": {}, "sets": []}


def _meets(run: dict[str, Any], filters: dict[str, Any]) -> bool:
    for key, wanted in filters.items():
        if key == "$and":
            if not all(_meets(run, inner) for inner in wanted):
                return False
            continue
        value = run["config"].get(key[7:-6]) if key.startswith("config.") else run.get(_FIELDS.get(key, key))
        if isinstance(wanted, dict):
            if "$in" in wanted and value not in wanted["$in"]:
                return False
            if "$gte" in wanted and not value >= wanted["$gte"]:
                return False
        elif value != wanted:
            return False
    return True


_FIELDS = {"created_at": "created", "createdAt": "created"}


@contextmanager
def serving(server: WandbServer) -> Iterator[str]:
    """Yield the address of a server that runs as long as the block does."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(404, {})

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                data = server.answer(question.get("query", ""), question.get("variables") or {})
            except PermissionError as error:
                self._send(403, {"errors": [{"message": str(error)}]})
            else:
                self._send(200, {"data": data})

        def _send(self, code: int, held: object) -> None:
            body = json.dumps(held).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
