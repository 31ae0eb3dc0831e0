"""The posterior of a fit as one immutable value, with everything needed to use it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit._support import compat
from surge_fit._support.arguments import require_batch_sizes
from surge_fit._support.wording import listing
from surge_fit._version import __version__
from surge_fit.errors import InputError
from surge_fit.law import Law, LawDraws
from surge_fit.model import discrepancy
from surge_fit.model.draw_groups import Dataset, DrawGroups
from surge_fit.model.in_numpy import Evaluation
from surge_fit.model.observations import Observations, require_learning_rates
from surge_fit.model.spec import Model
from surge_fit.model.steps import log_steps
from surge_fit.posterior import storage
from surge_fit.posterior.population import ChosenGroup, PooledRuns, choose
from surge_fit.priors import Priors
from surge_fit.sampling.diagnostics import Diagnostics
from surge_fit.sweep import Sweep
from surge_fit.typing import FloatArray, Path

if TYPE_CHECKING:
    import xarray as xr

_OF_EVERY_DRAW = ("sample_stats", "log_prior", "log_likelihood")
"""Groups that are about the draws of the fit, whichever group of runs is asked for."""

_FROM_POSTERIOR, _FROM_PRIOR, _OF_STEPS = 1, 2, 3
"""Streams of random numbers of one seed: what is drawn for one purpose is independent of the others."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """The draws of a fitted law, with the model and the diagnostics of the fit.

    Attributes
    ----------
    draw_groups : DrawGroups
        As `surge_fit.posterior.assembly.infer` makes it: draws, densities and data, in groups of arrays.
        Dims: ``chain``, ``draw``, ``batch_size``, ``run``.
    model : Model
        The model that was fitted; for one group of a pooled fit (`group`), the model of its runs alone.
    random_seed : int
    diagnostics : Diagnostics
        Whether the chains can be trusted.
    chosen_group : ChosenGroup or None
        The group of a pooled fit that it describes, if `group` made it.

    Examples
    --------
    >>> posterior.law.name, posterior.sweep
    ('broken_power', Sweep(13 runs, 3 batch sizes 8…512 [examples], 1 diverged))
    >>> posterior.draws("loss_noise").shape
    (4000,)
    >>> posterior.log_optimal_learning_rate([64, 512]).shape
    (4000, 2)
    >>> posterior.to_datatree()["posterior"].sizes["chain"]
    4
    """

    draw_groups: DrawGroups
    model: Model
    random_seed: int
    diagnostics: Diagnostics
    chosen_group: ChosenGroup | None = None

    def __repr__(self) -> str:
        law = self.law.name if self.has_law else "steps to a target"
        group = "" if self.group_label is None else f", group {self.group_label!r}"
        trusted = "trustworthy" if self.diagnostics.trustworthy else "not trustworthy"
        return f"Posterior({law} fitted to {self.sweep!r}{group}: {self.diagnostics.draws} draws, {trusted})"

    @property
    def sweep(self) -> Sweep:
        """The sweep that was fitted."""
        return self.model.sweep

    @property
    def observations(self) -> Observations:
        """The runs as the model uses them; for a group that was never run, those of all groups, merged."""
        return self.model.observations

    @property
    def law(self) -> Law:
        """The law of the learning rate; where `has_law` is false, the one requested, which has no draws."""
        return self.model.law

    @property
    def priors(self) -> Priors:
        """All priors of the model."""
        return self.model.priors

    @property
    def covariates(self) -> tuple[str, ...]:
        """Group columns that the parameters of pooled groups may follow."""
        return self.model.covariates

    def to_datatree(self) -> xr.DataTree:
        """Return draws, densities and data as an xarray tree, which ArviZ 1 reads; arrays are not copied.

        Returns
        -------
        xarray.DataTree
            The groups of `draw_groups`, under ArviZ's names. Where the log likelihood is thinned, its
            attribute ``thinned_by`` says that one draw of so many is kept.
        """
        import xarray as xr

        return xr.DataTree.from_dict(self.draw_groups.to_datasets())

    def to_inference_data(self) -> Any:
        """Return draws, densities and data for ArviZ 0.x, which does not read a ``DataTree``.

        Returns
        -------
        arviz.InferenceData
            The groups of `to_datatree`.

        Raises
        ------
        InputError
            If the ArviZ that is installed has no ``InferenceData``: from 1 on it reads `to_datatree`.
        """
        return compat.inference_data(self.draw_groups.to_datasets())

    @cached_property
    def evaluation(self) -> Evaluation:
        """The model at all draws: their densities, and all else that follows from them."""
        variables = self.draw_groups["posterior"].variables.items()
        return Evaluation(self.model, {name: values for name, (_, values) in variables})

    @property
    def is_pooled(self) -> bool:
        """Whether it pools several groups, of which `group` must first pick one."""
        return len(self.observations.groups) > 0

    @property
    def has_own_runs(self) -> bool:
        """Whether the sweep has runs of the group in question: false for a group that was never run."""
        return self.chosen_group is None or self.chosen_group.tried

    @property
    def group_label(self) -> str | None:
        """Label of the group that the posterior describes, if there is one."""
        if self.chosen_group is not None:
            return self.chosen_group.label
        return self.sweep.groups[0] if len(self.sweep.groups) == 1 else None

    @property
    def has_one_batch_size(self) -> bool:
        """Whether all runs with learning rates share one batch size, the only one with an answer."""
        return self.has_law and len(np.unique(self.observations.batch_size)) == 1

    @property
    def has_law(self) -> bool:
        """Whether a law of the learning rate was fitted; steps to a target alone do not inform it."""
        return "log_optimal_learning_rate" in self.draw_groups["posterior"]

    @property
    def has_steps(self) -> bool:
        """Whether steps to a target were fitted, which inform the critical batch size."""
        return "log_min_steps" in self.draw_groups["posterior"]

    @property
    def has_surface(self) -> bool:
        """Whether losses were fitted, so that regret has the loss's units."""
        return "log_curvature" in self.draw_groups["posterior"]

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
        posterior = self.draw_groups["posterior"]
        if name not in posterior:
            msg = f"The posterior has no variable {name!r}; it has: {', '.join(posterior.variables)}."
            raise InputError(msg)
        values = np.asarray(posterior[name], dtype=np.float64)
        return values.reshape(-1, *values.shape[2:])

    @cached_property
    def law_draws(self) -> LawDraws:
        """Draws of the law's parameters, chains one after another.

        Raises
        ------
        InputError
            If the sweep has no learning rates (`has_law`), or the posterior pools several groups.
        """
        self.require_one_group()
        if not self.has_law:
            require_learning_rates(self.sweep)
        return LawDraws.of(self.law, {name: self.draws(name) for name in self.law.parameter_names})

    def discrepancy(self, batch_size: FloatArray, deviations: int = 1) -> FloatArray:
        """Joint draws of the deviation from the law.

        Parameters
        ----------
        batch_size : ndarray, shape (batch_size,)
            In the sweep's batch unit.
        deviations : int
            Number of deviations for each draw of the law.

        Returns
        -------
        ndarray, shape (draw · deviation, batch_size)
            In units of log learning rate; the same for equal arguments.
        """
        tried = self.observations.batch_size
        law = self.law_draws.optimum(tried)
        return discrepancy.conditional_draws(
            np.log(tried),
            np.repeat(self.draws("log_optimal_learning_rate") - law, deviations, axis=0),
            np.repeat(self.draws("discrepancy_scale"), deviations),
            np.log(batch_size),
            np.random.default_rng(self.random_seed),
        )

    def log_steps(self, batch_size: Sequence[float] | FloatArray) -> FloatArray:
        """Joint draws of the log of the steps to the target, at the best learning rate.

        Parameters
        ----------
        batch_size : array_like, shape (batch_size,)
            Any batch sizes, in the sweep's batch unit.

        Returns
        -------
        ndarray, shape (draw, batch_size)
            The law of the steps and the deviation from it; the same for equal arguments.

        Raises
        ------
        InputError
            If a batch size is not a positive finite number, or the sweep has no steps to a target
            (`has_steps`), or the posterior pools several groups.
        """
        self.require_one_group()
        sizes = require_batch_sizes(batch_size)
        if not self.has_steps:
            msg = (
                "Predicting steps needs a fit of steps to a target; "
                f"{self.sweep.source} has none. Fit a table with a column 'steps_to_target'."
            )
            raise InputError(msg)
        least, critical = (self.draws(name)[:, None] for name in ("log_min_steps", "log_critical_batch_size"))
        tried = self.observations.log_batch_size
        deviation = discrepancy.conditional_draws(
            tried,
            self.draws("log_steps_curve") - log_steps(np, tried, least, critical),
            self.draws("steps_discrepancy_scale"),
            np.log(sizes),
            np.random.default_rng([self.random_seed, _OF_STEPS]),
        )
        return np.asarray(log_steps(np, np.log(sizes), least, critical) + deviation)

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
        sizes = require_batch_sizes(batch_size)
        return self.law_draws.optimum(sizes) + self.discrepancy(sizes)

    def require_one_group(self) -> None:
        """Refuse a posterior of several groups, whose draws are not those of any one.

        Raises
        ------
        InputError
            Naming the groups, and how to ask for one.
        """
        if self.is_pooled:
            groups, names = self.observations.groups, self.covariates
            ask = "{" + ", ".join(f"{name!r}: …" for name in names) + "}"
            msg = (
                f"This posterior pools {len(groups)} groups, and an answer is about one of them: ask "
                f"posterior.group(label) (command line: --at) with {listing(map(repr, groups), 10)}; or "
                f"posterior.group({ask}) for a group that was never run."
            )
            raise InputError(msg)

    def group(self, which: str | Mapping[str, object]) -> Posterior:
        """Return the posterior of one group: one that was run, or one that never was.

        Parameters
        ----------
        which : str or mapping
            A label of the sweep's groups; a mapping that means one of them, as `Sweep.select` takes; or a
            value of every covariate, such as ``{"params": 1e9}``, for a group that was never run (``{}``
            where the fit has no covariates).

        Returns
        -------
        Posterior
            For that group alone, like the fit of a single group, without predictive draws. A group that was
            run keeps its runs. One that was not has the whole sweep, and is drawn from the population, once
            for every draw: the same for equal arguments.

        Raises
        ------
        InputError
            If the posterior is not pooled, `which` means no group or several, or the group has no run that
            the fit could use.
        """
        if not self.is_pooled:
            msg = (
                "Only a posterior of several groups has groups to choose from; that of "
                f"{self.sweep.source} has one. Ask it directly, or fit a sweep read with group_by=…."
            )
            raise InputError(msg)
        group, data = choose(which, PooledRuns(self.sweep, self.observations)), self.draw_groups

        def of_chosen(name: str, stream: int) -> Dataset:
            rng = np.random.default_rng([self.random_seed, stream])
            return Dataset.of_dataset(group.draws(data[name].to_dataset(), self.law, self.priors, rng))

        makers = {
            "posterior": partial(of_chosen, "posterior", _FROM_POSTERIOR),
            "prior": partial(of_chosen, "prior", _FROM_PRIOR),
        }
        unchanged = {name: partial(data.__getitem__, name) for name in _OF_EVERY_DRAW if name in data}
        return replace(
            self,
            draw_groups=DrawGroups(makers | unchanged),
            model=replace(self.model, sweep=group.sweep, observations=group.own),
            chosen_group=group.chosen,
        )

    def save(self, path: Path) -> None:
        """Write the posterior with sweep, law, priors, seed and versions to one NetCDF file.

        Parameters
        ----------
        path : path-like
            ArviZ and xarray read it too.
        """
        from importlib.metadata import version

        attributes = {
            "surge_fit_version": __version__,
            "versions": json.dumps({name: version(name) for name in ("pymc", "arviz", "nutpie", "numpy")}),
            "law": self.law.name,
            "random_seed": self.random_seed,
            "sweep": json.dumps(self.sweep.to_dict()),
            "priors": json.dumps(self.priors.to_dict()),
            "diagnostics": json.dumps(asdict(self.diagnostics)),
            "covariates": json.dumps(self.covariates),
            "group_meant": json.dumps(None if self.chosen_group is None else asdict(self.chosen_group)),
        }
        storage.write(path, self.to_datatree(), attributes)
