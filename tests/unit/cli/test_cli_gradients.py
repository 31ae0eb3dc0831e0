"""`surge-fit gradients` and `surge-fit inspect` as a person meets them, on good files and on bad ones."""

import json
import re

import numpy as np
import pytest
import surge_fit as sf
from support.command_line import run
from support.dumps import write_safetensors
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


@pytest.fixture
def bad_files(write_dump, tmp_path, root):
    (tmp_path / "text.safetensors").write_text("once upon a time")
    whole = write_dump("whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-8])
    evil = root / "tests" / "fixtures" / "torch" / "refuse_executes_code.pt"
    (tmp_path / "evil.pt").write_bytes(evil.read_bytes())
    return tmp_path


@pytest.mark.parametrize("case", BAD)
def test_bad_files_end_in_one_line_and_exit_code_1(case, bad_files):
    make, message = BAD[case]
    result = run("gradients", make(bad_files))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert re.search(message, result.stderr), result.stderr


@pytest.mark.parametrize("case", [case for case in BAD if case != "no such file"])
def test_inspect_lists_bad_files_with_their_problem(case, bad_files):
    make, message = BAD[case]
    result = run("inspect", make(bad_files))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "cannot be read" in result.stdout
    assert re.search(message, " ".join(result.stdout.split())), result.stdout
    (file,) = json.loads(run("inspect", make(bad_files), "--json").stdout)["files"]
    assert re.search(message, file["problem"])


def test_inspect_lists_what_is_no_gradient(root):
    state = root / "tests" / "fixtures" / "not_gradients" / "57-optimizer.pt"
    result = run("inspect", state)
    assert result.exit_code == 0
    assert result.stdout.startswith("57-optimizer.pt (torch), 3 arrays: the state of an optimizer\n")
    assert "state.0.exp_avg_sq" in result.stdout
    assert "param_groups.0.betas = [0.9,0.999]" in result.stdout
    refused = run("gradients", state)
    assert refused.exit_code == 1
    assert "looks like the state of an optimizer" in refused.stderr


def test_inspect_ends_with_1_where_nothing_is_there(tmp_path):
    result = run("inspect", tmp_path / "none.safetensors")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr


def test_inspect_prints_no_control_characters(tmp_path):
    """Names and texts of a stranger's file must not reach the terminal as commands."""
    arrays = {"a\x1b[31m.weight": np.zeros((3, 2), np.float32), "b.weight": np.zeros((2, 2), np.float32)}
    result = run("inspect", write_safetensors(tmp_path / "w.safetensors", arrays, note="\x1b[2Jgone"))
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout


def test_patterns_choose_the_arrays(dump):
    for options in (("--only", r"layers\.0"), ("--leave-out", r"layers\.1", "--leave-out", "nothing")):
        held = json.loads(run("gradients", dump, "--json", *options).stdout)
        assert [row["name"] for row in held["tensors"]] == ["layers.0.w"]
    shown = run("inspect", dump, "--only", r"layers\.0")
    assert "Left out: layers.1.w: as you say." in shown.stdout
    refused = run("gradients", dump, "--only", "nothing")
    assert refused.exit_code == 1
    assert "must leave an array; of layers.0.w and layers.1.w they leave none" in refused.stderr


@pytest.fixture
def norms(tmp_path):
    """Squared norms of 1 + 20/8 and 1 + 20/64 on average: |G|² = 1, tr Σ = 20, a noise scale of 20."""
    rng = np.random.default_rng(0)
    rows = zip(3.5 * rng.gamma(400, 1 / 400, 200), 1.3125 * rng.gamma(400, 1 / 400, 200), strict=True)
    path = tmp_path / "log.csv"
    path.write_text("micro_grad_norm_sq,grad_norm_sq\n" + "\n".join(f"{small},{big}" for small, big in rows))
    return path


def test_logged_norms_give_the_noise_scale(norms):
    options = ("--norms", norms, "--microbatch-size", 8, "--batch-size", 64)
    result = run("gradients", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("log.csv: norms of 200 steps, batch sizes 8 and 64\n")
    assert "Simple noise scale tr Σ/|G|²:" in result.stdout
    assert "Read from the columns micro_grad_norm_sq (squares) and grad_norm_sq (squares)" in result.stdout
    held = json.loads(run("gradients", *options, "--json").stdout)
    low, high = held["simple_noise_scale_interval"]
    assert low < 20 < high
    assert held["simple_noise_scale"] == pytest.approx(20, rel=0.1)
    assert (held["steps"], held["unit"]) == (200, "examples")


def test_logged_norms_go_alone(norms, dump):
    for arguments, said in (
        ((dump,), "leave out"),
        (("--plot", "n.png"), "leave out --plot"),
        (("--microbatch-size", "8,8"), "leave out further micro-batch sizes"),
    ):
        result = run("gradients", "--norms", norms, *arguments)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
    result = run("gradients", "--norms", norms)
    assert result.exit_code == 1
    assert "--microbatch-size, --batch-size" in result.stderr
    result = run("gradients")
    assert result.exit_code == 2
    assert "Missing argument 'PATH…'" in result.stderr


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
