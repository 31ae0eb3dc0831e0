"""Tensors of PyTorch, to NumPy and in nests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from surge_fit.errors import InputError
from surge_fit.integrations.capturing import named


def import_torch() -> Any:
    """Import PyTorch, or say that it is not there."""
    try:
        import torch
    except ImportError:
        msg = "Capturing gradients of PyTorch needs PyTorch; it is not installed. `pip install torch`."
        raise InputError(msg) from None
    return torch


def trained(model: Any) -> dict[str, Any]:
    """Give the parameters that require a gradient, by name."""
    held = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return dict(zip(named(list(held)), held.values(), strict=True))


def as_stored(tensor: Any, dtype: Any) -> Any:
    """Copy a tensor to NumPy in the dtype in which it is stored; bfloat16 as its bits."""
    torch = import_torch()
    plain = tensor.detach().to(device="cpu", dtype=dtype).contiguous()
    return (plain.view(torch.int16) if dtype == torch.bfloat16 else plain).numpy()


def as_float(tensor: Any) -> Any:
    """Copy a tensor to NumPy as float64."""
    return tensor.detach().cpu().double().numpy()


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Apply a function to every tensor of tuples, lists and dicts."""
    if isinstance(tree, Mapping):
        return {key: mapped(function, value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(mapped(function, value) for value in tree)
    if not isinstance(tree, import_torch().Tensor):
        msg = f"'examples' must be tensors; found a {type(tree).__name__}. Convert it."
        raise InputError(msg)
    return function(tree)
