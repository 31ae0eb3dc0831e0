"""`surge-fit gradients` and `surge-fit inspect` as a person meets them, on good files and on bad ones."""

import json
import re

import pytest
import surge_fit as sf
from support.command_line import run
from surge_fit.gradients.noise import load_statistics


def test_a_table_goes_to_stdout_and_the_progress_to_stderr(dump):
    result = run("gradients", dump)
    assert result.exit_code == 0
    assert result.stdout.startswith("grads.safetensors: 32 examples, 250 parameters, step 3\n")
    assert "Simple noise scale tr Σ/|G|²:" in result.stdout
    assert result.stderr == "reading grads.safetensors (32 kB)\n"


def test_the_json_holds_what_programs_need(dump):
    held = json.loads(run("gradients", dump, "--json", "--group", r"layers\.\d+", "-b", 64).stdout)
    low, high = held["total"]["simple_noise_scale"]["interval"]
    assert low < held["total"]["simple_noise_scale"]["value"] < high
    assert {"examples", "gradient_norm_squared", "gradient_covariance_trace"} <= set(held["total"])
    assert [row["name"] for row in held["tensors"]] == ["layers.0.w", "layers.1.w"]
    assert [row["name"] for row in held["groups"]] == ["layers.0", "layers.1"]
    assert held["dropped_examples"] == []
    assert held["total"]["excess_kurtosis_of_batch_mean"] is not None


def test_checkpoints_are_a_series(write_dump, tmp_path):
    for step in (20, 100):
        write_dump(f"{step}.safetensors", seed=step, step=step)
    result = run("gradients", tmp_path)
    assert result.stdout.startswith("2 checkpoints")
    held = json.loads(run("gradients", tmp_path, "--json").stdout)
    assert [checkpoint["step"] for checkpoint in held["checkpoints"]] == [20, 100]
    refused = run("gradients", tmp_path, "--per-parameter", tmp_path / "m.npy")
    assert refused.exit_code == 2
    assert "must be the file of one checkpoint; the dump holds 2" in refused.stderr


def test_results_are_saved_to_be_loaded_merged_and_looked_at(dump, tmp_path):
    saved, moments, figure = tmp_path / "s.json", tmp_path / "m.safetensors", tmp_path / "f.png"
    result = run("gradients", dump, "-o", saved, "--per-parameter", moments, "--plot", figure)
    assert result.exit_code == 0
    (again,) = load_statistics(saved)
    assert again.total.simple_noise_scale == sf.gradient_statistics(dump).total.simple_noise_scale
    assert json.loads(saved.read_text())["total"]["examples"] == 32
    assert moments.stat().st_size > 250 * 8
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_options_say_what_the_rows_are(tmp_path, dump):
    labels = tmp_path / "documents.txt"
    labels.write_text("\n".join(str(k // 4) for k in range(32)))
    plain, told = (
        json.loads(run("gradients", dump, "--json", *options).stdout)
        for options in ((), ("--microbatch-size", 8, "--row-groups", labels, "--clipped"))
    )
    assert told["total"]["examples"] == 8 * plain["total"]["examples"]
    assert any("clipped" in note for note in told["notes"])
    assert any("8 groups of rows" in note for note in told["notes"])


def test_inspect_reads_headers_and_tells_what_is_assumed(dump):
    result = run("inspect", dump)
    assert result.exit_code == 0
    assert "32 rows, 250 parameters in 2 tensors" in result.stdout
    assert "Assumed" in result.stdout
    assert result.stderr == ""
    held = json.loads(run("inspect", dump, "--json").stdout)
    assert [tensor["shape"] for tensor in held["tensors"]] == [[20, 10], [10, 5]]


BAD = {
    "no such file": (lambda p: p / "none.safetensors", "does not exist"),
    "not a dump": (lambda p: p / "text.safetensors", "'.*text.safetensors'"),
    "cut short": (
        lambda p: p / "cut.safetensors",
        "tensor 'layers.1.w', byte 106: .*must lie inside.*The file is cut",
    ),
    "code": (lambda p: p / "evil.pt", "(?s)never runs code"),
}


@pytest.mark.parametrize("command", ["gradients", "inspect"])
@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_one_line_and_exit_code_1(command, case, write_dump, tmp_path, root):
    (tmp_path / "text.safetensors").write_text("once upon a time")
    whole = write_dump("whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-8])
    evil = root / "tests" / "fixtures" / "torch" / "refuse_executes_code.pt"
    (tmp_path / "evil.pt").write_bytes(evil.read_bytes())
    make, message = BAD[case]
    result = run(command, make(tmp_path))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--group", "("], "must be a regular expression"),
        (["--microbatch-size", "many"], "must be a number of examples"),
        (["--batch-size", "-3"], "must be a positive number"),
        (["--batch-size", "64,512"], "must be one batch size; got '64,512'"),
        (["--per-parameter", "m.csv"], "must end in .safetensors or .npy"),
        (["--output", "s.txt"], "must end in .json"),
        (["--loss-scale", "0"], "must be a positive number"),
        (["--layout", "columns"], "'columns' is not one of"),
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_read(arguments, message, dump):
    result = run("gradients", dump, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
