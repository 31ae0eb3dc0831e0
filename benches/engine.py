"""The native engine beside PyMC + nutpie: whole processes, fits, gradients, effective samples, growth.

Run on an idle machine, with all modules compiled to bytecode, as an installation has them (children are
started without PYTHONDONTWRITEBYTECODE):

    python -m compileall -q python "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    python benches/engine.py [--only process,fit] [--repeats 5] [--fits 200] [--runs 10,100,1000] [--json]

* ``process``   `surge-fit recommend` with both engines: seconds and peak memory; where the native one's go
* ``fit``       24 runs, the default law: the first fit of the process, the median of later ones, both engines
* ``gradient``  one log density with its gradient, natively
* ``mixing``    effective samples per second of sampling, compiled and warm, each engine with its usual effort
* ``fresh``     simulated sweeps that nobody has looked at: how many fits pass, and how many draws diverge
* ``update``    each run left out of 24 and of 48: how often draws are reweighted, what that and a fit take
* ``growth``    `compare`, `next_runs` and pooled fits of ever more runs, 20 to a group

Limits. A process cannot be faster than its interpreter and imports, which are listed; a fit no faster than
its gradients, for which `benches/posterior.rs` counts operations.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import engine_processes
import numpy as np
import surge_fit as sf
from surge_fit.law import get_law
from surge_fit.model.spec import Model
from surge_fit.posterior.effort import CHAINS, EFFORTS
from surge_fit.posterior.updating import update
from surge_fit.sampling import native
from surge_fit.sampling.diagnostics import FOR_INTERVALS, diagnose
from surge_fit.sampling.importance import MAX_PARETO_K

ENGINES = ("native", "pymc")
LAW = get_law("broken_power")
SIZES = (16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)
RATES_EACH = 4
RUNS_OF_GROUP = 20
CANDIDATES = 200

Row = dict[str, Any]
"""A line of a table: its first entry names it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = compute()
    return time.perf_counter() - started, found


def simulated(seed: int, sizes: tuple[float, ...] = SIZES, rates_each: int = RATES_EACH) -> sf.Sweep:
    """A sweep of a truth drawn from the seed, its rates at each batch size spread by a factor of nine."""
    rng = np.random.default_rng([seed, 0])
    theta = {
        "log_noise_scale": rng.normal(np.log(300), 1.0),
        "small_batch_slope": rng.uniform(0.3, 0.9),
        "large_batch_fall": rng.uniform(-0.2, 0.6),
    }
    x = np.log(sizes)
    shape = LAW.shape(np, x, **theta)
    truth = {"log_learning_rate_scale": float(np.log(3e-3) - shape.mean()), **theta}
    # The team follows the optimum with half of its slope: some cells lie on one side of their valley.
    middle = np.log(3e-3) + 0.5 * (shape - shape.mean())
    rates = np.exp(middle[:, None] + np.linspace(-1.1, 1.1, rates_each))
    return sf.simulate_sweep(
        LAW,
        truth,
        batch_size=sizes,
        learning_rate=rates.tolist(),
        discrepancy=(0.15 * rng.standard_normal(len(sizes))).tolist(),
        random_seed=seed,
    )


@cache
def example() -> Model:
    return Model.of(simulated(0), LAW)


