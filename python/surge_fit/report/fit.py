"""A fit and its recommendations: the answer first, then why, then how sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit._support.wording import plural
from surge_fit.decisions.estimates import PROBABILITY, ParameterEstimate
from surge_fit.decisions.recommendation import Alternative, Recommendation
from surge_fit.law import Law
from surge_fit.posterior.population import ChosenGroup
from surge_fit.report import steps
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.composition import PopulationReport, Report
from surge_fit.report.numbers import batch_size, digits_for, plain, scientific, signed_together, together
from surge_fit.report.statements import chance, cost

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_RULES = {"current": "current", "square_root": "√ rule", "linear": "linear rule"}


def blocks(report: Report, *, parameters: bool = False, priors: bool = False) -> list[Block]:
    """Tell a fit and its recommendations as text.

    Parameters
    ----------
    report : Report
    parameters, priors : bool
        Whether to tell the law's own parameters, and the priors.

    Returns
    -------
    list of Block
    """
    text = not_trusted(report)
    text += [Line(_group(report.group), "heading"), None] if report.group else []
    if report.recommendations:
        text += [*_answer(report), None, *_reasons(report.recommendations), None]
        text += [*_comparison(report), None] if report.loss_unit else []
    text += [Line(sentence) for sentence in report.statements]
    text += [None, *steps.blocks(report.steps)] if report.steps else []
    text += [None, *_law_parameters(report, report.law)] if parameters and report.law else []
    text += [None, *priors_table(report)] if priors else []
    return text + closing(report)


def record(report: Report) -> dict[str, Any]:
    """Tell a fit and its recommendations as a dict for strict JSON.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        Keys ``version, law, source, group, runs, batch_sizes, batch_unit, loss_unit, random_seed, parameters,
        law_parameters, steps, recommendations, prior_sensitivity, priors, diagnostics, warnings``. Learning
        rates, batch sizes [batch_unit] and expected regrets [loss_unit] in full precision. What does not
        exist, is infinite or unknown is None.
    """
    group = report.group
    return strict_dict(
        {
            "version": report.version,
            "law": None if report.law is None else report.law.name,
            "source": report.source,
            "group": None
            if group is None
            else {**asdict(group), "covariate_e_folds": dict(group.covariate_e_folds)},
            "runs": report.runs,
            "batch_sizes": report.batch_sizes,
            "batch_unit": report.batch_unit,
            "loss_unit": report.loss_unit,
            "random_seed": report.random_seed,
            "parameters": {
                "noise_scale": None,
                "max_learning_rate": None,
                **estimates_by_name(report.parameters, report.statements),
            },
            "law_parameters": {
                parameter.name: {
                    "median": parameter.median,
                    "interval": parameter.interval,
                    "probability": PROBABILITY,
                    "unit": parameter.unit,
                }
                for parameter in report.law_parameters
            },
            "steps": None if report.steps is None else steps.record(report.steps),
            "recommendations": [recommendation.to_dict() for recommendation in report.recommendations],
            "prior_sensitivity": [
                {**asdict(sensitivity), "verdict": sensitivity.verdict}
                for sensitivity in report.sensitivities
            ],
            **evidence(report),
        }
    )


def estimates_by_name(
    estimates: Sequence[ParameterEstimate], sentences: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Tell estimates as dicts by name, each with its sentence."""
    records = [estimate.to_dict() for estimate in estimates]
    return {
        record.pop("name"): {**record, "statement": sentence}
        for record, sentence in zip(records, sentences, strict=True)
    }


def evidence(report: Report | PopulationReport) -> dict[str, Any]:
    """Tell priors, diagnostics and every reason for caution, with which a record ends."""
    return {
        "priors": {name: str(prior) for name, prior in report.priors.items()},
        "diagnostics": report.diagnostics.to_dict(),
        "warnings": report.warnings,
    }


def _group(group: ChosenGroup) -> str:
    if group.tried:
        return f"Group {group.label}"
    return f"Group {', '.join([group.label, *group.outside])}: never run, drawn from the population"


def not_trusted(report: Report | PopulationReport) -> list[Block]:
    """Begin with the problems of chains that disagree."""
    if report.diagnostics.trustworthy:
        return []
    return [
        Line("This fit cannot be trusted: look at the result, do not act on it.", "error"),
        *(Line(problem, "error", "  ") for problem in report.diagnostics.problems),
        None,
    ]


def closing(report: Report | PopulationReport) -> list[Block]:
    """End with the reasons for caution, what the fit was made of, and how its chains did."""
    cautions = report.warnings[len(report.diagnostics.problems) :]
    text: list[Block] = [None] if cautions else []
    text += [Line(warning, "warning", "Warning: ") for warning in cautions]
    return [*text, None, Line(_provenance(report), "faint")]


