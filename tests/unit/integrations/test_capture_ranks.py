"""Micro-batch gradients of two processes under DDP and fully_shard, read as one dump."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.safetensors_files import read_safetensors
from surge_fit.gradients.dump import open_dump
from surge_fit.gradients.noise import gradient_statistics

if importlib.util.find_spec("torch") is None:
    pytest.skip(
        "PyTorch is not installed; `uv run --group torch pytest` installs it", allow_module_level=True
    )

import torch

if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
    pytest.skip("this PyTorch has no gloo, through which processes on one CPU talk", allow_module_level=True)

from support import record_ranks
from support.record_ranks import RANKS, ROWS, SIZE, mean_loss, microbatch, network

TESTS = Path(record_ranks.__file__).parent


def recorded(folder, kind):
    """Run all ranks to their end; give the files of each."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    ranks = [
        subprocess.Popen(
            [sys.executable, str(TESTS / "record_ranks.py"), kind, str(folder), str(rank)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for rank in range(RANKS)
    ]
    try:
        for rank in ranks:
            _, said = rank.communicate(timeout=240)
            assert rank.returncode == 0, said
    finally:
        for rank in ranks:
            rank.kill()
            rank.wait()
    return [folder / f"g.rank{rank}.safetensors" for rank in range(RANKS)]


def autograd(rows):
    """Differentiate the mean loss of some examples in this process alone."""
    model = network()
    mean_loss(model, rows).backward()
    return {name: held.grad.numpy() for name, held in model.named_parameters()}


def test_under_ddp_every_row_is_one_rank_s_micro_batch_before_it_is_reduced(tmp_path):
    paths = recorded(tmp_path, "ddp")
    for rank, path in enumerate(paths):
        arrays, told = read_safetensors(path)
        assert told["microbatch_size"] == str(SIZE)
        for row in range(ROWS):
            for name, gradient in autograd(microbatch(row, rank)).items():
                np.testing.assert_allclose(ROWS * arrays[name][row], gradient, rtol=1e-5, atol=1e-7)
    dump = open_dump(paths)
    assert (dump.rows, dump.examples, dump.parameters) == (RANKS * ROWS, RANKS * ROWS * SIZE, 66)


@pytest.mark.parametrize("kind", ["fsdp", "nested"])
def test_under_fully_shard_ranks_hold_ranges_of_the_mean_over_ranks(tmp_path, kind):
    # Nested, each layer is sharded by itself and reduces its gradients by itself; the rows are the same.
    # 7 rows of the hidden weight are split by torch.chunk to 4 and 3, 3 of the output weight to 2 and 1.
    paths = recorded(tmp_path, kind)
    dump = open_dump(paths)
    assert [tensor.name for tensor in dump.tensors] == [
        *("0.weight[0:4]", "0.bias[0:4]", "2.weight[0:2]", "2.bias[0:2]"),
        *("0.weight[4:7]", "0.bias[4:7]", "2.weight[2:3]", "2.bias[2:3]"),
    ]
    assert (dump.rows, dump.examples, dump.parameters) == (ROWS, RANKS * ROWS * SIZE, 66)
    arrays = {}
    for path in paths:
        for name, array in read_safetensors(path)[0].items():
            whole = name.partition("[")[0]
            arrays[whole] = np.concatenate([arrays[whole], array], axis=1) if whole in arrays else array
    expected = []
    for row in range(ROWS):
        both = [autograd(microbatch(row, rank)) for rank in range(RANKS)]
        expected.append({name: np.mean([held[name] for held in both], axis=0) for name in arrays})
        for name, array in arrays.items():
            np.testing.assert_allclose(ROWS * array[row], expected[row][name], rtol=1e-5, atol=1e-7)
    accumulated = torch.load(tmp_path / "accumulated.pt")
    for name, held in accumulated.items():
        mean = np.mean([of[name] for of in expected], axis=0)
        np.testing.assert_allclose(held.numpy(), mean, rtol=1e-5, atol=1e-7)
    # tr Σ of one example, from rows that are means over 6 examples each.
    flat = np.stack([np.concatenate([of[name].ravel() for name in arrays]) for of in expected])
    trace = gradient_statistics(dump).total.gradient_covariance_trace.value
    assert trace == pytest.approx(RANKS * SIZE * flat.var(axis=0, ddof=1).sum(), rel=1e-4)
