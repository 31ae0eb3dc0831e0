"""Pooled draws → the draws of one group: of one that was run, or of one that never was.

A group that was run has draws of its own. One that never was is drawn from the population, once for every
draw of the posterior: its parameters as `surge_fit.model.pooling` says, then its optimum and its steps at
every batch size tried, by the Gaussian processes around their laws. Both come out under the names that a fit
of one group has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surge_fit._support.arguments import positive_number
from surge_fit._support.wording import listing
from surge_fit.errors import InputError, SweepError
from surge_fit.law import Law, LawDraws
from surge_fit.model import discrepancy
from surge_fit.model.observations import Observations, sort_runs
from surge_fit.model.pooling import JOINT, in_groups, is_additive, pooled_parameters
from surge_fit.model.steps import log_steps
from surge_fit.priors import Priors
from surge_fit.sweep import Sweep, labels_meant
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

_CRITICAL = "log_critical_batch_size"
_POPULATION_SUFFIXES = ("_mean", "_spread", "_trend", "_offset")


@dataclass(frozen=True, slots=True)
class ChosenGroup:
    """Group of a pooled fit that a posterior is about.

    Attributes
    ----------
    label : str
        Label of a group of the sweep; for one that was never run, its covariates: ``"params=1e+09"``.
    tried : bool
        Whether the sweep has runs of it.
    covariate_e_folds : tuple of (str, float)
        Distance of each covariate from those of the groups that were run, in natural log units: positive
        beyond the largest, negative below the smallest, 0 inside.
    """

    label: str
    tried: bool
    covariate_e_folds: tuple[tuple[str, float], ...]

    @property
    def outside(self) -> tuple[str, ...]:
        """Words for every covariate outside those seen: ``1.2 e-folds beyond the largest params seen``."""
        return tuple(
            f"{abs(e_folds):.1f} e-folds {'beyond the largest' if e_folds > 0 else 'below the smallest'} "
            f"{name} seen"
            for name, e_folds in self.covariate_e_folds
            if e_folds
        )


@dataclass(frozen=True, slots=True, eq=False)
class PooledRuns:
    """The runs of several groups, as they are and sorted."""

    sweep: Sweep
    observations: Observations


@dataclass(frozen=True, slots=True, eq=False)
class TriedGroup:
    """A group that was run.

    Attributes
    ----------
    pooled : PooledRuns
    chosen : ChosenGroup
    sweep : Sweep
        Its runs.
    own : Observations
        The same, sorted.
    """

    pooled: PooledRuns
    chosen: ChosenGroup
    sweep: Sweep
    own: Observations

    def draws(self, draws: xr.Dataset, law: Law, priors: Priors, rng: np.random.Generator) -> xr.Dataset:
        """Its draws, as a fit of its runs alone would name them.

        Parameters
        ----------
        draws : xarray.Dataset
            Draws of the pooled model: dims ``chain``, ``draw``, ``group``, ``cell`` and ``covariate``.
        law : Law
            Law of the fit.
        priors : Priors
            Not used; `NewGroup.draws` needs them.
        rng : numpy.random.Generator
            Not used: nothing is left to chance.

        Returns
        -------
        xarray.Dataset
            With the dim ``batch_size``, over the batch sizes of `own`. What is defined at the reference batch
            size, or in units of a scale of the data, is so for `own`.
        """
        pooled, own = self.pooled.observations, self.own
        group = pooled.groups.index(self.chosen.label)
        here = np.flatnonzero(pooled.cell_group == group)
        cells = here[np.isin(pooled.batch_size[here], own.batch_size)]
        group_draws = draws.drop_vars(
            [*_population_variables(draws, pooled, law), "steps_innovation"], errors="ignore"
        )
        group_draws = group_draws.drop_vars(["cell", "group", "covariate"], errors="ignore")
        group_draws = group_draws.isel({"group": group, "cell": cells}, missing_dims="ignore")
        group_draws = group_draws.rename(cell="batch_size").assign_coords(batch_size=own.batch_size)
        if "log_reference_learning_rate" in group_draws:
            reference = np.exp([own.log_reference_batch_size])
            at_reference = _log_learning_rate(group_draws, law, reference)[..., 0]
            group_draws["log_reference_learning_rate"] = (("chain", "draw"), at_reference)
        if "log_curvature" in group_draws:
            shift = own.log_reference_batch_size - pooled.log_reference_batch_size
            slope = group_draws["curvature_slope"]
            group_draws["log_curvature"] = group_draws["log_curvature"] + slope * shift
            gap = (own.scales.best_loss - group_draws["floor"].values) / own.scales.gap
            group_draws["floor_gap"] = (group_draws["floor"].dims, gap)
        return group_draws


@dataclass(frozen=True, slots=True, eq=False)
class NewGroup:
    """A group that was never run.

    Attributes
    ----------
    pooled : PooledRuns
    chosen : ChosenGroup
    centred : ndarray, shape (covariate,)
        Its covariates as the model has them: logarithms less the mean over the groups that were run.
    """

    pooled: PooledRuns
    chosen: ChosenGroup
    centred: FloatArray

    @property
    def sweep(self) -> Sweep:
        """All runs of the fit, none of which is of this group."""
        return self.pooled.sweep

    @property
    def own(self) -> Observations:
        """The same, sorted, as if they were of one group."""
        return self.pooled.observations.merged()

    def draws(self, draws: xr.Dataset, law: Law, priors: Priors, rng: np.random.Generator) -> xr.Dataset:
        """Draw the group from the population, once for every draw.

        Parameters
        ----------
        draws : xarray.Dataset
            As for `TriedGroup.draws`.
        law : Law
        priors : Priors
        rng : numpy.random.Generator

        Returns
        -------
        xarray.Dataset
            With the dim ``batch_size``, over all batch sizes tried; without floors, which nothing tells.
        """
        pooled = self.pooled.observations
        sizes, dims = np.unique(pooled.batch_size), ("chain", "draw")
        shape = tuple(draws.sizes[dim] for dim in dims)
        by_group = [name for name, array in draws.data_vars.items() if {"group", "cell"} & set(array.dims)]
        dropped = {*_population_variables(draws, pooled, law), *by_group, "cell", "group", "covariate"}
        group_draws = draws.drop_vars(dropped, errors="ignore").assign_coords(batch_size=sizes)
        for name in (parameter.name for parameter in pooled_parameters(pooled, law)):
            value = in_groups(
                np,
                draws[f"{name}_mean"].values,
                draws[f"{name}_spread"].values,
                rng.standard_normal((*shape, 1)),
                draws[f"{name}_trend"].values if f"{name}_trend" in draws else None,
                self.centred[None, :],
                additive=is_additive(priors[name]),
            )
            group_draws[name] = (dims, value[..., 0])

        def around(mean: FloatArray, scale: str) -> FloatArray:
            innovation = rng.standard_normal(mean.shape) @ discrepancy.cholesky(np.log(sizes)).T
            return np.asarray(mean + group_draws[scale].values[..., None] * innovation)

        if pooled.has_learning_rates:
            scale = law.parameters[0].name
            group_draws[scale] = (dims, np.zeros(shape))
            reference = np.exp([pooled.log_reference_batch_size])
            at_reference = _log_learning_rate(group_draws, law, reference)[..., 0]
            group_draws[scale] = group_draws["log_reference_learning_rate"] - at_reference
            optimum = around(_log_learning_rate(group_draws, law, sizes), "discrepancy_scale")
            group_draws["log_optimal_learning_rate"] = ((*dims, "batch_size"), optimum)
        if len(pooled.steps):
            if JOINT in group_draws:
                group_draws[_CRITICAL] = group_draws["log_noise_scale"] + group_draws[JOINT]
            least, critical = (group_draws[name].values[..., None] for name in ("log_min_steps", _CRITICAL))
            steps = around(log_steps(np, np.log(sizes), least, critical), "steps_discrepancy_scale")
            group_draws["log_steps_curve"] = ((*dims, "batch_size"), steps)
        return group_draws


def choose(which: str | Mapping[str, object], pooled: PooledRuns) -> TriedGroup | NewGroup:
    """Find the group that is asked for, as `surge_fit.Posterior.group` says.

    Raises
    ------
    InputError
        If none is meant, or several, or one without a run that the fit could use.
    """
    sweep = pooled.sweep
    if isinstance(which, str):
        return _tried(labels_meant(which, sweep.group_values, sweep.source)[0], pooled)
    try:
        labels = labels_meant(which, sweep.group_values, sweep.source) if which else ()
    except SweepError:
        labels = ()
    if len(labels) > 1:
        msg = (
            f"'which' must mean one group of {sweep.source}; {dict(which)} means {len(labels)}: "
            f"{listing([repr(label) for label in labels], 10)}. Give more columns, or a label."
        )
        raise InputError(msg)
    return _tried(labels[0], pooled) if labels else _new(which, pooled)


def _tried(label: str, pooled: PooledRuns) -> TriedGroup:
    sweep = pooled.sweep.select(label)
    own = sort_runs(sweep)
    if not len(own.batch_size):
        msg = (
            f"A group that is asked for by its label must have a run that the fit could use; {label!r} has "
            "none. Give its covariates as those of a group never run."
        )
        raise InputError(msg)
    inside = tuple((name, 0.0) for name in pooled.observations.covariates.names)
    return TriedGroup(pooled, ChosenGroup(label, True, inside), sweep, own)


def _new(which: Mapping[str, object], pooled: PooledRuns) -> NewGroup:
    covariates = pooled.observations.covariates
    if set(which) != set(covariates.names):
        none = "none: fit with covariates=…, command line --covariates"
        names = listing(covariates.names) if covariates.names else none
        msg = (
            f"'which' must mean one group of {pooled.sweep.source} or, for a group never run, give exactly "
            f"the covariates of the fit ({names}); got {dict(which)}. The groups are "
            f"{listing(map(repr, pooled.sweep.groups), 10)}."
        )
        raise InputError(msg)
    value = [_positive(name, which[name]) for name in covariates.names]
    log_value = np.log(np.asarray(value, dtype=np.float64))
    outside = log_value - np.clip(
        log_value, covariates.log_value.min(axis=0), covariates.log_value.max(axis=0)
    )
    label = ", ".join(f"{name}={number:g}" for name, number in zip(covariates.names, value, strict=True))
    e_folds = tuple(zip(covariates.names, outside.tolist(), strict=True))
    chosen = ChosenGroup(label or "any", tried=False, covariate_e_folds=e_folds)
    return NewGroup(pooled, chosen, log_value - covariates.log_centre)


def _positive(name: str, value: object) -> float:
    number = positive_number(value)
    if number is None:
        msg = f"The covariate {name!r} must be a positive finite number; got {value!r}."
        raise InputError(msg)
    return number


def _log_learning_rate(draws: xr.Dataset, law: Law, batch_size: FloatArray) -> FloatArray:
    """Log learning rate of the law at batch sizes; shape (chain, draw, batch_size)."""
    theta = {p.name: draws[p.name].values.reshape(-1) for p in law.parameters}
    values = LawDraws.of(law, theta).optimum(batch_size)
    return values.reshape(draws.sizes["chain"], draws.sizes["draw"], len(batch_size))


def _population_variables(draws: xr.Dataset, observations: Observations, law: Law) -> list[str]:
    """Names of the variables that describe the population, or groups in its units."""
    parameters = pooled_parameters(observations, law)
    names = [*(parameter.name for parameter in parameters), _CRITICAL]
    population = {f"{name}{suffix}" for name in names for suffix in _POPULATION_SUFFIXES}
    return [str(name) for name in draws.data_vars if name in population]
