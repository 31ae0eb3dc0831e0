"""The noise scale of two checkpoints from one-step loss decreases, and its drift from one to the other.

For every checkpoint: the runs (batch size, step size, mean change of the loss over one step and its standard
error) become a sweep, of which the step sizes within a factor of four of the best one of their batch size
are kept; the ``sgd`` law is fitted, and its noise scale is told beside the least-squares fit that was
published with the runs. Folder: that of TatianaUshakova/batch-size-lr-scaling with
``aggregate_results.csv`` and ``fit_results.csv``.

    python benches/accuracy/one_step.py FOLDER
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import surge_fit as sf
from numpy.typing import NDArray

TAILS = (0.05, 0.5, 0.95)

REACH = 4.0
"""Step sizes further than this factor from the best of their batch size are left out: they tell of the
valley's far sides, not of its lowest point."""


def one_step_sweep(runs: pl.DataFrame) -> sf.Sweep:
    """The sweep of one checkpoint: the loss is the mean change of the loss over the step."""
    best = pl.col("epsilon").sort_by("mean_loss_change").first().over("batch_size")
    runs = runs.filter((pl.col("epsilon") / best).is_between(1 / (1.001 * REACH), 1.001 * REACH))
    return sf.Sweep.from_columns(
        batch_size=runs["batch_size"].to_numpy(),
        learning_rate=runs["epsilon"].to_numpy(),
        loss=runs["mean_loss_change"].to_numpy(),
        loss_se=runs["stderr_loss_change"].to_numpy(),
        batch_unit="examples",
        protocol="one_step",
    )


def log_noise_scale(sweep: sf.Sweep, seed: int) -> tuple[NDArray[np.float64], bool]:
    """Draws of the log noise scale of the ``sgd`` law, and whether the fit is trusted."""
    try:
        with sf.progress_bar() as progress:
            posterior, trusted = sf.fit(sweep, law="sgd", random_seed=seed, progress=progress), True
    except sf.UntrustworthyFitError as error:
        posterior, trusted = error.posterior, False
    return posterior.law_draws["log_noise_scale"], trusted


def log_ratio(last: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws of the log of a ratio from two fits, which share nothing: any pairs will do.

    A fit that was repeated has more draws; of these, as many are taken, evenly spaced, as the other has.
    """
    count = min(len(last), len(first))
    a, b = (draws[np.linspace(0, len(draws) - 1, count).astype(int)] for draws in (last, first))
    return a - b


def told(draws: NDArray[np.float64]) -> str:
    """Median and central 90 % interval of draws of a logarithm."""
    low, median, high = np.exp(np.quantile(draws, TAILS))
    return f"{median:6.3g} ({low:.3g} … {high:.3g})"


def main() -> None:
    """Fit the checkpoints in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    runs = pl.read_csv(arguments.folder / "aggregate_results.csv")
    published = pl.read_csv(arguments.folder / "fit_results.csv")
    draws = {}
    print("checkpoint  runs kept  noise scale [examples], 90 % interval      as published")
    for step, theirs, se in published.select("checkpoint_step", "b_noise", "b_noise_stderr").iter_rows():
        here = runs.filter(pl.col("checkpoint_step") == step)
        sweep = one_step_sweep(here)
        draws[step], trusted = log_noise_scale(sweep, arguments.seed)
        mark = "" if trusted else "  (fit not trusted)"
        kept = f"{len(sweep)}/{len(here)}"
        print(f"{step:>10}  {kept:>9}  {told(draws[step]):<41}  {theirs:.1f} ± {se:.1f}{mark}", flush=True)
    first, last = min(draws), max(draws)
    theirs = dict(published.select("checkpoint_step", "b_noise").iter_rows())
    drift = told(log_ratio(draws[last], draws[first]))
    print(f"{f'{last}/{first}':>10}  {'':>9}  {drift:<41}  {theirs[last] / theirs[first]:.2f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
