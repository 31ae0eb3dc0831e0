"""Error and coverage of predicted steps at a batch size that the fit has not seen.

For every group of a table of steps to a target and every batch size in it: fit the others, predict the steps
of a run there, and compare with what was seen; beside it the same formula fitted by least squares of the
steps themselves, as `scipy.optimize.curve_fit` does (arXiv:2410.21676). That is linear in S_min and E_min, so
non-negative least squares finds its optimum without iterating. The number of batch sizes is the same in every
fit, so the model is compiled once.

    python benches/accuracy/steps.py STEPS.csv --batch-unit sequences --group-by model
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings

import numpy as np
import surge_fit as sf
from scipy.optimize import nnls


def least_squares(sweep: sf.Sweep, batch_size: float) -> float:
    """Steps at a batch size by the same formula with equal errors of the steps."""
    design = np.stack([np.ones(len(sweep)), 1 / sweep.batch_size], axis=1)
    (least, examples), _ = nnls(design, sweep.steps_to_target)
    return float(least + examples / batch_size)


def rows(group: sf.Sweep, seed: int) -> list[dict[str, float | bool]]:
    """Leave out every batch size in turn and predict it."""
    found: list[dict[str, float | bool]] = []
    for size in group.batch_sizes:
        here = group.batch_size == size
        rest, seen = group.where(~here), float(np.log(group.steps_to_target[here]).mean())
        try:
            posterior, trusted = sf.fit(rest, random_seed=seed), True
        except sf.UntrustworthyFitError as error:
            posterior, trusted = error.posterior, False
        (held,) = sf.predict_steps(posterior, batch_size=float(size))
        low, high = np.log(held.run_interval)
        found.append(
            {
                "surge_fit": float(np.log(held.steps)) - seen,
                "least squares": float(np.log(least_squares(rest, float(size)))) - seen,
                "covered": bool(low <= seen <= high),
                "width": float(high - low),
                "outside": held.extrapolation,
                "trusted": trusted,
            }
        )
        print(".", end="", file=sys.stderr, flush=True)
    return found


def show(title: str, found: list[dict[str, float | bool]]) -> None:
    """Print one table."""
    table = {name: np.array([row[name] for row in found], dtype=float) for name in found[0]}
    print(f"\n{title} ({len(found)} predictions); error in log steps")
    print(f"{'':<16}{'mean |error|':>13}{'median':>9}{'largest':>9}{'bias':>9}")
    for name in ("surge_fit", "least squares"):
        error = table[name]
        size = np.abs(error)
        print(f"{name:<16}{size.mean():13.3f}{np.median(size):9.3f}{size.max():9.3f}{error.mean():9.3f}")
    print(
        f"90 % interval of one run covers {table['covered'].mean():.2f}, median width "
        f"{np.median(table['width']):.2f}; fits trusted: {table['trusted'].mean():.2f}"
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", help="table of steps to a target")
    parser.add_argument("--batch-unit")
    parser.add_argument("--group-by", type=lambda text: text.split(","))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sweep = sf.read_sweep(arguments.table, batch_unit=arguments.batch_unit, group_by=arguments.group_by)
    started, found = time.monotonic(), []
    for group in [sweep.select(label) for label in sweep.groups] or [sweep]:
        found += rows(group, arguments.seed)
    print(file=sys.stderr)
    show("All batch sizes", found)
    show("Between others", [row for row in found if not row["outside"]])
    show("Smallest and largest, beyond the others", [row for row in found if row["outside"]])
    print(f"\n{len(found)} fits in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
