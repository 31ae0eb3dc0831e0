"""The posterior of a fit as one immutable value, with everything needed to use it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path as _Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit import discrepancy
from surge_fit.diagnostics import Diagnostics
from surge_fit.errors import InputError
from surge_fit.law import Law, get_law, kernel
from surge_fit.observations import Observations, observe, require_learning_rates
from surge_fit.priors import Priors
from surge_fit.sweep import Sweep
from surge_fit.typing import FloatArray, Path

if TYPE_CHECKING:
    import xarray as xr

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a fitted law, and how they came about.

    Attributes
    ----------
    tree : xarray.DataTree
        As `surge_fit.predictive.assemble_tree` makes it and ArviZ reads it. Dims: ``chain``, ``draw``,
        ``batch_size``, ``run``.
    sweep : Sweep
        What was fitted.
    law : Law
        Of the learning rate; where `has_law` is false, the one that was asked for, which has no draws.
    priors : Priors
    random_seed : int
    diagnostics : Diagnostics
        Whether the chains can be trusted.
    """

    tree: xr.DataTree
    sweep: Sweep
    law: Law
    priors: Priors
    random_seed: int
    diagnostics: Diagnostics

    @cached_property
    def observations(self) -> Observations:
        """The runs as the model saw them."""
        return observe(self.sweep)

    @property
    def has_law(self) -> bool:
        """Whether anything was seen of the optimal learning rate; steps to a target do not show it."""
        return "log_optimal_learning_rate" in self.tree["posterior"].data_vars

    @property
    def has_steps(self) -> bool:
        """Whether steps to a target were fitted, so that the critical batch size is known."""
        return "log_min_steps" in self.tree["posterior"].data_vars

    @property
    def has_surface(self) -> bool:
        """Whether losses were fitted, so that regret is known in the loss's units."""
        return "log_curvature" in self.tree["posterior"].data_vars

    @property
    def has_wall(self) -> bool:
        """Whether runs could have diverged, so that the probability of divergence is known."""
        return "wall" in self.tree["posterior"].data_vars

    def draws(self, name: str) -> FloatArray:
        """All draws of one variable, chains one after another.

        Parameters
        ----------
        name : str
            A variable of the group ``posterior``.

        Returns
        -------
        ndarray, shape (draw, ...)

        Raises
        ------
        InputError
            If there is no such variable.
        """
        group = self.tree["posterior"]
        if name not in group.data_vars:
            raise InputError(
                f"The posterior has no variable {name!r}; it has: {', '.join(map(str, group.data_vars))}."
            )
        values = np.asarray(group[name].values, dtype=np.float64)
        return values.reshape(-1, *values.shape[2:])

    @cached_property
    def law_draws(self) -> dict[str, FloatArray]:
        """The draws of the law's parameters by name, each of shape (draw,)."""
        return {parameter.name: self.draws(parameter.name) for parameter in self.law.parameters}

    def discrepancy(self, batch_size: FloatArray) -> FloatArray:
        """Joint draws of the deviation from the law.

        Parameters
        ----------
        batch_size : ndarray, shape (batch_size,)
            In the sweep's batch unit.

        Returns
        -------
        ndarray, shape (draw, batch_size)
            In units of log learning rate; the same for equal arguments.
        """
        tried = self.observations.batch_size
        curve = kernel.evaluate(self.law, self.law_draws, tried)
        return discrepancy.conditional_draws(
            np.log(tried),
            self.draws("log_optimal_learning_rate") - curve,
            self.draws("discrepancy_scale"),
            np.log(batch_size),
            np.random.default_rng(self.random_seed),
        )

    def log_optimal_learning_rate(self, batch_size: Sequence[float] | FloatArray) -> FloatArray:
        """Joint draws of the log of the optimal learning rate.

        Parameters
        ----------
        batch_size : array_like, shape (batch_size,)
            Any batch sizes, in the sweep's batch unit.

        Returns
        -------
        ndarray, shape (draw, batch_size)

        Raises
        ------
        InputError
            If a batch size is not a positive finite number, or the sweep has no learning rates (`has_law`).
        """
        require_learning_rates(self.sweep)
        sizes = require_batch_sizes(batch_size)
        return kernel.evaluate(self.law, self.law_draws, sizes) + self.discrepancy(sizes)

    def save(self, path: Path) -> None:
        """Write the posterior with sweep, law, priors, seed and versions to one NetCDF file.

        Parameters
        ----------
        path : path-like
            ArviZ and xarray read it too.
        """
        attributes = {
            "surge_fit_format": _FORMAT,
            "surge_fit_version": version("surge-fit"),
            "versions": json.dumps({name: version(name) for name in ("pymc", "arviz", "nutpie", "numpy")}),
            "law": self.law.name,
            "random_seed": self.random_seed,
            "sweep": json.dumps(self.sweep.to_dict()),
            "priors": json.dumps(self.priors.to_dict()),
            "diagnostics": json.dumps(asdict(self.diagnostics)),
        }
        tree = self.tree.copy()
        tree.attrs = attributes
        tree.to_netcdf(path, engine="h5netcdf")


def load_posterior(path: Path, *, law: Law | None = None) -> Posterior:
    """Read a posterior that `Posterior.save` wrote.

    Parameters
    ----------
    path : path-like
    law : Law, optional
        Needed where the posterior was fitted with a law that is not built in.

    Returns
    -------
    Posterior

    Raises
    ------
    InputError
        If the file is missing, is not a posterior of surge_fit, or needs the law it was fitted with.
    """
    import xarray as xr

    where = _Path(path)
    if not where.is_file():
        raise InputError(f"A posterior must be a file; {where} is not there. Make one with `surge-fit fit`.")
    try:
        with xr.open_datatree(where, engine="h5netcdf") as stored:
            tree: xr.DataTree = stored.load()
    except (OSError, ValueError) as error:
        raise InputError(f"{where} is not a NetCDF file that can be read: {error}.") from error
    found: dict[str, Any] = {str(name): value for name, value in tree.attrs.items()}
    if found.get("surge_fit_format") != _FORMAT:
        raise InputError(
            f"{where} must be a posterior of surge_fit in format {_FORMAT}; "
            f"found format {found.get('surge_fit_format', 'none')}. Fit the sweep again."
        )
    if law is not None and law.name != found["law"]:
        raise InputError(f"{where} was fitted with the law {found['law']!r}, not with {law.name!r}.")
    return Posterior(
        tree=tree,
        sweep=Sweep.from_dict(json.loads(found["sweep"])),
        law=law or get_law(str(found["law"])),
        priors=Priors.from_dict(json.loads(found["priors"])),
        random_seed=int(found["random_seed"]),
        diagnostics=Diagnostics(**json.loads(found["diagnostics"])),
    )


def require_batch_sizes(batch_size: Sequence[float] | FloatArray) -> FloatArray:
    """Check batch sizes that a user asks for.

    Returns
    -------
    ndarray of float64, shape (batch_size,)

    Raises
    ------
    InputError
        If there is none, or one is not a positive finite number.
    """
    sizes = np.atleast_1d(np.asarray(batch_size, dtype=np.float64))
    if sizes.ndim != 1 or not len(sizes):
        raise InputError("'batch_size' must be one number or a list of numbers; got none or a table of them.")
    wrong = sizes[~(np.isfinite(sizes) & (sizes > 0))]
    if len(wrong):
        raise InputError(f"'batch_size' must be positive and finite; got {wrong[0]:g}.")
    return sizes
