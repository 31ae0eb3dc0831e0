"""Examples, tokens or epochs until the target loss, as optimizer steps."""

import numpy as np

from surge_fit.sweep.table.cells import NumberColumn
from surge_fit.sweep.table.draft import Draft
from surge_fit.sweep.table.matching import Match

TARGETS = ("examples_to_target", "tokens_to_target", "epochs_to_target")
"""What a table may count until the target in place of steps."""

_COUNTED = {"examples_to_target": ("examples", "sequences"), "tokens_to_target": ("tokens",)}


def steps_to_target(
    draft: Draft, match: Match, batch: NumberColumn | None, batch_unit: str
) -> NumberColumn | None:
    """Return the optimizer steps to the target, where a table counts them in something else.

    Parameters
    ----------
    draft : Draft
        Keeps the decisions and the questions.
    match : Match
    batch : NumberColumn or None
        The whole batch sizes.
    batch_unit : str
        What they count; ``""`` where it is not known yet.

    Returns
    -------
    NumberColumn or None
        None where the table counts steps, or nothing.
    """
    found = match.found
    if "steps_to_target" in found or batch is None:
        return None
    for name, units in _COUNTED.items():
        if name in found:
            header = found[name]
            if batch_unit and batch_unit not in units:
                draft.refuse(
                    f"'{header}' of {draft.source.name} counts {units[0]}, but the batch size counts "
                    f"{batch_unit}: steps are the one divided by the other, so both must count the same. "
                    "Convert one of them."
                )
                return None
            draft.decide("columns", f"'steps_to_target' is '{header}' divided by the batch size.")
            return _divided(draft.numbers(header), batch, 1.0)
    if "epochs_to_target" not in found:
        return None
    header = found["epochs_to_target"]
    if "examples_per_epoch" not in found:
        draft.refuse(
            f"'{header}' of {draft.source.name} counts epochs; steps need the number of examples in one. Add "
            "a column 'examples_per_epoch', or 'steps_to_target'."
        )
        return None
    size = found["examples_per_epoch"]
    draft.decide("columns", f"'steps_to_target' is '{header}' × '{size}' divided by the batch size.")
    return _divided(draft.numbers(header), batch, draft.numbers(size).values)


def _divided(amount: NumberColumn, batch: NumberColumn, scale: float | np.ndarray) -> NumberColumn:
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = amount.values * scale / batch.values
    return amount.mapped(lambda _: steps, "")
