"""The one place that knows which PyMC, ArviZ and nutpie are installed.

PyMC 5 with ArviZ 0.23 (Python 3.11) takes and returns ``InferenceData``; PyMC 6 with ArviZ 1 (Python 3.12 and
later) an ``xarray.DataTree``; everything else in surge_fit sees the DataTree. Of nutpie, 0.16.8 and 0.16.11,
which come with them, name a compiled model's data differently.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from surge_fit.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


def import_arviz() -> ModuleType:
    """Import ArviZ without the notice that 0.23 prints about its own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    module: ModuleType = arviz
    return module


def reads_inference_data() -> bool:
    """Whether the ArviZ that is installed is 0.x, whose value is ``InferenceData``."""
    return int(version("arviz").partition(".")[0]) < 1


def inference_data(groups: Mapping[str, xr.Dataset]) -> Any:
    """Make ArviZ's own value of groups of draws.

    Parameters
    ----------
    groups : mapping of str to xarray.Dataset

    Returns
    -------
    arviz.InferenceData

    Raises
    ------
    InputError
        If the ArviZ that is installed has none.
    """
    if not reads_inference_data():
        msg = (
            f"InferenceData needs ArviZ 0.x; ArviZ {version('arviz')} reads an xarray.DataTree. "
            "Use to_datatree()."
        )
        raise InputError(msg)
    return import_arviz().InferenceData(**groups)


def as_datatree(result: Any) -> xr.DataTree:
    """Turn what the sampler or PyMC returned into a DataTree.

    Parameters
    ----------
    result : arviz.InferenceData or xarray.DataTree

    Returns
    -------
    xarray.DataTree
    """
    import xarray as xr

    return result if isinstance(result, xr.DataTree) else result.to_datatree()


def replaceable_data(compiled: Any) -> tuple[str, ...]:
    """Name the data of a compiled model that ``with_data`` replaces.

    Parameters
    ----------
    compiled : nutpie.compile_pymc.CompiledPyMCModel

    Returns
    -------
    tuple of str
        Names of ``pm.Data``. nutpie 0.16.8 keys its arrays by them, 0.16.11 by keys of its own.
    """
    if hasattr(compiled, "shared_var_keys"):
        return tuple(variable.name for variable in compiled.shared_var_keys)
    return tuple(compiled.shared_data)
