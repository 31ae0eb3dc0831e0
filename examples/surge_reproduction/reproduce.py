"""From gradients to learning rates and back: what the surge theory says, and what is measured.

Trains two small networks, captures their gradients at several checkpoints, predicts the best one-step
learning rate of SGD, sign descent and Adam at every batch size, measures it, and draws one page::

    python examples/surge_reproduction/reproduce.py         # writes results.json and figure.png here
    python examples/surge_reproduction/reproduce.py --help

What held and what did not is written in README.md beside this file.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from line_search import Measured, measure
from networks import NETWORKS, Batch, Checkpoint, Network, flat_gradients, hessian, population, train
from numpy.typing import NDArray
from predictions import predict
from signs import Signs, compare_signs
from sweep import whole_runs

BATCH_SIZES = (1, 4, 16, 64, 256, 1024)
SIGN_BATCH_SIZES = (1, 8, 64)
BINS = np.linspace(-1.0, 1.0, 21)


def main() -> None:
    """Run everything and write the results."""
    parser = argparse.ArgumentParser(
        description="Predict and measure one-step learning rates of two networks."
    )
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent, help="folder for results.json and figure.png"
    )
    output = parser.parse_args().output
    started = time.perf_counter()
    results = {
        "networks": {network.name: list(study(network, population())) for network in NETWORKS},
        "whole_runs": asdict(whole_runs()),
    }
    results["seconds"] = round(time.perf_counter() - started)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    from figure import draw

    draw(results).savefig(output / "figure.png", dpi=110)
    print(f"written to {output} after {results['seconds']} s", file=sys.stderr)


def study(
    network: Network,
    examples: Batch,
    checkpoints: tuple[int, ...] | None = None,
    batch_sizes: tuple[int, ...] = BATCH_SIZES,
) -> Any:
    """Train a network and yield what is predicted and measured at every checkpoint.

    Parameters
    ----------
    network : Network
    examples : tuple of ndarray
        The population.
    checkpoints : tuple of int, optional
        Steps; by default those of the network.
    batch_sizes : tuple of int

    Yields
    ------
    dict
        JSON types.
    """
    for checkpoint in train(network, checkpoints or network.checkpoints):
        started = time.perf_counter()
        gradients, curvature = flat_gradients(checkpoint, examples), hessian(checkpoint, examples)
        found = {
            "step": checkpoint.step,
            "loss": float(network.mean_loss(checkpoint.params, examples)),
            "parameters": gradients.shape[1],
            **population_values(gradients, curvature),
            **predictions_of(checkpoint, examples, curvature),
            "measured": {
                optimizer: as_columns(batch_sizes, held)
                for optimizer, held in measure(checkpoint, examples, gradients, batch_sizes).items()
            },
            "signs": [binned(compare_signs(gradients, curvature, size)) for size in SIGN_BATCH_SIZES],
        }
        seconds = time.perf_counter() - started
        print(f"{network.name}, step {checkpoint.step}: {seconds:.0f} s", file=sys.stderr)
        yield found


def population_values(gradients: NDArray[np.float32], curvature: NDArray[np.float32]) -> dict[str, float]:
    """Give noise scales of the population [examples], and the limit of sign descent of Theorem 4."""
    mean = gradients.mean(axis=0, dtype=np.float64)
    centred = gradients - mean.astype(np.float32)
    products = centred @ curvature
    signs = np.sign(mean)
    return {
        "simple_noise_scale": float(centred.var(axis=0, dtype=np.float64).sum() / (mean @ mean)),
        "sgd_noise_scale": float(
            np.einsum("np,np->n", products, centred).mean(dtype=np.float64) / (mean @ curvature @ mean)
        ),
        "limit": float(np.abs(mean).sum() / (signs @ curvature @ signs)),
    }


def predictions_of(checkpoint: Checkpoint, examples: Batch, curvature: NDArray[np.float32]) -> dict[str, Any]:
    """Capture gradients of a part of the population, and predict from them."""
    with tempfile.TemporaryDirectory() as folder:
        return predict(checkpoint, examples, curvature, Path(folder))


def as_columns(batch_sizes: tuple[int, ...], held: list[Measured]) -> dict[str, list[float | None]]:
    """Turn measurements to columns of JSON, without NaN."""
    columns: dict[str, list[float | None]] = {"batch_size": list(batch_sizes)}
    for key in ("learning_rate", "standard_error", "loss_drop"):
        values = [getattr(of, key) for of in held]
        columns[key] = [value if np.isfinite(value) else None for value in values]
    return columns


def binned(signs: Signs) -> dict[str, Any]:
    """Average over parameters whose predicted mean sign is alike."""
    place = np.clip(np.digitize(signs.predicted, BINS) - 1, 0, len(BINS) - 2)
    filled = [k for k in range(len(BINS) - 1) if (place == k).sum() >= 5]
    return {
        "batch_size": signs.batch_size,
        "excess": signs.excess,
        "correlation": signs.correlation,
        "predicted": [float(signs.predicted[place == k].mean()) for k in filled],
        "observed": [float(signs.observed[place == k].mean()) for k in filled],
    }


if __name__ == "__main__":
    main()
