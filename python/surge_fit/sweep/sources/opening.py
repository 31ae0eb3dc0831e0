"""Which source a location belongs to."""

from importlib import import_module

from surge_fit.sweep.sources import files
from surge_fit.sweep.sources.base import Table

SOURCES: tuple[str, ...] = ()
"""The modules of this folder that are asked, in this order; what none recognises is read as a file."""


def open_source(location: str) -> Table:
    """Return the table of runs at a location.

    Parameters
    ----------
    location : str
        A file, a folder, or an address such as ``sqlite:///study.db``.

    Raises
    ------
    SweepError
        If the runs cannot be read.
    """
    for name in SOURCES:
        module = import_module(f"surge_fit.sweep.sources.{name}")
        if module.recognises(location):
            table: Table = module.read(location)
            return table
    return files.read(location)
