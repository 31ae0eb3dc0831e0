"""A look at files lists whatever is there, sound or not, and says what it looks like."""

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import write_safetensors
from support.fixtures import NOT_GRADIENTS, ROOT
from surge_fit.gradients.dump import list_contents
from surge_fit.report import render
from surge_fit.report.dump_contents import blocks, record


def looks(path):
    return {file.label: file.looks_like for file in list_contents(path)}


def test_fixtures_are_told_as_what_they_are():
    assert looks(NOT_GRADIENTS / "50-losses-beside-gradients.npz") == {"50-losses-beside-gradients.npz": None}
    (listed,) = looks(NOT_GRADIENTS / "51-list-of-dicts-equal-width.pt").values()
    assert listed == "a list of 96 gradients"
    (weights,) = looks(NOT_GRADIENTS / "52-weights-not-gradients.safetensors").values()
    assert weights == "weights of a model, or one gradient"
    shards = looks(NOT_GRADIENTS / "53-zero-shards")
    assert len(shards) == 4
    assert all("ZeRO" in said for said in shards.values())
    assert looks(NOT_GRADIENTS / "57-optimizer.pt") == {"57-optimizer.pt": "the state of an optimizer"}


def test_a_state_is_listed_with_what_it_says():
    (file,) = list_contents(NOT_GRADIENTS / "57-optimizer.pt")
    assert file.format == "torch"
    assert ("state.0.exp_avg", "float32", (4, 5)) in [(a.name, a.dtype, a.shape) for a in file.arrays]
    assert ("param_groups.0.betas", "[0.9,0.999]") in file.metadata


def test_a_file_that_holds_no_array_says_what_it_holds():
    (file,) = list_contents(NOT_GRADIENTS / "54-object-array.npz")
    assert file.arrays == ()
    assert "a pickle" in dict(file.skipped)["grads"]


@pytest.mark.parametrize(
    "name",
    ["torch/refuse_executes_code.pt", "torch/refuse_truncated.pt", "safetensors/refuse_overlap.safetensors"],
)
def test_a_broken_file_has_its_problem(name):
    (file,) = list_contents(ROOT / "tests" / "fixtures" / name)
    assert file.format is None
    assert file.problem
    text = render(blocks([file], "…"))
    assert f"{file.label}: cannot be read" in text


def test_sound_and_broken_files_are_told_together(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"w": np.zeros((4, 3), np.float32)}, step=3)
    (tmp_path / "optimizer.pt").write_bytes(b"cut")
    files = list_contents(tmp_path)
    assert [file.problem is None for file in files] == [True, False]
    text = render(blocks(files, "No dump."))
    assert "a.safetensors (safetensors), 1 array" in text
    assert "optimizer.pt: cannot be read; by its name the state of an optimizer" in text
    assert text.rstrip().endswith("As gradients: No dump.")
    told = record(files, "No dump.")
    assert told["problem"] == "No dump."
    assert told["files"][0]["arrays"] == [{"name": "w", "dtype": "float32", "shape": [4, 3]}]
    assert told["files"][0]["metadata"] == {"step": "3"}


def test_a_long_list_is_cut_in_words_and_whole_in_json(tmp_path):
    arrays = {f"layers.{layer}.w": np.zeros((2, 2), np.float32) for layer in range(100)}
    files = list_contents(write_safetensors(tmp_path / "a.safetensors", arrays))
    assert "and 60 more; --json lists them all." in render(blocks(files, "…"))
    assert len(record(files, "…")["files"][0]["arrays"]) == 100


def test_nothing_there_is_refused(tmp_path):
    with pytest.raises(sf.DumpError, match="does not exist"):
        list_contents(tmp_path / "missing.pt")
