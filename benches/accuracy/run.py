"""Regret and coverage of recommendations from sparse sweeps drawn from full grids of real runs.

For every grid and seeded design: fit the default law to the few runs, recommend a learning rate for every
batch size of the grid, and look up in the full grid what it would have cost, beside the √ and linear rules
from the sparse sweep's best run and the rate of the best run at the nearest batch size. Coverage is that of
the true optimum (local parabola through the full grid) by the intervals, raw and widened by the standard
error of that optimum.

    python benches/accuracy/run.py examples/digits_adam/grid.csv --designs 10
    python benches/accuracy/run.py GRIDS.csv --batch-unit sequences --group-by N,D --column loss='smooth loss'
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings

import numpy as np
import surge_fit as sf
from grids import Valley, design, valleys

COLUMNS = ("surge_fit", "square_root", "linear", "nearest", "truth")


def rows(sparse: sf.Sweep, truth: list[Valley], law: str, seed: int) -> list[dict[str, float | bool]]:
    """Fit one sparse sweep and judge it at every batch size of the grid."""
    try:
        posterior = sf.fit(sparse, law=law, random_seed=seed)
        trusted = True
    except sf.UntrustworthyFitError as error:
        posterior, trusted = error.posterior, False
    sizes = [v.batch_size for v in truth]
    draws = posterior.log_optimal_learning_rate(sizes)
    blur = np.random.default_rng(seed).standard_normal(len(draws))
    best = sparse.best_run()
    found = []
    for j, (v, r) in enumerate(zip(truth, sf.recommend(posterior, batch_size=sizes), strict=True)):
        near = sparse.where(
            np.abs(np.log(sparse.batch_size / v.batch_size))
            == np.abs(np.log(sparse.batch_size / v.batch_size)).min()
        )
        nearest = near.best_run().learning_rate if near.is_finished.any() else best.learning_rate
        ratio = v.batch_size / best.batch_size
        rates = {
            "surge_fit": r.learning_rate,
            "square_root": best.learning_rate * ratio**0.5,
            "linear": best.learning_rate * ratio,
            "nearest": nearest,
            "truth": float(np.exp(v.optimum)),
        }
        row: dict[str, float | bool] = {name: v.regret(float(np.log(rate))) for name, rate in rates.items()}
        for name, sample in (("raw", draws[:, j]), ("allowing", draws[:, j] + v.optimum_se * blur)):
            for share in (50, 90):
                low, high = np.quantile(sample, [0.5 - share / 200, 0.5 + share / 200])
                row[f"{name}_{share}"] = bool(low <= v.optimum <= high)
        row |= {
            "error": abs(float(np.log(r.learning_rate)) - v.optimum),
            "width_50": float(np.log(r.interval_50[1] / r.interval_50[0])),
            "width_90": float(np.log(r.interval_90[1] / r.interval_90[0])),
            "outside": r.extrapolation,
            "trusted": trusted,
        }
        found.append(row)
    return found


def summary(found: list[dict[str, float | bool]]) -> dict[str, dict[str, float]]:
    """Mean, standard error, median and 90th percentile of the regrets, coverage and widths."""
    table = {name: np.array([row[name] for row in found], dtype=float) for name in found[0]}
    result: dict[str, dict[str, float]] = {}
    for name, values in table.items():
        result[name] = {"mean": float(values.mean()), "se": float(values.std() / np.sqrt(len(values)))}
        if name in COLUMNS or name.startswith(("error", "width")):
            result[name] |= {"median": float(np.median(values)), "p90": float(np.quantile(values, 0.9))}
    return result


def show(title: str, found: list[dict[str, float | bool]]) -> None:
    """Print one table."""
    if not found:
        return
    s = summary(found)
    print(f"\n{title} ({len(found)} recommendations)")
    print(f"{'regret, 1e-3 of the loss':<28}{'mean':>9}{'± se':>8}{'median':>9}{'p90':>9}")
    for name in COLUMNS:
        m = {k: 1e3 * v for k, v in s[name].items()}
        print(f"{name:<28}{m['mean']:9.2f}{m['se']:8.2f}{m['median']:9.2f}{m['p90']:9.2f}")
    print(f"log error: mean {s['error']['mean']:.3f}, median {s['error']['median']:.3f}")
    for share in (50, 90):
        raw, allowing = s[f"raw_{share}"]["mean"], s[f"allowing_{share}"]["mean"]
        width = s[f"width_{share}"]["median"]
        print(
            f"{share} % interval covers {raw:.2f}, {allowing:.2f} allowing for the truth's own error; "
            f"median width {width:.2f} in log learning rate"
        )
    print(f"fits trusted: {s['trusted']['mean']:.3f}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grids", help="table of full grids")
    parser.add_argument("--batch-unit")
    parser.add_argument("--group-by", type=lambda text: text.split(","))
    parser.add_argument("--column", action="append", default=[], metavar="NAME=HEADER")
    parser.add_argument("--law", default="broken_power")
    parser.add_argument("--designs", type=int, default=6, help="designs for each grid")
    parser.add_argument("--batches", type=int, default=3, help="batch sizes in a design")
    parser.add_argument("--rates", type=int, default=4, help="learning rates at each")
    parser.add_argument("--stride", type=int, default=3, help="spacing of the rates, in steps of the grid")
    parser.add_argument("--json", help="also write every row there")
    arguments = parser.parse_args()
    columns = dict(item.split("=", 1) for item in arguments.column) or None
    sweep = sf.read_sweep(
        arguments.grids, columns=columns, batch_unit=arguments.batch_unit, group_by=arguments.group_by
    )
    grids = [sweep.select(label) for label in sweep.groups] or [sweep]
    started, found, skipped, total = time.monotonic(), [], 0, len(grids) * arguments.designs
    for number, grid in enumerate(grids):
        truth = valleys(grid)
        for index in range(arguments.designs):
            rng = np.random.default_rng([number, index])
            sparse = design(grid, rng, arguments.batches, arguments.rates, arguments.stride)
            if len(sparse) < arguments.batches * arguments.rates:
                skipped += 1
                continue
            found += rows(sparse, truth, arguments.law, index)
            done = number * arguments.designs + index + 1
            left = (time.monotonic() - started) / done * (total - done)
            print(f"\r{done}/{total} fits, {left:.0f} s left ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show("All batch sizes", found)
    show("Outside the tried batch sizes", [row for row in found if row["outside"]])
    took = time.monotonic() - started
    print(f"\n{total - skipped} fits in {took:.0f} s; {skipped} designs skipped, the grid lacks their runs")
    if arguments.json:
        with open(arguments.json, "w") as file:  # noqa: PTH123
            json.dump(found, file)


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)
    main()
