"""Files that trackers themselves wrote, read without the trackers."""

import os
import subprocess
import sys
import tarfile
from contextlib import suppress

import numpy as np
import pytest
from support.tracked_runs import GRID, require_grid
from surge_fit import SweepError, read_sweep

VALIDATION = {"loss": "val_loss"}


@pytest.fixture
def unpacked(root, tmp_path):
    def unpack(name):
        with tarfile.open(root / "tests" / "fixtures" / "sources" / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
        return tmp_path

    return unpack


@pytest.mark.parametrize("name", ["study.db", "journal.log"])
def test_optuna(unpacked, name):
    sweep = read_sweep(unpacked("optuna") / name, batch_unit="examples")
    assert sweep.status[-2:] == ("stopped", "crashed"), "a pruned trial, and one that failed without a value"
    require_grid(sweep.where(np.arange(len(sweep)) < len(GRID)))


def test_optuna_by_its_address(unpacked, monkeypatch):
    monkeypatch.chdir(unpacked("optuna"))
    assert len(read_sweep("sqlite:///study.db", batch_unit="examples")) == len(GRID) + 2


def test_a_journal_that_is_being_written_is_read_up_to_its_last_line(unpacked):
    journal = unpacked("optuna") / "journal.log"
    journal.write_bytes(journal.read_bytes() + b'{"op_code":6,"wor')
    assert len(read_sweep(journal, batch_unit="examples")) == len(GRID) + 2
    lines = journal.read_bytes().splitlines()
    journal.write_bytes(b"\n".join([*lines[:3], b"{broken", *lines[3:]]))
    with pytest.raises(SweepError, match="line 4"):
        read_sweep(journal, batch_unit="examples")


@pytest.mark.parametrize("name", ["mlruns", "mlflow.db"])
def test_mlflow(unpacked, name):
    sweep = read_sweep(unpacked("mlflow") / name, batch_unit="examples", columns=VALIDATION)
    assert sweep.status.count("stopped") == 1
    require_grid(sweep.where(np.array(sweep.status) != "stopped"))


def test_wandb(unpacked):
    require_grid(read_sweep(unpacked("wandb"), batch_unit="examples", columns=VALIDATION))


def test_a_file_of_wandb_that_was_cut_off_is_read_up_to_there(unpacked):
    file = next(unpacked("wandb").rglob("*.wandb"))
    file.write_bytes(file.read_bytes()[:-40])
    sweep = read_sweep(unpacked("wandb"), batch_unit="examples", columns=VALIDATION)
    assert len(sweep) == len(GRID)
    file.write_bytes(b"something else")
    with pytest.raises(SweepError, match="must be a run's file of wandb"):
        read_sweep(file.parents[1], batch_unit="examples", columns=VALIDATION)


def test_trackio(unpacked):
    require_grid(read_sweep(unpacked("trackio"), batch_unit="examples", columns=VALIDATION))


def test_tensorboard(unpacked):
    require_grid(read_sweep(unpacked("tensorboard"), batch_unit="examples", columns=VALIDATION))


@pytest.mark.parametrize("name", ["optuna", "mlflow", "wandb", "trackio", "tensorboard"])
def test_reading_changes_nothing_and_makes_no_file(unpacked, name):
    folder = unpacked(name)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    for path in [*folder.glob("*.db"), *folder.glob("*.log"), *(p for p in folder.iterdir() if p.is_dir())]:
        read_sweep(path, batch_unit="examples", columns={} if name == "optuna" else VALIDATION)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("name", ["optuna", "mlflow", "wandb", "trackio", "tensorboard"])
def test_damaged_files_are_read_or_refused_but_never_crash(unpacked, name):
    folder = unpacked(name)
    random = np.random.default_rng(0)
    files = [path for path in folder.rglob("*") if path.is_file()]
    whole = {file: file.read_bytes() for file in files}
    for _ in range(25):
        file = files[random.integers(len(files))]
        data = bytearray(whole[file])
        for place in random.integers(len(data), size=8):
            data[place] = random.integers(256)
        file.write_bytes(data[: random.integers(1, len(data) + 1)])
        for path in [
            *folder.glob("*.db"),
            *folder.glob("*.log"),
            *(p for p in folder.iterdir() if p.is_dir()),
        ]:
            with suppress(SweepError):
                read_sweep(path, batch_unit="examples", columns={} if name == "optuna" else VALIDATION)
        file.write_bytes(whole[file])


def test_no_tracker_is_imported_to_read_its_files(unpacked):
    folder = unpacked("mlflow")
    unpacked("optuna")
    unpacked("wandb")
    unpacked("tensorboard")
    code = (
        "import sys; from surge_fit import read_sweep\n"
        "loss = {'loss': 'val_loss'}\n"
        "read_sweep('study.db', batch_unit='examples')\n"
        "for place in ('mlruns', 'mlflow.db', 'wandb', 'tb'):\n"
        "    read_sweep(place, batch_unit='examples', columns=loss)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    frameworks = {"optuna", "mlflow", "wandb", "tensorboard", "torch", "tensorflow", "sqlalchemy", "pandas"}
    assert frameworks & set(done.stdout.split()) == set()


def test_several_trackers_in_a_folder_are_named(unpacked):
    folder = unpacked("wandb")
    unpacked("trackio")
    with pytest.raises(SweepError, match=r"Weights & Biases .* and Trackio|Trackio .* and Weights & Biases"):
        read_sweep(folder, batch_unit="examples")
