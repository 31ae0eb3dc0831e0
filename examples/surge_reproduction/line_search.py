"""What is measured: the learning rate whose one step lowers the loss most, averaged over minibatches.

No theory enters. Minibatches are drawn with replacement from the population, the direction of each is
what the optimizer would take, and the loss after the step is that of the whole population. The same
minibatches serve all learning rates of a search.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from digits_adam import train as digits
from networks import Batch, Checkpoint
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

OPTIMIZERS = ("sgd", "sign", "adam")
AT_ONCE = 64
FEWEST, MOST = 128, 2048
START, SMALLEST = 1e-2, 1e-7
NEAR = 0.2


@dataclass(frozen=True)
class Measured:
    """The best one-step learning rate.

    Attributes
    ----------
    learning_rate : float
        NaN where no learning rate lowers the mean loss.
    standard_error : float
        Of its logarithm, from the spread over minibatches; NaN where they do not resolve the minimum.
    loss_drop : float
        At that rate [nats].
    """

    learning_rate: float
    standard_error: float
    loss_drop: float


def minibatches(batch_size: int) -> int:
    """Minibatches that a search averages over: more where they are noisier."""
    return int(np.clip(2 * MOST // batch_size, FEWEST, MOST))


def directions(optimizer: str, gradients: NDArray[np.float32], checkpoint: Checkpoint) -> NDArray[np.float32]:
    """Turn minibatch gradients, shape (minibatch, parameter), to what the optimizer subtracts per rate."""
    if optimizer == "sgd":
        return gradients
    if optimizer == "sign":
        return np.sign(gradients)
    state = checkpoint.optimizer_state[0]
    first, second = (np.asarray(jax.flatten_util.ravel_pytree(held)[0]) for held in (state.mu, state.nu))
    step = int(state.count) + 1
    mean = (digits.BETA1 * first + (1 - digits.BETA1) * gradients) / (1 - digits.BETA1**step)
    square = (digits.BETA2 * second + (1 - digits.BETA2) * gradients**2) / (1 - digits.BETA2**step)
    return mean / (np.sqrt(square) + digits.EPS)


def measure(
    checkpoint: Checkpoint,
    examples: Batch,
    gradients: NDArray[np.float32],
    batch_sizes: tuple[int, ...],
    seed: int = 0,
) -> dict[str, list[Measured]]:
    """Search the best one-step learning rate of every optimizer at every batch size.

    Parameters
    ----------
    checkpoint : Checkpoint
    examples : tuple of ndarray
        The population.
    gradients : ndarray, shape (example, parameter)
        Of the population, one by one.
    batch_sizes : tuple of int
    seed : int

    Returns
    -------
    dict of str to list of Measured
        By optimizer, one for each batch size.
    """
    flat, restore = jax.flatten_util.ravel_pytree(checkpoint.params)

    @jax.jit
    def losses(directions: jax.Array, rate: jax.Array) -> jax.Array:
        def after(direction: jax.Array) -> jax.Array:
            return checkpoint.network.mean_loss(restore(flat - rate * direction), examples)

        return jax.lax.map(after, directions)

    generator = np.random.default_rng(seed)
    at_rest = float(checkpoint.network.mean_loss(checkpoint.params, examples))
    found: dict[str, list[Measured]] = {optimizer: [] for optimizer in OPTIMIZERS}
    for batch_size in batch_sizes:
        drawn = generator.integers(0, len(gradients), (minibatches(batch_size), batch_size))
        means = np.stack([gradients[rows].mean(axis=0) for rows in drawn])
        for optimizer, results in found.items():
            taken = jnp.asarray(directions(optimizer, means, checkpoint)).reshape(-1, AT_ONCE, flat.size)
            start = next((r.learning_rate for r in reversed(results) if np.isfinite(r.learning_rate)), START)

            def after(rate: float, blocks: int | None = None, taken: jax.Array = taken) -> Floats:
                found = [np.asarray(losses(block, rate)) for block in taken[:blocks]]
                return np.concatenate(found).astype(np.float64)

            results.append(best_rate(after, start, at_rest))
    return found


def best_rate(losses: Callable[..., Any], start: float, at_rest: float) -> Measured:
    """Search the minimum of the mean loss over the log learning rate, and its standard error.

    A few minibatches bracket it, all of them place it, and a parabola through three rates ends the search.

    Parameters
    ----------
    losses : callable
        Learning rate, and how many blocks of minibatches (all, if not said) → losses after a step.
    start : float
        Where to begin.
    at_rest : float
        Loss without a step.

    Returns
    -------
    Measured
    """

    def mean(log_rate: float, first: int | None = None) -> float:
        value = float(losses(float(np.exp(log_rate)), first).mean())
        return value if np.isfinite(value) else np.inf

    few, width = 2, np.log(3.0)
    middle = np.log(start)
    at_low, at_middle, at_high = (mean(middle + shift, few) for shift in (-width, 0.0, width))
    while at_low < at_middle or at_middle >= at_rest:
        middle -= width
        if middle < np.log(SMALLEST):
            return Measured(np.nan, np.nan, 0.0)
        at_low, at_middle, at_high = mean(middle - width, few), at_low, at_middle
    while at_high < at_middle:
        middle += width
        at_middle, at_high = at_high, mean(middle + width, few)
    for first, reach, tolerance in ((few, width, 0.1), (None, 0.5, 0.1)):
        bounds, options = (middle - reach, middle + reach), {"xatol": tolerance}
        middle = minimize_scalar(mean, args=(first,), bounds=bounds, method="bounded", options=options).x
    below, centre, above = (losses(float(np.exp(middle + shift))) for shift in (-NEAR, 0.0, NEAR))
    slope = (above - below) / (2 * NEAR)
    curvature = float((above - 2 * centre + below).mean()) / NEAR**2
    drop = at_rest - float(centre.mean())
    if curvature <= 0:
        return Measured(float(np.exp(middle)), np.nan, drop)
    newton = float(np.clip(-slope.mean() / curvature, -NEAR, NEAR))
    error = float(slope.std(ddof=1) / np.sqrt(len(slope)) / curvature)
    return Measured(float(np.exp(middle + newton)), error, drop)
