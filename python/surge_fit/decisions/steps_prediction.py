"""Posterior → the steps and examples that a target loss takes, at any batch size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

import numpy as np

from surge_fit._support.arguments import distinct, require_batch_sizes
from surge_fit._support.intervals import Interval
from surge_fit._support.results import Result
from surge_fit._support.wording import number
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.model.loss_surface import STUDENT_T_DEGREES
from surge_fit.posterior.value import Posterior
from surge_fit.typing import BatchUnit, FloatArray


@dataclass(frozen=True, slots=True)
class StepsPrediction(Result):
    """The steps and examples to the target at one batch size, at its best learning rate.

    Attributes
    ----------
    batch_size : float
        In `batch_unit`.
    batch_unit : {"examples", "sequences", "tokens"}
    steps : float
        Optimizer steps, median of the curve: the law plus the deviation that the runs show.
    interval : tuple of float
        Central 90 % interval of the curve.
    run_interval : tuple of float
        Central 90 % interval of one new run, which scatters around the curve.
    examples : float
        Steps times batch size [batch_unit], whose intervals are those of the steps times the batch size.
    examples_interval : tuple of float
        Central 90 % interval of the curve.
    extrapolation : bool
        Whether the batch size lies outside those at which the target was reached.
    """

    batch_size: float
    batch_unit: BatchUnit
    steps: float
    interval: tuple[float, float]
    run_interval: tuple[float, float]
    examples: float
    examples_interval: tuple[float, float]
    extrapolation: bool

    def __repr__(self) -> str:
        low, high = self.interval
        return (
            f"StepsPrediction({self.steps:.3g} steps at batch size {number(self.batch_size)} "
            f"[{self.batch_unit}], 90 % interval {low:.3g} … {high:.3g}"
            f"{', extrapolated' if self.extrapolation else ''})"
        )

    def _record(self) -> dict[str, Any]:
        return {**asdict(self), "probability": PROBABILITY}


@overload
def predict_steps(posterior: Posterior, *, batch_size: float) -> StepsPrediction: ...
@overload
def predict_steps(
    posterior: Posterior, *, batch_size: Sequence[float] | FloatArray
) -> tuple[StepsPrediction, ...]: ...
def predict_steps(
    posterior: Posterior, *, batch_size: float | Sequence[float] | FloatArray
) -> StepsPrediction | tuple[StepsPrediction, ...]:
    """Predict steps and examples to the target of the sweep.

    Parameters
    ----------
    posterior : Posterior
        The fit of a sweep with steps to a target.
    batch_size : float or sequence of float
        In the sweep's batch unit.

    Returns
    -------
    StepsPrediction or tuple of StepsPrediction
        One for a number; for a sequence one for each batch size, in the order given.

    Raises
    ------
    InputError
        If the sweep has no steps to a target, a batch size is not a positive finite number, or the posterior
        pools several groups.

    Examples
    --------
    >>> prediction = sf.predict_steps(posterior, batch_size=128)
    >>> low, high = prediction.interval
    >>> 200 < low < prediction.steps < high < 400
    True
    >>> prediction.examples == 128 * prediction.steps
    True
    """
    asked = require_batch_sizes(batch_size)
    sizes = distinct(asked)
    curve = posterior.log_steps(sizes)
    rng = np.random.default_rng(posterior.random_seed)
    scatter = posterior.draws("steps_noise")[:, None] * rng.standard_t(STUDENT_T_DEGREES, curve.shape)
    seen = posterior.observations.batch_size[posterior.observations.steps.cell_index]
    laws = [Interval.of(column, tail=0.05).exp() for column in curve.T]
    runs = [Interval.of(column, tail=0.05).exp() for column in (curve + scatter).T]
    by_size = {
        float(size): StepsPrediction(
            batch_size=float(size),
            batch_unit=posterior.sweep.batch_unit,
            steps=law.median,
            interval=law.ends,
            run_interval=run.ends,
            examples=float(size * law.median),
            examples_interval=(float(size * law.low), float(size * law.high)),
            extrapolation=not math.isclose(size, np.clip(size, seen.min(), seen.max())),
        )
        for size, law, run in zip(sizes, laws, runs, strict=True)
    }
    predictions = tuple(by_size[float(size)] for size in asked)
    return predictions[0] if np.ndim(batch_size) == 0 else predictions
