"""The moments of Adam, as ``torch.optim`` keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.integrations.capturing import AdamState
from surge_fit.integrations.torch.tensors import as_float, trained


def adam_state(model: Any, optimizer: Any) -> AdamState:
    """Read the moments of ``torch.optim.Adam`` or ``AdamW``.

    Parameters
    ----------
    model : torch.nn.Module
    optimizer : torch.optim.Adam or torch.optim.AdamW

    Returns
    -------
    AdamState

    Raises
    ------
    InputError
        If it is another, its decay is not decoupled, or its groups or tensors differ in what must be one.
    """
    groups, held = optimizer.param_groups, optimizer.state
    lacking = [key for key in ("betas", "eps") if key not in groups[0]]
    unlike = [key for key in ("amsgrad", "maximize") if any(group.get(key) for group in groups)]
    if lacking or unlike:
        what = f"no {lacking[0]}" if lacking else f"{unlike[0]} set"
        msg = (
            f"'optimizer' must be torch.optim.Adam or AdamW as published; this {type(optimizer).__name__} "
            f"has {what}. Leave it out."
        )
        raise InputError(msg)
    if any(group["weight_decay"] and not _decoupled(optimizer, group) for group in groups):
        msg = (
            "Weight decay must be decoupled, as in AdamW: Adam's own adds it to the gradients, which the "
            "captured ones do not hold. Leave the optimizer out."
        )
        raise InputError(msg)
    said = {
        key: {str(group[key]): group[key] for group in groups}
        for key in ("betas", "eps", "weight_decay", "lr")
    }
    for key in ("betas", "eps", "weight_decay"):
        if len(said[key]) > 1:
            msg = (
                f"All parameter groups must have the same {key}; found {listing(said[key], 3)}. Leave the "
                "optimizer out, or make them equal."
            )
            raise InputError(msg)
    params = trained(model)
    without = [name for name, value in params.items() if "exp_avg" not in held.get(value, {})]
    if without:
        msg = (
            f"'optimizer' must hold moments of every trained tensor; it has none of '{without[0]}'. Capture "
            "after its first step."
        )
        raise InputError(msg)
    steps = {int(held[value]["step"]) for value in params.values()}
    if len(steps) > 1:
        msg = f"All tensors must have taken the same steps; found {min(steps)} to {max(steps)}."
        raise InputError(msg)
    (beta1, beta2), (eps,), (decay,) = (
        next(iter(said["betas"].values())),
        said["eps"].values(),
        said["weight_decay"].values(),
    )
    rates = [float(rate) for rate in said["lr"].values()]
    return AdamState(
        exp_avg={name: as_float(held[value]["exp_avg"]) for name, value in params.items()},
        exp_avg_sq={name: as_float(held[value]["exp_avg_sq"]) for name, value in params.items()},
        step=steps.pop(),
        beta1=float(beta1),
        beta2=float(beta2),
        eps=float(eps),
        weight_decay=float(decay),
        learning_rate=rates[0] if len(rates) == 1 else None,
    )


def _decoupled(optimizer: Any, group: Mapping[str, Any]) -> bool:
    return bool(group.get("decoupled_weight_decay", type(optimizer).__name__ == "AdamW"))
