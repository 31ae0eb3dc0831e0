"""Lightning: folders ``lightning_logs/version_*`` of its CSV and TensorBoard loggers.

Rows of ``metrics.csv`` are sparse: training and validation are logged on rows of their own.
"""

from collections.abc import Collection
from pathlib import Path

from surge_fit.sweep.sources import tensorboard
from surge_fit.sweep.sources.logged import history_of
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun
from surge_fit.sweep.sources.yaml_text import read_yaml

NAME = "Lightning"
_SETTINGS, _METRICS = "hparams.yaml", "metrics.csv"


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is that of a logger."""
    events = any(name.startswith(tensorboard.EVENTS) for name in entries)
    return _SETTINGS in entries and (events or _METRICS in entries)


def read(request: Request) -> Tracked:
    """Read one run from every version.

    Raises
    ------
    SweepError
        If a file is damaged.
    """
    runs = []
    for place in request.each_place():
        events = tensorboard.Events.of_folder(place)
        metrics = place / _METRICS
        history = {**events.history, **(history_of(metrics) if metrics.is_file() else {})}
        settings = read_yaml(place / _SETTINGS)
        last = max(history.pop("step", [events.last_step]))
        runs.append(
            TrackedRun(
                run_id=request.name_of(place),
                config={**events.settings, **(settings if isinstance(settings, dict) else {})},
                summary={"steps": last + 1},
                history=history,
            )
        )
    return Tracked(tracker=NAME, runs=runs)
