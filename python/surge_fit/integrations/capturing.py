"""What capturing is for every framework: checks, chunks of bounded memory, files, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path as _Path
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

from surge_fit._support.wording import listing, plural
from surge_fit.errors import InputError
from surge_fit.gradients.dump.shard import StoredDtype
from surge_fit.gradients.dump.shards import GradientWriter, gradient_writer, require_new
from surge_fit.typing import CountProgress, Path

Arrays: TypeAlias = dict[str, NDArray[Any]]
"""Arrays by the name of their tensor."""

SHARD_BYTES = 4 << 30
"""Default size of a file [bytes] from which on the next one is begun."""

_CHUNK_BYTES = 256 << 20
_TOP_LEVEL = "parameters"


@dataclass(frozen=True, slots=True)
class Captured:
    """The files that were written.

    Attributes
    ----------
    gradients : tuple of Path
        For `surge_fit.open_dump`.
    state : Path or None
        Adam's moments, ``<stem>.adam_state.safetensors``.
    hessian_diagonal : Path or None
        ``<stem>.hessian_diagonal.safetensors``.
    rows : int
        Gradients, each of one example or one micro-batch.
    parameters : int
        Numbers in one gradient.
    loss : float or None
        Mean over the rows [nats].
    """

    gradients: tuple[_Path, ...]
    state: _Path | None
    hessian_diagonal: _Path | None
    rows: int
    parameters: int
    loss: float | None


@dataclass(frozen=True, slots=True, eq=False)
class AdamState:
    """The state of Adam after `step` steps, before bias correction.

    Attributes
    ----------
    exp_avg, exp_avg_sq : dict of str to ndarray
        Running means of the gradient and of its square, by tensor.
    step : int
    beta1, beta2, eps, weight_decay : float
        Decay is decoupled from the gradient.
    learning_rate : float or None
    """

    exp_avg: Arrays
    exp_avg_sq: Arrays
    step: int
    beta1: float
    beta2: float
    eps: float
    weight_decay: float = 0.0
    learning_rate: float | None = None


class Differentiable(Protocol):
    """A model with its loss and its examples, as a framework's module gives it.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        Of the trained tensors, in order.
    examples : int
    """

    shapes: dict[str, tuple[int, ...]]
    examples: int

    def gradients(self, start: int, rows: int, size: int, dtype: StoredDtype) -> tuple[Arrays, Any]:
        """Differentiate the mean loss of each of `rows` micro-batches of `size` examples from `start` on.

        Returns
        -------
        gradients : dict of str to ndarray, shape (row, *shape)
        losses : ndarray, shape (row,)
        """

    def hessian_diagonal(self, probes: int, chunk: int, seed: int, done: Callable[[int], None]) -> Arrays:
        """Estimate the diagonal of the Hessian of the mean loss over all examples, `chunk` at a time."""


def capture(
    of: Differentiable,
    path: Path,
    *,
    microbatch_size: int,
    dtype: StoredDtype,
    chunk_size: int | None,
    state: AdamState | None,
    step: int | None,
    metadata: Mapping[str, str] | None,
    hessian_probes: int,
    random_seed: int,
    shard_bytes: int,
    progress: CountProgress | None,
) -> Captured:
    """Write the gradients of all examples, and what goes with them.

    Parameters
    ----------
    of : Differentiable
    path, microbatch_size, dtype, chunk_size, state, step, metadata, hessian_probes, random_seed
    shard_bytes, progress
        As for the ``capture_gradients`` of a framework; `state` is already read.

    Returns
    -------
    Captured

    Raises
    ------
    InputError
        If an argument cannot be used as given.
    DumpError
        If a file exists, the disk has too little room, or a gradient is not finite. Nothing is kept then.
    """
    for name, value, least in (
        ("microbatch_size", microbatch_size, 1),
        ("chunk_size", 1 if chunk_size is None else chunk_size, 1),
        ("hessian_probes", hessian_probes, 0),
        ("shard_bytes", shard_bytes, 1),
    ):
        if value < least:
            msg = f"'{name}' must be at least {least}; got {value}."
            raise InputError(msg)
    if of.examples % microbatch_size:
        msg = (
            f"'microbatch_size' must divide the number of examples, so that none is left over; got "
            f"{microbatch_size} for {plural(of.examples, 'example')}."
        )
        raise InputError(msg)
    target = _Path(path)
    beside = {
        kind: target.with_name(f"{target.stem}.{kind}.safetensors")
        for kind in ("adam_state", "hessian_diagonal")
    }
    wanted = {"adam_state": state is not None, "hessian_diagonal": hessian_probes > 0}
    for kind in filter(wanted.get, beside):
        require_new(beside[kind])
    step = state.step if step is None and state is not None else step
    told = dict(metadata or {}) | facts(microbatch_size, step)
    parameters = sum(map(prod, of.shapes.values()))
    rows = of.examples // microbatch_size
    chunk = min(rows, chunk_size or max(1, _CHUNK_BYTES // (4 * parameters)))
    report = progress or (lambda stage, done, total: None)
    with gradient_writer(
        target, of.shapes, rows, dtype=dtype, metadata=told, shard_bytes=shard_bytes
    ) as writer:
        row_bytes = parameters * (4 if dtype == "float32" else 2)
        for start in range(0, rows, chunk):
            report("capturing gradients", start * row_bytes, rows * row_bytes)
            count = min(chunk, rows - start)
            writer.append(*of.gradients(start * microbatch_size, count, microbatch_size, dtype))
        report("capturing gradients", rows * row_bytes, rows * row_bytes)
        if hessian_probes:
            diagonal = of.hessian_diagonal(
                hessian_probes,
                chunk * microbatch_size,
                random_seed,
                lambda done: report("estimating the Hessian's diagonal", done, hessian_probes * of.examples),
            )
            _put_diagonal(writer, beside["hessian_diagonal"], diagonal, hessian_probes, random_seed, step)
        if state is not None:
            _put_state(writer, beside["adam_state"], state)
    return Captured(
        gradients=writer.written,
        state=beside["adam_state"] if state is not None else None,
        hessian_diagonal=beside["hessian_diagonal"] if hessian_probes else None,
        rows=rows,
        parameters=parameters,
        loss=writer.mean_loss,
    )


def common_length(lengths: Mapping[str, int | None]) -> int:
    """Check that all arrays of the examples have the same first axis.

    Parameters
    ----------
    lengths : mapping of str to int or None
        Length of the first axis by name; None for a single number.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If there is none, it is empty, or they differ.
    """
    found = list(lengths.items())
    if not found:
        msg = "'examples' must hold arrays with a first axis of examples; it holds none."
        raise InputError(msg)
    first, count = found[0]
    for name, length in found:
        if length is None:
            msg = f"Every array of 'examples' must have a first axis of examples; {name} is a single number."
            raise InputError(msg)
        if length != count:
            msg = (
                f"All arrays of 'examples' must have the same number of examples; {first} has {count}, "
                f"{name} has {length}. Pad ragged examples to one shape."
            )
            raise InputError(msg)
    if not count:
        msg = "'examples' must hold at least one example; it holds none."
        raise InputError(msg)
    assert count is not None
    return count


def named(paths: list[str]) -> list[str]:
    """Give every trained tensor its name, which must be its own.

    Parameters
    ----------
    paths : list of str
        Empty for a model that is a single array.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If there is no tensor, or two have one name.
    """
    names = [path or _TOP_LEVEL for path in paths]
    if not names:
        msg = "The model must have at least one trained tensor; it has none."
        raise InputError(msg)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"Every tensor must have its own name; {listing(twice, 3)} occurs twice. Rename it."
        raise InputError(msg)
    return names


def facts(microbatch_size: int, step: int | None) -> dict[str, str]:
    """Say what `surge_fit.open_dump` would otherwise assume.

    Parameters
    ----------
    microbatch_size : int
    step : int or None

    Returns
    -------
    dict of str to str
    """
    told = {
        "layout": "examples",
        "loss_reduction": "none",
        "loss_scale": "1",
        "clipped": "false",
        "microbatch_size": str(microbatch_size),
    }
    return told if step is None else told | {"step": str(step)}


def _put_diagonal(
    writer: GradientWriter, path: _Path, diagonal: Arrays, probes: int, seed: int, step: int | None
) -> None:
    told = {"probes": str(probes), "seed": str(seed)} | ({} if step is None else {"step": str(step)})
    writer.put_beside(path, {f"{name}.hessian_diagonal": held for name, held in diagonal.items()}, told)


def _put_state(writer: GradientWriter, path: _Path, state: AdamState) -> None:
    arrays = {f"{name}.exp_avg": held for name, held in state.exp_avg.items()}
    arrays |= {f"{name}.exp_avg_sq": held for name, held in state.exp_avg_sq.items()}
    told = {
        name: repr(getattr(state, name))
        for name in ("step", "beta1", "beta2", "eps", "weight_decay", "learning_rate")
        if getattr(state, name) is not None
    }
    writer.put_beside(path, dict(sorted(arrays.items())), told)
