"""Stores of other tools are recognised by what they hold: bergson's index, TRAK's store."""

import json
import shutil

import numpy as np
import pytest
import surge_fit as sf
from numpy.lib.format import open_memmap
from support.dumps import gaussian
from support.fixtures import NOT_GRADIENTS

ROWS = {name: array.astype(np.float32) for name, array in gaussian(30, {"a": (3,), "b": (5,)}).items()}
FLAT = np.concatenate(list(ROWS.values()), axis=1)


def bergson(folder, numbers=FLAT, **info):
    folder.mkdir(parents=True)
    numbers.tofile(folder / "gradients.bin")
    told = {"num_grads": len(numbers), "grad_sizes": {"a": 3, "b": 5}, "base_dtype": numbers.dtype.str} | info
    (folder / "info.json").write_text(json.dumps(told))
    return folder


def trak(folder, slopes=None, grads=FLAT, dtype=np.float32):
    folder.mkdir(parents=True)
    open_memmap(folder / "grads.mmap", "w+", dtype, grads.shape)[:] = grads
    open_memmap(folder / "features.mmap", "w+", dtype, grads.shape)[:] = 7
    if slopes is not None:
        open_memmap(folder / "out_to_loss.mmap", "w+", dtype, (len(grads), 1))[:] = slopes[:, None]
    return folder


def same(found, rows):
    expected = sf.gradient_statistics(rows)
    assert found.total.simple_noise_scale.value == pytest.approx(
        expected.total.simple_noise_scale.value, rel=1e-6
    )


def test_the_index_of_the_fixture():
    """96 rows of 16 and 24 numbers with a noise scale of 19.7."""
    dump = sf.open_dump(NOT_GRADIENTS / "55-bergson-index")
    assert [(tensor.name, tensor.rows, tensor.shape) for tensor in dump.tensors] == [
        ("a", 96, (16,)),
        ("b", 96, (24,)),
    ]
    low, high = sf.gradient_statistics(dump).total.simple_noise_scale.interval
    assert low < 19.7 < high


@pytest.mark.parametrize("kind", ["short names", "long names", "before there were sizes"])
def test_indexes_of_all_ages(tmp_path, kind):
    info = {
        "short names": {},
        "long names": {"base_dtype": "float32", "num_items": 30, "attribute_tokens": False},
        "before there were sizes": {
            "grad_sizes": None,
            "base_dtype": None,
            "dtype": {"names": ["a", "b"], "formats": ["(3,)<f4", "(5,)<f4"], "itemsize": 32},
        },
    }[kind]
    folder = bergson(tmp_path / "index", **info)
    found = sf.gradient_statistics(folder)
    same(found, ROWS)
    assert [tensor.name for tensor in found.tensors] == ["a", "b"]
    same(sf.gradient_statistics(folder / "gradients.bin"), ROWS)


def test_shards_of_an_index_are_joined(tmp_path):
    bergson(tmp_path / "index" / "shard-00000", FLAT[:20])
    bergson(tmp_path / "index" / "shard-00001", FLAT[20:])
    same(sf.gradient_statistics(tmp_path / "index"), ROWS)


def test_tokens_are_grouped_by_their_documents(tmp_path):
    folder = bergson(tmp_path / "index", attribute_tokens=True, num_items=3)
    np.save(folder / "offsets.npy", np.array([0, 10, 10, 30]))
    assert sf.open_dump(folder).row_groups == tuple(["0"] * 10 + ["2"] * 20)
    (folder / "offsets.npy").unlink()
    with pytest.raises(sf.DumpError, match=r"need '.*offsets.npy', which says to which document"):
        sf.open_dump(folder)


def test_an_index_that_is_cut_is_refused(tmp_path):
    folder = bergson(tmp_path / "index", num_grads=31)
    with pytest.raises(sf.DumpError, match=r"31 rows of 8 numbers of float32 must fill 'gradients.bin'"):
        sf.open_dump(folder)


def test_gradients_of_trak_are_those_of_the_loss(tmp_path):
    """TRAK stores ∂f/∂θ and ∂loss/∂f; their product is the gradient of the loss."""
    slopes = -np.linspace(0.1, 1, 30, dtype=np.float32)
    folder = trak(tmp_path / "store" / "0", slopes, FLAT / slopes[:, None])
    (tmp_path / "store" / "metadata.json").write_text('{"JL dimension": 8}')
    for path in (folder, tmp_path / "store"):
        dump = sf.open_dump(path)
        same(sf.gradient_statistics(dump), {"grads": FLAT})
        assert [name for name, _ in dump.skipped] == ["features.mmap", "out_to_loss.mmap"]


@pytest.mark.parametrize("slopes", [None, np.zeros(30), np.ones(30)], ids=["absent", "not filled", "ones"])
def test_without_slopes_the_gradients_are_taken_as_they_are(tmp_path, slopes):
    same(sf.gradient_statistics(trak(tmp_path / "0", slopes)), {"grads": FLAT})


def test_half_precision(tmp_path):
    dump = sf.open_dump(trak(tmp_path / "0", dtype=np.float16))
    assert [tensor.dtype for tensor in dump.tensors] == ["float16"]


def test_several_models_are_several_dumps(tmp_path):
    for model in range(2):
        trak(tmp_path / str(model))
    with pytest.raises(sf.DumpError, match=r"of one model; .* has TRAK's of 0 and 1"):
        sf.open_dump(tmp_path)
    shutil.rmtree(tmp_path / "1")
    assert sf.open_dump(tmp_path).rows == 30
