"""The command line as ``python -m surge_fit``."""

from surge_fit.cli.application import main

main()
