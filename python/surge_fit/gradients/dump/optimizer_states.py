"""The state of an optimizer, as surge_fit or PyTorch writes it, by the names of a dump's tensors."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from surge_fit._support.wording import listing
from surge_fit.errors import InputError
from surge_fit.gradients.dump.plain import read_arrays
from surge_fit.typing import FloatArray, Path

_STATE = re.compile(
    r"^(?P<before>(?:.+\.)?)state\.(?P<parameter>.+)\."
    r"(?P<what>step|exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer)$"
)
_WRAPPERS = re.compile(r"^module\.|_orig_mod\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.")


@dataclass(frozen=True, slots=True, eq=False)
class OptimizerState:
    """What an optimizer remembers.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        ``<tensor>.exp_avg``, ``<tensor>.exp_avg_sq``, ``<tensor>.momentum_buffer``.
    numbers : mapping of str to str
        ``beta1``, ``beta2``, ``eps``, ``momentum``, ``weight_decay`` and ``step`` (steps taken), where the
        file says them.
    notes : tuple of str
        A sentence for everything that was decided.
    """

    arrays: Mapping[str, FloatArray]
    numbers: Mapping[str, str]
    notes: tuple[str, ...] = ()


def read_optimizer_state(path: Path, tensors: Mapping[str, tuple[int, ...]]) -> OptimizerState:
    """Read the state of an optimizer: ``<tensor>.exp_avg`` and so on, or what PyTorch's ``state_dict`` gives.

    Parameters
    ----------
    path : path-like
        Any format that `open_dump` reads. Nothing is unpickled.
    tensors : mapping of str to tuple of int
        Shapes of a dump's tensors, in its order. PyTorch numbers the parameters: they are matched by the
        names that the state holds (``param_names``, or keys of FSDP), else by their shapes.

    Returns
    -------
    OptimizerState

    Raises
    ------
    DumpError
        If the file cannot be read.
    InputError
        If groups of parameters differ, the update is not one of those that are known, or shapes do not tell
        which parameter is which tensor.
    """
    arrays, metadata = read_arrays(path)
    matches = {name: match for name in (*arrays, *metadata) if (match := _STATE.match(name)) is not None}
    prefixes = {match["before"] for match in matches.values()}
    if not prefixes:
        return OptimizerState(arrays, metadata)
    if len(prefixes) > 1:
        msg = (
            f"A file must hold the state of one optimizer; '{path}' holds {listing(sorted(prefixes), 3)}. "
            "Save the one that is meant."
        )
        raise InputError(msg)
    groups = _groups(metadata, prefixes.pop())
    held: dict[str, dict[str, Any]] = {}
    for name, match in matches.items():
        value = arrays[name] if name in arrays else metadata[name]
        held.setdefault(match["parameter"], {})[match["what"]] = value
    shapes = {
        parameter: next(iter(found)).shape
        for parameter, state in held.items()
        if (found := [state[what] for what in ("exp_avg", "momentum_buffer") if what in state])
    }
    named, note = _matched(_ordered(shapes, groups), _names(groups), tensors, path)
    numbers = _numbers(groups, path) | _steps(held, named, path)
    kept = {
        f"{tensor}.{what}": value
        for parameter, tensor in named.items()
        for what, value in held[parameter].items()
        if what != "step"
    }
    return OptimizerState(kept, numbers, () if note is None else (note,))


def _groups(metadata: Mapping[str, str], before: str) -> list[dict[str, str]]:
    """Gather what ``param_groups`` says, group by group."""
    found: dict[int, dict[str, str]] = {}
    for key, value in metadata.items():
        match = re.match(rf"^{re.escape(before)}param_groups\.(\d+)\.(\w+)$", key)
        if match is not None:
            found.setdefault(int(match[1]), {})[match[2]] = value
    return [found[number] for number in sorted(found)]


def _listed(groups: Sequence[Mapping[str, str]], key: str) -> list[str]:
    """Join the lists of all groups."""
    found: list[str] = []
    for group in groups:
        try:
            items = json.loads(group.get(key, "[]"))
        except json.JSONDecodeError:
            return []
        found += map(str, items) if isinstance(items, list) else []
    return found


def _ordered(
    shapes: Mapping[str, tuple[int, ...]], groups: Sequence[Mapping[str, str]]
) -> dict[str, tuple[int, ...]]:
    """Put parameters in the order of their groups."""
    order = {parameter: place for place, parameter in enumerate(_listed(groups, "params"))}
    return dict(sorted(shapes.items(), key=lambda item: order.get(item[0], len(order))))


def _names(groups: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Name parameters by number, where PyTorch has kept their names."""
    parameters, names = _listed(groups, "params"), _listed(groups, "param_names")
    return dict(zip(parameters, names, strict=True)) if len(parameters) == len(names) else {}


