"""The large-batch law: the learning rate rises with the batch size and saturates."""

from typing import Any

from surge_fit.law.base import Law, learning_rate_scale, noise_scale
from surge_fit.law.formulas import softplus
from surge_fit.typing import Namespace

_PARAMETERS = (
    learning_rate_scale(
        "log_max_learning_rate", "log ε_max", "Log learning rate in the limit of large batches."
    ),
    noise_scale("log B_noise", "Log batch size at which noise and signal of the gradient balance."),
)


def _sgd(xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any) -> Any:
    return -softplus(xp, log_noise_scale - log_batch_size)


def _half(xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any) -> Any:
    return -0.5 * softplus(xp, log_noise_scale - log_batch_size)


SGD = Law(
    name="sgd",
    title="Large-batch law of SGD",
    parameters=_PARAMETERS,
    shape=_sgd,
    formula="log ε = log ε_max − log(1 + B_noise/B)",
    reference="arXiv 1812.06162, Eq. 2.6",
    regime="SGD at every batch size, on a quadratic model of the loss.",
    compiled="sgd",
)

LARGE_BATCH_HALF = Law(
    name="large_batch_half",
    title="Large-batch law with exponent ½",
    parameters=_PARAMETERS,
    shape=_half,
    formula="log ε = log ε_max − ½·log(1 + B_noise/B)",
    reference="arXiv 1812.06162, Eq. 2.6 with α = ½ (proposed for Adam)",
    regime="Adam, if its learning rate saturates without a peak.",
    compiled="large_batch_half",
)
