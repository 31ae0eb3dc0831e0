"""Runs that MLflow itself has logged: into a folder, a database, and through its server."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

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


def test_a_database_and_the_server_before_it_are_read(tmp_path):
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow_experiment(database)
    require_runs(database)
    with Server(database) as address:
        require_runs(address)
        with pytest.raises(SweepError, match="must have the experiment 99"):
            read_sweep(f"{address}/#/experiments/99", batch_unit="examples")


class Server:
    """MLflow's tracking server on a free port of the loopback address."""

    def __init__(self, database):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        command = ["server", "--backend-store-uri", database, "--port", port, "--workers", "1"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self):
        deadline = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(f"{self.address}/health", timeout=5):
                    return self.address
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.5)

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(timeout=60)


def test_a_run_of_another_experiment_is_chosen_by_a_condition(tmp_path):
    folder = tmp_path / "mlruns"
    mlflow_experiment(folder.as_uri(), "grid")
    mlflow_experiment(folder.as_uri(), "other")
    with pytest.raises(SweepError, match=r"'(grid|other)' and '(grid|other)'"):
        read_sweep(folder, batch_unit="examples")
    sweep = read_sweep(folder, batch_unit="examples", columns={"loss": "val_loss"}, where=["experiment=grid"])
    assert len(sweep) == len(GRID) + 1
