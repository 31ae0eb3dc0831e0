"""Gradients out of JAX: `capture_gradients` for a loss over a pytree of parameters.

>>> from surge_fit.integrations.jax import capture_gradients  # doctest: +SKIP
>>> captured = capture_gradients(loss_fn, params, (images, labels), "step100.safetensors")  # doctest: +SKIP
>>> surge_fit.gradient_statistics(captured.gradients).total.simple_noise_scale  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surge_fit._support.wording import listing, plural
from surge_fit.errors import InputError
from surge_fit.gradients.dump.shard import StoredDtype
from surge_fit.integrations.capturing import (
    SHARD_BYTES,
    AdamState,
    Arrays,
    Captured,
    capture,
    common_length,
    named,
)
from surge_fit.typing import CountProgress, Path

__all__ = ["Captured", "capture_gradients"]


def capture_gradients(
    loss_fn: Callable[[Any, Any], Any],
    params: Any,
    examples: Any,
    path: Path,
    *,
    microbatch_size: int = 1,
    dtype: StoredDtype = "float32",
    chunk_size: int | None = None,
    optimizer_state: Any = None,
    betas: tuple[float, float] | None = None,
    eps: float | None = None,
    weight_decay: float = 0.0,
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
        ``loss_fn(params, batch)`` → mean loss over the batch [nats], as in training. It is called with
        batches of `microbatch_size` examples, under ``jit`` and ``vmap``.
    params : pytree of arrays
        Tensors are named by their path, ``layers.0.w``.
    examples : pytree of arrays
        All with the same first axis of examples.
    path : path-like
        A new file, ending in ``.safetensors``.
    microbatch_size : int
        Consecutive examples whose mean gradient a row is; must divide their number.
    dtype : {"float32", "bfloat16"}
        How gradients are stored.
    chunk_size : int, optional
        Rows differentiated at once; by default as many as take 256 MB.
    optimizer_state : optional
        Optax's, with the moments of one Adam; written beside the gradients for Adam's own curve.
    betas : tuple of float, optional
        Adam's (β1, β2), which the state does not contain; required with it.
    eps : float, optional
        Adam's; needed with the state.
    weight_decay : float
        Decoupled, as in AdamW.
    step : int, optional
        Optimizer steps done; by default what the state counts.
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
        If JAX is not there, or an argument cannot be used as given.
    DumpError
        If a file exists, the disk has too little room, or a gradient is not finite. Nothing is kept then.
    """
    state = None
    if optimizer_state is not None:
        if betas is None or eps is None:
            msg = "Optax's state does not contain β1, β2 and ε; pass 'betas' and 'eps' with it."
            raise InputError(msg)
        state = _adam_state(params, optimizer_state, betas, eps, weight_decay)
    return capture(
        _JaxModel(loss_fn, params, examples),
        path,
        microbatch_size=microbatch_size,
        dtype=dtype,
        chunk_size=chunk_size,
        state=state,
        step=step,
        metadata=metadata,
        hessian_probes=hessian_probes,
        random_seed=random_seed,
        shard_bytes=shard_bytes,
        progress=progress,
    )


