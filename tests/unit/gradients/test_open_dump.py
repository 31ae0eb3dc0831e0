"""Files, folders and arrays become a `Dump`; what contradicts itself is refused by name."""

import json

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors
from surge_fit.gradients.dump import open_checkpoints, read_labels

SHAPES = {"w": (3, 4), "b": (4,)}


@pytest.fixture
def arrays():
    return {name: array.astype(np.float32) for name, array in gaussian(6, SHAPES).items()}


def rows_of(arrays, row):
    return {name: array[row] for name, array in arrays.items()}


def test_a_file_with_an_axis_of_examples(tmp_path, arrays):
    file = write_safetensors(tmp_path / "g.safetensors", arrays, step=10, loss=2.5, loss_reduction="none")
    dump = sf.open_dump(file)
    assert (dump.layout, dump.rows, dump.examples, dump.parameters) == ("examples", 6, 6.0, 16)
    assert [(t.name, t.dtype, t.shape, t.rows) for t in dump.tensors] == [
        ("w", "float32", (3, 4), 6),
        ("b", "float32", (4,), 6),
    ]
    assert (dump.step, dump.loss, dump.scale, dump.bytes) == (10.0, 2.5, 1.0, 6 * 16 * 4)
    assert dump.row_name(4) == "g.safetensors[4]"


def test_examples_and_tensors_may_be_split_over_files(tmp_path, arrays):
    write_safetensors(tmp_path / "a.safetensors", {"w": arrays["w"][:4], "b": arrays["b"][:4]})
    write_safetensors(tmp_path / "b.safetensors", {"w": arrays["w"][4:]})
    write_safetensors(tmp_path / "c.safetensors", {"b": arrays["b"][4:]})
    dump = sf.open_dump(tmp_path)
    assert [[s.rows for s in tensor.segments] for tensor in dump.tensors] == [[4, 2], [4, 2]]
    assert dump.row_name(5) == "b.safetensors[1]"


def test_one_file_per_row_in_natural_order(tmp_path, arrays):
    for row in (10, 2, 1):
        write_safetensors(tmp_path / f"rank{row}.safetensors", rows_of(arrays, row % 6), microbatch_size=row)
    dump = sf.open_dump(str(tmp_path / "rank*.safetensors"))
    assert dump.layout == "rows"
    assert [dump.row_name(row) for row in range(3)] == [f"rank{row}.safetensors" for row in (1, 2, 10)]
    assert dump.microbatch_size.tolist() == [1, 2, 10]


def test_files_of_one_name_in_different_folders_are_told_apart(tmp_path, arrays):
    for row in range(3):
        (tmp_path / f"rank{row}").mkdir()
        write_safetensors(tmp_path / f"rank{row}" / "g.safetensors", rows_of(arrays, row))
    dump = sf.open_dump(str(tmp_path / "rank*" / "g.safetensors"), absent="missing", microbatch_size=1)
    assert dump.row_name(2) == str(tmp_path / "rank2" / "g.safetensors")
    assert [tensor.rows for tensor in dump.tensors] == [3, 3]
    with pytest.raises(sf.DumpError, match="must be given once"):
        sf.open_dump([tmp_path / "rank0", tmp_path / "rank0" / "g.safetensors"])


def test_an_index_lists_the_shards_of_one_source(tmp_path, arrays):
    write_safetensors(tmp_path / "m-1.safetensors", {"w": arrays["w"]})
    write_safetensors(tmp_path / "m-2.safetensors", {"b": arrays["b"]})
    index = {"weight_map": {"w": "m-1.safetensors", "b": "m-2.safetensors"}}
    (tmp_path / "m.safetensors.index.json").write_text(json.dumps(index))
    for given in (tmp_path / "m.safetensors.index.json", tmp_path):
        dump = sf.open_dump(given)
        assert (dump.rows, len(dump.tensors), dump.source) == (6, 2, "m.safetensors.index.json")


def test_numpy_files(tmp_path, arrays):
    np.save(tmp_path / "w.npy", arrays["w"])
    np.savez(tmp_path / "all.npz", **arrays)
    np.savez_compressed(tmp_path / "small.npz", **arrays)
    assert [t.name for t in sf.open_dump(tmp_path / "w.npy").tensors] == ["w"]
    for name in ("all.npz", "small.npz"):
        assert [t.shape for t in sf.open_dump(tmp_path / name).tensors] == [(3, 4), (4,)]


def test_arrays_in_memory(arrays):
    dump = sf.open_dump({"w": arrays["w"], "half": arrays["b"].astype(np.float16)})
    assert [t.dtype for t in dump.tensors] == ["float32", "float16"]
    assert dump.source == "memory"


