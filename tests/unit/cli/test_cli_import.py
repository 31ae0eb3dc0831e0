"""`surge-fit import` as a person meets it."""

import pytest
from support.command_line import run
from support.tracked_runs import jsonl_runs, require_grid
from surge_fit import read_sweep

READ = ["--batch-unit", "examples", "--metric", "val_loss"]


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    jsonl_runs(folder)
    return folder


def test_import_writes_a_table_that_is_read_as_it_was(runs, tmp_path):
    for name in ("sweep.csv", "sweep.parquet"):
        result = run("import", runs, *READ, "-o", tmp_path / name)
        assert result.exit_code == 0
        assert "7 runs, 2 batch sizes" in result.stderr
        require_grid(read_sweep(tmp_path / name))


def test_import_shows_what_was_taken_for_what(runs):
    result = run("import", runs, *READ, "--where", "batch_size=8")
    assert result.stdout.splitlines()[0].startswith("run_id,batch_size,learning_rate,loss")
    assert len(result.stdout.splitlines()) == 4, "a header and the three runs of batch size 8"
    assert "'peak lr'" in result.stderr
    assert "4 runs left out that do not meet batch_size=8" in result.stderr


def test_other_commands_take_what_import_takes(runs):
    result = run("check", runs, "--batch-unit", "examples", "--column", "loss=val_loss")
    assert result.exit_code == 0
    assert "7 runs" in result.stdout


def test_import_refuses_what_is_no_source(tmp_path):
    result = run("import", tmp_path, *READ)
    assert result.exit_code == 1
    assert "nothing in it is recognised" in result.stderr
    assert run("import", tmp_path, *READ, "-o", "sweep.xml").exit_code == 2
