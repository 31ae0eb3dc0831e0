"""The one place that knows which PyMC and ArviZ are installed.

PyMC 5 with ArviZ 0.23 (Python 3.11) returns ``InferenceData``; PyMC 6 with ArviZ 1 (Python 3.12 and later)
returns an ``xarray.DataTree``. Everything else in surge_fit sees the DataTree.
"""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


def import_arviz() -> ModuleType:
    """Import ArviZ without the notice that 0.23 prints about its own future."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    module: ModuleType = arviz
    return module


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
