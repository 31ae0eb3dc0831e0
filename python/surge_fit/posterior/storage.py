"""One NetCDF file for a posterior: groups of arrays, and attributes that say how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surge_fit import typing
from surge_fit.errors import InputError
from surge_fit.sampling.sample_stats import ARVIZ_NAMES

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 2
"""Format of the file; files of another one are refused."""


def write(path: typing.Path, tree: xr.DataTree, attributes: Mapping[str, object]) -> None:
    """Write a tree with attributes of its own, and the format, to a NetCDF file."""
    copy = tree.copy()
    copy.attrs = {"surge_fit_format": FORMAT, **attributes}
    copy.to_netcdf(path, engine="h5netcdf")


def read(path: Path) -> tuple[xr.DataTree, dict[str, Any]]:
    """Read what `write` wrote.

    Returns
    -------
    tuple of xarray.DataTree and dict
        The groups, in memory, and the attributes.

    Raises
    ------
    InputError
        If the file is missing, cannot be read, or is of another format.
    """
    import xarray as xr

    if not path.is_file():
        msg = f"A posterior must be a file; {path} does not exist. Make one with `surge-fit fit`."
        raise InputError(msg)
    try:
        with xr.open_datatree(path, engine="h5netcdf") as stored:
            tree: xr.DataTree = stored.load()
    except (OSError, ValueError) as error:
        msg = f"{path} is not a NetCDF file that can be read: {error}."
        raise InputError(msg) from error
    attributes = {str(name): value for name, value in tree.attrs.items()}
    if attributes.get("surge_fit_format") != FORMAT:
        msg = (
            f"{path} must be a posterior of surge_fit in format {FORMAT}; "
            f"found format {attributes.get('surge_fit_format', 'none')}. Fit the sweep again."
        )
        raise InputError(msg)
    if "sample_stats" in tree.children:
        statistics = tree["sample_stats"].to_dataset()
        names = {before: now for before, now in ARVIZ_NAMES.items() if before in statistics}
        tree["sample_stats"] = xr.DataTree(statistics.rename_vars(names))
    return tree, attributes
