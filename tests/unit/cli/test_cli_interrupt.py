"""Ctrl-C stops every command at once, with 130 and one line, and leaves no half a file."""

import sys
from pathlib import Path

import pytest
from support.command_line import interrupt, run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
READ = ["--batch-unit", "examples"]


@pytest.mark.parametrize(
    ("command", "function"),
    [
        (["fit", "SWEEP", *READ, "-o", "out.nc"], "surge_fit.posterior.fitting.fit"),
        (["compare", "SWEEP", *READ], "surge_fit.decisions.comparison.compare"),
    ],
)
def test_it_stops_with_130_and_one_line(command, function, sweep, tmp_path, monkeypatch):
    def interrupted(sweep, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(function, interrupted)
    monkeypatch.chdir(tmp_path)
    result = run(*(sweep if argument == "SWEEP" else argument for argument in command))
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Stopped.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep.csv"]


def test_while_saving_it_leaves_the_old_file(sweep, fits, tmp_path, monkeypatch):
    output = tmp_path / "out.nc"
    output.write_bytes(b"old")

    def save(self, path):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("surge_fit.posterior.value.Posterior.save", save)
    assert run("fit", sweep, *READ, "-o", output).exit_code == 130
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.nc", "sweep.csv"]


@pytest.mark.parametrize(
    ("command", "once", "columns"),
    [
        # 64 GB of rows to sum.
        (["gradients", "--per-parameter", "moments.npy"], "reading big.raw", 1 << 28),
        # The first pass over 128 MB is short; the directions of 20,000 minibatches of each size are not.
        (["curve", "--resamples", "20000", "-o", "curve.json"], "directions of minibatches", 1 << 19),
    ],
    ids=["gradients", "curve"],
)
def test_the_kernels_stop_in_the_middle_of_a_pass(
    command, once, columns, endless_dump, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    interrupt(*command, endless_dump(64, columns), once=once)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.raw", "big.raw.json"]
