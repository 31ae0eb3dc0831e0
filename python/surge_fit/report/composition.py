"""The report of a fit as one value: composed once, shown as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit._support.intervals import Interval
from surge_fit._version import __version__
from surge_fit.decisions.estimates import TAIL, ParameterEstimate, estimate_parameters
from surge_fit.decisions.recommendation import Recommendation
from surge_fit.decisions.sensitivity import PriorSensitivity, has_densities, prior_sensitivity
from surge_fit.decisions.steps_prediction import StepsPrediction, predict_steps
from surge_fit.decisions.trends import Population, estimate_population
from surge_fit.law import Law
from surge_fit.model.steps import StraightLine, straight_line
from surge_fit.posterior.population import ChosenGroup
from surge_fit.posterior.value import Posterior
from surge_fit.priors import Priors
from surge_fit.report.statements import statement, warnings_of
from surge_fit.sampling.diagnostics import Diagnostics
from surge_fit.typing import BatchUnit


@dataclass(frozen=True, slots=True)
class LawParameter:
    """One parameter of the law as the law defines it, scales taken out of their logarithm.

    Attributes
    ----------
    name, symbol, description : str
        As in `surge_fit.Parameter`, without "log".
    unit : str
        ``learning rate``, the batch unit, or ``1``.
    median : float
    interval : tuple of float
        Central 90 % interval.
    """

    name: str
    symbol: str
    description: str
    unit: str
    median: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class StepsReport:
    """Steps to a target, as a fit predicts them and as they were seen.

    Attributes
    ----------
    predictions : tuple of StepsPrediction
        At every batch size at which the target was reached, ascending.
    seen : tuple of float
        Geometric mean of the steps seen there; empty for a group that was never run.
    line : StraightLine or None
        The cross-check by least squares; None for a group that was never run.
    """

    predictions: tuple[StepsPrediction, ...]
    seen: tuple[float, ...]
    line: StraightLine | None


@dataclass(frozen=True, slots=True)
class PopulationReport:
    """A fit of several groups: its population, and what it rests on.

    Attributes
    ----------
    source, runs, batch_unit, loss_unit, law, priors, diagnostics, warnings, random_seed, version
        As in `Report`.
    population : Population
    """

    source: str
    runs: int
    batch_unit: BatchUnit
    loss_unit: str | None
    law: Law | None
    population: Population
    priors: Priors
    diagnostics: Diagnostics
    warnings: tuple[str, ...]
    random_seed: int
    version: str


@dataclass(frozen=True, slots=True)
class Report:
    """A fit and its recommendations, and what they rest on.

    Attributes
    ----------
    source : str
        The table of runs.
    group : ChosenGroup or None
        Which group of a pooled fit it is about.
    runs : int
        Runs (or optimum points) that entered the model.
    batch_sizes : tuple of float
        Those tried, ascending, in `batch_unit`.
    batch_unit : {"examples", "sequences", "tokens"}
    loss_unit : str or None
        Unit of every expected regret; None where no losses were fitted.
    law : Law or None
        Law of the learning rate; None where steps to a target are all there is.
    law_parameters : tuple of LawParameter
    parameters : tuple of ParameterEstimate
        See `surge_fit.estimate_parameters`.
    statements : tuple of str
        One sentence for each of `parameters`.
    steps : StepsReport or None
        None where no steps to a target were fitted.
    recommendations : tuple of Recommendation
    sensitivities : tuple of PriorSensitivity
        For the laws' numbers, and for the optimum at each recommended batch size.
    priors : Priors
    diagnostics : Diagnostics
    warnings : tuple of str
        One or two sentences for each reason for caution; reasons not to trust the fit come first.
    random_seed : int
    version : str
        Of surge_fit.
    """

    source: str
    group: ChosenGroup | None
    runs: int
    batch_sizes: tuple[float, ...]
    batch_unit: BatchUnit
    loss_unit: str | None
    law: Law | None
    law_parameters: tuple[LawParameter, ...]
    parameters: tuple[ParameterEstimate, ...]
    statements: tuple[str, ...]
    steps: StepsReport | None
    recommendations: tuple[Recommendation, ...]
    sensitivities: tuple[PriorSensitivity, ...]
    priors: Priors
    diagnostics: Diagnostics
    warnings: tuple[str, ...]
    random_seed: int
    version: str


def compose(posterior: Posterior, recommendations: Sequence[Recommendation] = ()) -> Report:
    """Compose the report of a fit.

    Parameters
    ----------
    posterior : Posterior
    recommendations : sequence of Recommendation
        From `surge_fit.recommend`.

    Returns
    -------
    Report
    """
    sweep = posterior.sweep
    parameters = estimate_parameters(posterior)
    sensitivities = _sensitivities(posterior, recommendations)
    return Report(
        source=sweep.source,
        group=posterior.chosen_group,
        runs=posterior.observations.count,
        batch_sizes=tuple(posterior.observations.batch_size.tolist()),
        batch_unit=sweep.batch_unit,
        loss_unit=posterior.sweep.loss_unit if posterior.has_surface else None,
        law=posterior.law if posterior.has_law else None,
        law_parameters=tuple(_law_parameters(posterior) if posterior.has_law else ()),
        parameters=parameters,
        statements=tuple(statement(estimate, sweep.batch_unit) for estimate in parameters),
        steps=_steps(posterior) if posterior.has_steps else None,
        recommendations=tuple(recommendations),
        sensitivities=sensitivities,
        priors=posterior.priors,
        diagnostics=posterior.diagnostics,
        warnings=warnings_of(posterior, parameters, recommendations, sensitivities),
        random_seed=posterior.random_seed,
        version=__version__,
    )


def compose_population(posterior: Posterior) -> PopulationReport:
    """Compose the report of a fit of several groups.

    Parameters
    ----------
    posterior : Posterior
        A fit of several groups.

    Returns
    -------
    PopulationReport
    """
    return PopulationReport(
        source=posterior.sweep.source,
        runs=posterior.observations.count,
        batch_unit=posterior.sweep.batch_unit,
        loss_unit=posterior.sweep.loss_unit if posterior.has_surface else None,
        law=posterior.law if posterior.has_law else None,
        population=estimate_population(posterior),
        priors=posterior.priors,
        diagnostics=posterior.diagnostics,
        warnings=warnings_of(posterior, (), (), ()),
        random_seed=posterior.random_seed,
        version=__version__,
    )


def _sensitivities(
    posterior: Posterior, recommendations: Sequence[Recommendation]
) -> tuple[PriorSensitivity, ...]:
    if not has_densities(posterior):
        return ()
    return prior_sensitivity(posterior, batch_size=[r.batch_size for r in recommendations])


def _steps(posterior: Posterior) -> StepsReport:
    runs = posterior.observations.steps
    tried, which = np.unique(runs.cell_index, return_inverse=True)
    sizes = posterior.observations.batch_size[tried]
    mean = np.bincount(which, weights=runs.value) / np.bincount(which)
    predictions = predict_steps(posterior, batch_size=sizes)
    if not posterior.has_own_runs:
        return StepsReport(predictions, seen=(), line=None)
    return StepsReport(
        predictions=predictions,
        seen=tuple(np.exp(mean).tolist()),
        line=straight_line(posterior.observations.batch_size[runs.cell_index], np.exp(runs.value)),
    )


def _law_parameters(posterior: Posterior) -> list[LawParameter]:
    units = {
        "learning_rate_scale": "learning rate",
        "batch_size_scale": posterior.sweep.batch_unit,
        "shape": "1",
    }
    parameters = []
    for parameter in posterior.law.parameters:
        draws = posterior.law_draws[parameter.name]
        interval = Interval.of(draws, TAIL, order_statistics=True)
        if parameter.role != "shape":
            interval = interval.exp()
        parameters.append(
            LawParameter(
                name=parameter.name.removeprefix("log_"),
                symbol=parameter.symbol.removeprefix("log "),
                description=_without_log(parameter.description),
                unit=units[parameter.role],
                median=interval.median,
                interval=interval.ends,
            )
        )
    return parameters


def _without_log(description: str) -> str:
    """Describe a scale instead of its logarithm: "Log batch size of …" → "Batch size of …"."""
    for prefix in ("Log of the ", "Log "):
        if description.startswith(prefix) and not description.startswith("Log-log"):
            rest = description.removeprefix(prefix)
            return rest[0].upper() + rest[1:]
    return description
