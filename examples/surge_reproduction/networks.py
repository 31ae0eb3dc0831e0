"""The two networks, their population of examples, and their training with Adam up to some checkpoints."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from digits_adam import train as digits
from numpy.typing import NDArray

Params: TypeAlias = Any
Batch: TypeAlias = tuple[Any, Any]

CHANNELS = (4, 16)
POPULATION = 1024
POPULATION_SEED, TRAINING_SEED = 100, 0


@dataclass(frozen=True)
class Network:
    """A network as the example needs it.

    Attributes
    ----------
    name : str
    initialise : callable
        Key → parameters.
    mean_loss : callable
        Parameters and batch (images, labels) → mean cross-entropy [nats].
    batch_size : int
        Of the training that the checkpoints are taken from.
    learning_rate : float
    checkpoints : tuple of int
        Steps.
    """

    name: str
    initialise: Callable[[jax.Array], Params]
    mean_loss: Callable[[Params, Batch], jax.Array]
    batch_size: int
    learning_rate: float
    checkpoints: tuple[int, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A network after some steps of Adam.

    Attributes
    ----------
    network : Network
    step : int
    params : pytree
    optimizer_state : pytree
        Of optax.
    """

    network: Network
    step: int
    params: Params
    optimizer_state: Any


def convolution_places(side: int, channels: int, outputs: int) -> NDArray[np.int64]:
    """Say where the weights of a 3×3 convolution stand in the matrix that it is.

    Padding of one pixel, stride 2. As a matrix it is a few times more multiplications, and several times
    faster on a CPU where every member of a batch of networks has weights of its own.

    Returns
    -------
    ndarray, shape (side² · channels, (side/2)² · outputs)
        Positions in the flat weights (3, 3, channels, outputs); their number, 9 · channels · outputs,
        where there is none.
    """
    half, none = side // 2, 9 * channels * outputs
    places = np.full((side, side, channels, half, half, outputs), none)
    weights = np.arange(none).reshape(3, 3, channels, outputs)
    for row, column, i, j in np.ndindex(half, half, 3, 3):
        y, x = 2 * row + i - 1, 2 * column + j - 1
        if 0 <= y < side and 0 <= x < side:
            places[y, x, :, row, column] = weights[i, j]
    return places.reshape(side**2 * channels, half**2 * outputs)


PLACES = {"conv1": convolution_places(8, 1, CHANNELS[0]), "conv2": convolution_places(4, *CHANNELS)}


def initialise_convolutional(key: jax.Array) -> Params:
    """Draw He-normal weights of two convolutions and small ones of the output; biases start at 0."""
    first, second, output = jax.random.split(key, 3)
    narrow, wide = CHANNELS
    flat = 4 * wide
    return {
        "conv1": {"w": jax.random.normal(first, (9, narrow)) * math.sqrt(2 / 9), "b": jnp.zeros(narrow)},
        "conv2": {
            "w": jax.random.normal(second, (9 * narrow, wide)) * math.sqrt(2 / (9 * narrow)),
            "b": jnp.zeros(wide),
        },
        "output": {
            "w": jax.random.normal(output, (flat, digits.CLASSES)) * (0.1 / math.sqrt(flat)),
            "b": jnp.zeros(digits.CLASSES),
        },
    }


def convolutional_loss(params: Params, batch: Batch) -> jax.Array:
    """Return the cross-entropy of two 3×3 convolutions of stride 2, tanh, and a linear layer."""
    held, labels = batch
    for name, places in PLACES.items():
        matrix = jnp.append(params[name]["w"].ravel(), 0.0)[places]
        bias = jnp.tile(params[name]["b"], places.shape[1] // len(params[name]["b"]))
        held = jnp.tanh(held @ matrix + bias)
    logits = held @ params["output"]["w"] + params["output"]["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


NETWORKS = (
    # Batch size 64 at its best rate of digits_adam's grid, where a loss of 0.3 takes about 540 steps.
    Network(
        "fully connected",
        digits.initialise,
        lambda params, batch: digits.mean_loss(params, *batch),
        batch_size=64,
        learning_rate=2.7e-3,
        checkpoints=(10, 60, 200, 540),
    ),
    Network(
        "convolutional",
        initialise_convolutional,
        convolutional_loss,
        batch_size=64,
        learning_rate=2.7e-3,
        checkpoints=(10, 60, 540),
    ),
)


def population(count: int = POPULATION) -> Batch:
    """Give the examples that stand for all: digits with noise, of a seed that no training sees.

    Returns
    -------
    images : ndarray, shape (count, 64)
    labels : ndarray, shape (count,)
    """
    return digits.stream(digits.load(), count, POPULATION_SEED)


def train(network: Network, checkpoints: Sequence[int]) -> Iterator[Checkpoint]:
    """Train with Adam at a constant rate, and stop at every checkpoint.

    Parameters
    ----------
    network : Network
    checkpoints : sequence of int
        Ascending.

    Yields
    ------
    Checkpoint
    """
    adam = optax.adam(network.learning_rate, b1=digits.BETA1, b2=digits.BETA2, eps=digits.EPS)
    images, labels = digits.stream(digits.load(), checkpoints[-1] * network.batch_size, TRAINING_SEED)

    @jax.jit
    def advance(state: Any, batches: Batch) -> Any:
        def step(state: Any, batch: Batch) -> tuple[Any, None]:
            params, moments = state
            updates, moments = adam.update(jax.grad(network.mean_loss)(params, batch), moments)
            return (optax.apply_updates(params, updates), moments), None

        return jax.lax.scan(step, state, batches)[0]

    params = network.initialise(jax.random.key(TRAINING_SEED))
    state = params, adam.init(params)
    done = 0
    for target in checkpoints:
        taken = slice(done * network.batch_size, target * network.batch_size)
        batches = tuple(
            part[taken].reshape(target - done, network.batch_size, *part.shape[1:])
            for part in (images, labels)
        )
        state = advance(state, batches)
        done = target
        yield Checkpoint(network, target, *state)


def flat_gradients(checkpoint: Checkpoint, examples: Batch) -> NDArray[np.float32]:
    """Differentiate example by example: shape (example, parameter), in the order of ``ravel_pytree``."""

    @jax.jit
    def rows(params: Params, examples: Batch) -> jax.Array:
        single = jax.tree.map(lambda part: part[:, None], examples)
        found = jax.vmap(jax.grad(checkpoint.network.mean_loss), in_axes=(None, 0))(params, single)
        return jax.vmap(lambda row: jax.flatten_util.ravel_pytree(row)[0])(found)

    return np.asarray(rows(checkpoint.params, examples))


def hessian(checkpoint: Checkpoint, examples: Batch) -> NDArray[np.float32]:
    """Differentiate the mean loss twice: shape (parameter, parameter), in the order of ``ravel_pytree``."""
    flat, restore = jax.flatten_util.ravel_pytree(checkpoint.params)
    gradient = jax.grad(lambda held: checkpoint.network.mean_loss(restore(held), examples))

    @jax.jit
    def rows(positions: jax.Array) -> jax.Array:
        def row(position: jax.Array) -> jax.Array:
            return jax.jvp(gradient, (flat,), (jnp.zeros_like(flat).at[position].set(1.0),))[1]

        return jax.lax.map(row, positions)

    return np.asarray(rows(jnp.arange(flat.size)))
