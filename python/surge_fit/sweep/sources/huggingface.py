"""Hugging Face Trainer: output folders with ``trainer_state.json``; ``training_args.bin`` is never opened.

A state knows the batch of one step of one process, not how many of them make a step of the optimizer. Where
the run ended on its own, the rates of samples and steps that it logged give the global batch; a model card
that the Trainer wrote states it.
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from surge_fit._support.wording import listing, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.sources.logged import collected
from surge_fit.sweep.sources.tracked import Request, Tracked, TrackedRun

NAME = "Hugging Face Trainer"
STATE = "trainer_state.json"
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_CARD_LINE = re.compile(r"^- (\w+): (.+)$", re.MULTILINE)
_NOT_METRICS = {"epoch", "step", "total_flos", "train_loss"}
_SPEED = ("_runtime", "_per_second", "_samples")


def is_run_folder(_folder: Path, entries: Collection[str]) -> bool:
    """Tell whether a folder with these entries is an output folder, or a checkpoint in one."""
    return STATE in entries


def read(request: Request) -> Tracked:
    """Read one run from every output folder: its own state, else that of its last checkpoint.

    Raises
    ------
    SweepError
        If a state is damaged.
    """
    states: dict[Path, list[Path]] = defaultdict(list)
    for place in request.places:
        output = place.parent if _CHECKPOINT.fullmatch(place.name) and place != request.folder else place
        states[output].append(place)
    runs = []
    for done, (output, places) in enumerate(states.items()):
        request.tell(done, len(states))
        state = max((_state(place / STATE) for place in places), key=lambda found: found["global_step"])
        runs.append(_run(output, state, request.name_of(output)))
    is_known = any(run.config["global_batch_size"] is not None for run in runs)
    columns = {"batch_size": "global_batch_size"} if is_known else {}
    return Tracked(tracker=NAME, runs=runs, columns=columns, notes=tuple(_notes(runs)))


def _notes(runs: Sequence[TrackedRun]) -> Iterator[str]:
    yield "Learning rates are the greatest that were logged, unless a model card states them."
    trained = [run for run in runs if not any(key.startswith("eval") for key in run.history)]
    if trained:
        yield (
            f"{plural(len(trained), 'run')} without evaluation: their loss is the training loss, the mean "
            "since the log before."
        )
    unknown = [run.run_id for run in runs if run.config["global_batch_size"] is None]
    if unknown:
        yield (
            f"The global batch of {plural(len(unknown), 'run')} is not known ({listing(unknown, 4)}): a "
            "state has that of one device alone unless trainer.save_state() was called after training. If "
            "there was one device without accumulation, take per_device_train_batch_size as batch_size."
        )


def _state(file: Path) -> dict[str, Any]:
    try:
        state = json.loads(file.read_bytes())
        log = state["log_history"]
        is_state = isinstance(log, list) and isinstance(state["global_step"], int)
    except (ValueError, KeyError, TypeError):
        is_state = False
    if not is_state:
        msg = (
            f"'{file}' must be a Trainer's state, with 'log_history' and 'global_step'; it is not. "
            "Remove it, or the folder it is in."
        )
        raise SweepError(msg)
    return dict(state)


def _run(output: Path, state: Mapping[str, Any], name: str) -> TrackedRun:
    log = [entry for entry in state["log_history"] if isinstance(entry, dict)]
    history = _history(log)
    rates = history.pop("learning_rate", [])
    config: dict[str, Any] = {"learning_rate": max(rates)} if rates else {}
    config |= {"per_device_train_batch_size": state.get("train_batch_size"), "steps": state["global_step"]}
    config["global_batch_size"] = _global_batch(
        log, state.get("max_steps") or 0, state.get("train_batch_size")
    )
    config |= {"epochs": state.get("num_train_epochs")} | (state.get("trial_params") or {})
    config |= _model_card(output / "README.md")
    return TrackedRun(run_id=name, status=_status(log, state), config=config, history=history)


def _model_card(file: Path) -> dict[str, str]:
    """Return the hyperparameters of a model card that the Trainer wrote.

    A card without ``total_train_batch_size`` was written by one process without accumulation.
    """
    if not file.is_file():
        return {}
    text = file.read_text(encoding="utf-8", errors="replace")
    _, found, section = text.partition("The following hyperparameters were used during training:")
    if not found:
        return {}
    lines = dict(_CARD_LINE.findall(section.partition("\n### ")[0]))
    kept = ("learning_rate", "seed", "optimizer", "lr_scheduler_type")
    card = {key: lines[key] for key in kept if key in lines}
    batch = lines.get("total_train_batch_size", lines.get("train_batch_size"))
    return card | ({} if batch is None else {"global_batch_size": batch})


def _global_batch(log: Iterable[Mapping[str, Any]], planned: int, per_device: int | None) -> int | None:
    """Return the samples of a step of the optimizer, from the speeds at the end of a run.

    They are the planned samples and steps over the same time. The last batch of an epoch may be smaller, so
    that their ratio is a little less than the batch, which is a multiple of one process's.
    """
    for entry in log:
        speed, seconds = entry.get("train_samples_per_second"), entry.get("train_runtime")
        if speed and seconds and planned > 0 and per_device:
            multiple = speed * seconds / planned / per_device
            whole = math.ceil(multiple * 0.98)
            if abs(multiple / whole - 1) < 0.1:
                return int(whole * per_device)
    return None


def _status(log: Iterable[Mapping[str, Any]], state: Mapping[str, Any]) -> str:
    """Return how a run ended: NaN losses are logged as means of those before, NaN gradients are not."""
    norms = [entry["grad_norm"] for entry in log if isinstance(entry.get("grad_norm"), int | float)]
    if norms and not math.isfinite(norms[-1]):
        return "diverged"
    ended = any("train_runtime" in entry for entry in log)
    planned = state.get("max_steps") or 0
    return "finished" if ended or 0 < planned <= state["global_step"] else "stopped"


def _history(log: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    kept = {
        key: values
        for key, values in collected(log).items()
        if key not in _NOT_METRICS and not key.endswith(_SPEED)
    }
    return {"train_loss" if key == "loss" else key: values for key, values in kept.items()}
