"""Draw a sparse sweep from the full grid, the way a team with little time would have run it.

The rule: one seed; batch sizes 8, 64 and 512; every third learning rate of the grid (half-decades)
over the three decades from 3e-4 to 3e-1; at each batch size four of those seven rates, drawn at
random without replacement. The outcome of a run plays no part in whether it is drawn::

    python examples/digits_adam/sparse.py                  # grid.csv → sweep.csv
"""

import argparse
import csv
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

DRAW_SEED = 0
TRAINING_SEED = "0"
BATCH_SIZES = ("8", "64", "512")
RATES_PER_BATCH_SIZE = 4
EVERY = 3
LOWEST_RATE, HIGHEST_RATE = 3e-4, 0.33


def draw(grid: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the drawn rows of the grid, by batch size and learning rate."""
    rates = sorted({row["learning_rate"] for row in grid}, key=float)[::EVERY]
    coarse = [rate for rate in rates if LOWEST_RATE <= float(rate) <= HIGHEST_RATE]
    generator = np.random.default_rng(DRAW_SEED)
    drawn = {
        (batch_size, str(rate))
        for batch_size in BATCH_SIZES
        for rate in generator.choice(coarse, size=RATES_PER_BATCH_SIZE, replace=False)
    }
    return [
        row
        for row in grid
        if row["seed"] == TRAINING_SEED and (row["batch_size"], row["learning_rate"]) in drawn
    ]


def main() -> None:
    """Read the grid, draw the sweep, write it with the same columns."""
    parser = argparse.ArgumentParser(description="Draw a sparse sweep from the full grid.")
    parser.add_argument("--grid", type=Path, default=HERE / "grid.csv", help="the full grid")
    parser.add_argument("--output", type=Path, default=HERE / "sweep.csv", help="the CSV file to write")
    arguments = parser.parse_args()
    with arguments.grid.open(newline="", encoding="utf-8") as file:
        rows = draw(list(csv.DictReader(file)))
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
