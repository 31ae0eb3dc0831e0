"""The smoothly broken power law, which holds the other laws; the default."""

from typing import Any

from surge_fit.law.base import Law, Parameter, learning_rate_scale, noise_scale
from surge_fit.law.formulas import log_cosh
from surge_fit.priors import LogNormal, Normal
from surge_fit.typing import Namespace


def _shape(
    xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any, small_batch_slope: Any, large_batch_fall: Any
) -> Any:
    # ½(e^(−px) + e^(qx)) = e^((q−p)x/2)·cosh((p+q)x/2)
    half = 0.5 * (log_batch_size - log_noise_scale)
    tilt = (large_batch_fall - small_batch_slope) * half
    return -(tilt + log_cosh(xp, (small_batch_slope + large_batch_fall) * half))


BROKEN_POWER = Law(
    name="broken_power",
    title="Smoothly broken power law",
    parameters=(
        learning_rate_scale("log_learning_rate_scale", "log ε_c", "Log learning rate at the noise scale."),
        noise_scale("log B_c", "Log batch size at which the two regimes meet."),
        Parameter(
            "small_batch_slope",
            "p",
            "1",
            "shape",
            LogNormal(median=0.8, log_sd=0.5),
            "Log-log slope at small batch sizes.",
        ),
        Parameter(
            "large_batch_fall",
            "q",
            "1",
            "shape",
            Normal(mean=0.0, sd=0.25),
            "Log-log slope at large batch sizes, its sign reversed: positive means a fall.",
        ),
    ),
    shape=_shape,
    formula="log ε = log ε_c − log ½(e^(−p·x) + e^(q·x)), x = log(B/B_c)",
    reference="arXiv 2210.14891 (form); p = q = ½ is arXiv 2405.14578, p = 1 with q = 0 is arXiv 1812.06162",
    regime="Any optimizer whose curve has one slope at small and another at large batch sizes.",
    compiled="broken_power",
)
