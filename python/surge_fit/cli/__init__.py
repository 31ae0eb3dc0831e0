"""The command line ``surge-fit``: one file per command.

Results go to stdout; progress and refusals to stderr. Exit codes: 0 done, 1 failed or not to be trusted,
2 wrong usage, 130 stopped by Ctrl-C.
"""

from surge_fit.cli.application import app, main

__all__ = ["app", "main"]
