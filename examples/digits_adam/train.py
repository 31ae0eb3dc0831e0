"""Train a small network on scikit-learn's digits with Adam, over a grid of batch sizes and learning rates.

Every run sees the same number of examples; what differs is how many of them share one update. All
learning rates and seeds of one batch size train side by side (``vmap``), their steps inside one
compiled loop (``lax.scan``), so the whole grid takes minutes on two CPU cores::

    python examples/digits_adam/train.py                  # writes grid.csv beside this file
    python examples/digits_adam/train.py --help

What is measured, and what "diverged" means, is written in README.md beside this file.
"""

import argparse
import csv
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]

HIDDEN = 64
CLASSES = 10
UNTRAINED_LOSS = math.log(CLASSES)
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

PIXEL_NOISE = 0.6
VALIDATION_FRACTION = 0.25
VALIDATION_COPIES = 4
SPLIT_SEED = 0

EXAMPLES = 2**18
EVALUATIONS = 256
LAST_STRETCH = 0.1
SMOOTHING = 5
TARGET_LOSS = 0.3

BATCH_SIZES = tuple(2**k for k in range(2, 13))
LEARNING_RATES = tuple(float(f"{10 ** (k / 6 - 4):.4g}") for k in range(28))
SEEDS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Digits:
    """Clean training digits, and validation digits with their noise already drawn.

    Pixels are scaled to [-1, 1]; images are ``(n, 64)``, labels ``(n,)``.
    """

    images: Floats
    labels: Integers
    validation_images: Floats
    validation_labels: Integers


def add_noise(images: Floats, generator: np.random.Generator) -> Floats:
    """Draw Gaussian pixel noise of standard deviation ``PIXEL_NOISE`` afresh for every image."""
    return images + np.float32(PIXEL_NOISE) * generator.standard_normal(images.shape, dtype=np.float32)


def load() -> Digits:
    """Split the 1,797 digits once, stratified by class, and freeze the noisy validation set."""
    images, labels = load_digits(return_X_y=True)
    train_images, held_images, train_labels, held_labels = train_test_split(
        (images / 8.0 - 1.0).astype(np.float32),
        labels.astype(np.int32),
        test_size=VALIDATION_FRACTION,
        random_state=SPLIT_SEED,
        stratify=labels,
    )
    held = np.tile(held_images, (VALIDATION_COPIES, 1))
    return Digits(
        images=train_images,
        labels=train_labels,
        validation_images=add_noise(held, np.random.default_rng([0, SPLIT_SEED])),
        validation_labels=np.tile(held_labels, VALIDATION_COPIES),
    )


