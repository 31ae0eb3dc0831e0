"""PyTorch's ``state_dict`` of an optimizer as the state of a curve, matched to the tensors of a dump."""

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors
from support.fixtures import NOT_GRADIENTS
from surge_fit.gradients.dump import read_optimizer_state

GROUP = {"betas": "[0.9,0.95]", "eps": "1e-8", "lr": "0.001", "weight_decay": "0", "amsgrad": "false"}
SHAPES = {"b": (4,), "w": (4, 5)}


def state(path, moments, groups=(GROUP,), before="", **metadata):
    """Write what torch.save of a state_dict gives, by the names that its reader gives."""
    arrays = {f"{before}state.{key}": np.asarray(value, np.float32) for key, value in moments.items()}
    told = {
        f"{before}param_groups.{n}.{key}": v for n, group in enumerate(groups) for key, v in group.items()
    }
    return write_safetensors(path / "optimizer.safetensors", arrays, **told, **metadata)


def moments(names, step=7.0):
    """Give the first moments 1, 2, … and the second ones 10, 20, … of parameters by id and shape."""
    found = {}
    for number, (name, shape) in enumerate(names.items(), 1):
        found |= {
            f"{name}.step": np.array([step]),
            f"{name}.exp_avg": np.full(shape, number),
            f"{name}.exp_avg_sq": np.full(shape, 10.0 * number),
        }
    return found


def firsts(held):
    return {name: float(array.flat[0]) for name, array in held.arrays.items()}


def test_the_state_of_the_fixture():
    """Adam's state after step 100 or so, its betas in param_groups alone."""
    held = read_optimizer_state(NOT_GRADIENTS / "57-optimizer.pt", {"w": (4, 5)})
    assert (held.numbers["beta1"], held.numbers["beta2"], held.numbers["eps"]) == ("0.9", "0.999", "1e-8")
    assert sorted(held.arrays) == ["w.exp_avg", "w.exp_avg_sq"]
    assert float(held.numbers["step"]) > 0
    rows = {"w": gaussian(40, {"w": (4, 5)})["w"].astype(np.float32)}
    curve = sf.learning_rate_curve(rows, "adam", state=NOT_GRADIENTS / "57-optimizer.pt", batch_size=[1, 4])
    assert any("matched to tensors by their shapes" in note for note in curve.notes)


def test_shapes_tell_which_parameter_is_which(tmp_path):
    """The model has w first, the dump, sorted by name, b."""
    held = read_optimizer_state(state(tmp_path, moments({"0": (4, 5), "1": (4,)})), SHAPES)
    assert firsts(held) == {"b.exp_avg": 2, "b.exp_avg_sq": 20, "w.exp_avg": 1, "w.exp_avg_sq": 10}
    assert held.numbers == {"beta1": "0.9", "beta2": "0.95", "eps": "1e-8", "step": "7"}


@pytest.mark.parametrize("kind", ["param_names", "keys", "wrapped keys"])
def test_names_tell_where_shapes_do_not(tmp_path, kind):
    tensors = {"a.w": (3, 3), "b.w": (3, 3)}
    if kind == "param_names":
        groups = [GROUP | {"params": "[0,1]", "param_names": '["b.w","a.w"]'}]
        file = state(tmp_path, moments({"0": (3, 3), "1": (3, 3)}), groups)
    else:
        wrap = "module._orig_mod." if kind == "wrapped keys" else ""
        file = state(tmp_path, moments({f"{wrap}b.w": (3, 3), f"{wrap}a.w": (3, 3)}))
    assert firsts(read_optimizer_state(file, tensors))["b.w.exp_avg"] == 1


def test_the_order_of_the_model_tells_too(tmp_path):
    """A dump that is not sorted by name, with the shapes of the parameters one by one, is in their order."""
    names = {"2": (3, 3), "0": (3, 3), "1": (3,)}
    groups = [GROUP | {"params": "[2]"}, GROUP | {"params": "[0,1]"}]
    tensors = {"out.w": (3, 3), "in.w": (3, 3), "in.b": (3,)}
    held = read_optimizer_state(state(tmp_path, moments(names), groups), tensors)
    assert firsts(held)["out.w.exp_avg"] == 1
    assert firsts(held)["in.w.exp_avg"] == 2


def test_a_training_checkpoint_holds_its_state_one_level_down(tmp_path):
    file = state(tmp_path, moments({"0": (4, 5)}), before="optimizer.")
    assert firsts(read_optimizer_state(file, {"w": (4, 5)}))["w.exp_avg"] == 1


def test_momentum_of_sgd(tmp_path):
    rows = {"w": gaussian(40, {"w": (4, 5)})["w"].astype(np.float32)}
    group = {"momentum": "0.9", "dampening": "0", "nesterov": "false", "weight_decay": "0.1"}
    pytorch = state(tmp_path, {"0.momentum_buffer": np.ones((4, 5))}, [group])
    own = write_safetensors(
        tmp_path / "own.safetensors", {"w.momentum_buffer": np.ones((4, 5), np.float32)}, momentum=0.9
    )
    found, expected = (
        sf.learning_rate_curve(rows, "sgd", state=file, batch_size=[1, 4]) for file in (pytorch, own)
    )
    assert found.points == expected.points
    assert any("weight decay of 0.1, which the curve leaves out" in note for note in found.notes)


REFUSED = {
    "equal shapes": ({"0": (3, 3), "1": (3, 3)}, [GROUP], "Shapes must tell which parameter"),
    "amsgrad": ({"0": (3, 3)}, [GROUP | {"amsgrad": "true"}], "has amsgrad set"),
    "nesterov": ({"0": (3, 3)}, [GROUP | {"nesterov": "true"}], "has nesterov set"),
    "two betas": ({"0": (3, 3)}, [GROUP, GROUP | {"betas": "[0.8,0.95]"}], "the same betas"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_states_that_do_not_tell_are_refused(case, tmp_path):
    names, groups, said = REFUSED[case]
    with pytest.raises(sf.InputError, match=said):
        read_optimizer_state(
            state(tmp_path, moments(names), groups),
            {"a": (3, 3), "b": (3, 3)} if len(names) > 1 else {"a": (3, 3)},
        )


def test_steps_must_agree(tmp_path):
    held = moments({"0": (4, 5), "1": (4,)})
    held["1.step"] = np.array([3.0])
    with pytest.raises(sf.InputError, match=r"the same steps; in .* it is 3 to 7"):
        read_optimizer_state(state(tmp_path, held), SHAPES)
    # Of tensors that the dump does not have, the steps do not count.
    assert read_optimizer_state(state(tmp_path, held), {"w": (4, 5)}).numbers["step"] == "7"


def test_a_tensor_without_state_is_named(tmp_path):
    rows = {name: array.astype(np.float32) for name, array in gaussian(20, SHAPES).items()}
    with pytest.raises(sf.InputError, match=r"must hold 'b.exp_avg' for every tensor"):
        sf.learning_rate_curve(rows, "adam", state=state(tmp_path, moments({"0": (4, 5)})))
