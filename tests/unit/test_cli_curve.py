"""`surge-fit curve` as a person meets it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from dumps import gaussian, write_safetensors
from surge_fit.cli import app
from typer.testing import CliRunner

SHAPES = {"layers.0.w": (20, 10), "layers.1.w": (10, 5)}


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="surge-fit")


@pytest.fixture
def dump(tmp_path):
    arrays = {n: a.astype(np.float32) for n, a in gaussian(40, SHAPES, noise_scale=10).items()}
    return write_safetensors(tmp_path / "grads.safetensors", arrays, step=3)


@pytest.fixture
def hessian(tmp_path):
    arrays = {"hessian": np.diag(np.linspace(0.5, 2.0, 250)).astype(np.float32)}
    return write_safetensors(tmp_path / "h.safetensors", arrays, order="layers.0.w,layers.1.w")


def test_the_json_holds_what_programs_need(dump, hessian):
    result = run("curve", dump, "--optimizer", "sign", "--curvature", hessian, "-b", "1,4,64", "--json")
    assert result.exit_code == 0, result.stderr
    held = json.loads(result.stdout)
    assert [point["batch_size"] for point in held["curve"]] == [1, 4, 64]
    first, _, last = held["curve"]
    assert first["theory"]["learning_rate"] > 0
    low, high = first["resampled"]["interval"]
    assert low < first["resampled"]["learning_rate"] < high
    assert first["resampled"]["scale_known"] is True
    assert first["flags"] == []
    assert last["resampled"]["learning_rate"] is None
    assert "no_disjoint_rows" in last["flags"]
    assert set(held["verdict"]) == {"agrees", "factor", "batch_size", "text"}
    assert [check["name"] for check in held["signs"]] == [*SHAPES, "total"]


def test_a_table_and_a_verdict_go_to_stdout_and_the_progress_to_stderr(dump, hessian, tmp_path):
    figure = tmp_path / "curve.png"
    result = run("curve", dump, "--curvature", hessian, "--plot", figure)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("grads.safetensors: best next step of sign descent, 40 examples")
    assert "Theory and resampling agree within their intervals" in " ".join(result.stdout.split())
    assert "directions of minibatches" in result.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_without_curvature_the_scale_is_unknown(dump):
    held = json.loads(run("curve", dump, "--optimizer", "sgd", "--json").stdout)
    assert {point["resampled"]["scale_known"] for point in held["curve"]} == {False}
    assert any("trust the shape" in note for note in held["notes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "adam"], "Adam's update needs its state"),
        (["--curvature", "none.safetensors"], "does not exist"),
        (["--state", "none.safetensors"], "'state' has no use here"),
    ],
)
def test_what_cannot_serve_ends_in_one_line_and_exit_code_1(arguments, message, dump):
    result = run("curve", dump, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer", "lion"], "'lion' is not one of"),
        (["--batch-size", "0"], "must be a positive number"),
        (["--resamples", "1"], "greater than or equal to 2"),
        (["--plot", "curve.txt"], "must end in .png"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_read(arguments, message, dump):
    result = run("curve", dump, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_stops_at_once(tmp_path):
    """A sparse file of 16 GB takes long to read; it takes no room on the disk."""
    rows, columns = 64, 1 << 26
    file = tmp_path / "big.raw"
    with file.open("wb") as big:
        big.truncate(4 * rows * columns)
    (tmp_path / "big.raw.json").write_text(json.dumps({"dtype": "float32", "shape": [rows, columns]}))
    command = [sys.executable, "-c", "from surge_fit.cli import main; main()", "curve", str(file)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("directions of minibatches"):
            pass
        time.sleep(0.5)
        os.kill(process.pid, signal.SIGINT)
        asked = time.monotonic()
        process.wait(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - asked < 30