def _matched(
    shapes: Mapping[str, tuple[int, ...]],
    names: Mapping[str, str],
    tensors: Mapping[str, tuple[int, ...]],
    path: object,
) -> tuple[dict[str, str], str | None]:
    """Tell which parameter is which tensor: by name, else by shape."""
    plain = {_WRAPPERS.sub("", tensor): tensor for tensor in tensors}
    by_name = {
        parameter: plain[name]
        for parameter in shapes
        if (name := _WRAPPERS.sub("", names.get(parameter, parameter))) in plain
    }
    if by_name or names or not all(parameter.isdecimal() for parameter in shapes):
        return by_name, None
    if _same_order(list(shapes.values()), tensors):
        return dict(zip(shapes, tensors, strict=True)), _MATCHED
    found = {}
    for tensor, shape in tensors.items():
        candidates = [parameter for parameter, other in shapes.items() if other == shape]
        rivals = [other for other, held in tensors.items() if held == shape]
        if len(candidates) > 1 or (candidates and len(rivals) > 1):
            msg = (
                f"Shapes must tell which parameter of '{path}' is which tensor; {listing(rivals, 4)} and "
                f"the parameters {listing(candidates, 4)} have the shape {shape}. Save the state with names, "
                "which PyTorch 2.6 keeps of torch.optim.AdamW(model.named_parameters()), or write one array "
                "'<tensor>.exp_avg' and one '<tensor>.exp_avg_sq' per tensor."
            )
            raise InputError(msg)
        if candidates:
            found[candidates[0]] = tensor
    return found, _MATCHED


_MATCHED = "The optimizer's state has no names: its parameters were matched to tensors by their shapes."


def _same_order(shapes: Sequence[tuple[int, ...]], tensors: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell whether a dump has its tensors in the model's order: not sorted by name, and of these shapes."""
    unsorted = any(first > second for first, second in pairwise(tensors))
    return unsorted and list(tensors.values()) == list(shapes)


def _numbers(groups: Sequence[Mapping[str, str]], path: object) -> dict[str, str]:
    """Read the numbers that the update needs, which all groups must share."""
    unlike = [key for key in _UNLIKE if any(group.get(key) == "true" for group in groups)]
    unlike += (
        ["dampening"] if any(group.get("dampening", "0") not in ("0", "0.0") for group in groups) else []
    )
    if unlike:
        msg = (
            f"The update must be that of Adam, AdamW or SGD with momentum as published; '{path}' has "
            f"{listing(unlike)} set. Ask for 'sign', or leave the state out."
        )
        raise InputError(msg)
    numbers = {}
    for key in ("betas", "eps", "momentum"):
        said = sorted({group[key] for group in groups if key in group})
        if len(said) > 1:
            msg = (
                f"All parameter groups must have the same {key}; '{path}' has {listing(said, 3)}. Save the "
                "state of an optimizer of one of them."
            )
            raise InputError(msg)
        if said:
            numbers[key] = said[0]
    betas = json.loads(numbers.pop("betas", "[]"))
    decays = sorted({group["weight_decay"] for group in groups if "weight_decay" in group} - {"0", "0.0"})
    numbers |= {f"beta{place}": str(value) for place, value in enumerate(betas, 1)}
    return numbers | ({"weight_decay": listing(decays, 3)} if decays else {})


_UNLIKE = ("amsgrad", "maximize", "nesterov")


def _steps(held: Mapping[str, Mapping[str, Any]], named: Mapping[str, str], path: object) -> dict[str, str]:
    """Read how many steps were taken, which all tensors must share."""
    told = [held[parameter]["step"] for parameter in named if "step" in held[parameter]]
    steps = sorted({float(value if isinstance(value, str) else value.reshape(-1)[0]) for value in told})
    if len(steps) > 1:
        msg = (
            f"All tensors must have taken the same steps; in '{path}' it is {steps[0]:g} to {steps[-1]:g}. "
            "Leave out the tensors that joined late (leave_out=, command line: --leave-out)."
        )
        raise InputError(msg)
    return {"step": f"{steps[0]:.17g}"} if steps else {}
