"""Whole processes, for `benches/engine.py`: their time, their memory, and where the time goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SWEEP = str(ROOT / "examples" / "digits_adam" / "sweep.csv")
CLI = [sys.executable, "-m", "surge_fit"]
RECOMMEND = ["recommend", SWEEP, "-b", "4096"]

COMMANDS = {
    "recommend, native": [*CLI, *RECOMMEND, "--engine", "native"],
    "recommend, pymc": [*CLI, *RECOMMEND, "--engine", "pymc"],
    "surge-fit --help": [*CLI, "--help"],
    "import surge_fit": [sys.executable, "-c", "import surge_fit"],
    "python -c pass": [sys.executable, "-c", "pass"],
}

# A small process in between: Linux counts the memory of whoever starts a process as that process's own.
LAUNCHER = """
import json, os, subprocess, sys, tempfile, time
with tempfile.TemporaryFile() as told:
    started = time.perf_counter()
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=told)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        told.seek(0)
        sys.exit(told.read().decode())
print(json.dumps({"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024}))
"""

# The stages of `recommend`, one after another; imports first, so that each stage is what it is called.
STAGES = """
import json, sys, time
clock, stages = [float(sys.argv[2])], {}
def lap(name):
    clock.append(time.monotonic())
    stages[name] = clock[-1] - clock[-2]
import surge_fit.cli
lap("interpreter and command line")
import numpy
lap("import numpy")
from surge_fit.report import compose, fit, render
from surge_fit.posterior import fitting
from surge_fit.decisions import recommendation
lap("other imports")
import surge_fit as sf
sweep = sf.read_sweep(sys.argv[1])
lap("read the sweep")
posterior = fitting.fit(sweep, engine="native")
lap("fit")
found = recommendation.recommend(posterior, batch_size=[4096])
render(fit.blocks(compose(posterior, found)))
lap("recommend and report")
print(json.dumps(stages))
"""


def environment() -> dict[str, str]:
    """Of children: bytecode is kept, as in an installation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; what it told on stderr is the message if it fails."""
    found = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if found.returncode:
        sys.exit(found.stderr)
    return found


def measure(command: list[str]) -> dict[str, float]:
    """Seconds and peak resident memory [MiB] of a process."""
    return dict(json.loads(run([sys.executable, "-c", LAUNCHER, *command]).stdout))


def stages() -> dict[str, float]:
    """Seconds of each stage of a recommendation, from the start of its process."""
    return dict(json.loads(run([sys.executable, "-c", STAGES, SWEEP, str(time.monotonic())]).stdout))


def imports(
    owners: tuple[str, ...] = ("numpy", "click", "rich"),
) -> dict[str, float]:
    """Seconds of importing each owner, with all that it is the first to import, and of the rest."""
    told = run([sys.executable, "-X", "importtime", *COMMANDS["recommend, native"][1:]]).stderr
    lines = [line.removeprefix("import time:").split("|") for line in told.splitlines() if "|" in line]
    seconds = dict.fromkeys((*owners, "surge_fit", "others"), 0.0)
    above: list[tuple[int, str]] = []
    # A module follows those that it imports, which stand deeper: read backwards, it comes before them.
    for own, _, name in reversed(lines[1:]):
        depth, root = len(name) - len(name.lstrip()), name.strip().partition(".")[0]
        while above and above[-1][0] >= depth:
            above.pop()
        within = above[-1][1] if above else "others"
        owner = within if within in owners else root if root in seconds else "others"
        above.append((depth, owner))
        seconds[owner] += 1e-6 * float(own)
    return {**seconds, "all": sum(seconds.values())}
