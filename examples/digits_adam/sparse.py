"""Replay on the full grid the sweep of a team with little time: coarse rates, few batch sizes, one seed.

The rule: rates are half-decades (every third of the grid). The first batch size starts with Adam's
default, 1e-3, and the two decades above it; every later one with the best rate of the one before. Then
the two half-decade neighbours of the best run so far are run, until both have been::

    python examples/digits_adam/sparse.py                  # grid.csv → sweep.csv
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent

SEED = "0"
BATCH_SIZES = ("8", "64", "512")
EVERY = 3
FIRST_RATES = ("0.001", "0.01", "0.1")


def replay(grid: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows of the grid that the rule runs, by batch size and learning rate."""
    rates = sorted({row["learning_rate"] for row in grid}, key=float)[::EVERY]
    runs = {(row["batch_size"], row["learning_rate"]): row for row in grid if row["seed"] == SEED}
    chosen: list[dict[str, str]] = []
    start = [rates.index(rate) for rate in FIRST_RATES]
    for batch_size in BATCH_SIZES:
        losses = np.array([float(runs[batch_size, rate]["loss"]) for rate in rates])
        start = bracket(losses, start)
        chosen += [runs[batch_size, rates[index]] for index in start]
        start = [best_of(losses, start)]
    return chosen


def bracket(losses: NDArray[np.float64], start: list[int]) -> list[int]:
    """Return the positions tried, ascending, once both neighbours of the best have been tried."""
    tried = set(start)
    while True:
        best = best_of(losses, sorted(tried))
        beside = {best - 1, best, best + 1} & set(range(losses.size))
        if beside <= tried:
            return sorted(tried)
        tried |= beside


def best_of(losses: NDArray[np.float64], tried: list[int]) -> int:
    """Return the tried position with the least loss; one that is not finite is never the least."""
    return min(tried, key=lambda index: losses[index] if np.isfinite(losses[index]) else np.inf)


def main() -> None:
    """Read the grid, replay the rule, write its runs with the same columns."""
    parser = argparse.ArgumentParser(description="Replay a team's sparse sweep on the full grid.")
    parser.add_argument("--grid", type=Path, default=HERE / "grid.csv", help="the full grid")
    parser.add_argument("--output", type=Path, default=HERE / "sweep.csv", help="the CSV file to write")
    arguments = parser.parse_args()
    with arguments.grid.open(newline="", encoding="utf-8") as file:
        rows = replay(list(csv.DictReader(file)))
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
