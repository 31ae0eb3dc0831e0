"""The surge law of sign descent: a peak at the noise scale, and the same with a free exponent."""

from typing import Any

from surge_fit.law.base import Law, Parameter, learning_rate_scale, noise_scale
from surge_fit.law.formulas import log_cosh
from surge_fit.priors import LogNormal
from surge_fit.typing import Namespace

_SCALES = (
    learning_rate_scale("log_max_learning_rate", "log ε_max", "Log learning rate at the peak."),
    noise_scale("log B_noise", "Log batch size of the peak."),
)


def _surge(xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any) -> Any:
    return -log_cosh(xp, 0.5 * (log_noise_scale - log_batch_size))


def _free_exponent(xp: Namespace, log_batch_size: Any, *, log_noise_scale: Any, exponent: Any) -> Any:
    return -log_cosh(xp, exponent * (log_noise_scale - log_batch_size))


SURGE = Law(
    name="surge",
    title="Surge law",
    parameters=_SCALES,
    shape=_surge,
    formula="log ε = log ε_max − log cosh(½·log(B_noise/B))",
    reference="arXiv 2405.14578, Theorem 3",
    regime="Sign descent and Adam at batch sizes B ≪ πσ²/(2μ²); its fall at large B is an extrapolation.",
    compiled="surge",
)

SURGE_FREE_EXPONENT = Law(
    name="surge_free_exponent",
    title="Surge law with a free exponent",
    parameters=(
        *_SCALES,
        Parameter(
            "exponent",
            "p",
            "1",
            "shape",
            LogNormal(median=0.6, log_sd=0.4),
            "Log-log slope on both sides, far from the peak.",
        ),
    ),
    shape=_free_exponent,
    formula="log ε = log ε_max − log cosh(p·log(B_noise/B))",
    reference="arXiv 2405.14578, Theorem 3, its exponent ½ set free",
    regime="Optimizers between SGD and sign descent whose curve has a symmetric peak.",
    compiled="surge_free_exponent",
)
