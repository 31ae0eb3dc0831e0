"""The sentences of a plan: why a run, and whether to make any."""

from __future__ import annotations

from typing import Literal, TypeAlias

Familiar: TypeAlias = Literal["sweep", "plan"] | None
"""Where a batch size was tried before: in the sweep, earlier in the plan, or nowhere."""

_AT_OPTIMUM = 1.15
"""A rate within this factor of the likely optimum lies at it."""


def reason(factor: float, familiar: Familiar, position: int, together: int) -> str:
    """Say why a run.

    Parameters
    ----------
    factor : float
        Its learning rate over the likely optimum at its batch size.
    familiar : {"sweep", "plan"} or None
    position, together : int
        Place in its block, from 0, and how many runs that has.

    Returns
    -------
    str
    """
    if 1 / _AT_OPTIMUM < factor < _AT_OPTIMUM:
        where = "at the likely optimum"
    elif factor > 1:
        where = f"{factor:.2g} times the likely optimum"
    else:
        where = f"a factor of {1 / factor:.2g} below the likely optimum"
    if familiar == "sweep":
        return f"A tried batch size, {where}."
    if familiar == "plan":
        return f"The same new batch size again, {where}."
    if together == 1:
        return f"A new batch size, {where}; how low losses go there is guessed from the tried batch sizes."
    if position == 0:
        return (
            f"A new batch size, {where}; first of {together} runs there, which only together tell where its "
            "optimum lies."
        )
    return f"Run {position + 1} of {together} at the new batch size, {where}."


def advice(stop: bool, value: float, together: int, least: float, *, loss_unit: str, priced: bool) -> str:
    """Say whether to make any run.

    Parameters
    ----------
    stop : bool
    value : float
        How far the first choice shrinks the expected regret.
    together : int
        How many runs that has.
    least : float
        Value that it would have to have.
    loss_unit : str
        Unit of the regret.
    priced : bool
        Whether that is its price.

    Returns
    -------
    str
    """
    runs = "the first run" if together == 1 else f"the first {together} runs together"
    effect = f"{runs} would shrink the expected regret by {value:.2g} {loss_unit}"
    if priced:
        if stop:
            return f"Stop: {effect}, less than the {least:.2g} {loss_unit} that pay for the cost."
        return f"Go on: {effect}, more than the {least:.2g} {loss_unit} that pay for the cost."
    rule = f"{least:.2g} {loss_unit}, 5 % of it or a tenth of the noise of one run"
    if stop:
        return f"Stop: {effect}, less than {rule}."
    return f"Go on: {effect}, more than {rule}."
