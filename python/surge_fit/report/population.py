"""A fit of several groups: trends, the population, then every group."""

from __future__ import annotations

from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit.decisions.estimates import PROBABILITY, ParameterEstimate
from surge_fit.decisions.trends import PopulationEstimate, Trend
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.composition import PopulationReport
from surge_fit.report.fit import closing, estimates_by_name, evidence, not_trusted, priors_table
from surge_fit.report.numbers import plain, scientific, signed_together, together
from surge_fit.report.statements import statement

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_SCALES = {
    "reference_learning_rate": "learning rate at the reference batch size",
    "noise_scale": "noise scale",
    "critical_batch_size": "critical batch size",
    "min_steps": "least number of steps",
    "curvature": "curvature of the loss valley",
}
"""Parameters that are shown as they are; the others are shapes of the law."""

_OF_GROUPS = ("noise_scale", "max_learning_rate", "critical_batch_size", "min_steps")


def blocks(report: PopulationReport, *, priors: bool = False) -> list[Block]:
    """Tell a fit of several groups as text.

    Parameters
    ----------
    report : PopulationReport
    priors : bool
        Whether to tell the priors.

    Returns
    -------
    list of Block
    """
    text = not_trusted(report)
    sentences = _trend_sentences(report)
    text += [*map(Line, sentences), None] if sentences else []
    text += [*_population(report), None, *_groups(report), None]
    text.append(
        Line(
            "An answer is about one group: --at asks for one of these, or by its covariates for one that was "
            "never run."
        )
    )
    text += [None, *priors_table(report)] if priors else []
    return [*text, *closing(report)]


def record(report: PopulationReport) -> dict[str, Any]:
    """Tell a fit of several groups as a dict for strict JSON.

    Parameters
    ----------
    report : PopulationReport

    Returns
    -------
    dict
        Keys ``version, law, source, runs, batch_unit, loss_unit, random_seed, population, groups, trends,
        priors, diagnostics, warnings``; `groups` by label, their parameters as in the record of a fit.
    """
    unit = report.batch_unit
    return strict_dict(
        {
            "version": report.version,
            "law": None if report.law is None else report.law.name,
            "source": report.source,
            "runs": report.runs,
            "batch_unit": unit,
            "loss_unit": report.loss_unit,
            "random_seed": report.random_seed,
            "population": {
                parameter.name: {
                    "median": parameter.median,
                    "interval": parameter.interval,
                    "probability": PROBABILITY,
                    "spread": parameter.spread,
                    "spread_interval": parameter.spread_interval,
                    "trends": {
                        trend.covariate: {"exponent": trend.exponent, "interval": trend.interval}
                        for trend in parameter.trends
                    },
                }
                for parameter in report.population.parameters
            },
            "groups": {
                label: estimates_by_name(estimates, [statement(estimate, unit) for estimate in estimates])
                for label, estimates in report.population.groups
            },
            "trends": _trend_sentences(report),
            **evidence(report),
        }
    )


def _trend_sentences(report: PopulationReport) -> list[str]:
    return [
        _trend_sentence(parameter, trend)
        for parameter in report.population.parameters
        for trend in parameter.trends
    ]


def _trend_sentence(parameter: PopulationEstimate, trend: Trend) -> str:
    exponent, interval = signed_together(trend.exponent, trend.interval)
    name = _name(parameter.name)
    low, high = trend.interval
    law = f"as {trend.covariate}^{exponent} ({interval}, {_INTERVAL})"
    if low <= 0 <= high:
        return f"whether the {name} moves with {trend.covariate} is open: {law}"
    return f"{name} {'grows' if low > 0 else 'falls'} {law}"


def _population(report: PopulationReport) -> list[Block]:
    rows = []
    for parameter in report.population.parameters:
        if parameter.name in _SCALES:
            write = scientific if parameter.name == "reference_learning_rate" else plain
            value, interval = together(parameter.median, parameter.interval, write)
        else:
            value, interval = signed_together(parameter.median, parameter.interval)
        rows.append(
            (
                value,
                interval,
                *together(parameter.spread, parameter.spread_interval, plain),
                _name(parameter.name),
            )
        )
    headers = ("group in\nthe middle", _INTERVAL, "spread between\ngroups [log]", _INTERVAL, "parameter")
    return [
        Line(f"The population of {len(report.population.groups)} groups", "heading"),
        Table(headers, tuple(rows), 1),
    ]


def _name(name: str) -> str:
    return _SCALES.get(name, name)


def _groups(report: PopulationReport) -> list[Block]:
    by_group = [
        {estimate.name: estimate for estimate in estimates} for _, estimates in report.population.groups
    ]
    names = [name for name in _OF_GROUPS if any(name in estimates for estimates in by_group)]
    rows = tuple(
        (*(_cell(estimates.get(name)) for name in names), label)
        for (label, _), estimates in zip(report.population.groups, by_group, strict=True)
    )
    unit = {"max_learning_rate": "", "min_steps": ""}
    headers = tuple(
        "\n".join(filter(None, (name.replace("_", " "), unit.get(name, f"[{report.batch_unit}]"))))
        for name in names
    )
    return [Line(f"Every group, with the {_INTERVAL}", "heading"), Table((*headers, "group"), rows, 1)]


def _cell(estimate: ParameterEstimate | None) -> str:
    if estimate is None:
        return ""
    write = scientific if estimate.name == "max_learning_rate" else plain
    if estimate.identified:
        value, interval = together(estimate.median, estimate.interval, write)
        return f"{value} ({interval})"
    low, high = estimate.interval
    if estimate.bound is None:
        return "not identified"
    return f"≥ {write(low, 2)}" if estimate.bound == "lower" else f"≤ {write(high, 2)}"
