"""Weights & Biases: ``wandb:entity/project`` or ``wandb:entity/project/sweep``, through its public API.

Runs are asked for page by page, oldest first, and kept in a file until all are there: what was interrupted
goes on where it stopped. Runs are told apart by their ids; names are not unique.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import flattened
from surge_fit.sweep.sources.history import is_rate
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun
from surge_fit.sweep.sources.where import Condition

NAME = "Weights & Biases"
_PAGE = 100
_ADDRESS = re.compile(r"wandb:([^/\s]+)/([^/\s]+)(?:/(?:sweeps/)?([^/\s]+))?")


def read(request: Request) -> Tracked:
    """Read the runs of a project or a sweep.

    Only where neither a setting nor the summary has a learning rate that was set, the whole history of the
    logged one is asked for: W&B's summary has its last value, its charts a sample.

    Raises
    ------
    SweepError
        If the address is none, wandb is not installed, or the server refuses.
    """
    match = _ADDRESS.fullmatch(request.address)
    if match is None:
        msg = (
            "An address of Weights & Biases must be wandb:ENTITY/PROJECT or wandb:ENTITY/PROJECT/SWEEP; got "
            f"{request.address!r}."
        )
        raise SweepError(msg)
    entity, project, sweep = match.groups()
    filters = _filters(sweep, request.where)
    wandb = _wandb()
    try:
        api = wandb.Api(timeout=60)
        journal = _Journal(api.settings.get("base_url", ""), f"{entity}/{project}", filters)
        runs = list(_all_runs(api, f"{entity}/{project}", filters, journal, request))
    except Exception as error:  # its errors have no base in common
        reason = str(error).partition("\n")[0].rstrip(".")
        msg = (
            f"'{request.address}' must be a project that can be read; Weights & Biases says: {reason}. Check "
            "the name, log in with 'wandb login', or try again: what was read is kept."
        )
        raise SweepError(msg) from error
    journal.remove()
    return Tracked(tracker=NAME, runs=runs)


def _wandb() -> Any:
    try:
        import wandb
    except ImportError as error:
        msg = (
            "Addresses of Weights & Biases must have its package; it is not installed. Install it with "
            "pip install 'surge-fit[wandb]', or export the runs table as CSV."
        )
        raise SweepError(msg) from error
    return wandb


def _filters(sweep: str | None, where: Sequence[Condition]) -> dict[str, Any]:
    """Return what the server may leave out itself: another sweep, and states and settings that differ."""
    conditions: list[dict[str, Any]] = [{"sweep": sweep}] if sweep else []
    for condition in where:
        if condition.comparison == "=" and condition.key in ("state", "status"):
            conditions.append({"state": condition.value})
        elif condition.comparison == "=" and condition.key.startswith("config."):
            conditions.append({f"{condition.key}.value": {"$in": _spellings(condition.value)}})
    return {"$and": conditions} if conditions else {}


def _spellings(value: str) -> list[Any]:
    """Return what a value may be in a configuration: text, a number, or yes and no."""
    try:
        number = float(value)
    except ValueError:
        return [value, value.lower() == "true"] if value.lower() in ("true", "false") else [value]
    return [value, number]


class _Journal:
    """The runs that were read, one JSON line each, in the user's cache, until all of them are there."""

    def __init__(self, server: str, project: str, filters: Mapping[str, Any]) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "surge_fit"
        question = json.dumps([server, project, filters], sort_keys=True)
        self._file = cache / f"wandb-{hashlib.sha256(question.encode()).hexdigest()[:16]}.jsonl"

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield what an interrupted reading left; a line that was cut off is asked for again."""
        if not self._file.is_file():
            return
        for line in self._file.read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep a page."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as opened:
            opened.writelines(f"{json.dumps(record)}\n" for record in records)

    def remove(self) -> None:
        """Forget it: the next reading begins anew."""
        self._file.unlink(missing_ok=True)


def _all_runs(
    api: Any, path: str, filters: Mapping[str, Any], journal: _Journal, request: Request
) -> Iterator[TrackedRun]:
    kept = {record["id"]: record for record in journal.records()}
    yield from map(_tracked, kept.values())
    if kept:
        last = max(record["created"] for record in kept.values())
        filters = {"$and": [*filters.get("$and", []), {"created_at": {"$gte": last}}]}
    found = api.runs(path, filters=filters or None, order="+created_at", per_page=_PAGE, lazy=False)
    total = len(found) + len(kept)
    page: list[dict[str, Any]] = []
    done = len(kept)
    for run in found:
        if run.id in kept:
            total -= 1
            continue
        page.append(_record(run))
        done += 1
        if len(page) == _PAGE or done == total:
            journal.add(page)
            yield from map(_tracked, page)
            page = []
            request.tell(done, total)
    yield from map(_tracked, page)


def _record(run: Any) -> dict[str, Any]:
    """Return what is kept of a run, as JSON; asks for the history of a logged rate where none was set."""
    config = {key: value for key, value in run.config.items() if not key.startswith("_")}
    summary = {key: value for key, value in run.summary_metrics.items() if not key.startswith("_")}
    rates = [key for key, _ in flattened(summary) if is_rate(key)]
    history: dict[str, list[float]] = {}
    if rates and not any(is_rate(key) for key, _ in flattened(config)):
        for rate in rates:
            rows = run.scan_history(keys=[rate])
            history[rate] = [float(row[rate]) for row in rows if row.get(rate) is not None]
    plain = {key: value for key, value in summary.items() if key not in rates}
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "created": run.created_at,
        "sweep": run.sweep_name,
        "config": config,
        "summary": plain,
        "history": history,
    }


def _tracked(record: Mapping[str, Any]) -> TrackedRun:
    config = {"sweep": record["sweep"]} if record["sweep"] else {}
    return TrackedRun(
        run_id=record["id"],
        name=record["name"] or "",
        status=record["state"] or "",
        config=config | record["config"],
        summary={key: _number(value) for key, value in record["summary"].items()},
        history=record["history"],
    )


def _number(value: Any) -> Any:
    """Return a number that is not finite as one; W&B writes it as a word."""
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value
