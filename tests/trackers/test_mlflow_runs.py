"""Runs that MLflow itself has logged: into a folder, a database, and through its server."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from support.tracked_runs import GRID, mlflow_experiment, require_grid
from surge_fit import SweepError, read_sweep

mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: uv run --group trackers")


def require_runs(address):
    sweep = read_sweep(address, batch_unit="examples", columns={"loss": "val_loss"})
    assert sweep.status.count("stopped") == 1
    require_grid(sweep.where(np.array(sweep.status) != "stopped"))


def test_a_tracking_folder_is_read(tmp_path):
    mlflow_experiment((tmp_path / "mlruns").as_uri())
    require_runs(tmp_path / "mlruns")


def test_a_database_and_the_server_before_it_are_read(tmp_path, monkeypatch):
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow_experiment(database)
    require_runs(database)
    with serving(database, monkeypatch) as address:
        require_runs(address)
        with pytest.raises(SweepError, match="must have the experiment 99"):
            read_sweep(f"{address}/#/experiments/99", batch_unit="examples")


@contextmanager
def serving(database, monkeypatch):
    """MLflow's tracking server on a free port of the loopback address."""
    from mlflow.server import app
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR
    from werkzeug.serving import make_server

    monkeypatch.setenv(BACKEND_STORE_URI_ENV_VAR, database)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_run_of_another_experiment_is_chosen_by_a_condition(tmp_path):
    folder = tmp_path / "mlruns"
    mlflow_experiment(folder.as_uri(), "grid")
    mlflow_experiment(folder.as_uri(), "other")
    with pytest.raises(SweepError, match=r"'(grid|other)' and '(grid|other)'"):
        read_sweep(folder, batch_unit="examples")
    sweep = read_sweep(folder, batch_unit="examples", columns={"loss": "val_loss"}, where=["experiment=grid"])
    assert len(sweep) == len(GRID) + 1
