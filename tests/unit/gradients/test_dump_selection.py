"""Which arrays are gradients: by the caller's patterns, and without what stands beside them."""

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors
from support.fixtures import NOT_GRADIENTS
from surge_fit.gradients.dump import open_checkpoints


@pytest.fixture
def rows():
    return {name: array.astype(np.float32) for name, array in gaussian(24, {"w": (3, 2), "v": (5,)}).items()}


def test_losses_of_the_examples_beside_their_gradients_are_left_out_and_named():
    """The file's gradients were drawn with a noise scale of 19.7; with the losses it would be another."""
    file = NOT_GRADIENTS / "50-losses-beside-gradients.npz"
    dump = sf.open_dump(file)
    assert [tensor.name for tensor in dump.tensors] == ["grad"]
    ((name, why),) = dump.skipped
    assert name == "losses"
    assert "losses, labels or weights" in why
    low, high = sf.gradient_statistics(dump).total.simple_noise_scale.interval
    assert low < 19.7 < high


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("labels", (24,)),
        ("weights", (24,)),
        ("weight", (24,)),
        ("y", (24,)),
        ("anything", (24,)),
        ("losses", (24, 1)),
        ("logits", (24, 10)),
        ("per_example_loss", (24, 1)),
        ("loss_history", (500,)),
        ("loss", ()),
    ],
)
def test_what_is_no_gradient_is_left_out(tmp_path, rows, name, shape):
    np.savez(tmp_path / "g.npz", **rows, **{name: np.ones(shape)})
    dump = sf.open_dump(tmp_path / "g.npz")
    assert [tensor.name for tensor in dump.tensors] == ["w", "v"]
    assert [left for left, _ in dump.skipped] == [name]


@pytest.mark.parametrize("name", ["b", "fc.bias", "logit_scale", "temperature", "params.gamma"])
def test_parameters_of_one_number_are_kept(tmp_path, rows, name):
    """A layer's bias has one axis more than that; nothing else of this file shows the lack of one."""
    held = {name: np.ones(24), **rows}
    np.savez(tmp_path / "g.npz", **held)
    assert len(sf.open_dump(tmp_path / "g.npz", layout="examples").tensors) == 3


def test_a_file_that_says_how_it_was_reduced_holds_gradients_alone(tmp_path, rows):
    """As `capture_gradients` writes them, whatever the name of a parameter of one number; losses are none."""
    held = {**rows, "s": np.ones(24, np.float32), "losses": np.ones(24, np.float32)}
    dump = sf.open_dump(write_safetensors(tmp_path / "g.safetensors", held, loss_reduction="none"))
    assert [tensor.name for tensor in dump.tensors] == ["w", "v", "s"]


def test_what_the_caller_names_is_a_gradient(tmp_path, rows):
    np.savez(tmp_path / "g.npz", **rows, losses=np.ones(24))
    names = [tensor.name for tensor in sf.open_dump(tmp_path / "g.npz", only=["w", "losses"]).tensors]
    assert names == ["w", "losses"]


def test_numbers_beside_the_gradient_of_a_file_are_left_out(tmp_path, rows):
    for row in range(4):
        arrays = {name: array[row] for name, array in rows.items()}
        np.savez(tmp_path / f"{row}.npz", **arrays, loss=np.float32(2.0), grad_norm=np.ones(1))
    dump = sf.open_dump(tmp_path, microbatch_size=1)
    assert (dump.layout, dump.parameters) == ("rows", 11)
    assert [name for name, _ in dump.skipped] == ["loss and grad_norm"]


def test_patterns_choose_arrays(tmp_path, rows):
    file = write_safetensors(
        tmp_path / "g.safetensors", {"enc.w": rows["w"], "enc.v": rows["v"], "dec.v": rows["v"]}
    )

    def names(**options):
        (dump,) = open_checkpoints(file, **options)
        return [tensor.name for tensor in dump.tensors]

    assert names(only="^enc") == ["enc.w", "enc.v"]
    assert names(only=["^enc", "^dec"], leave_out=r"\.v$") == ["enc.w"]
    assert names(leave_out="enc") == ["dec.v"]
    assert sf.open_dump(file, leave_out="enc").skipped == (("enc.w and enc.v", "as you say"),)
    assert sf.open_dump(rows, only="w").parameters == 6


def test_patterns_mend_a_file_of_many_lengths(tmp_path, rows):
    np.savez(tmp_path / "g.npz", **rows, features=np.ones((7, 3)))
    with pytest.raises(sf.DumpError, match="command line: --leave-out"):
        sf.open_dump(tmp_path / "g.npz")
    assert sf.open_dump(tmp_path / "g.npz", leave_out="features").rows == 24


def test_patterns_that_cannot_be_used_are_refused(rows):
    with pytest.raises(sf.InputError, match=r"'only' must be regular expressions.*'\('"):
        sf.open_dump(rows, only="(")
    with pytest.raises(sf.InputError, match=r"must leave an array; of w and v they leave none"):
        sf.open_dump(rows, leave_out=".")
    with pytest.raises(sf.InputError, match=r"must leave an array"):
        sf.open_dump(rows, only="nothing")


def test_losses_alone_are_no_dump(tmp_path):
    np.savez(tmp_path / "g.npz", labels=np.arange(9))
    with pytest.raises(sf.DumpError, match="holds none, but labels: type <i8"):
        sf.open_dump(tmp_path / "g.npz")