def test_hdf5(tmp_path, arrays):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "g.h5", "w") as store:
        store["layer/w"], store["layer/b"] = arrays["w"], arrays["b"]
    assert {t.name: t.shape for t in sf.open_dump(tmp_path / "g.h5").tensors} == {
        "layer.b": (4,),
        "layer.w": (3, 4),
    }


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_zarr(tmp_path, arrays):
    zarr = pytest.importorskip("zarr")
    store = zarr.open_group(tmp_path / "g.zarr", mode="w")
    for name, array in arrays.items():
        store.create_array(name, data=array)
    assert {t.name: t.shape for t in sf.open_dump(tmp_path / "g.zarr").tensors} == SHAPES


def test_what_an_option_says_overrules_the_files_and_is_told(tmp_path, arrays):
    file = write_safetensors(tmp_path / "g.safetensors", arrays, loss_reduction="mean", loss_scale=4)
    assert sf.open_dump(file).scale == 6 / 4
    dump = sf.open_dump(file, loss_reduction="none")
    assert dump.scale == 1 / 4
    assert any("loss_reduction is 'none' as you say, against 'mean'" in said for said in dump.assumptions)


def test_what_nobody_said_is_told(tmp_path, arrays):
    for row in range(3):
        write_safetensors(tmp_path / f"{row}.safetensors", rows_of(arrays, row))
    dump = sf.open_dump(tmp_path)
    assert not dump.microbatch_known
    assert any("noise scales count rows" in said for said in dump.assumptions)
    assert sf.open_dump(tmp_path, microbatch_size=8).examples == 24


def test_a_row_that_lacks_a_tensor(tmp_path, arrays):
    write_safetensors(tmp_path / "1.safetensors", rows_of(arrays, 0))
    write_safetensors(tmp_path / "2.safetensors", {"w": arrays["w"][1]})
    write_safetensors(tmp_path / "3.safetensors", rows_of(arrays, 2))
    with pytest.raises(
        sf.DumpError, match=r"'b' is in '1.safetensors' but not in '2.safetensors'.*absent='zero'"
    ):
        sf.open_dump(tmp_path)
    zero, missing = (sf.open_dump(tmp_path, absent=what).tensors[1] for what in ("zero", "missing"))
    assert (zero.rows, zero.present) == (3, None)
    assert (missing.rows, missing.present.tolist()) == (2, [0, 2])


def test_arrays_that_are_not_floating_point_are_left_out_and_named(tmp_path, arrays):
    np.savez(tmp_path / "g.npz", **arrays, step=np.array(3))
    dump = sf.open_dump(tmp_path / "g.npz")
    assert len(dump.tensors) == 2
    assert [name for name, _ in dump.skipped] == ["step"]


def test_checkpoints_are_told_apart_by_step(tmp_path, arrays):
    for step in (200, 30):
        write_safetensors(tmp_path / f"{step}.safetensors", arrays, step=step)
    dumps = open_checkpoints(tmp_path)
    assert [dump.step for dump in dumps] == [30, 200]
    with pytest.raises(
        sf.DumpError, match=r"'30.safetensors' says step = 30.0, '200.safetensors' says 200.0"
    ):
        sf.open_dump(tmp_path)
    write_safetensors(tmp_path / "none.safetensors", arrays)
    with pytest.raises(sf.DumpError, match=r"must all name their step; .* 'none.safetensors' does not"):
        open_checkpoints(tmp_path)


