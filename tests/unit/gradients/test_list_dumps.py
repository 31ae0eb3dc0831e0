"""A list with one gradient per example, in one file, is one row each."""

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors
from support.fixtures import NOT_GRADIENTS

ROWS = gaussian(40, {"w": (3, 2), "b": (2,)})


def listed(path, name):
    held = {name(row, key): array[row] for row in range(40) for key, array in ROWS.items()}
    np.savez(path, **held)
    return path


def test_the_list_of_the_fixture():
    """96 dicts of 16 + 16 numbers with a noise scale of 19.7; along the first axis it would be 16 rows."""
    dump = sf.open_dump(NOT_GRADIENTS / "51-list-of-dicts-equal-width.pt")
    assert (dump.layout, dump.rows, dump.parameters) == ("items", 96, 32)
    found = sf.gradient_statistics(dump)
    assert (found.unit, found.examples) == ("examples", 96)
    low, high = found.total.simple_noise_scale.interval
    assert low < 19.7 < high


@pytest.mark.parametrize(
    "name",
    [
        lambda row, key: f"{row}.{key}",
        lambda row, key: f"grads.{row}.{key}",
        lambda row, key: f"per_example_gradients.{row}.{key}",
        lambda row, key: f"{row}.{list(ROWS).index(key)}",
    ],
    ids=["dicts", "in a dict", "by another name", "tuples"],
)
def test_items_are_rows(tmp_path, name):
    dump = sf.open_dump(listed(tmp_path / "g.npz", name))
    assert (dump.layout, dump.rows, dump.row_name(17)) == ("items", 40, "g.npz[17]")
    assert [tensor.shape for tensor in dump.tensors] == [(3, 2), (2,)]
    assert any("is a list of 40 items" in said for said in dump.assumptions)
    found, expected = sf.gradient_statistics(dump), sf.gradient_statistics(ROWS)
    assert found.total.simple_noise_scale == expected.total.simple_noise_scale


def test_a_list_of_flat_gradients(tmp_path):
    np.savez(tmp_path / "g.npz", *ROWS["b"])
    dump = sf.open_dump(tmp_path / "g.npz")
    assert (dump.layout, dump.rows, dump.parameters) == ("items", 40, 2)


def test_losses_within_the_items_are_left_out(tmp_path):
    held = {f"{row}.g": ROWS["w"][row] for row in range(5)} | {
        f"{row}.loss": np.array(2.0) for row in range(5)
    }
    np.savez(tmp_path / "g.npz", **held)
    dump = sf.open_dump(tmp_path / "g.npz")
    assert [tensor.name for tensor in dump.tensors] == ["g"]


def test_several_lists_are_joined(tmp_path):
    for rank in range(2):
        listed(tmp_path / f"rank{rank}.npz", lambda row, key: f"{row}.{key}")
    dump = sf.open_dump(tmp_path)
    assert (dump.rows, dump.row_name(40)) == (80, "rank1.npz[0]")


def test_layers_with_an_axis_of_examples_are_no_list_of_rows(tmp_path):
    """Three layers of one width by their places, as in nn.Sequential, with 50 rows each."""
    shapes = {
        f"{layer}.{name}": shape for layer in range(3) for name, shape in (("weight", (4, 4)), ("bias", (4,)))
    }
    rows = {name: array.astype(np.float32) for name, array in gaussian(50, shapes).items()}
    dump = sf.open_dump(write_safetensors(tmp_path / "g.safetensors", rows))
    assert (dump.layout, dump.rows, len(dump.tensors)) == ("examples", 50, 6)


def test_the_caller_decides(tmp_path):
    np.savez(tmp_path / "g.npz", *np.ones((6, 4, 3)))
    assert sf.open_dump(tmp_path / "g.npz").layout == "items"
    assert sf.open_dump(tmp_path / "g.npz", layout="examples").rows == 4
    np.savez(tmp_path / "no_list.npz", w=np.ones((6, 4)))
    with pytest.raises(
        sf.DumpError, match=r"must be a list with one gradient per row.*'no_list.npz' holds w"
    ):
        sf.open_dump(tmp_path / "no_list.npz", layout="items")


def test_items_that_lack_a_tensor(tmp_path):
    held = {f"{row}.w": ROWS["w"][row] for row in range(6)} | {f"{row}.b": ROWS["b"][row] for row in range(4)}
    np.savez(tmp_path / "g.npz", **held)
    dump = sf.open_dump(tmp_path / "g.npz", layout="items", absent="missing")
    assert [tensor.rows for tensor in dump.tensors] == [6, 4]
    with pytest.raises(sf.DumpError, match=r"'b' is in 'g.npz\[0\]' but not in 'g.npz\[4\]'"):
        sf.open_dump(tmp_path / "g.npz", layout="items")
