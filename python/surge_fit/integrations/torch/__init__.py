"""Gradients out of PyTorch: `capture_gradients` for a loss over a module, `MicroBatchRecorder` for a loop.

>>> from surge_fit.integrations.torch import capture_gradients  # doctest: +SKIP
>>> captured = capture_gradients(loss_fn, model, (images, labels), "step100.safetensors")  # doctest: +SKIP
>>> surge_fit.gradient_statistics(captured.gradients).total.simple_noise_scale  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from surge_fit.gradients.dump.shard import StoredDtype
from surge_fit.integrations.capturing import SHARD_BYTES, Captured, capture
from surge_fit.integrations.torch.adam import adam_state
from surge_fit.integrations.torch.model import TorchModel
from surge_fit.integrations.torch.recording import MicroBatchRecorder
from surge_fit.typing import CountProgress, Path

if TYPE_CHECKING:
    import torch

__all__ = ["Captured", "MicroBatchRecorder", "capture_gradients"]


def capture_gradients(
    loss_fn: Callable[[Any, Any], Any],
    model: torch.nn.Module,
    examples: Any,
    path: Path,
    *,
    microbatch_size: int = 1,
    dtype: StoredDtype = "float32",
    chunk_size: int | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    step: int | None = None,
    metadata: Mapping[str, str] | None = None,
    hessian_probes: int = 0,
    random_seed: int = 0,
    shard_bytes: int = SHARD_BYTES,
    progress: CountProgress | None = None,
) -> Captured:
    """Write the gradient of every example, or of every micro-batch, to safetensors.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(model, batch)`` → mean loss over the batch [nats], as in training. It is called with
        batches of `microbatch_size` examples; with 1, under ``torch.func.vmap``.
    model : torch.nn.Module
        Parameters that require no gradient are left out; ``.grad`` stays as it is.
    examples : tensor, or tuple, list or dict of them
        All with the same first axis of examples, where the model is.
    path : path-like
        A new file, ending in ``.safetensors``.
    microbatch_size : int
        Consecutive examples whose mean gradient a row is; must divide their number.
    dtype : {"float32", "bfloat16"}
        How gradients are stored.
    chunk_size : int, optional
        Rows differentiated at once; by default as many as take 256 MB.
    optimizer : torch.optim.Adam or AdamW, optional
        Its moments are written beside the gradients, for Adam's own curve.
    step : int, optional
        Optimizer steps done; by default what the optimizer counts.
    metadata : mapping of str to str, optional
        Further words for the header.
    hessian_probes : int
        Random sign vectors for Hutchinson's estimate of the Hessian's diagonal, from the same examples;
        0 for none. The variance of an entry is the sum of the squares of the rest of its row, over probes.
    random_seed : int
        Seed of those vectors.
    shard_bytes : int
        Size from which on a further file is begun.
    progress : callable, optional
        Called with the stage, the amount done and the total.

    Returns
    -------
    Captured

    Raises
    ------
    InputError
        If PyTorch is not there, or an argument cannot be used as given.
    DumpError
        If a file exists, the disk has too little room, or a gradient is not finite. Nothing is kept then.
    """
    return capture(
        TorchModel(loss_fn, model, examples),
        path,
        microbatch_size=microbatch_size,
        dtype=dtype,
        chunk_size=chunk_size,
        state=None if optimizer is None else adam_state(model, optimizer),
        step=step,
        metadata=metadata,
        hessian_probes=hessian_probes,
        random_seed=random_seed,
        shard_bytes=shard_bytes,
        progress=progress,
    )
