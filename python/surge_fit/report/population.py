"""A fit of several groups as text and JSON: trends, the population, then every group."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from surge_fit.decisions.estimates import PROBABILITY, ParameterEstimate
from surge_fit.decisions.trends import PopulationEstimate, Trend
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.fit import PopulationReport
from surge_fit.report.numbers import plain, scientific, signed_together, together
from surge_fit.report.records import strict_dict
from surge_fit.report.statements import statement
from surge_fit.report.terminal import closing, not_trusted, priors_table

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_SCALES = {
    "reference_learning_rate": "learning rate at the reference batch size",
    "noise_scale": "noise scale",
    "critical_batch_size": "critical batch size",
    "min_steps": "least number of steps",
    "curvature": "curvature of the loss valley",
}
"""Parameters that are told as what they are; the others are shapes of the law."""

_OF_GROUPS = ("noise_scale", "max_learning_rate", "critical_batch_size", "min_steps")


def population_to_text(
    report: PopulationReport, *, width: int = MAX_WIDTH, color: bool = False, priors: bool = False
) -> str:
    """Tell a fit of several groups as text.

    Parameters
    ----------
    report : PopulationReport
    width, color, priors
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks = not_trusted(report)
    sentences = _trend_sentences(report)
    blocks += [*map(Line, sentences), None] if sentences else []
    blocks += [*_population(report), None, *_groups(report), None]
    blocks.append(
        Line(
            "An answer is about one group: --at asks for one of these, or by its covariates for one that was "
            "never run."
        )
    )
    blocks += [None, *priors_table(report)] if priors else []
    return render([*blocks, *closing(report)], width=width, color=color)


def population_to_json(report: PopulationReport) -> dict[str, Any]:
    """Tell a fit of several groups as a dict of JSON types.

    Parameters
    ----------
    report : PopulationReport

    Returns
    -------
    dict
        Keys ``version, law, source, runs, batch_unit, loss_unit, random_seed, population, groups, trends,
        priors, diagnostics, warnings``; `groups` by label, their parameters as in `to_json`.
    """
    unit = report.batch_unit
    groups = {
        label: {
            held.name: {name: value for name, value in asdict(held).items() if name != "name"}
            | {"statement": statement(held, unit)}
            for held in parameters
        }
        for label, parameters in report.population.groups
    }
    diagnostics = asdict(report.diagnostics) | {
        "min_ess": report.diagnostics.min_ess,
        "trustworthy": report.diagnostics.trustworthy,
    }
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
                held.name: {
                    "median": held.median,
                    "interval": held.interval,
                    "probability": PROBABILITY,
                    "spread": held.spread,
                    "spread_interval": held.spread_interval,
                    "trends": {
                        trend.covariate: {"exponent": trend.exponent, "interval": trend.interval}
                        for trend in held.trends
                    },
                }
                for held in report.population.parameters
            },
            "groups": groups,
            "trends": _trend_sentences(report),
            "priors": {name: str(prior) for name, prior in report.priors.items()},
            "diagnostics": diagnostics,
            "warnings": report.warnings,
        }
    )


def _trend_sentences(report: PopulationReport) -> list[str]:
    return [_trend_sentence(held, trend) for held in report.population.parameters for trend in held.trends]


def _trend_sentence(held: PopulationEstimate, trend: Trend) -> str:
    exponent, interval = signed_together(trend.exponent, trend.interval)
    name = _name(held.name)
    low, high = trend.interval
    law = f"as {trend.covariate}^{exponent} ({interval}, {_INTERVAL})"
    if low <= 0 <= high:
        return f"whether the {name} moves with {trend.covariate} is open: {law}"
    return f"{name} {'grows' if low > 0 else 'falls'} {law}"


def _population(report: PopulationReport) -> list[Block]:
    rows = []
    for held in report.population.parameters:
        if held.name in _SCALES:
            write = scientific if held.name == "reference_learning_rate" else plain
            value, interval = together(held.median, held.interval, write)
        else:
            value, interval = signed_together(held.median, held.interval)
        rows.append((value, interval, *together(held.spread, held.spread_interval, plain), _name(held.name)))
    headers = ("group in\nthe middle", _INTERVAL, "spread between\ngroups [log]", _INTERVAL, "parameter")
    return [
        Line(f"The population of {len(report.population.groups)} groups", "heading"),
        Table(headers, tuple(rows), 1),
    ]


def _name(name: str) -> str:
    return _SCALES.get(name, name)


def _groups(report: PopulationReport) -> list[Block]:
    held = [{e.name: e for e in parameters} for _, parameters in report.population.groups]
    names = [name for name in _OF_GROUPS if any(name in estimates for estimates in held)]
    rows = tuple(
        (*(_cell(estimates.get(name)) for name in names), label)
        for (label, _), estimates in zip(report.population.groups, held, strict=True)
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