def stream(digits: Digits, examples: int, seed: int) -> tuple[Floats, Integers]:
    """Draw the examples of one seed, in order: reshuffled at every epoch, each with fresh pixel noise.

    Every batch size and learning rate of a seed reads this same stream.

    Returns
    -------
    images : ndarray, shape (examples, 64)
    labels : ndarray, shape (examples,)
    """
    generator = np.random.default_rng([1, seed])
    available = len(digits.labels)
    epochs = [generator.permutation(available) for _ in range(-(-examples // available))]
    order = np.concatenate(epochs)[:examples]
    return add_noise(digits.images[order], generator), digits.labels[order]


def initialise(key: jax.Array) -> list[dict[str, jax.Array]]:
    """Draw He-normal weights for the hidden layer and small ones for the output; biases start at 0.

    The output weights are a tenth of their usual size, so the untrained loss is close to log 10.
    """
    hidden_key, output_key = jax.random.split(key)
    hidden = jax.random.normal(hidden_key, (64, HIDDEN)) * math.sqrt(2 / 64)
    output = jax.random.normal(output_key, (HIDDEN, CLASSES)) * (0.1 / math.sqrt(HIDDEN))
    return [{"w": hidden, "b": jnp.zeros(HIDDEN)}, {"w": output, "b": jnp.zeros(CLASSES)}]


def mean_loss(params: list[dict[str, jax.Array]], images: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the cross-entropy of the 64-64-10 network, in nats per example."""
    first, second = params
    hidden = jax.nn.relu(images @ first["w"] + first["b"])
    logits = hidden @ second["w"] + second["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def loss_curves(
    images: Floats, labels: Integers, digits: Digits, batch_size: int, evaluations: int
) -> Floats:
    """Train every learning rate on every seed at one batch size.

    Parameters
    ----------
    images, labels : ndarray, shape (seed, examples, 64) and (seed, examples)
        The stream of each seed.
    evaluations : int
        Number of evenly spaced measurements of the validation loss.

    Returns
    -------
    ndarray, shape (seed, learning_rate, evaluations)
        Validation loss in nats per example.
    """
    seeds, examples = labels.shape
    shape = (seeds, evaluations, examples // batch_size // evaluations, batch_size)

    def train(rate: jax.Array, key: jax.Array, images: jax.Array, labels: jax.Array) -> jax.Array:
        adam = optax.adam(rate, b1=BETA1, b2=BETA2, eps=EPS)

        def step(state: Any, batch: Any) -> tuple[Any, None]:
            params, moments = state
            updates, moments = adam.update(jax.grad(mean_loss)(params, *batch), moments)
            return (optax.apply_updates(params, updates), moments), None

        def stretch(state: Any, batches: Any) -> tuple[Any, jax.Array]:
            state, _ = jax.lax.scan(step, state, batches)
            return state, mean_loss(state[0], digits.validation_images, digits.validation_labels)

        params = initialise(key)
        return jax.lax.scan(stretch, (params, adam.init(params)), (images, labels))[1]

    over_rates = jax.vmap(train, in_axes=(0, None, None, None))
    over_seeds = jax.jit(jax.vmap(over_rates, in_axes=(None, 0, 0, 0)))
    keys = jnp.stack([jax.random.key(seed) for seed in SEEDS])
    rates = jnp.asarray(LEARNING_RATES, dtype=jnp.float32)
    return np.asarray(over_seeds(rates, keys, images.reshape(*shape, 64), labels.reshape(shape)))


def final_loss(curve: Floats) -> float:
    """Average a curve's last tenth: the validation loss [nats per example]; NaN and infinity stay."""
    return float(curve[-max(1, round(LAST_STRETCH * curve.size)) :].mean())


def steps_to_target(curve: Floats, steps_between: int) -> int | None:
    """Return the first step at which the smoothed curve has reached ``TARGET_LOSS``, None if it never does.

    The curve is smoothed by a centred mean over ``SMOOTHING`` measurements, which lie ``steps_between``
    steps apart, and read linearly between them.
    """
    smooth = np.convolve(curve, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
    reached = np.flatnonzero(smooth <= TARGET_LOSS)
    if reached.size == 0:
        return None
    index = int(reached[0])
    position = float(index)
    if index > 0 and np.isfinite(smooth[index - 1]):
        position -= (TARGET_LOSS - smooth[index]) / (smooth[index - 1] - smooth[index])
    first_centre = 1 + SMOOTHING // 2
    return math.ceil((first_centre + position) * steps_between)


def runs() -> Iterator[dict[str, Any]]:
    """Train the grid, one batch size after the other, and yield its runs as rows of the table."""
    digits = load()
    streams = [stream(digits, EXAMPLES, seed) for seed in SEEDS]
    images, labels = (np.stack(parts) for parts in zip(*streams, strict=True))
    params = sum(leaf.size for leaf in jax.tree.leaves(initialise(jax.random.key(0))))
    for batch_size in BATCH_SIZES:
        steps = EXAMPLES // batch_size
        evaluations = min(EVALUATIONS, steps)
        started = time.perf_counter()
        curves = loss_curves(images, labels, digits, batch_size, evaluations)
        elapsed = time.perf_counter() - started
        print(f"batch size {batch_size}: {curves[..., 0].size} runs in {elapsed:.0f} s", file=sys.stderr)
        for rate_index, learning_rate in enumerate(LEARNING_RATES):
            for seed_index, seed in enumerate(SEEDS):
                curve = curves[seed_index, rate_index]
                loss = final_loss(curve)
                yield {
                    "run_id": f"b{batch_size}-lr{learning_rate:g}-s{seed}",
                    "batch_size": batch_size,
                    "learning_rate": f"{learning_rate:g}",
                    "loss": f"{loss:.6g}",
                    "steps": steps,
                    "tokens": EXAMPLES,
                    "target_loss": TARGET_LOSS,
                    "steps_to_target": steps_to_target(curve, steps // evaluations),
                    "seed": seed,
                    "optimizer": "adam",
                    "beta1": BETA1,
                    "beta2": BETA2,
                    "weight_decay": 0,
                    "schedule": "constant",
                    "warmup": 0,
                    "params": params,
                    "status": "finished" if loss < UNTRAINED_LOSS else "diverged",
                    "protocol": "fixed_tokens",
                    "batch_unit": "examples",
                }


def main() -> None:
    """Train the whole grid and write it as CSV."""
    parser = argparse.ArgumentParser(
        description="Train a small network on the digits with Adam over a grid of batch sizes and rates."
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).with_name("grid.csv"),
        help="the CSV file to write (default: grid.csv beside this script)",
    )
    output = parser.parse_args().output
    table = list(runs())
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    print(f"{len(table)} runs written to {output}", file=sys.stderr)


if __name__ == "__main__":
    main()
