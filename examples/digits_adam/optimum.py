"""Print the best learning rate of every batch size of the full grid, as a Markdown table.

At each batch size a parabola in log learning rate goes through the five learning rates around the
one with the least mean loss over seeds. Every seed keeps an offset of its own: the seeds of a batch
size share their initial weights and examples across learning rates, so part of their spread is common
to all rates and does not move the optimum::

    python examples/digits_adam/optimum.py
"""

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GRID = Path(__file__).with_name("grid.csv")
NEIGHBOURS = 2


@dataclass(frozen=True)
class Optimum:
    """The vertex of the parabola at one batch size.

    Attributes
    ----------
    log_learning_rate, standard_error : float
        Natural logarithm of the best learning rate, and its standard error.
    loss : float
        Mean loss over seeds at the vertex [nats].
    curvature : float
        Rise of the loss per squared unit of log learning rate away from it [nats].
    seed_spread, noise : float
        Standard deviation of the loss over seeds, and what of it remains once every seed has its own
        offset [nats].
    """

    log_learning_rate: float
    standard_error: float
    loss: float
    curvature: float
    seed_spread: float
    noise: float


def locate(learning_rates: NDArray[np.float64], losses: NDArray[np.float64]) -> Optimum:
    """Fit the parabola around the best learning rate.

    Parameters
    ----------
    learning_rates : ndarray, shape (learning_rate,)
        Ascending.
    losses : ndarray, shape (seed, learning_rate)
        In nats; a run without a finite loss is never the best.

    Raises
    ------
    ValueError
        If the best learning rate has fewer than two neighbours on a side.
    """
    mean = np.where(np.isfinite(losses), losses, np.inf).mean(axis=0)
    best = int(mean.argmin())
    if not NEIGHBOURS <= best < mean.size - NEIGHBOURS:
        msg = (
            f"The best learning rate must have {NEIGHBOURS} neighbours on each side; "
            f"{learning_rates[best]:g} is number {best + 1} of {mean.size}. Widen the grid."
        )
        raise ValueError(msg)
    window = slice(best - NEIGHBOURS, best + NEIGHBOURS + 1)
    x = np.log(learning_rates[window] / learning_rates[best])
    design = np.stack([np.ones_like(x), x, x**2], axis=1)
    (height, slope, curvature), *_ = np.linalg.lstsq(design, mean[window], rcond=None)
    vertex = -slope / (2 * curvature)

    seeds = losses.shape[0]
    offsets = losses[:, window].mean(axis=1, keepdims=True) - mean[window].mean()
    residual = losses[:, window] - offsets - design @ (height, slope, curvature)
    variance = float((residual**2).sum()) / (residual.size - seeds - 2)
    covariance = variance / seeds * np.linalg.inv(design.T @ design)
    sensitivity = np.array([0.0, -1 / (2 * curvature), slope / (2 * curvature**2)])
    return Optimum(
        log_learning_rate=math.log(learning_rates[best]) + vertex,
        standard_error=math.sqrt(sensitivity @ covariance @ sensitivity),
        loss=height + slope * vertex / 2,
        curvature=curvature,
        seed_spread=float(losses[:, window].std(axis=0, ddof=1).mean()),
        noise=math.sqrt(variance),
    )


def fewest_steps(steps: NDArray[np.float64]) -> float:
    """Return the least seed-mean steps to the target over the rates at which every seed reached it.

    Parameters
    ----------
    steps : ndarray, shape (seed, learning_rate)
        NaN where the target was not reached.
    """
    return float(np.nanmin(steps.mean(axis=0)))


@dataclass(frozen=True)
class GridColumn:
    """The runs of one batch size.

    Attributes
    ----------
    batch_size : int
    learning_rates : ndarray, shape (learning_rate,)
        Ascending.
    losses, steps : ndarray, shape (seed, learning_rate)
        Loss [nats], and steps to the target loss: NaN where it was not reached.
    diverged : int
        Number of diverged runs.
    """

    batch_size: int
    learning_rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    steps: NDArray[np.float64]
    diverged: int


def read_grid() -> list[GridColumn]:
    """Read the full grid, by batch size."""
    with GRID.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_size: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_size[int(row["batch_size"])].append(row)
    found = []
    for batch_size, held in by_size.items():
        rates = sorted({float(row["learning_rate"]) for row in held})
        shape = (len(rates), -1)
        found.append(
            GridColumn(
                batch_size,
                np.array(rates),
                np.array([float(row["loss"]) for row in held]).reshape(shape).T,
                np.array([float(row["steps_to_target"] or "nan") for row in held]).reshape(shape).T,
                sum(row["status"] == "diverged" for row in held),
            )
        )
    return found


def main() -> None:
    """Print one line per batch size."""
    headers = ["batch size", "best learning rate", "se of its log", "loss", "curvature", "sd over seeds"]
    headers += ["noise", "fewest steps to target", "diverged"]
    print("| " + " | ".join(headers) + " |")
    print("|--:" * len(headers) + "|")
    for column in read_grid():
        found = locate(column.learning_rates, column.losses)
        print(
            f"| {column.batch_size} | {math.exp(found.log_learning_rate):.2g} | {found.standard_error:.2f} "
            f"| {found.loss:.4f} | {found.curvature:.3f} | {found.seed_spread:.4f} | {found.noise:.4f} "
            f"| {fewest_steps(column.steps):.0f} | {column.diverged} |"
        )


if __name__ == "__main__":
    main()
