"""The command line ``surge-fit``: one function per command.

Results go to stdout; progress and refusals to stderr. Exit codes: 0 done, 1 failed or not to be trusted,
2 wrong usage, 130 stopped by Ctrl-C.
"""

from surge_fit.cli import comparison, curves, gradients, planning, sweeps
from surge_fit.cli.app import app, main

__all__ = ["app", "comparison", "curves", "gradients", "main", "planning", "sweeps"]