class _JaxModel:
    """A loss over a pytree of parameters, with its examples."""

    def __init__(self, loss_fn: Callable[[Any, Any], Any], params: Any, examples: Any) -> None:
        jax = _jax()
        self.params = jax.tree.map(jax.numpy.asarray, params)
        leaves = _named_leaves(self.params)
        for name, leaf in leaves.items():
            if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating):
                msg = (
                    f"'params' must be arrays of floating-point numbers; '{name}' is of {leaf.dtype}. Close "
                    "over what is not trained."
                )
                raise InputError(msg)
        self.shapes: dict[str, tuple[int, ...]] = {name: leaf.shape for name, leaf in leaves.items()}
        self.data = jax.tree.map(np.asarray, examples)
        held = jax.tree_util.tree_flatten_with_path(self.data)[0]
        self.examples = common_length(
            {_path(place) or "the array": leaf.shape[0] if leaf.ndim else None for place, leaf in held}
        )
        differentiate = jax.value_and_grad(loss_fn)
        dtypes = jax.numpy.float32, jax.numpy.bfloat16

        def rows(params: Any, batches: Any, size: int, short: bool) -> Any:
            if size == 1:
                losses, found = jax.vmap(differentiate, in_axes=(None, 0))(params, batches)
            else:  # one after the other: the memory of one micro-batch at a time
                losses, found = jax.lax.map(lambda batch: differentiate(params, batch), batches)
            return losses, jax.tree.map(lambda leaf: leaf.astype(dtypes[short]), found)

        def signs(seed: Any, number: Any) -> Any:
            leaves, structure = jax.tree.flatten(self.params)
            keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), number), len(leaves))
            return structure.unflatten(
                jax.random.rademacher(key, leaf.shape, leaf.dtype)
                for key, leaf in zip(keys, leaves, strict=True)
            )

        def curvature(params: Any, batch: Any, probe: Any) -> Any:
            product = jax.jvp(jax.grad(lambda p: loss_fn(p, batch)), (params,), (probe,))[1]
            return jax.tree.map(lambda z, hz: z * hz, probe, product)

        self._rows = jax.jit(rows, static_argnums=(2, 3))
        self._signs, self._curvature = jax.jit(signs), jax.jit(curvature)

    def gradients(self, start: int, rows: int, size: int, dtype: StoredDtype) -> tuple[Arrays, Any]:
        """See `Differentiable`."""
        batches = _jax().tree.map(
            lambda leaf: leaf[start : start + rows * size].reshape(rows, size, *leaf.shape[1:]), self.data
        )
        losses, found = self._rows(self.params, batches, size, dtype == "bfloat16")
        return {name: np.asarray(leaf) for name, leaf in _named_leaves(found).items()}, np.asarray(losses)

    def hessian_diagonal(self, probes: int, chunk: int, seed: int, done: Callable[[int], None]) -> Arrays:
        """See `Differentiable`."""
        jax = _jax()
        total = {name: np.zeros(shape) for name, shape in self.shapes.items()}
        for number in range(probes):
            probe = self._signs(seed, number)
            for start in range(0, self.examples, chunk):
                batch = jax.tree.map(lambda leaf, start=start: leaf[start : start + chunk], self.data)
                share = min(chunk, self.examples - start) / self.examples
                for name, leaf in _named_leaves(self._curvature(self.params, batch, probe)).items():
                    total[name] += share / probes * np.asarray(leaf, dtype=np.float64)
                done(number * self.examples + min(start + chunk, self.examples))
        return total


def _adam_state(
    params: Any, state: Any, betas: tuple[float, float], eps: float, weight_decay: float
) -> AdamState:
    """Find the moments of Adam in a state of optax."""
    jax = _jax()

    def is_adam(node: Any) -> bool:
        return type(node).__name__ == "ScaleByAdamState"

    found = [node for node in jax.tree.leaves(state, is_leaf=is_adam) if is_adam(node)]
    if len(found) != 1:
        msg = (
            f"'optimizer_state' must hold the moments of one Adam; it holds {len(found)}. Pass the state of "
            "the transformation that contains optax.scale_by_adam."
        )
        raise InputError(msg)
    names = list(_named_leaves(params))
    moments = [_named_leaves(part) for part in (found[0].mu, found[0].nu)]
    for held in moments:
        if list(held) != names:
            other = sorted(set(names) ^ set(held))
            msg = (
                f"'optimizer_state' must have moments for the tensors of 'params' and no others; "
                f"{listing(map(repr, other), 3)} {'is' if len(other) == 1 else 'are'} in one alone "
                f"({plural(len(names), 'tensor')} against {len(held)})."
            )
            raise InputError(msg)
    exp_avg, exp_avg_sq = (
        {name: np.asarray(leaf, dtype=np.float32) for name, leaf in held.items()} for held in moments
    )
    return AdamState(exp_avg, exp_avg_sq, int(found[0].count), *map(float, (*betas, eps, weight_decay)))


def _named_leaves(tree: Any) -> dict[str, Any]:
    leaves = _jax().tree_util.tree_flatten_with_path(tree)[0]
    names = named([_path(place) for place, _ in leaves])
    return dict(zip(names, (leaf for _, leaf in leaves), strict=True))


def _path(place: Any) -> str:
    return str(_jax().tree_util.keystr(place, simple=True, separator="."))


def _jax() -> Any:
    try:
        import jax
    except ImportError:
        msg = "Capturing gradients of JAX needs JAX; it is not installed. `pip install jax`."
        raise InputError(msg) from None
    return jax
