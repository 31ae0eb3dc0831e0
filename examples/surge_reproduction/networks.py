"""The two networks, their population of examples, and their training with Adam up to some checkpoints."""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "digits_adam"))
import train as digits

Params: TypeAlias = Any
Batch: TypeAlias = tuple[Any, Any]

CHANNELS = (8, 16)
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


def patches(images: jax.Array) -> jax.Array:
    """Cut every second 3×3 window out of images padded by a pixel: (n, h, w, channel) → (…, 9·channel)."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = images.shape[1:3]
    windows = [
        padded[:, row : row + height : 2, column : column + width : 2]
        for row in range(3)
        for column in range(3)
    ]
    return jnp.concatenate(windows, axis=-1)


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
    """Return the cross-entropy of two 3×3 convolutions of stride 2, ReLU, and a linear layer."""
    images, labels = batch
    held = images.reshape(-1, 8, 8, 1)
    for name in ("conv1", "conv2"):
        held = jax.nn.relu(patches(held) @ params[name]["w"] + params[name]["b"])
    logits = held.reshape(len(held), -1) @ params["output"]["w"] + params["output"]["b"]
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
        checkpoints=(10, 100, 540),
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
