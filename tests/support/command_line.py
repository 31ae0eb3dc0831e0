"""The command line under test: within this process, as a process of its own, and stopped by Ctrl-C."""

import os
import signal
import subprocess
import sys
from threading import Timer

from click.testing import CliRunner
from surge_fit.cli import app

TIMEOUT = 300
"""Seconds after which a process is given up; no test waits so long unless it fails."""

# A shell that starts tests in the background leaves SIGINT ignored in all that they start.
INTERRUPTIBLE = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from surge_fit.cli import main; main()"
)


def run(*arguments, **options):
    """Invoke the command in this process; the result has `exit_code`, `stdout` and `stderr`."""
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], prog_name="surge-fit", **options
    )


def process(*arguments, **environment):
    """Run the command in a process of its own, with pipes for stdout and stderr."""
    command = [sys.executable, "-m", "surge_fit", *map(str, arguments)]
    variables = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        command, capture_output=True, check=False, env=variables, encoding="utf-8", timeout=TIMEOUT
    )


def interrupt(*arguments, once):
    """Press Ctrl-C once a line on stderr starts with `once`; the command must stop with 130 and say so."""
    command = [sys.executable, "-c", INTERRUPTIBLE, *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as started:
        watchdog = Timer(TIMEOUT, started.kill)
        watchdog.start()
        try:
            assert started.stderr is not None
            assert any(line.startswith(once) for line in started.stderr), "the work never began"
            started.send_signal(signal.SIGINT)
            stdout, stderr = started.communicate()
        finally:
            watchdog.cancel()
    assert (started.returncode, stdout) == (130, "")
    assert stderr.endswith("Stopped.\n")
