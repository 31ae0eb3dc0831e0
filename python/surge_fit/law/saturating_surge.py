"""The saturating surge law: it may peak, and tends to a learning rate other than zero."""

from typing import Any

from surge_fit.law.base import Law, Parameter, learning_rate_scale, noise_scale
from surge_fit.law.formulas import log_cosh, softplus
from surge_fit.priors import Normal
from surge_fit.typing import Namespace


def _shape(xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any, log_peak_ratio: Any) -> Any:
    # log(β_n/β) with β = (1 + B_s/B)^(−½).
    log_ratio = log_peak_ratio + 0.5 * softplus(xp, log_noise_scale - log_batch_size)
    return -log_cosh(xp, log_ratio)


SATURATING_SURGE = Law(
    name="saturating_surge",
    title="Saturating surge law",
    parameters=(
        learning_rate_scale(
            "log_max_learning_rate", "log ε_max", "Log learning rate at the peak, if there is one."
        ),
        noise_scale("log B_s", "Log batch size at which the signs of the gradient become reliable."),
        Parameter(
            "log_peak_ratio",
            "log β_n",
            "1",
            "shape",
            Normal(mean=-0.7, sd=0.7),
            "Log reliability of the signs at the peak; there is a peak only if it is negative.",
        ),
    ),
    shape=_shape,
    formula="log ε = log ε_max − log cosh(log(β_n/β)), β = (1 + B_s/B)^(−½)",
    reference="kexue.fm/archives/11280 (mean-field form of arXiv 2405.14578, Theorem 2)",
    regime="Sign descent and Adam at every batch size, if all signs become reliable together.",
    compiled="saturating_surge",
)