def _answer(report: Report) -> list[Block]:
    """Tell what to use; a quantity that the sweep does not tell has no column."""
    recommendations = report.recommendations
    written = [together(r.learning_rate, r.interval_90) for r in recommendations]
    columns = {
        f"batch size \n[{report.batch_unit}] ": [
            batch_size(r.batch_size) + ("*" if r.extrapolation else " ") for r in recommendations
        ],
        "learning\nrate": [rate for rate, _ in written],
        _INTERVAL: [interval for _, interval in written],
        f"expected\nregret [{report.loss_unit}]": [cost(r.expected_regret) for r in recommendations],
        "indistinguishable\nlearning rates": [_range(r) for r in recommendations],
        "P(diverge)": [chance(r.probability_of_divergence) for r in recommendations],
        "P(past\npeak)": [chance(r.probability_past_peak) for r in recommendations],
    }
    known = {header: cells for header, cells in columns.items() if any(cells)}
    text: list[Block] = [Table(tuple(known), tuple(zip(*known.values(), strict=True)))]
    if any(r.extrapolation for r in recommendations):
        low, high = (batch_size(report.batch_sizes[end]) for end in (0, -1))
        tried = f"{low} … {high} {report.batch_unit}"
        text.append(Line(f"* extrapolated: outside the batch sizes tried, {tried}", "faint"))
    return text


def _range(recommendation: Recommendation) -> str:
    if recommendation.equivalent_range is None:
        return ""
    digits = digits_for(*recommendation.interval_90)
    return " … ".join(scientific(end, digits) for end in recommendation.equivalent_range)


def _reasons(recommendations: Sequence[Recommendation]) -> list[Block]:
    names = [batch_size(r.batch_size) for r in recommendations]
    longest = max(map(len, names))
    return [
        Line(recommendation.reason, bullet=f"{name:>{longest}}: ")
        for name, recommendation in zip(names, recommendations, strict=True)
    ]


def _comparison(report: Report) -> list[Block]:
    """Tell what other choices would cost, one row per batch size."""
    headers = ["batch size"]
    for name in ["recommended", *(_RULES[other.name] for other in report.recommendations[0].alternatives)]:
        headers += [name, "regret"]
    rows = []
    for recommendation in report.recommendations:
        row = [batch_size(recommendation.batch_size)]
        choices: list[Recommendation | Alternative] = [recommendation, *recommendation.alternatives]
        for choice in choices:
            row += [scientific(choice.learning_rate), cost(choice.expected_regret)]
        rows.append(tuple(row))
    title = f"What other learning rates would cost (expected regret [{report.loss_unit}])"
    return [Line(title, "heading"), Table(tuple(headers), tuple(rows), kept=2)]


def _law_parameters(report: Report, law: Law) -> list[Block]:
    rows = []
    for parameter in report.law_parameters:
        if parameter.unit == "1":
            value, interval = signed_together(parameter.median, parameter.interval)
        else:
            write = scientific if parameter.unit == "learning rate" else plain
            value, interval = together(parameter.median, parameter.interval, write)
        unit = parameter.unit if parameter.unit == report.batch_unit else ""
        rows.append((value, interval, unit, parameter.symbol, parameter.description))
    headers = ("median", _INTERVAL, "unit", "parameter", "meaning")
    return [Line(f"{law.title}: {law.formula}", "heading"), Table(headers, tuple(rows), 3)]


def priors_table(report: Report | PopulationReport) -> list[Block]:
    """Tell the priors."""
    rows = tuple((name, str(prior)) for name, prior in report.priors.items())
    return [Line("Priors (logarithms are natural)", "heading"), Table(("variable", "prior"), rows, 2)]


_ENGINES = {"native": "native engine", "pymc": "PyMC and nutpie"}


def _provenance(report: Report | PopulationReport) -> str:
    diagnostics = report.diagnostics
    what = "optimum points" if report.law and not report.loss_unit else "runs"
    law = f"law {report.law.name}; " if report.law else ""
    return (
        f"{report.runs} {what} of {report.source}; {law}seed {report.random_seed}; "
        f"{_ENGINES[diagnostics.engine]}; R-hat ≤ {diagnostics.max_rhat:.3f}, "
        f"≥ {diagnostics.min_ess:.0f} effective samples, "
        f"{plural(diagnostics.divergences, 'divergence')} in {plural(diagnostics.draws, 'draw')}; "
        f"surge_fit {report.version}"
    )
