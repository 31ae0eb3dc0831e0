"""The PyMC engine: the definition, compiled by nutpie; for laws of one's own, and to hold the native one to.

PyMC and nutpie are imported here and in `surge_fit.model.in_pymc` only, and this module is imported only when
it is used.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit._support.compat import as_datatree, replaceable_data
from surge_fit.model import in_pymc as definition
from surge_fit.model.spec import Model
from surge_fit.sampling.sample_stats import named_for_arviz
from surge_fit.typing import FloatArray, Progress

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

_REPORT_SECONDS = 0.5
_COMPILED_MODELS = 8
_compiled: dict[tuple[object, ...], Any] = {}


class Sampler:
    """One model, compiled; models of equal structure share the compiled code.

    Parameters
    ----------
    model : Model
    report : callable
        Called with every stage that takes long.
    """

    def __init__(self, model: Model, report: Progress) -> None:
        report("preparing the model", None)
        built = definition.assemble(model)
        self._names = [variable.name for variable in built.free_RVs]
        self._compiled = _compile(built, definition.structure(model), report)

    def sample(
        self,
        seed: int,
        *,
        chains: int,
        tune: int,
        draws: int,
        target_accept: float,
        progress: Callable[[int], None] | None,
    ) -> tuple[dict[str, FloatArray], dict[str, np.ndarray]]:
        """Sample with NUTS; parameters and results as for `surge_fit.sampling.native.sample`."""
        import nutpie

        sampler = nutpie.sample(
            self._compiled,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=seed,
            target_accept=target_accept,
            progress_bar=False,
            blocking=False,
        )
        tree = _wait(sampler, progress)
        free = {name: np.asarray(tree["posterior"][name]) for name in self._names}
        return free, named_for_arviz(dict(tree["sample_stats"].data_vars))


def _compile(model: pm.Model, structure: tuple[object, ...], report: Progress) -> Any:
    """Compile the model's log density, or take the compiled one of an equal structure."""
    if structure not in _compiled:
        report("compiling the model", None)
        import nutpie

        if len(_compiled) >= _COMPILED_MODELS:
            _compiled.pop(next(iter(_compiled)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _compiled[structure] = nutpie.compile_pymc_model(model)
    compiled = _compiled[structure]
    data = definition.model_data(model)
    return compiled.with_data(**{name: data[name] for name in replaceable_data(compiled)})


def _wait(sampler: Any, progress: Callable[[int], None] | None) -> xr.DataTree:
    try:
        while True:
            try:
                return as_datatree(sampler.wait(timeout=_REPORT_SECONDS))
            except TimeoutError:
                if progress is not None:
                    progress(_drawn(sampler))
    except BaseException:
        sampler.cancel()
        raise


def _drawn(sampler: Any) -> int:
    """Count the draws that the chains have made so far, tuning included."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ArviZ wonders at chains without draws
        so_far = as_datatree(sampler.inspect())
    groups = [so_far[name] for name in ("warmup_sample_stats", "sample_stats") if name in so_far.children]
    return sum(int(np.isfinite(group["energy"]).sum()) for group in groups)
