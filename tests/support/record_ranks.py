"""Run by the tests, once per rank: record a loop under DDP or (nested) fully_shard, on the CPU with gloo."""

import sys
from datetime import timedelta

import torch
from surge_fit.integrations.torch import MicroBatchRecorder
from torch import distributed

RANKS, ROWS, SIZE = 2, 4, 3


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 3))


def examples():
    generator = torch.Generator().manual_seed(1)
    count = RANKS * ROWS * SIZE
    return torch.randn(count, 5, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def microbatch(row, rank):
    """Examples of one backward pass of one rank."""
    start = (row * RANKS + rank) * SIZE
    return slice(start, start + SIZE)


def mean_loss(model, rows):
    images, labels = examples()
    return torch.nn.functional.cross_entropy(model(images[rows]), labels[rows])


def main(kind, folder, rank):
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{folder}/rendezvous",
        rank=rank,
        world_size=RANKS,
        timeout=timedelta(seconds=120),
    )
    model = network()
    if kind == "ddp":
        model = torch.nn.parallel.DistributedDataParallel(model)
    else:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh("cpu", (RANKS,))
        if kind == "nested":
            fully_shard(model[0], mesh=mesh)
            fully_shard(model[2], mesh=mesh)
        fully_shard(model, mesh=mesh)
    with MicroBatchRecorder(
        model, f"{folder}/g.safetensors", microbatch_size=SIZE, rows=ROWS, loss_scale=1 / ROWS
    ) as recorder:
        for row in range(ROWS):
            with recorder.microbatch():
                (mean_loss(model, microbatch(row, rank)) / ROWS).backward()
    if kind != "ddp":
        accumulated = {name: parameter.grad.full_tensor() for name, parameter in model.named_parameters()}
        if rank == 0:
            torch.save(accumulated, f"{folder}/accumulated.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
