"""Error and coverage of predicted steps at a batch size, or of a group, that the fit has not seen.

For every group of a table of steps to a target and every batch size in it: fit the others, predict the steps
of a run there, and compare with what was seen; beside it the same formula fitted by least squares of the
steps themselves, as `scipy.optimize.curve_fit` does (arXiv:2410.21676). That is linear in S_min and E_min, so
non-negative least squares finds its optimum without iterating.

    python benches/accuracy/steps.py STEPS.csv --batch-unit sequences --group-by model

With covariates every group is left out in turn instead, and predicted from a fit of the others together;
beside it straight lines through the logarithms of their least-squares S_min and E_min.

    python benches/accuracy/steps.py STEPS.csv --group-by params --covariates params
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence

import numpy as np
import surge_fit as sf
from scipy.optimize import nnls
from surge_fit.typing import FloatArray

Row = dict[str, float | bool]


def least_squares(sweep: sf.Sweep) -> tuple[float, float]:
    """S_min and E_min by the same formula with equal errors of the steps."""
    design = np.stack([np.ones(len(sweep)), 1 / sweep.batch_size], axis=1)
    (least, examples), _ = nnls(design, sweep.steps_to_target)
    return float(least), float(examples)


def along_lines(sweep: sf.Sweep, group: int, log_covariates: FloatArray) -> tuple[float, float]:
    """S_min and E_min of a group where straight lines through those of the others, all in logs, put them."""
    design = np.column_stack([np.ones(len(log_covariates)), log_covariates])
    found = np.log([np.maximum(least_squares(sweep.select(label)), 1e-9) for label in sweep.groups])
    others = np.arange(len(found)) != group
    line, *_ = np.linalg.lstsq(design[others], found[others], rcond=None)
    least, examples = np.exp(design[group] @ line)
    return float(least), float(examples)


def fitted(sweep: sf.Sweep, covariates: Sequence[str], seed: int) -> tuple[sf.Posterior, bool]:
    """The posterior, and whether it can be trusted."""
    try:
        return sf.fit(sweep, covariates=covariates, random_seed=seed), True
    except sf.UntrustworthyFitError as error:
        return error.posterior, False


def judged(
    posterior: sf.Posterior, trusted: bool, peer: tuple[float, float], group: sf.Sweep, sizes: FloatArray
) -> list[Row]:
    """What was predicted at batch sizes of a group beside what was seen there."""
    found: list[Row] = []
    least, examples = peer
    for held in sf.predict_steps(posterior, batch_size=sizes):
        seen = float(np.log(group.steps_to_target[group.batch_size == held.batch_size]).mean())
        low, high = np.log(held.run_interval)
        found.append(
            {
                "surge_fit": float(np.log(held.steps)) - seen,
                "least squares": float(np.log(least + examples / held.batch_size)) - seen,
                "covered": bool(low <= seen <= high),
                "width": float(high - low),
                "outside": held.extrapolation,
                "trusted": trusted,
            }
        )
        print(".", end="", file=sys.stderr, flush=True)
    return found


def without_batch_sizes(group: sf.Sweep, seed: int) -> list[Row]:
    """Leave out every batch size in turn and predict it."""
    found = []
    for size in group.batch_sizes:
        rest = group.where(group.batch_size != size)
        found += judged(*fitted(rest, (), seed), least_squares(rest), group, np.array([size]))
    return found


def without_group(sweep: sf.Sweep, label: str, covariates: Sequence[str], seed: int) -> list[Row]:
    """Leave out a group and predict it from the others."""
    group, number = sweep.select(label), sweep.groups.index(label)
    log_value = sweep.covariates(covariates).log_value
    posterior, trusted = fitted(sweep.where(sweep.group_index != number), covariates, seed)
    meant = posterior.group(dict(zip(covariates, np.exp(log_value[number]), strict=True)))
    peer = along_lines(sweep, number, log_value)
    found = judged(meant, trusted, peer, group, group.batch_sizes)
    errors = ", ".join(
        f"{name} {np.abs([row[name] for row in found]).mean():.3f}" for name in ("surge_fit", "least squares")
    )
    covered = np.mean([row["covered"] for row in found])
    print(f"without {label}: mean |error| {errors}; covered {covered:.2f}; trusted: {trusted}")
    return found


def show(title: str, found: list[Row]) -> None:
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
    parser.add_argument("--covariates", type=lambda text: text.split(","), default=())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sweep = sf.read_sweep(arguments.table, batch_unit=arguments.batch_unit, group_by=arguments.group_by)
    started, found = time.monotonic(), []
    if arguments.covariates:
        for label in sweep.groups:
            found += without_group(sweep, label, arguments.covariates, arguments.seed)
        show("Groups that the fit has not seen", found)
    else:
        for group in [sweep.select(label) for label in sweep.groups] or [sweep]:
            found += without_batch_sizes(group, arguments.seed)
        show("All batch sizes", found)
        show("Between others", [row for row in found if not row["outside"]])
        show("Smallest and largest, beyond the others", [row for row in found if row["outside"]])
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
