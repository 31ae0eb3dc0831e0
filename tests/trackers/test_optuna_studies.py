"""Studies that Optuna itself has run."""

import pytest
from support.tracked_runs import GRID, optuna_study, require_grid
from surge_fit import read_sweep

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: uv run --group trackers")


def journal(folder):
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "journal.log"))
    return optuna.storages.JournalStorage(backend), str(folder / "journal.log")


def database(folder):
    address = f"sqlite:///{folder / 'study.db'}"
    return address, address


@pytest.mark.parametrize("place", [database, journal])
def test_a_study_is_read_as_it_ran(place, tmp_path):
    storage, address = place(tmp_path)
    optuna_study(storage)
    sweep = read_sweep(address, batch_unit="examples")
    assert len(sweep) == len(GRID) + 2, "a waiting trial has not begun"
    assert sweep.status[-2:] == ("stopped", "crashed")
    require_grid(sweep.where([index < len(GRID) for index in range(len(sweep))]))


def test_a_study_that_maximizes_says_so(tmp_path):
    address = f"sqlite:///{tmp_path / 'study.db'}"
    study = optuna.create_study(storage=address, direction="maximize")
    study.set_metric_names(["accuracy"])

    def objective(trial):
        trial.suggest_categorical("batch_size", [8, 32])
        return 0.9 - abs(trial.suggest_float("lr", 0.01, 0.1) - 0.05)

    study.optimize(objective, n_trials=6)
    sweep = read_sweep(address, batch_unit="examples")
    # The best trial of Optuna, of the greatest accuracy, is the best run of the least loss.
    assert sweep.best_run().learning_rate == pytest.approx(study.best_trial.params["lr"])
