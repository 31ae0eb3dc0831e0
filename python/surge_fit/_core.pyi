"""The compiled kernels. Private: the stages of surge_fit are the interface."""

from surge_fit.typing import FloatArray

__all__ = [
    "evaluate_law",
    "law_expected_regret",
    "law_gradient",
    "law_limits",
    "law_parameters",
    "law_peak",
    "law_quantiles",
    "law_supremum",
    "valley",
]

def law_parameters() -> list[tuple[str, list[str]]]:
    """List every compiled law with the names of its parameters."""

def evaluate_law(
    name: str, parameters: FloatArray, log_batch_size: FloatArray, out: FloatArray | None = None
) -> FloatArray:
    """Evaluate log learning rates, shape (draw, batch_size), of parameters of shape (draw, parameter)."""

def law_gradient(name: str, parameters: FloatArray, log_batch_size: FloatArray) -> FloatArray:
    """Differentiate with respect to the parameters, shape (draw, batch_size, parameter)."""

def law_peak(name: str, parameters: FloatArray) -> FloatArray:
    """Find the log batch size of the peak, shape (draw,): inf on a mere rise, -inf on a fall, NaN if flat."""

def law_supremum(name: str, parameters: FloatArray) -> FloatArray:
    """Find the least upper bound of the log learning rate, shape (draw,); inf if there is none."""

def law_limits(name: str, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Find the log-log slopes in the limits of small and of large batch sizes, each of shape (draw,)."""

def law_quantiles(
    name: str,
    parameters: FloatArray,
    log_batch_size: FloatArray,
    probabilities: FloatArray,
    offset: FloatArray | None = None,
) -> FloatArray:
    """Reduce to quantiles over draws, shape (probability, batch_size), as `numpy.quantile` does."""

def law_expected_regret(
    name: str,
    parameters: FloatArray,
    log_batch_size: FloatArray,
    log_learning_rate: FloatArray,
    *,
    log_curvature: FloatArray,
    curvature_slope: FloatArray,
    reference_log_batch_size: float,
    rate: FloatArray,
    asymmetry: FloatArray,
    wall: FloatArray,
    wall_width: FloatArray,
    divergence_cost: float,
    offset: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Reduce to expected regret [nats] and probability of divergence, each (batch_size, candidate)."""

def valley(u: FloatArray, rate: float, asymmetry: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Evaluate the loss valley h(u) and its first and second derivatives, each of the shape of `u`."""
