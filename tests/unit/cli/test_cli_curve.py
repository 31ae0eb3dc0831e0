"""`surge-fit curve` as a person meets it."""

import json

import numpy as np
import pytest
from support.command_line import run
from support.dumps import write_safetensors
from support.posteriors import runs
from surge_fit.gradients.curve import load_curve
from surge_fit.posterior.measured_priors import prior_from_curve


@pytest.fixture
def dump(write_dump):
    return write_dump("grads.safetensors", rows=40, step=3)


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
    exact, approximate = (first["theory"][key] for key in ("learning_rate", "approximate_learning_rate"))
    assert 0.88 * exact < approximate <= exact
    low, high = first["resampled"]["interval"]
    assert low < first["resampled"]["learning_rate"] < high
    assert first["resampled"]["scale_known"] is True
    assert first["flags"] == []
    assert last["resampled"]["learning_rate"] is None
    assert "no_disjoint_rows" in last["flags"]
    assert set(held["verdict"]) == {"agrees", "factor", "batch_size", "text"}
    assert [check["name"] for check in held["signs"]] == ["layers.0.w", "layers.1.w", "total"]


def test_a_table_and_a_verdict_go_to_stdout_and_the_progress_to_stderr(dump, hessian, tmp_path):
    figure = tmp_path / "curve.png"
    result = run("curve", dump, "--curvature", hessian, "--plot", figure)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("grads.safetensors: best next step of sign descent, 40 examples")
    assert "Theory and resampling agree within their intervals" in " ".join(result.stdout.split())
    assert "directions of minibatches" in result.stderr
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_saved_curve_is_the_prior_of_a_fit(tmp_path):
    """B_noise of SGD with H = I is tr Σ/|G|² = 1/0.3² = 11, where the curve bends."""
    random = np.random.default_rng(0)
    gradients = (0.3 + random.standard_normal((400, 30))).astype(np.float32)
    path = write_safetensors(tmp_path / "grads.safetensors", {"w": gradients})
    saved = tmp_path / "curve.json"
    eye = write_safetensors(tmp_path / "h.safetensors", {"hessian": np.eye(30, dtype=np.float32)})
    result = run("curve", path, "--optimizer", "sgd", "--curvature", eye, "-o", saved)
    assert result.exit_code == 0, result.stderr
    assert f"Saved {saved}." in result.stderr
    expected = prior_from_curve(load_curve(saved), "examples")
    sweep = tmp_path / "sweep.csv"
    runs().to_frame().write_csv(sweep)
    result = run("fit", sweep, "--batch-unit", "examples", "--curve", saved, "--priors", "--json")
    assert result.exit_code == 0, result.stderr
    prior = json.loads(result.stdout)["priors"]["log_noise_scale"]
    assert prior == str(expected)


def test_a_curve_that_cannot_serve_a_fit_ends_in_one_line(tmp_path):
    (tmp_path / "curve.json").write_text("{}")
    sweep = tmp_path / "sweep.csv"
    runs().to_frame().write_csv(sweep)
    for command in (["fit", sweep], ["recommend", sweep, "-b", "64"]):
        result = run(*command, "--batch-unit", "examples", "--curve", tmp_path / "curve.json")
        assert result.exit_code == 1
        assert "must hold a learning-rate curve in format 1" in result.stderr
    result = run("recommend", "posterior.nc", "-b", "64", "--curve", tmp_path / "curve.json")
    assert result.exit_code == 2
    assert "--curve is for fitting a table of runs" in " ".join(result.stderr.split())


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
        (["--resamples", "1"], "is not in the range x>=2"),
        (["--plot", "curve.txt"], "must end in .png"),
        (["-o", "curve.txt"], "The curve must end in .json"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_read(arguments, message, dump):
    result = run("curve", dump, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
