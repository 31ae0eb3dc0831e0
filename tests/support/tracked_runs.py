"""One small sweep, logged into the trackers that people use, and what must be read of it."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from surge_fit import Sweep

GRID = (
    (8, 1e-3, 2.9),
    (8, 1e-2, 2.1),
    (8, 1e-1, 2.6),
    (32, 1e-3, 2.8),
    (32, 1e-2, 2.2),
    (32, 1e-1, 2.4),
    (32, 1.0, math.nan),
)
"""Batch size, peak learning rate and last validation loss of each run; the last one diverged."""

DIVERGED = len(GRID) - 1


def history(rate: float, loss: float) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield step and metrics: a warmup to the peak rate and a decay to zero; a loss that falls."""
    for step, (scheduled, above) in enumerate(((0.5, 1.0), (1.0, 0.5), (0.0, 0.0))):
        yield step, {"val_loss": loss + above, "train_loss": loss + above - 0.3, "lr": rate * scheduled}


def require_grid(sweep: Sweep, *, diverged: bool = True) -> None:
    """Require that a sweep is the one of `GRID`, in any order."""
    count = len(GRID) if diverged else DIVERGED
    order = np.lexsort((sweep.learning_rate, sweep.batch_size))
    np.testing.assert_array_equal(sweep.batch_size[order], [run[0] for run in GRID[:count]])
    np.testing.assert_allclose(sweep.learning_rate[order], [run[1] for run in GRID[:count]], rtol=1e-6)
    np.testing.assert_allclose(sweep.loss[order], [run[2] for run in GRID[:count]], rtol=1e-6)
    status = [sweep.status[index] for index in order]
    assert status == ["finished"] * DIVERGED + ["diverged"] * diverged


def optuna_study(storage: Any) -> None:
    """Run a study of the grid, with a trial that was pruned, one that failed and one that waits."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        storage=storage, study_name="grid", sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.set_user_attr("model", "tiny")
    for batch, rate, _ in (*GRID, GRID[0], GRID[1]):
        study.enqueue_trial({"batch_size": batch, "lr": rate, "warmup": 2})

    def objective(trial: Any) -> float:
        batch = trial.suggest_categorical("batch_size", [8, 32])
        rate = trial.suggest_float("lr", 1e-4, 10, log=True)
        trial.suggest_int("warmup", 1, 3)
        trial.set_user_attr("width", 64)
        if trial.number == len(GRID):
            trial.report(9.0, 1)
            raise optuna.TrialPruned
        if trial.number == len(GRID) + 1:
            message = "out of memory"
            raise RuntimeError(message)
        loss = next(run[2] for run in GRID if run[:2] == (batch, rate))
        for step, metrics in history(rate, loss):
            trial.report(metrics["val_loss"], step)
        return loss

    study.optimize(objective, n_trials=len(GRID) + 2, catch=(RuntimeError,))
    study.enqueue_trial({"batch_size": 8, "lr": 0.5, "warmup": 1})


def mlflow_experiment(address: str, name: str = "grid") -> None:
    """Log the grid into an experiment; all runs have one name, and one more was killed."""
    import mlflow

    mlflow.set_tracking_uri(address)
    mlflow.set_experiment(name)
    for batch, rate, loss in (*GRID, GRID[0]):
        run = mlflow.start_run(run_name="same")
        mlflow.log_params({"batch_size": batch, "optimizer/name": "adamw"})
        for step, metrics in history(rate, loss):
            mlflow.log_metrics(metrics, step=step)
        mlflow.end_run("FINISHED")
    mlflow.MlflowClient(address).set_terminated(run.info.run_id, "KILLED")


def wandb_runs(folder: Path, project: str = "grid") -> None:
    """Log the grid as offline runs of one name; the scheduled rate is logged as ``lr``, the peak is set."""
    import wandb

    settings = wandb.Settings(console="off", silent=True, x_disable_stats=True, x_disable_meta=True)
    for batch, rate, loss in GRID:
        run = wandb.init(
            project=project,
            dir=folder,
            mode="offline",
            name="same",
            config={"batch_size": batch, "optim": {"lr": rate}, "layers": [64, 64]},
            settings=settings,
        )
        for step, metrics in history(rate, loss):
            run.log(metrics, step=step)
        run.finish()


def tensorboard_runs(folder: Path) -> None:
    """Write the grid with PyTorch's writer, hyperparameters and all."""
    from torch.utils.tensorboard import SummaryWriter

    for index, (batch, rate, loss) in enumerate(GRID):
        with SummaryWriter(str(folder / f"run{index}")) as writer:
            for step, metrics in history(rate, loss):
                for tag, value in metrics.items():
                    writer.add_scalar(tag, value, step)
            writer.add_hparams({"batch_size": batch, "opt": "sgd"}, {"hparam/best": 1.0})


def trackio_project(project: str) -> None:
    """Log the grid with Trackio; TRACKIO_DIR names its folder."""
    import trackio

    for index, (batch, rate, loss) in enumerate(GRID):
        trackio.init(
            project=project, name=f"run-{index}", config={"batch_size": batch, "learning_rate": rate}
        )
        for _, metrics in history(rate, loss):
            trackio.log(metrics)
        trackio.finish()


def jsonl_runs(folder: Path) -> None:
    """Write the grid as JSON lines, each beside a file of settings."""
    for index, (batch, rate, loss) in enumerate(GRID):
        run = folder / f"run{index}"
        run.mkdir(parents=True)
        settings = {"batch_size": batch, "optimizer": {"name": "adamw"}}
        (run / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        rows = (json.dumps({"step": step, **metrics}) for step, metrics in history(rate, loss))
        (run / "metrics.jsonl").write_text("\n".join(rows), encoding="utf-8")
