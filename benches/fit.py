"""A fit and a recommendation from a 12-run sweep as a whole process, and where the time goes.

The baseline that any faster engine is held to. Run on an idle machine:

    python benches/fit.py [SWEEP] [--repeats 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

DIGITS = Path(__file__).parents[1] / "examples" / "digits_adam" / "sweep.csv"

SPLIT = """
import json, sys, time
clock = [time.perf_counter()]
stages = {}
def lap(name):
    clock.append(time.perf_counter()); stages[name] = clock[-1] - clock[-2]
import surge_fit as sf; lap("import surge_fit")
sweep = sf.read_sweep(sys.argv[1]); lap("read the sweep")
import pymc, nutpie; from surge_fit import fitting, model; lap("import PyMC and nutpie")
seen = []
def progress(stage, share):
    if not seen or seen[-1] != stage:
        if seen: lap(seen[-1])
        seen.append(stage)
posterior = sf.fit(sweep, random_seed=0, progress=progress); lap(seen[-1])
sf.recommend(posterior, batch_size=[64, 512, 4096]); sf.estimate_parameters(posterior); lap("recommend")
sf.fit(sweep, random_seed=1); lap("a second fit, model compiled")
print(json.dumps(stages))
"""


def timed(command: list[str]) -> float:
    """Wall time of a process."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sweep", nargs="?", default=str(DIGITS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cli = [sys.executable, "-c", "from surge_fit.cli import main; main()"]
    whole = {
        "surge-fit recommend": [*cli, "recommend", arguments.sweep, "--batch-size", "64,512,4096"],
        "surge-fit --help": [*cli, "--help"],
        "import surge_fit": [sys.executable, "-c", "import surge_fit"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    for command in whole.values():
        timed(command)
    seconds = {name: [timed(command) for _ in range(arguments.repeats)] for name, command in whole.items()}
    splits = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", SPLIT, arguments.sweep], check=True, capture_output=True
            ).stdout
        )
        for _ in range(arguments.repeats)
    ]
    result = {
        "whole process": {name: statistics.median(values) for name, values in seconds.items()},
        "split": {name: statistics.median(split[name] for split in splits) for name in splits[0]},
    }
    if arguments.json:
        print(json.dumps(result))
        return
    for title, rows in result.items():
        print(f"{title}, median of {arguments.repeats} [s]")
        for name, value in rows.items():
            print(f"  {name:<32}{value:8.2f}")


if __name__ == "__main__":
    main()