REFUSED = {
    "nothing there": (lambda p, a: p / "missing.safetensors", {}, "'.*missing.safetensors' does not exist"),
    "no match": (lambda p, a: p / "*.pt", {}, "matches no file"),
    "empty folder": (lambda p, a: p, {}, "holds none"),
    "an unknown layout": (lambda p, a: a, {"layout": "columns"}, "'layout' must be one of"),
    "a reduction": (lambda p, a: a, {"loss_reduction": "median"}, "'loss_reduction' must be one of"),
    "a scale": (lambda p, a: a, {"loss_scale": 0.0}, "'loss_scale' must be a positive finite"),
    "too many micro-batches": (lambda p, a: a, {"microbatch_size": [1, 2]}, "one for each of the 6 rows"),
    "an empty micro-batch": (lambda p, a: a, {"microbatch_size": 0}, "must be positive"),
    "labels": (lambda p, a: a, {"row_groups": ["a"] * 6}, "at least two different labels"),
    "too few labels": (lambda p, a: a, {"row_groups": ["a", "b"]}, "one label for each of the 6 rows; got 2"),
    "one row": (lambda p, a: {"w": a["w"][:1]}, {}, "at least 3 examples along the first axis"),
    "a scalar": (lambda p, a: {"w": a["w"][0, 0, 0].reshape(())}, {}, "is a single number"),
    "other lengths": (
        lambda p, a: {"w": a["w"], "b": a["b"][:3]},
        {},
        "'w' .memory. has 6, 'b' .memory. has 3",
    ),
    "integers": (lambda p, a: {"w": np.arange(6)}, {}, "'w' is an array of int64"),
    "no arrays": (lambda p, a: {}, {}, "at least one array"),
    "no array": (lambda p, a: {"w": [1.0, 2.0]}, {}, "'w' is a list"),
    "no path": (lambda p, a: [], {}, "at least one file"),
    "a void dtype": (lambda p, a: a, {"void_dtype": "float16"}, "'void_dtype' must be 'bfloat16'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_name_what_must_hold(case, tmp_path, arrays):
    make, options, message = REFUSED[case]
    with pytest.raises(sf.InputError, match=message):
        sf.open_dump(make(tmp_path, arrays), **options)


def test_contradictions_name_both_files(tmp_path, arrays):
    write_safetensors(tmp_path / "a.safetensors", arrays, loss_scale=2)
    cases = {
        "loss_scale": (arrays, {"loss_scale": 4}),
        "the shape without the first axis": ({"w": arrays["w"][:, :2], "b": arrays["b"]}, {"loss_scale": 2}),
        "the dtype": ({name: array.astype(np.float64) for name, array in arrays.items()}, {"loss_scale": 2}),
    }
    for what, (other, metadata) in cases.items():
        write_safetensors(tmp_path / "b.safetensors", other, **metadata)
        with pytest.raises(sf.DumpError, match=what) as refusal:
            sf.open_dump(tmp_path)
        assert "'a.safetensors'" in str(refusal.value)
        assert "'b.safetensors'" in str(refusal.value)


def test_metadata_that_cannot_be_understood_is_quoted(tmp_path, arrays):
    for key, value in {"clipped": "perhaps", "loss_scale": "-1", "microbatch_size": "[1, 2]"}.items():
        file = write_safetensors(tmp_path / "g.safetensors", arrays, **{key: value})
        with pytest.raises(sf.DumpError, match=f"'g.safetensors', metadata '{key}': must .* found"):
            sf.open_dump(file)


def test_labels_of_rows_come_from_metadata_or_a_file(tmp_path, arrays):
    labels = ["a", "a", "b", "b", "c", "c"]
    file = write_safetensors(tmp_path / "g.safetensors", arrays, group=json.dumps(labels))
    assert sf.open_dump(file).row_groups == tuple(labels)
    (tmp_path / "labels.txt").write_text("\n".join(labels))
    assert read_labels(tmp_path / "labels.txt") == labels
    with pytest.raises(sf.DumpError, match="one line per row"):
        read_labels(tmp_path / "none.txt")


def test_arrays_with_types_that_numpy_lacks(arrays):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    held = {
        "bf16": arrays["w"].astype(ml_dtypes.bfloat16),
        "e4m3": arrays["w"].astype(ml_dtypes.float8_e4m3fn),
        "e5m2": arrays["w"].astype(ml_dtypes.float8_e5m2),
    }
    dump = sf.open_dump(held)
    assert [tensor.dtype for tensor in dump.tensors] == ["bfloat16", "float8_e4m3fn", "float8_e5m2"]
    for tensor, array in zip(dump.tensors, held.values(), strict=True):
        (segment,) = tensor.segments
        found = segment.file.read(segment.entry, 0, array.size)
        np.testing.assert_array_equal(found, array.astype(np.float64).ravel())


def test_tensors_of_pytorch(arrays):
    torch = pytest.importorskip("torch")
    whole = torch.from_numpy(arrays["w"])
    held = {
        "f32": whole,
        "bf16": whole.bfloat16(),
        "transposed": whole.transpose(1, 2),
        "grad": whole.requires_grad_(),
    }
    dump = sf.open_dump(held)
    assert [tensor.dtype for tensor in dump.tensors] == ["float32", "bfloat16", "float32", "float32"]
    for tensor, array in zip(dump.tensors, held.values(), strict=True):
        (segment,) = tensor.segments
        found = segment.file.read(segment.entry, 0, array.numel())
        np.testing.assert_array_equal(found, array.detach().double().contiguous().numpy().ravel())
