"""What holds arrays and no gradients, by names and shapes: weights, optimizer states, shards, adapters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from surge_fit.gradients.dump.sources import Array, Source

_DUMP_GRADIENTS = (
    "Dump one gradient per example or micro-batch (surge_fit.integrations.torch or .jax: capture_gradients)."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Something other than gradients.

    Attributes
    ----------
    what : str
        With its article: ``"weights of a model"``.
    remedy : str
        A sentence.
    """

    what: str
    remedy: str = _DUMP_GRADIENTS


OPTIMIZER = Kind(
    "the state of an optimizer",
    "Pass it as the state of a learning-rate curve (command line: surge-fit curve GRADIENTS --state FILE).",
)
PARTITION = Kind("optimizer shards of DeepSpeed's ZeRO, ranges of weights and moments")
FLAT = Kind("a flat shard of FSDP, a range of the parameters")
DISTRIBUTED = Kind("a shard of torch.distributed.checkpoint, which holds weights and optimizer state")
CURVATURE = Kind(
    "curvature",
    "Pass it to a learning-rate curve (command line: surge-fit curve GRADIENTS --curvature FILE).",
)
TRAINER = Kind("what a trainer keeps beside the weights (scheduler, random numbers, arguments)")
WEIGHTS = Kind("weights of a model")
ADAPTER = Kind("weights of an adapter (LoRA)")

_MOMENTS = {
    *(
        "exp_avg",
        "exp_avg_sq",
        "max_exp_avg_sq",
        "exp_avg_sq_row",
        "exp_avg_sq_col",
        "exp_avg_slow",
        "exp_inf",
    ),
    *("momentum_buffer", "square_avg", "grad_avg", "acc_delta", "state1", "state2"),
}
_PARTITIONS = {
    *("single_partition_of_fp32_groups", "base_optimizer_state", "fp32_flat_groups", "fp32_groups_flat"),
    *("optimizer_state_dict", "param_slice_mappings", "group_paddings"),
}
_CURVATURES = {"hessian", "hessian_diagonal", "fisher", "fisher_diagonal"}
_LORA = re.compile(r"(^|[./])(lora_A|lora_B|lora_embedding_A|lora_embedding_B|lora_magnitude_vector)([./]|$)")

_FILES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"_optim_states\.pt$", PARTITION),
        (r"\.distcp$", DISTRIBUTED),
        (
            r"^optim(?:izer)?(?:[._-]?(?:states?|world_size|rank|fsdp|\d))*\.(?:pt|pth|bin|safetensors)$",
            OPTIMIZER,
        ),
        (r"^(scheduler|scaler|rng_state\w*|random_states\w*|training_args)\.(pt|pth|bin|pkl)$", TRAINER),
    )
)
_WEIGHT_FILES: tuple[tuple[re.Pattern[str], Kind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"^adapter_model\b.*\.(safetensors|bin|pt|pth)$", ADAPTER),
        (r"_model_states\.pt$", WEIGHTS),
        (
            r"^(diffusion_)?(pytorch_)?(model|weights)(_fsdp(_\d+)?|-\d+-of-\d+)?\.(safetensors|bin|pt|pth)$",
            WEIGHTS,
        ),
        (r"^consolidated(\.\d+)?\.(safetensors|pth)$", WEIGHTS),
    )
)


def kind_of_file(label: str) -> Kind | None:
    """Tell by its name what a file is that never holds gradients."""
    return _first(_FILES, label)


def weights_by_name(label: str) -> Kind | None:
    """Tell by its name whether a file holds weights, unless its arrays have an axis of examples."""
    return _first(_WEIGHT_FILES, label)


def _first(patterns: Sequence[tuple[re.Pattern[str], Kind]], label: str) -> Kind | None:
    name = PurePath(label).name.lower()
    return next((kind for pattern, kind in patterns if pattern.search(name)), None)


def last_part(name: str) -> str:
    """Give the last component of a name: ``weight`` of ``fc.weight``, ``kernel`` of ``Dense_0/kernel``."""
    return re.split(r"[./]", name)[-1]


def kinds_of_arrays(source: Source) -> dict[str, Kind]:
    """Tell by their names which arrays are no gradients, whatever their shapes.

    Parameters
    ----------
    source : Source

    Returns
    -------
    dict of str to Kind
        By the name of the array.
    """
    parts = {array.name: re.split(r"[./]", array.name) for array in source.arrays}
    every = {part for held in parts.values() for part in held}
    grouped = any(key.startswith("param_groups.") or ".param_groups." in key for key in source.metadata)
    found: dict[str, Kind] = {}
    for array in source.arrays:
        held = set(parts[array.name])
        if held & _PARTITIONS:
            found[array.name] = PARTITION
        elif (
            held & _MOMENTS
            or (grouped and "state" in held)
            or ({"mu", "nu"} <= every and held & {"mu", "nu"})
        ):
            found[array.name] = OPTIMIZER
        elif held & _CURVATURES:
            found[array.name] = CURVATURE
        elif parts[array.name][-1].lstrip("_").startswith("flat_param") and len(array.shape) == 1:
            found[array.name] = FLAT
    return found


def parameters_in(arrays: Sequence[Array]) -> tuple[Kind, str] | None:
    """Tell whether arrays have the shapes of the parameters themselves, without an axis of examples.

    A layer's bias has one axis and its weight two or more; rows add one to both. LoRA's pair A, B shares
    the rank, as the first axis of A and the last of B. A square matrix alone could be either.

    Parameters
    ----------
    arrays : sequence of Array

    Returns
    -------
    kind : Kind
    why : str
        The array that shows it.
    """
    last = {array.name: last_part(array.name) for array in arrays}
    for array in arrays:
        pair = array.name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
        other = next((held for held in arrays if pair != array.name and held.name == pair), None)
        if (
            other is not None
            and len(array.shape) == len(other.shape) == 2
            and array.shape[0] == other.shape[1]
        ):
            return ADAPTER, f"'{array.name}' is {array.shape}, '{other.name}' {other.shape}"
    layers = "bias" in last.values() or any(name != part for name, part in last.items())
    for array in arrays:
        if layers and last[array.name] in ("bias", "weight") and len(array.shape) == 1:
            kind = ADAPTER if any(_LORA.search(held.name) for held in arrays) else WEIGHTS
            return kind, f"'{array.name}' has the shape {array.shape}, a number for each parameter"
    square = [array for array in arrays if last[array.name] in ("weight", "kernel")]
    if square and len(square) == len(arrays) and all(_is_square(array) for array in square):
        return WEIGHTS, f"'{square[0].name}' is square, {square[0].shape}"
    return None


def has_rows(arrays: Sequence[Array]) -> bool:
    """Tell whether a bias or a LoRA matrix has one axis more than its parameter: that of examples."""
    return any(
        (last_part(array.name) == "bias" and len(array.shape) > 1)
        or (_LORA.search(array.name) is not None and len(array.shape) > 2)
        for array in arrays
    )


def _is_square(array: Array) -> bool:
    return len(array.shape) == 2 and array.shape[0] == array.shape[1]
