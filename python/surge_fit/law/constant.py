"""The constant law: the batch size does not matter."""

from typing import Any

from surge_fit.law.base import Law, learning_rate_scale
from surge_fit.typing import Namespace


def _shape(_xp: Namespace, log_batch_size: Any) -> Any:
    return 0.0 * log_batch_size


CONSTANT = Law(
    name="constant",
    title="Constant",
    parameters=(
        learning_rate_scale(
            "log_max_learning_rate", "log ε_max", "Log of the one learning rate for all batch sizes."
        ),
    ),
    shape=_shape,
    formula="log ε = log ε_max",
    reference="the hypothesis that the others must beat",
    regime="Batch sizes over which the optimum does not move, as around the peak of a surge.",
    compiled="constant",
)
