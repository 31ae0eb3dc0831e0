"""Regret and coverage of recommendations from sparse sweeps drawn from full grids, beside what others do.

For every grid and seeded design: fit the few runs, recommend a learning rate for every batch size of the
grid, and look up in the full grid what it would have cost, beside the rates of every peer (`peers.py`), of
an oracle that saw all other batch sizes in full, and of the truth itself: the last is the noise floor. The
truth is a parabola through the five points around the best of the full grid (`grids.py`); with
``--simulate`` it is exact (`simulated.py`). Designs have 6, 12 or 24 runs: 2, 3 or 4 batch sizes with 3, 4
or 6 rates.

Tables are printed for even- and odd-numbered grids (in sorted label order; choose on one half, report on the
other) and for all. Standard errors take rows of one grid, or of one design of a single grid, as one.
``lost`` is the share of rates that cost more than 0.1, by which the mean is made where runs blow up;
``error`` is the mean distance from the true optimum in log rate.

    python benches/accuracy/run.py examples/digits_adam/grid.csv
    python benches/accuracy/run.py GRIDS.csv --batch-unit sequences --group-by N,D --column loss='smooth loss'
    python benches/accuracy/run.py --simulate --budgets 12 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import surge_fit as sf
from grids import BUDGETS, Truth, design, valleys
from judging import Case, Outcome, Settings, judge
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from simulated import simulated
from tables import fits_line, lines, missing_lines

Grid = tuple[str, sf.Sweep, tuple[Truth, ...]]


def read_grids(arguments: argparse.Namespace) -> list[Grid]:
    """Label, full grid and truth, in sorted label order; says what cannot be judged."""
    if arguments.simulate:
        return list(simulated())
    columns = dict(item.split("=", 1) for item in arguments.column) or None
    sweep = sf.read_sweep(
        arguments.grids, columns=columns, batch_unit=arguments.batch_unit, group_by=arguments.group_by
    )
    parts = {label: sweep.select(label) for label in sorted(sweep.groups)} or {arguments.grids: sweep}
    grids: list[Grid] = [(label, grid, valleys(grid)) for label, grid in parts.items()]
    for label, grid, truth in grids:
        if len(truth) < len(grid.batch_sizes):
            left = len(grid.batch_sizes) - len(truth)
            print(f"{label}: {left} of {len(grid.batch_sizes)} batch sizes have no bracketed optimum")
    return grids


def make_cases(grids: Sequence[Grid], arguments: argparse.Namespace) -> list[Case]:
    """Every design of every budget and grid; a grid that lacks the runs of a budget is named."""
    cases = []
    for number, (label, grid, truth) in enumerate(grids):
        if arguments.half and number % 2 != ("even", "odd").index(arguments.half):
            continue
        for budget in arguments.budgets:
            for index in range(arguments.designs):
                sparse = design(grid, np.random.default_rng([number, budget, index]), *BUDGETS[budget])
                if sparse is None:
                    print(f"{label}: no design of {budget} runs, the grid has too few")
                    break
                cases.append(Case(number, label, budget, index, sparse.to_dict(), truth))
    return cases


@contextmanager
def outcomes_of(cases: Sequence[Case], settings: Settings, jobs: int) -> Iterator[Iterator[Outcome]]:
    """Judge the cases, in order, here or in other processes; these end with the block."""
    work = partial(judge, settings=settings)
    if jobs == 1:
        yield map(work, cases)
        return
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of the processes to come
    with multiprocessing.get_context("spawn").Pool(jobs, _prepare_worker) as pool:
        yield pool.imap(work, cases)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    warnings.simplefilter("ignore", FutureWarning)


def judge_all(cases: Sequence[Case], settings: Settings, jobs: int) -> tuple[list[Outcome], bool]:
    """Judge the cases under a progress bar on stderr; Ctrl-C keeps what is done.

    Returns
    -------
    tuple
        The outcomes of the first cases, and whether these are all.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done: list[Outcome] = []
    try:
        with (
            Progress(*columns, console=Console(stderr=True)) as bar,
            outcomes_of(cases, settings, jobs) as outcomes,
        ):
            task = bar.add_task("designs", total=len(cases))
            for outcome in outcomes:
                done.append(outcome)
                bar.advance(task)
    except KeyboardInterrupt:
        return done, False
    return done, True


def report(outcomes: Sequence[Outcome], budgets: Sequence[int]) -> None:
    """Print the tables of every budget and half."""
    for budget in budgets:
        chosen = [o for o in outcomes if o.rows and o.rows[0].budget == budget]
        halves = {"even": [o for o in chosen if o.rows[0].grid % 2 == 0]}
        halves["odd"] = [o for o in chosen if o.rows[0].grid % 2]
        for name, half in (*halves.items(), ("all", chosen)):
            if name == "all" or all(halves.values()):
                print(*lines(f"\n{budget} runs, {name} grids", half), sep="\n")


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grids", nargs="?", help="table of full grids")
    parser.add_argument("--simulate", action="store_true", help="grids of every built-in law instead")
    parser.add_argument("--batch-unit")
    parser.add_argument("--group-by", type=lambda text: text.split(","))
    parser.add_argument("--column", action="append", default=[], metavar="NAME=HEADER")
    parser.add_argument("--sequence-length", type=float, help="tokens, for the peer that needs them")
    parser.add_argument("--law", default="broken_power")
    parser.add_argument("--peers-only", action="store_true", help="fit nothing")
    parser.add_argument("--designs", type=int, default=10, help="designs for each grid and budget")
    parser.add_argument(
        "--budgets", type=lambda text: [int(word) for word in text.split(",")], default=list(BUDGETS)
    )
    parser.add_argument("--half", choices=("even", "odd"), help="run this half of the grids only")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, help="also write every row there")
    found = parser.parse_args(words)
    if found.simulate == (found.grids is not None):
        parser.error("give either a table of grids or --simulate")
    if unknown := set(found.budgets) - set(BUDGETS):
        parser.error(f"--budgets must be of {', '.join(map(str, BUDGETS))}; got {sorted(unknown)}")
    return found


def main() -> int:
    """Run the benchmark; 130 after Ctrl-C."""
    arguments = arguments_of(sys.argv[1:])
    warnings.simplefilter("ignore", FutureWarning)
    cases = make_cases(read_grids(arguments), arguments)
    settings = Settings(None if arguments.peers_only else arguments.law, arguments.sequence_length)
    started = time.monotonic()
    outcomes, complete = judge_all(cases, settings, arguments.jobs)
    took = time.monotonic() - started
    report(outcomes, arguments.budgets)
    print()
    if fits := [o.fit for o in outcomes if o.fit is not None]:
        print(fits_line(fits, took))
    for line in missing_lines(outcomes):
        print(line)
    print(f"{len(outcomes)} of {len(cases)} designs judged in {took:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(outcome) for outcome in outcomes]))
    return 0 if complete else 130


if __name__ == "__main__":
    sys.exit(main())
