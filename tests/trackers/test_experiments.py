"""Ray Tune, Hydra and Trackio: each runs or logs something small, and its files are read."""

import subprocess
import sys

import pytest
from support.tracked_runs import GRID, require_grid, trackio_project
from surge_fit import read_sweep

_JOB = """
import json
import hydra

@hydra.main(version_base=None, config_path=".", config_name="conf")
def main(config):
    with open("metrics.jsonl", "w") as log:
        for step in range(4):
            rate = config.optim.lr
            row = {"step": step, "val_loss": 2 + rate + (3 - step), "lr": rate * step / 3}
            log.write(json.dumps(row) + "\\n")

main()
"""
_SETTINGS = """
batch_size: 8
train_batch: ${batch_size}
optim: {name: adamw, lr: 1e-3}
hydra: {job: {chdir: true}}
"""


def test_hydra_multirun_is_read_with_any_metrics_beside_it(tmp_path):
    pytest.importorskip("hydra", reason="Hydra is not installed: uv run --group trackers")
    (tmp_path / "job.py").write_text(_JOB, encoding="utf-8")
    (tmp_path / "conf.yaml").write_text(_SETTINGS, encoding="utf-8")
    command = [sys.executable, "job.py", "-m", "batch_size=8,16", "optim.lr=0.001,0.01,0.1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    sweep = read_sweep(
        tmp_path / "multirun", batch_unit="examples", columns={"batch_size": "batch_size", "loss": "val_loss"}
    )
    runs = sorted(zip(sweep.batch_size, sweep.learning_rate, sweep.loss, strict=True))
    assert runs == [(b, lr, pytest.approx(2 + lr)) for b in (8, 16) for lr in (1e-3, 1e-2, 1e-1)]


def test_a_project_of_trackio_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path))
    pytest.importorskip("trackio", reason="Trackio is not installed: uv run --group trackers")
    trackio_project("grid")
    sweep = read_sweep(tmp_path / "grid.db", batch_unit="examples", columns={"loss": "val_loss"})
    require_grid(sweep)


@pytest.mark.slow
def test_ray_tune_experiments_are_read_with_trials_that_a_scheduler_stopped(tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: uv run --group trackers")
    tune = pytest.importorskip("ray.tune")

    def train(config):
        rate = config["optim"]["lr"]
        if rate == 1:
            message = "boom"
            raise RuntimeError(message)
        for step in range(4):
            # The scheduler stops a trial whose loss is among the worse half after one report.
            tune.report({"val_loss": next(run[2] for run in GRID if run[1] == rate) + (3 - step)})

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        tune.Tuner(
            train,
            param_space={"batch_size": 8, "optim": {"lr": tune.grid_search([1e-2, 1e-1, 1e-3, 1.0])}},
            tune_config=tune.TuneConfig(
                metric="val_loss",
                mode="min",
                max_concurrent_trials=1,
                scheduler=tune.schedulers.ASHAScheduler(grace_period=1, max_t=4, reduction_factor=2),
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path), name="grid", verbose=0),
        ).fit()
    finally:
        ray.shutdown()
    sweep = read_sweep(tmp_path / "grid", batch_unit="examples")
    told = dict(zip(sweep.learning_rate, zip(sweep.status, sweep.loss, strict=True), strict=True))
    assert told[1e-2] == ("finished", pytest.approx(2.1))
    assert told[1e-3][0] == "stopped"
    assert told[1.0][0] == "crashed"
