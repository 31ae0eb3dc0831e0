"""The plan: which runs to make next, in which order, and what each is worth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from surge_fit._support.results import Result
from surge_fit._support.wording import listing, number, plural
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.typing import BatchUnit

_SHOWN = 6
"""Runs in the short form of a plan."""


@dataclass(frozen=True, slots=True)
class NextRun(Result):
    """One run to make, and what is expected after it and all runs before it in the plan.

    Attributes
    ----------
    batch_size : float
        In the sweep's batch unit.
    learning_rate : float
    cost : float
        In `NextRuns.cost_unit`.
    expected_regret_after : float
        Mean over the targets of the expected regret of the rate then recommended [loss].
    value : float
        How far this run shrinks the expected regret, given the runs before it [loss].
    value_per_cost : float
        Value per cost of the block of runs at one batch size that this run was chosen with, which ranks the
        plan. The first run at a batch size never tried is worth little alone.
    expected_interval_width : float
        Mean over outcomes and targets of log(high/low) of the central 90 % interval of the optimum.
    interval_shrinkage : float
        That width as a share of the width now; 1 where nothing is learnt.
    reason : str
        One sentence.
    """

    batch_size: float
    learning_rate: float
    cost: float
    expected_regret_after: float
    value: float
    value_per_cost: float
    expected_interval_width: float
    interval_shrinkage: float
    reason: str

    def _record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class NextRuns(Result):
    """The runs to make next, in this order, or the advice to make none.

    Attributes
    ----------
    targets : tuple of float
        The batch sizes to be recommended for, in `batch_unit`.
    batch_unit : {"examples", "sequences", "tokens"}
    runs : tuple of NextRun
        In the order to make them; given even where `stop` is true.
    expected_regret : float
        Now: mean over the targets of the expected regret of the recommended rate [loss].
    interval_width : float
        Now: mean over the targets of log(high/low) of the central 90 % interval of the optimum.
    cost_unit : str
        ``runs``, a column of the sweep such as ``tokens``, or ``cost`` where a function gave it.
    stop : bool
        Whether no run is worth more than it costs.
    advice : str
        Why to stop, or why not, in one sentence.
    candidates : int
        Number of runs and blocks of runs considered for the first place.
    random_seed : int
    loss_unit : str
        Unit of the regret, as in `Sweep`.
    """

    targets: tuple[float, ...]
    batch_unit: BatchUnit
    runs: tuple[NextRun, ...]
    expected_regret: float
    interval_width: float
    cost_unit: str
    stop: bool
    advice: str
    candidates: int
    random_seed: int
    loss_unit: str = "nats"

    def __repr__(self) -> str:
        targets = f"batch size{'s' if len(self.targets) > 1 else ''} {listing(map(number, self.targets), 4)}"
        lines = [
            f"  batch size {number(run.batch_size)}, learning rate {run.learning_rate:.3g}"
            for run in self.runs[:_SHOWN]
        ]
        more = len(self.runs) - len(lines)
        lines += [f"  … and {plural(more, 'run')} more"] if more else []
        verdict = "not worth its cost" if self.stop else "worth its cost"
        head = f"NextRuns({plural(len(self.runs), 'run')} for {targets}; the first is {verdict}"
        return "\n".join([head, *lines]) + ")"

    def _record(self) -> dict[str, Any]:
        return {**asdict(self), "probability": PROBABILITY}

    def _rows(self) -> list[dict[str, Any]]:
        return [run._record() for run in self.runs]
