"""What is predicted: learning-rate curves from the captured gradients of some of the examples."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import surge_fit as sf
from digits_adam import train as digits
from line_search import OPTIMIZERS
from networks import Batch, Checkpoint
from numpy.typing import NDArray
from surge_fit.integrations.jax import capture_gradients

CAPTURED = 512
BATCH_SIZES = tuple(2**k for k in range(11))


def predict(
    checkpoint: Checkpoint,
    examples: Batch,
    curvature: NDArray[np.float32],
    folder: Path,
) -> dict[str, Any]:
    """Capture gradients and Adam's state, and predict the best one-step learning rates.

    Parameters
    ----------
    checkpoint : Checkpoint
    examples : tuple of ndarray
        The population; the first `CAPTURED` of it are captured.
    curvature : ndarray, shape (parameter, parameter)
        Hessian of the population's mean loss.
    folder : Path
        For the captured files.

    Returns
    -------
    dict
        JSON types.
    """
    captured = capture_gradients(
        checkpoint.network.mean_loss,
        checkpoint.params,
        jax.tree.map(lambda part: part[:CAPTURED], examples),
        folder / "gradients.safetensors",
        optimizer_state=checkpoint.optimizer_state,
        betas=(digits.BETA1, digits.BETA2),
        eps=digits.EPS,
    )
    dump = sf.open_dump(captured.gradients)
    curves = {
        optimizer: sf.learning_rate_curve(
            dump,
            optimizer=optimizer,
            curvature=curvature,
            state=captured.state if optimizer == "adam" else None,
            batch_size=BATCH_SIZES,
            random_seed=0,
        )
        for optimizer in OPTIMIZERS
    }
    return {
        "predicted": {optimizer: as_columns(curve) for optimizer, curve in curves.items()},
        "surge_noise_scale": curves["sign"].noise_scale,
        "surge_max_learning_rate": curves["sign"].max_learning_rate,
        "predicted_limit": curves["sign"].limit,
    }


def as_columns(curve: sf.LearningRateCurve) -> dict[str, Any]:
    """Turn a curve to columns of JSON, and its verdict."""
    intervals = [point.resampled.interval or (None, None) for point in curve.points]
    return {
        "batch_size": [point.batch_size for point in curve.points],
        "theory": [point.theory.learning_rate for point in curve.points],
        "resampled": [point.resampled.learning_rate for point in curve.points],
        "interval": [list(interval) for interval in intervals],
        "flags": [list(point.flags) for point in curve.points],
        "agrees": curve.verdict.agrees,
        "factor": curve.verdict.factor,
        "verdict": curve.verdict.text,
    }
