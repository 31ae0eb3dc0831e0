"""Power laws: a free slope, and the linear and square-root rules with fixed ones."""

from typing import Any

from surge_fit.law.base import Law, Parameter, learning_rate_scale
from surge_fit.priors import Normal
from surge_fit.typing import Namespace

_SCALE = learning_rate_scale("log_learning_rate_scale", "log c", "Log learning rate at batch size 1.")


def _power(_xp: Namespace, log_batch_size: Any, *, slope: Any) -> Any:
    return slope * log_batch_size


def _linear(_xp: Namespace, log_batch_size: Any) -> Any:
    return 1.0 * log_batch_size


def _square_root(_xp: Namespace, log_batch_size: Any) -> Any:
    return 0.5 * log_batch_size


POWER = Law(
    name="power",
    title="Power law",
    parameters=(
        _SCALE,
        Parameter("slope", "a", "1", "shape", Normal(mean=0.5, sd=0.4), "Log-log slope at every batch size."),
    ),
    shape=_power,
    formula="log ε = log c + a·log B",
    reference="arXiv 2503.04715, arXiv 2401.02954 (fits of this form)",
    regime="Batch sizes within one regime, far from the noise scale.",
    compiled="power",
)

LINEAR = Law(
    name="linear",
    title="Linear rule",
    parameters=(_SCALE,),
    shape=_linear,
    formula="log ε = log c + log B",
    reference="arXiv 1706.02677",
    regime="SGD with batch sizes far below the noise scale.",
    compiled="linear",
)

SQUARE_ROOT = Law(
    name="square_root",
    title="Square-root rule",
    parameters=(_SCALE,),
    shape=_square_root,
    formula="log ε = log c + ½·log B",
    reference="arXiv 2205.10287, arXiv 2006.09092",
    regime="Adam and RMSprop with batch sizes far below the noise scale.",
    compiled="square_root",
)
