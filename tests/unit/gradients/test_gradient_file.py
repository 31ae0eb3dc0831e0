"""Gradient dumps as Python opens them: the fixtures to the last bit, arrays without a copy, and refusals."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from surge_fit._core import GradientFile, index_files
from surge_fit.errors import DumpError, InputError

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAFETENSORS = FIXTURES / "safetensors"
# What tests/fixtures/numpy/make.py wrote.
VALUES = np.arange(-6, 6) / 2


def values(file: GradientFile, index: int = 0) -> np.ndarray:
    return file.read(index, 0, 10**9)


def test_safetensors_fixtures_hold_what_their_writer_put_in():
    seen = set()
    with np.load(SAFETENSORS / "expected.npz") as expected:
        for key in expected.files:
            name, _, tensor = key.partition("|")
            file = GradientFile.open(SAFETENSORS / name)
            names = [entry[0] for entry in file.entries]
            index = names.index(tensor)
            assert file.entries[index][2] == expected[key].shape
            found = values(file, index).astype(np.float32)
            np.testing.assert_array_equal(found.view(np.uint32), expected[key].ravel().view(np.uint32))
            seen.add(file.entries[index][1])
    assert seen == {"float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"}


@pytest.mark.parametrize("path", sorted(SAFETENSORS.glob("refuse_*")), ids=lambda path: path.stem)
def test_damaged_fixtures_are_refused_by_name(path):
    with pytest.raises(DumpError, match=path.name):
        GradientFile.open(path)


def test_a_file_says_what_it_holds():
    file = GradientFile.open(str(SAFETENSORS / "bf16.safetensors"))
    assert (file.path, file.format) == (str(SAFETENSORS / "bf16.safetensors"), "safetensors")
    assert file.metadata["loss_reduction"] == "mean"
    # Eight bytes and a header of 312 come before the first number.
    assert file.entries[0] == ("head.weight", "bfloat16", (16, 3, 8), 320)


def test_archives_are_unpacked_and_say_what_they_leave_out():
    for name in ("stored", "deflated"):
        file = GradientFile.open(FIXTURES / "numpy" / f"{name}.npz")
        assert [entry[0] for entry in file.entries] == ["plain", "layer.weight", "scalar", "empty"]
        assert file.skipped == [("step", "type <i8, which holds no gradients")]
        np.testing.assert_array_equal(values(file, 0), VALUES)
        np.testing.assert_array_equal(values(file, 1), VALUES)
        # Column-major, and packed in one of the two files: it has no byte to look at.
        assert file.entries[1][3] is None


def test_untyped_numbers_need_a_word():
    path = FIXTURES / "numpy" / "bfloat16.npy"
    with pytest.raises(DumpError, match="Say what they are with 'void_dtype'"):
        GradientFile.open(path)
    np.testing.assert_array_equal(values(GradientFile.open(path, void_dtype="bfloat16")), VALUES)
    with pytest.raises(InputError, match=r"'void_dtype' must be one of float64, .*; got 'bf17'"):
        GradientFile.open(path, void_dtype="bf17")


def test_an_array_shares_its_memory():
    array = np.zeros((4, 3), np.float32)
    file = GradientFile.from_array("w", array)
    assert (file.format, file.entries) == ("memory", [("w", "float32", (4, 3), 0)])
    array[1, 0] = 7  # between two readings, which is allowed
    assert file.read(0, 3, 1) == [7]


def test_types_that_python_lacks_are_named():
    # The upper halves of single-precision numbers, which are exact here, are bfloat16.
    bits = (VALUES.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    for view in (bits, bits.view(np.int16), bits.view("V2")):
        np.testing.assert_array_equal(values(GradientFile.from_array("w", view, "bfloat16")), VALUES)
    # 0x38 is 1 in E4M3: exponent 7, fraction 0.
    assert values(GradientFile.from_array("w", np.array([0x38], np.uint8), "float8_e4m3fn")) == [1]


@pytest.mark.parametrize(
    ("array", "dtype", "words"),
    [
        (np.zeros((4, 3)).T, None, "'w': it must be C-contiguous; it is not"),
        (np.zeros(4, np.int64), None, r"their format is '[lq]'\. Convert them, or name 'dtype'"),
        (np.zeros(4, ">f4"), None, "must be float64, float32 or float16 of this machine's byte order"),
        (np.zeros(4, np.float16), "bfloat16", "integers or untyped bytes of size 2; their format is 'e'"),
        (np.zeros(4, np.uint8), "bfloat16", "their format is 'B', of size 1"),
        (np.zeros(4, ">u2"), "bfloat16", "their format is '>H', of size 2"),
        ([1.0, 2.0], None, r"\(the buffer protocol\) and has an axis or more; got list"),
        (np.float32(1), None, r"\(the buffer protocol\) and has an axis or more; got float32"),
    ],
)
def test_arrays_that_cannot_be_shared_are_refused(array, dtype, words):
    with pytest.raises(DumpError, match=words):
        GradientFile.from_array("w", array, dtype)


def test_reading_past_the_end_is_refused():
    file = GradientFile.from_array("w", VALUES)
    np.testing.assert_array_equal(file.read(0, 10, 100), VALUES[10:])
    with pytest.raises(DumpError, match="the first number must be at most 12; got 13"):
        file.read(0, 13, 1)
    with pytest.raises(DumpError, match="the index of an array must be below 1; got 1"):
        file.read(1, 0, 1)


def test_memmaps_are_read_by_their_description(tmp_path):
    path = tmp_path / "g.bin"
    np.memmap(path, np.float16, "w+", shape=(4, 3))[:] = VALUES.reshape(4, 3)
    (tmp_path / "g.bin.json").write_text(json.dumps({"dtype": "float16", "shape": [4, 3]}))
    file = GradientFile.open(path)
    assert (file.format, file.entries) == ("raw", [("g", "float16", (4, 3), 0)])
    np.testing.assert_array_equal(values(file), VALUES)


def test_an_index_lists_its_shards(tmp_path):
    shard = tmp_path / "f32.safetensors"
    shard.write_bytes((SAFETENSORS / "f32.safetensors").read_bytes())
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"head.weight": shard.name}}))
    assert index_files(index) == [shard]
    index.write_text(json.dumps({"weight_map": {"tail.weight": shard.name}}))
    with pytest.raises(DumpError, match=r"tensor 'tail\.weight': the shard must hold every tensor"):
        index_files(index)


def test_no_object_of_a_file_is_ever_made():
    with pytest.raises(DumpError):
        GradientFile.open(FIXTURES / "numpy" / "make.py")
    file = GradientFile.open(FIXTURES / "numpy" / "objects.npy")
    assert [name for name, _ in file.skipped] == ["objects"]
    assert "a pickle, which is never unpickled" in file.skipped[0][1]
    with pytest.raises(TypeError):
        pickle.dumps(file)