def process(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Whole processes, and where the time of the native one goes."""
    rows: list[Row] = []
    for name, command in engine_processes.COMMANDS.items():
        say(f"process: {name}")
        runs = [engine_processes.measure(command) for _ in range(arguments.repeats + 1)][1:]
        seconds = statistics.median(run["seconds"] for run in runs)
        memory = statistics.median(run["peak_mib"] for run in runs)
        base = rows[0]["seconds"] if rows else seconds
        rows.append({"process": name, "seconds": seconds, "peak MiB": memory, "of native": seconds / base})
    yield "whole processes", rows
    say("process: stages, imports")
    laps = [engine_processes.stages() for _ in range(arguments.repeats)]
    yield (
        "stages of recommend, native",
        [{"stage": k, "seconds": statistics.median(lap[k] for lap in laps)} for k in laps[0]],
    )
    imports = [engine_processes.imports() for _ in range(arguments.repeats)]
    yield (
        "imports of recommend, native (-X importtime, which itself slows them)",
        [{"imported": k, "seconds": statistics.median(found[k] for found in imports)} for k in imports[0]],
    )


def fit(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Fits in this process; the first one imports and, with PyMC, compiles."""
    sweep = example().sweep
    rows: list[Row] = []
    for engine in ENGINES:
        say(f"fit: {engine}")
        seconds = [
            timed(lambda engine=engine, seed=seed: sf.fit(sweep, engine=engine, random_seed=seed))[0]
            for seed in range(arguments.repeats + 1)
        ]
        later = statistics.median(seconds[1:])
        base = rows[0]["later [s]"] if rows else later
        rows.append(
            {"engine": engine, "first [s]": seconds[0], "later [s]": later, "of native": later / base}
        )
    yield f"fit of {len(sweep)} runs", rows


def gradient(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Evaluations at 4,000 draws of the posterior, in one call on one thread."""
    rows = []
    for sizes in (SIZES[::2], SIZES):
        described = Model.of(simulated(0, sizes), LAW)
        model = native.assemble(described)
        free, _ = native.sample([model], [0], chains=2, tune=200, draws=2000, target_accept=0.9)[0]
        positions = np.concatenate(
            [
                (np.log(free[name]) if scale == "log" else free[name]).reshape(4000, -1)
                for name, _, _, scale in model.variables()
            ],
            axis=1,
        )
        seconds = [timed(lambda m=model, p=positions: m.log_density(p))[0] for _ in range(arguments.repeats)]
        rows.append(
            {
                "losses": f"{len(described.observations.finished)}",
                "variables": positions.shape[1],
                "gradient [us]": 1e6 * statistics.median(seconds) / len(positions),
            }
        )
    yield "log density and gradient, natively", rows


def mixing(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Sampling alone: compiled, and once warmed up."""
    from surge_fit.sampling.pymc_engine import Sampler

    model = native.assemble(example())
    say("mixing: compiling")
    sampler = Sampler(example(), lambda stage, share: None)
    draw = {
        "native": lambda seed, **effort: native.sample([model], [seed], **effort)[0],
        "pymc": lambda seed, **effort: sampler.sample(seed, progress=None, **effort),
    }
    rows: list[Row] = []
    for engine in ENGINES:
        say(f"mixing: {engine}")
        effort = {"chains": CHAINS, **asdict(EFFORTS[engine][0])}
        found = []
        for seed in range(arguments.repeats + 1):
            seconds, (free, sampled) = timed(lambda e=engine, s=seed, k=effort: draw[e](s, **k))
            found.append((seconds, diagnose(free, sampled["diverging"], engine)))
        found = found[1:]
        speed = statistics.median(checked.min_ess_bulk / seconds for seconds, checked in found)
        base = rows[0]["ESS/s"] if rows else speed
        rows.append(
            {
                "engine": engine,
                "sampling [s]": statistics.median(seconds for seconds, _ in found),
                "bulk ESS": statistics.median(checked.min_ess_bulk for _, checked in found),
                "ESS/s": speed,
                "native is faster": base / speed,
                "divergences": sum(checked.divergences for _, checked in found),
            }
        )
    yield "effective samples of the worst variable", rows


def fresh(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """Fits of sweeps that no setting was chosen by."""
    once = CHAINS * EFFORTS["native"][0].draws
    checks, seconds = [], 0.0
    for start in range(0, arguments.fits, 20):
        say(f"fresh: {start} of {arguments.fits}")
        sweeps = [simulated(10_000 + seed) for seed in range(start, min(start + 20, arguments.fits))]
        took, found = timed(lambda sweeps=sweeps: sf.fit_many(sweeps, engine="native", on_failure="warn"))
        seconds += took
        checks += [posterior.diagnostics for posterior in found]
    count = len(checks)
    rhat, ess = FOR_INTERVALS.max_rhat, FOR_INTERVALS.min_ess
    mixed = [checked.max_rhat <= rhat and checked.min_ess_bulk >= ess for checked in checks]
    yield (
        f"{count} simulated sweeps of {len(SIZES) * RATES_EACH} runs",
        [
            {"what": "seconds a fit", "value": seconds / count},
            {"what": f"R-hat <= {rhat:g} and bulk ESS >= {ess:.0f}", "value": sum(mixed) / count},
            {"what": "trustworthy", "value": sum(checked.trustworthy for checked in checks) / count},
            {"what": "sampled again", "value": sum(checked.draws != once for checked in checks) / count},
            {"what": "largest R-hat", "value": max(checked.max_rhat for checked in checks)},
            {"what": "least bulk ESS", "value": min(checked.min_ess_bulk for checked in checks)},
            {"what": "fits with a divergence", "value": sum(checked.divergences > 0 for checked in checks)},
            {"what": "divergences", "value": sum(checked.divergences for checked in checks)},
            {"what": "draws", "value": sum(checked.draws for checked in checks)},
        ],
    )


def updates(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """One run left out after another; a fit follows where reweighting does not hold."""
    rows: list[Row] = []
    for rates_each in (RATES_EACH, 2 * RATES_EACH):
        sweep = simulated(0, SIZES, rates_each)
        posterior = sf.fit(sweep)
        found = []
        for run in range(len(sweep)):
            say(f"update: {run} of {len(sweep)}")
            others = sweep.where(np.arange(len(sweep)) != run)
            found.append(timed(lambda p=posterior, s=others: update(p, s)))
        taken = [seconds for seconds, held in found if held.reweighted]
        fitted = [seconds for seconds, held in found if not held.reweighted]
        rows.append(
            {
                "runs": f"{len(sweep)}",
                "k < 0.7": statistics.mean(held.pareto_k < MAX_PARETO_K for _, held in found),
                "reweighted": len(taken) / len(found),
                "seconds of these": statistics.median(taken) if taken else float("nan"),
                "fitted": len(fitted) / len(found),
                "seconds": statistics.median(fitted) if fitted else float("nan"),
            }
        )
    yield "one run left out (reweighted: k < 0.7, and worth 400 draws or more)", rows


def pooled(runs: int) -> sf.Sweep:
    """Groups of 20 runs each at five batch sizes; fewer runs than that are one group."""
    groups = max(1, runs // RUNS_OF_GROUP)
    rates = min(runs, RUNS_OF_GROUP) // 5
    sweeps = [simulated(group, SIZES[:5], rates) for group in range(groups)]
    columns = {
        name: np.concatenate([np.asarray(getattr(sweep, name)) for sweep in sweeps])
        for name in ("batch_size", "learning_rate", "loss", "status")
    }
    model = np.repeat(np.arange(groups), [len(sweep) for sweep in sweeps])
    return sf.Sweep.from_columns(**columns, model=model, group_by="model", batch_unit="examples")


def growth(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Row]]]:
    """What takes many fits, many candidates or many runs."""
    sweep = example().sweep
    say("growth: compare")
    seconds, found = timed(lambda: sf.compare(sweep))
    rows = [
        {
            "what": f"compare, {len(found.scores)} laws x {len(found.batch_sizes)} batch sizes",
            "seconds": seconds,
        }
    ]
    say("growth: next_runs")
    posterior = sf.fit(sweep)
    rates = np.geomspace(3e-4, 3e-2, CANDIDATES // 5)
    candidates = [(size, float(rate)) for size in (*SIZES[2:], 65536.0) for rate in rates]
    seconds, _ = timed(lambda: sf.next_runs(posterior, batch_size=65536.0, candidates=candidates))
    rows.append({"what": f"next_runs, {len(candidates)} candidates", "seconds": seconds})
    yield f"many fits and candidates, {len(sweep)} runs", rows
    rows = []
    for runs in arguments.runs:
        held = pooled(runs)
        say(f"growth: {runs} runs, {len(held.groups)} groups")
        seconds, (posterior,) = timed(
            lambda held=held: sf.fit_many([held], engine="native", on_failure="warn")
        )
        checked = posterior.diagnostics
        rows.append(
            {
                "runs": f"{len(held)}",
                "groups": len(held.groups) or 1,
                "seconds": seconds,
                "ms a run": 1e3 * seconds / len(held),
                "R-hat": checked.max_rhat,
                "bulk ESS": checked.min_ess_bulk,
                "divergences": checked.divergences,
                "draws": checked.draws,
            }
        )
    yield "pooled fits, natively", rows


SECTIONS = {
    "process": process,
    "fit": fit,
    "gradient": gradient,
    "mixing": mixing,
    "fresh": fresh,
    "update": updates,
    "growth": growth,
}


def table(title: str, rows: list[Row]) -> str:
    """A table as text: the first column to the left, numbers to the right with four digits."""
    cells = [list(rows[0])] + [
        [f"{v:,}" if isinstance(v, int) else f"{v:.4g}" if isinstance(v, float) else v for v in row.values()]
        for row in rows
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [
        "  ".join(
            [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    ]
    return "\n".join([title, *(f"  {line}" for line in lines), ""])


def names(text: str) -> list[str]:
    found = text.split(",")
    if unknown := set(found) - set(SECTIONS):
        msg = f"must be of {', '.join(SECTIONS)}; got {', '.join(sorted(unknown))}"
        raise argparse.ArgumentTypeError(msg)
    return found


def counts(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=names, default=list(SECTIONS), help="sections, separated by commas")
    parser.add_argument(
        "--repeats", type=int, default=5, help="of which medians are taken, after one to warm up"
    )
    parser.add_argument("--fits", type=int, default=200, help="simulated sweeps of section fresh")
    parser.add_argument(
        "--runs", type=counts, default=[10, 100, 1000, 10_000], help="of pooled fits; the last takes long"
    )
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    arguments = parser.parse_args()
    tables = {}
    for name in arguments.only:
        for title, rows in SECTIONS[name](arguments):
            tables[title] = rows
            if not arguments.json:
                print(table(title, rows), flush=True)
    if arguments.json:
        print(json.dumps(tables, indent=1))


if __name__ == "__main__":
    main()
