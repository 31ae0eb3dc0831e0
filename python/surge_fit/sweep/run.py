"""One row of a sweep as a value of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from surge_fit.typing import RunStatus


@dataclass(frozen=True)
class Run:
    """One training run of a sweep.

    Attributes
    ----------
    run_id : str
    batch_size : float
        In the sweep's ``batch_unit``.
    learning_rate : float
        Peak learning rate.
    loss : float
        Final loss, in the sweep's ``loss_unit``; NaN where the run has none or it was NaN.
    status : {"finished", "diverged", "crashed", "stopped"}
    group : str or None
        Label of the run's group.
    others : mapping of str to float or str
        What the sweep's other columns hold for this run, blank cells left out.
    """

    run_id: str
    batch_size: float
    learning_rate: float
    loss: float
    status: RunStatus
    group: str | None
    others: Mapping[str, float | str]


def run_at(columns: Mapping[str, Any], index: int) -> Run:
    """Return a run from the columns of its sweep.

    Parameters
    ----------
    columns : mapping of str to sequence of shape (run,)
        Those that the sweep has, by canonical name; its groups are ``group_labels``.
    index : int

    Returns
    -------
    Run
    """
    held = {name: values[index] for name, values in columns.items()}
    core = {name: held.pop(name) for name in ("run_id", "batch_size", "learning_rate", "loss", "status")}
    group = held.pop("group_labels", None)
    others = {
        name: value if isinstance(value, str) else float(value)
        for name, value in held.items()
        if (value != "" if isinstance(value, str) else not np.isnan(value))
    }
    core |= {name: float(core[name]) for name in ("batch_size", "learning_rate", "loss")}
    return Run(**core, group=group, others=MappingProxyType(others))
