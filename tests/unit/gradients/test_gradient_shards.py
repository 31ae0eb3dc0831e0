"""Captured gradients on disk: exact numbers in their places, whole files or none, clear refusals."""

from collections import namedtuple

import numpy as np
import pytest
from support.safetensors_files import read_safetensors
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump import open_dump, shards
from surge_fit.gradients.dump.shards import gradient_writer

SHAPES = {"first": (3, 2), "scalar": (), "second": (4,)}
ROW_BYTES = 4 * (6 + 1 + 4)


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((count, *shape)).astype("f4") for name, shape in SHAPES.items()}


def write(path, gradients, *, chunks, rows, losses=True, dtype="float32", shard_bytes=1 << 30, **metadata):
    told = {"layout": "examples", **{key: str(value) for key, value in metadata.items()}}
    with gradient_writer(path, SHAPES, rows, dtype=dtype, metadata=told, shard_bytes=shard_bytes) as writer:
        for start, stop in chunks:
            part = {name: array[start:stop] for name, array in gradients.items()}
            writer.append(part, np.arange(start, stop) if losses else None)
    return writer


@pytest.mark.parametrize("shard_rows", [1, 3, 7, 100])
@pytest.mark.parametrize("chunks", [[(0, 7)], [(0, 2), (2, 3), (3, 7)]])
def test_every_number_is_where_it_belongs_however_rows_arrive_and_files_are_cut(tmp_path, shard_rows, chunks):
    gradients = rows(7)
    writer = write(
        tmp_path / "g.safetensors", gradients, chunks=chunks, rows=7, shard_bytes=shard_rows * ROW_BYTES
    )
    assert len(writer.written) == -(-7 // min(shard_rows, 7))
    for name, array in read_safetensors(*writer.written)[0].items():
        np.testing.assert_array_equal(array, gradients[name])


def test_fewer_rows_than_planned_leave_a_smaller_file_and_no_gap(tmp_path):
    gradients = rows(7)
    writer = write(tmp_path / "g.safetensors", gradients, chunks=[(0, 5)], rows=7, shard_bytes=4 * ROW_BYTES)
    assert [path.name for path in writer.written] == ["g-00001.safetensors", "g-00002.safetensors"]
    for name, array in read_safetensors(*writer.written)[0].items():
        np.testing.assert_array_equal(array, gradients[name][:5])
    assert open_dump(writer.written).rows == 5


def test_the_files_say_what_the_reader_wants_to_know(tmp_path):
    # The losses of rows 0 … 6 are 0 … 6, so their mean is 3.
    writer = write(
        tmp_path / "g.safetensors",
        rows(7),
        chunks=[(0, 7)],
        rows=7,
        shard_bytes=3 * ROW_BYTES,
        step=12,
        microbatch_size=8,
    )
    dump = open_dump(writer.written)
    assert (dump.step, dump.loss, dump.examples, dump.parameters) == (12, 3.0, 56, 11)


def test_a_loss_that_nobody_told_is_not_made_up(tmp_path):
    writer = write(tmp_path / "g.safetensors", rows(4), chunks=[(0, 4)], rows=4, losses=False)
    assert writer.mean_loss is None
    assert open_dump(writer.written).loss is None


def test_bits_of_bfloat16_are_written_as_they_are(tmp_path):
    # 1.0 is 0x3F80 and -2.5 is 0xC020 in bfloat16.
    bits = {name: np.full((3, *shape), 0x3F80, "u2") for name, shape in SHAPES.items()}
    bits["second"][1, 2] = 0xC020
    writer = write(tmp_path / "g.safetensors", bits, chunks=[(0, 3)], rows=3, dtype="bfloat16")
    dump = open_dump(writer.written)
    assert {tensor.dtype for tensor in dump.tensors} == {"bfloat16"}
    raw = writer.written[0].read_bytes()
    np.testing.assert_array_equal(np.frombuffer(raw[-24:], "<u2").reshape(3, 4), bits["second"])


@pytest.mark.parametrize(("dtype", "value"), [("float32", np.nan), ("float32", np.inf), ("bfloat16", 0x7F80)])
def test_a_gradient_that_is_not_finite_is_named_and_nothing_is_kept(tmp_path, dtype, value):
    gradients = {
        name: np.zeros((4, *shape), "u2" if dtype == "bfloat16" else "f4") for name, shape in SHAPES.items()
    }
    gradients["second"][3, [0, 2]] = value
    with pytest.raises(DumpError, match=r"row 3, tensor 'second', has 2 numbers that are not.*leave that"):
        write(tmp_path / "g.safetensors", gradients, chunks=[(0, 2), (2, 4)], rows=4, dtype=dtype)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_finite_is_refused(tmp_path):
    with (
        pytest.raises(DumpError, match="Losses must be finite; that of row 1 is not"),
        gradient_writer(
            tmp_path / "g.safetensors", SHAPES, 3, dtype="float32", metadata={}, shard_bytes=1000
        ) as writer,
    ):
        writer.append(rows(3), np.array([0.0, np.inf, 1.0]))
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_nothing(tmp_path):
    def interrupted():
        with gradient_writer(
            tmp_path / "g.safetensors", SHAPES, 3, dtype="float32", metadata={}, shard_bytes=1
        ) as writer:
            writer.append(rows(2), None)
            writer.put_beside(tmp_path / "state.safetensors", {"a": np.ones(2)}, {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_is_beside_the_gradients_must_be_finite_too(tmp_path):
    def broken():
        with gradient_writer(
            tmp_path / "g.safetensors", SHAPES, 3, dtype="float32", metadata={}, shard_bytes=1000
        ) as writer:
            writer.append(rows(3), None)
            writer.put_beside(tmp_path / "state.safetensors", {"moment": np.array([1.0, np.nan])}, {})

    with pytest.raises(DumpError, match="'moment' is not"):
        broken()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["g.safetensors", "g-00002.safetensors"])
def test_a_file_that_is_there_is_not_touched(tmp_path, name):
    (tmp_path / name).write_text("precious")
    shard_bytes = 1 << 30 if name == "g.safetensors" else ROW_BYTES
    with pytest.raises(DumpError, match=rf"must go to a new file; '.*{name}' exists. Name another"):
        write(tmp_path / "g.safetensors", rows(3), chunks=[(0, 3)], rows=3, shard_bytes=shard_bytes)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DumpError, match="must go to a folder that exists"):
        write(tmp_path / "no" / "g.safetensors", rows(3), chunks=[(0, 3)], rows=3)


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shards.shutil, "disk_usage", lambda path: usage(3 * ROW_BYTES - 1))
    with pytest.raises(DumpError, match=r"3 gradients of 44 bytes each take 132 bytes; .* has 131 left"):
        write(tmp_path / "g.safetensors", rows(3), chunks=[(0, 3)], rows=3)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.Shard, "close_gaps", full)
    with pytest.raises(DumpError, match=r"g.safetensors' could not be written: No space left on device"):
        write(tmp_path / "g.safetensors", rows(3), chunks=[(0, 2)], rows=3)
    assert list(tmp_path.iterdir()) == []


def test_no_gradient_at_all_is_refused(tmp_path):
    with pytest.raises(DumpError, match="there was none"):
        write(tmp_path / "g.safetensors", rows(3), chunks=[], rows=3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "dtype", "said"),
    [
        ("g.npy", "float32", "must end in .safetensors"),
        ("g.safetensors", "float16", "must be one of 'float32'"),
    ],
)
def test_another_ending_or_dtype_is_refused(tmp_path, name, dtype, said):
    with pytest.raises(InputError, match=said):
        write(tmp_path / name, rows(3), chunks=[(0, 3)], rows=3, dtype=dtype)
