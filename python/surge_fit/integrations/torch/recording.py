"""Gradients of micro-batches out of a training loop: accumulation, DDP and FSDP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path as _Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from surge_fit.errors import InputError
from surge_fit.gradients.dump.shard import StoredDtype
from surge_fit.gradients.dump.shards import gradient_writer
from surge_fit.integrations.capturing import SHARD_BYTES, facts
from surge_fit.integrations.torch.tensors import as_stored, import_torch, trained
from surge_fit.typing import Path

if TYPE_CHECKING:
    import torch


class MicroBatchRecorder:
    """Write the gradient of every backward pass of a loop, one row each; training goes on unchanged.

    With several processes, every rank writes ``<stem>.rank<k>.safetensors``; `surge_fit.open_dump` takes
    all of them together. Under ``DistributedDataParallel`` a row is the gradient of one rank's micro-batch,
    before it is reduced, with ``no_sync`` or without. Under ``fully_shard`` a row is the mean over all
    ranks, and each rank writes its ranges of the parameters, as ``weight[0:512]``.

    Parameters
    ----------
    model : torch.nn.Module
        As it is trained, wrapped or sharded.
    path : path-like
        A new file, ending in ``.safetensors``.
    microbatch_size : int
        Examples of one backward pass of one rank.
    rows : int
        Backward passes to record; later ones are left alone.
    dtype : {"float32", "bfloat16"}
        How gradients are stored.
    loss_scale : float
        Factor of the mean loss that is differentiated: 1/k where ``(loss / k).backward()`` accumulates k
        micro-batches, times the scale of mixed precision.
    step : int, optional
        Optimizer steps done.
    metadata : mapping of str to str, optional
        Further words for the header.
    shard_bytes : int
        Size from which on a further file is begun.

    Attributes
    ----------
    paths : tuple of Path
        Files of this rank, there after the ``with``.

    Raises
    ------
    InputError
        If PyTorch is not there, or an argument or the model cannot be used as given.
    DumpError
        If a file exists, the disk has too little room, a gradient is not finite, or none was recorded.
        Nothing is kept then.

    Notes
    -----
    Rows of several optimizer steps are gradients at different weights. Record within one step, or within
    few at a small learning rate.

    Examples
    --------
    >>> with MicroBatchRecorder(
    ...     model, "step9.safetensors", microbatch_size=8, rows=64, loss_scale=1 / 64
    ... ) as recorder:  # doctest: +SKIP
    ...     for batch in batches:  # 64 of them are accumulated
    ...         with recorder.microbatch():
    ...             (loss_fn(model, batch) / 64).backward()
    """

    def __init__(
        self,
        model: torch.nn.Module,
        path: Path,
        *,
        microbatch_size: int,
        rows: int,
        dtype: StoredDtype = "float32",
        loss_scale: float = 1.0,
        step: int | None = None,
        metadata: Mapping[str, str] | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        distributed = import_torch().distributed
        for name, value in (("microbatch_size", microbatch_size), ("rows", rows)):
            if value < 1:
                msg = f"'{name}' must be at least 1; got {value}."
                raise InputError(msg)
        held = [
            _Sharded(name, tensor) if hasattr(tensor, "placements") else _Whole(name, tensor)
            for name, tensor in trained(_unwrapped(model)).items()
        ]
        self._tensors = {of.name: of for of in held if of.size}
        together = max((held.ranks for held in self._tensors.values()), default=1)
        where = _Path(path)
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            where = where.with_name(f"{where.stem}.rank{distributed.get_rank()}{where.suffix}")
        told = facts(microbatch_size * together, step)
        self.paths: tuple[_Path, ...] = ()
        self._rows, self._dtype = rows, dtype
        self._closing = ExitStack()
        self._opening = gradient_writer(
            where,
            {name: held.shape for name, held in self._tensors.items()},
            rows,
            dtype=dtype,
            metadata=dict(metadata or {}) | told | {"loss_scale": repr(float(loss_scale))},
            shard_bytes=shard_bytes,
        )

    def __enter__(self) -> Self:
        self._writer = self._closing.enter_context(self._opening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, error, trace)
        self.paths = self._writer.written

    @property
    def full(self) -> bool:
        """Whether all rows are there."""
        return self._writer.rows == self._rows

    @contextmanager
    def microbatch(self) -> Iterator[None]:
        """Record the gradient of the one backward pass inside the ``with``.

        Raises
        ------
        DumpError
            If it is not finite, or cannot be written.
        """
        if self.full:
            yield
            return
        stored = getattr(import_torch(), self._dtype)
        with ExitStack() as watching:
            for held in self._tensors.values():
                watching.enter_context(held.watched())
            yield
        row = {name: as_stored(held.taken(), stored)[None] for name, held in self._tensors.items()}
        self._writer.append(row, None)


class _Watched:
    """A tensor, or a rank's range of it, and the gradient of the last backward pass."""

    ranks = 1

    def __init__(self, name: str, tensor: Any, local: Any) -> None:
        self.name, self.tensor = name, tensor
        self.shape, self.size = tuple(local.shape), local.numel()
        self._seen: Any = None

    def see(self, gradient: Any) -> None:
        """Keep a copy of a gradient, or add it to what came in the same pass."""
        held = gradient.detach().to(device="cpu", copy=True)
        self._seen = held if self._seen is None else self._seen + held

    def taken(self) -> Any:
        """Give the gradient, once; zero where the tensor took no part."""
        seen, self._seen = self._seen, None
        return import_torch().zeros(self.shape) if seen is None else seen


class _Whole(_Watched):
    """Seen on its way, before it is reduced or added to what was accumulated."""

    def __init__(self, name: str, tensor: Any) -> None:
        super().__init__(name, tensor, tensor)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """See the gradients of the ``with``."""
        self._seen = None
        hook = self.tensor.register_hook(self.see)
        try:
            yield
        finally:
            hook.remove()


class _Sharded(_Watched):
    """A range of a tensor that is split over ranks: its gradient is there once it is reduced."""

    def __init__(self, name: str, tensor: Any) -> None:
        placements, mesh = tensor.placements, tensor.device_mesh
        if len(placements) != 1 or not placements[0].is_shard(0):
            msg = (
                f"Sharded tensors must be split along their first axis, over one axis of the mesh; '{name}' "
                f"is {placements}. Record without replication or tensor parallelism."
            )
            raise InputError(msg)
        local, self.ranks = tensor.to_local(), mesh.size()
        each = -(-tensor.shape[0] // self.ranks)  # as torch.chunk splits
        start = min(mesh.get_local_rank() * each, tensor.shape[0])
        super().__init__(f"{name}[{start}:{start + len(local)}]", tensor, local)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """See the gradient of the ``with``, then add it to what was accumulated, as autograd would."""
        self._seen = None
        before, self.tensor.grad = self.tensor.grad, None
        try:
            yield
        finally:
            after = self.tensor.grad
            if after is not None:
                self.see(after.to_local())
            if before is not None:
                self.tensor.grad = before if after is None else before.add_(after)


def _unwrapped(model: Any) -> Any:
    """Give the module inside ``DistributedDataParallel``."""
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        msg = (
            "Modules sharded by FullyShardedDataParallel show no gradients of their tensors. Shard with "
            "torch.distributed.fsdp.fully_shard."
        )
        raise InputError(msg)
    return model.module if type(model).__name__ == "DistributedDataParallel" else model
