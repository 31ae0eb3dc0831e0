"""Weights, optimizer states, shards and adapters are refused as gradients, as what they are."""

import json

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import gaussian, write_safetensors
from support.fixtures import NOT_GRADIENTS
from surge_fit.gradients.dump import open_checkpoints

rng = np.random.default_rng(0)


def zeros(shapes):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def refusal(path, **options):
    with pytest.raises(sf.DumpError) as refused:
        sf.open_dump(path, **options)
    return str(refused.value)


WEIGHTS = {
    "an MLP of one width": {"0.weight": (32, 32), "0.bias": (32,), "2.weight": (32, 32), "2.bias": (32,)},
    "one layer": {"weight": (10, 64), "bias": (10,)},
    "norms of one width": {"q.weight": (16, 16), "norm.weight": (16,)},
    "square matrices": {"q_proj.weight": (16, 16), "k_proj.weight": (16, 16)},
    "matrices of many sizes": {"up.weight": (64, 16), "down.weight": (16, 64)},
    "flax": {"params/Dense_0/kernel": (16, 16), "params/Dense_0/bias": (16,)},
    "a convolution": {"conv.weight": (8, 3, 3, 3), "conv.bias": (8,)},
    "a checkpoint": {"model.fc.weight": (8, 8), "model.fc.bias": (8,), "optimizer.state.0.exp_avg": (8, 8)},
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_are_refused(case, tmp_path):
    file = write_safetensors(tmp_path / "w.safetensors", zeros(WEIGHTS[case]))
    said = refusal(file)
    assert "'w.safetensors' looks like weights of a model" in said
    assert "layout='examples'" in said


@pytest.mark.parametrize("case", WEIGHTS)
def test_gradients_of_the_same_tensors_are_not(case, tmp_path):
    """What is refused is the shape without rows, never a name: 40 rows add an axis to each tensor."""
    shapes = {name: (40, *shape) for name, shape in WEIGHTS[case].items() if "exp_avg" not in name}
    dump = sf.open_dump(write_safetensors(tmp_path / "g.safetensors", zeros(shapes)))
    assert (dump.layout, dump.rows, len(dump.tensors)) == ("examples", 40, len(shapes))
    for row in range(3):
        arrays = zeros({name: shape[1:] for name, shape in shapes.items()})
        write_safetensors(tmp_path / f"rank{row}.safetensors", arrays)
    dump = sf.open_dump(str(tmp_path / "rank*"), microbatch_size=4)
    assert (dump.layout, dump.rows) == ("rows", 3)


def test_what_the_files_state_is_believed(tmp_path):
    """Two ranks with 16 rows each of one matrix with 16 parameters: square, and no weights."""
    for rank in range(2):
        arrays = zeros({"q.weight": (16, 16)})
        write_safetensors(tmp_path / f"{rank}.safetensors", arrays, microbatch_size=4)
    dump = sf.open_dump(tmp_path)
    assert (dump.layout, dump.rows) == ("examples", 32)
    assert sf.open_dump(tmp_path / "0.safetensors").rows == 16


def test_what_the_caller_states_is_believed(tmp_path):
    file = write_safetensors(tmp_path / "g.safetensors", zeros({"q.weight": (16, 16)}))
    assert sf.open_dump(file, layout="examples").rows == 16
    assert sf.open_dump(file, loss_reduction="none").rows == 16


def test_an_adapter_is_refused_and_its_gradients_are_not(tmp_path):
    a, b = "m.q_proj.lora_A.weight", "m.q_proj.lora_B.weight"
    adapter = write_safetensors(tmp_path / "lora.safetensors", zeros({a: (8, 64), b: (32, 8)}))
    assert "looks like weights of an adapter (LoRA)" in refusal(adapter)
    rows = write_safetensors(tmp_path / "g.safetensors", zeros({a: (20, 8, 64), b: (20, 32, 8)}))
    assert sf.open_dump(rows).rows == 20
    # One file per rank: the names of the files decide, since each is one gradient of the adapter's shape.
    (tmp_path / "ranks").mkdir()
    for rank in range(3):
        write_safetensors(tmp_path / "ranks" / f"rank{rank}.safetensors", zeros({a: (8, 64), b: (32, 8)}))
    assert sf.open_dump(tmp_path / "ranks", microbatch_size=4).rows == 3


STATES = {
    "surge_fit's own": ("a.safetensors", {"fc.weight.exp_avg": (40, 4), "fc.weight.exp_avg_sq": (40, 4)}, {}),
    "SGD": ("s.safetensors", {"fc.weight.momentum_buffer": (40, 4)}, {}),
    "Adagrad": ("a.safetensors", {"state.0.sum": (40, 4)}, {"param_groups.0.lr": "0.01"}),
    "optax": ("o.safetensors", {"0.mu.w": (40, 4), "0.nu.w": (40, 4)}, {}),
    "by the name of its file": ("optimizer.pt", {"a": (40, 4)}, {}),
    "FSDP, by its rank": ("optim_state_rank_0.pt", {"a": (40, 4)}, {}),
    "accelerate's": ("optimizer_fsdp_10.bin", {"a": (40, 4)}, {}),
}


@pytest.mark.parametrize("case", STATES)
def test_optimizer_states_are_refused(case, tmp_path):
    name, shapes, metadata = STATES[case]
    said = refusal(write_safetensors(tmp_path / name, zeros(shapes), **metadata))
    assert f"'{name}' looks like the state of an optimizer" in said
    assert "--state FILE" in said


SHARDS = {
    "mp_rank_00_optim_states.pt": ({"a": (50,)}, "ZeRO"),
    "zero.safetensors": ({"optimizer_state_dict.base_optimizer_state.0.exp_avg": (50,)}, "ZeRO"),
    "rank0.safetensors": ({"_fsdp_wrapped_module._flat_param": (50,)}, "flat shard of FSDP"),
    "__0_0.distcp": ({"a": (50,)}, "torch.distributed.checkpoint"),
}


@pytest.mark.parametrize("name", SHARDS)
def test_shards_are_refused(name, tmp_path):
    shapes, what = SHARDS[name]
    assert what in refusal(write_safetensors(tmp_path / name, zeros(shapes)))


def test_a_folder_of_shards_is_refused_as_such(tmp_path):
    for rank in range(2):
        (tmp_path / f"__{rank}_0.distcp").write_bytes(b"shard")
    (tmp_path / ".metadata").write_bytes(b"pickle")
    assert "'__0_0.distcp' and '__1_0.distcp' look like a shard of torch.distributed" in refusal(tmp_path)


def test_a_folder_of_checkpoints_is_refused_by_its_names(tmp_path):
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        write_safetensors(tmp_path / name, zeros({"q_proj.weight": (12, 5)}))
    said = refusal(tmp_path)
    assert "'model.safetensors' looks like weights of a model" in said
    (tmp_path / "model.safetensors").unlink()
    assert "'optimizer.pt', 'rng_state.pth' and 'scheduler.pt' look like" in refusal(tmp_path)


def test_state_and_weights_beside_gradients_are_left_out_and_named(tmp_path):
    shapes = {"fc.weight": (4, 3), "fc.bias": (4,)}
    rows = {name: array.astype(np.float32) for name, array in gaussian(30, shapes).items()}
    write_safetensors(tmp_path / "grads.safetensors", rows, step=5)
    moments = zeros({f"{name}.exp_avg": shape for name, shape in shapes.items()})
    write_safetensors(tmp_path / "grads.adam_state.safetensors", moments, step=5)
    write_safetensors(tmp_path / "optimizer.pt", moments)
    (dump,) = open_checkpoints(tmp_path)
    assert (dump.rows, len(dump.tensors)) == (30, 2)
    assert sorted(name for name, _ in dump.skipped) == ["grads.adam_state.safetensors", "optimizer.pt"]
    write_safetensors(tmp_path / "model.safetensors", zeros(shapes), step=5)
    (dump,) = open_checkpoints(tmp_path)
    assert dump.rows == 30
    assert ("model.safetensors", "it looks like weights of a model") in dump.skipped


def test_fixtures_are_refused_as_what_they_are():
    assert "weights of a model" in refusal(NOT_GRADIENTS / "52-weights-not-gradients.safetensors")
    assert "optimizer shards of DeepSpeed's ZeRO" in refusal(NOT_GRADIENTS / "53-zero-shards")
    assert "the state of an optimizer" in refusal(NOT_GRADIENTS / "57-optimizer.pt")
    said = refusal(NOT_GRADIENTS / "54-object-array.npz")
    assert "grads: Python objects (dtype object), a pickle" in said


def test_an_object_array_beside_gradients_is_left_out_and_named(tmp_path):
    file = tmp_path / "g.npz"
    np.savez(file, g=np.zeros((9, 4)), names=np.array([{}] * 9, dtype=object))
    dump = sf.open_dump(file)
    assert dump.rows == 9
    assert "a pickle, which is never unpickled" in dict(dump.skipped)["names"]


@pytest.mark.parametrize("step", ["step00010", "step00060"])
def test_files_of_a_real_checkpoint(shared_data, step):
    folder = shared_data / "digits_mlp"
    assert sf.open_dump(folder / f"{step}.safetensors").rows == 384
    assert sf.open_dump(folder / f"{step}.all_examples.safetensors").rows == 1797
    for name, what in {
        "adam_state": "the state of an optimizer",
        "weights": "weights of a model",
        "hessian": "curvature",
        "hessian_diagonal": "curvature",
    }.items():
        assert f"looks like {what}" in refusal(folder / f"{step}.{name}.safetensors")
    beside = [folder / f"{step}{kind}.safetensors" for kind in ("", ".adam_state", ".weights", ".hessian")]
    (dump,) = open_checkpoints(beside[:3])
    assert (dump.rows, len(dump.skipped)) == (384, 2)


def test_gradients_in_the_examples_are_read():
    from support.fixtures import ROOT

    dumps = open_checkpoints(ROOT / "examples" / "digits_gradients")
    assert [(dump.rows, dump.parameters, dump.skipped) for dump in dumps] == [(384, 1810, ())] * 2


def test_an_index_of_weights_is_refused_too(tmp_path):
    write_safetensors(tmp_path / "model-1-of-2.safetensors", zeros({"a.weight": (12, 4)}))
    write_safetensors(tmp_path / "model-2-of-2.safetensors", zeros({"b.weight": (8, 4)}))
    index = {"weight_map": {"a.weight": "model-1-of-2.safetensors", "b.weight": "model-2-of-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "looks like weights of a model" in refusal(tmp_path)
