"""A result as a dict for strict JSON: full precision, null for what is not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

import numpy as np

from surge_fit.decisions.comparison import LawComparison
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.recommendation import Recommendation
from surge_fit.law import Law
from surge_fit.report.comparison import comparison_warnings, curve_sentences, verdicts
from surge_fit.report.fit import Report, StepsReport
from surge_fit.sweep import Sweep
from surge_fit.sweep.schema import STATUSES


def to_json(report: Report) -> dict[str, Any]:
    """Tell a report as a dict of JSON types.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        Keys ``version, law, source, group, runs, batch_unit, loss_unit, random_seed, parameters,
        law_parameters, steps, recommendations, prior_sensitivity, priors, diagnostics, warnings``. Learning
        rates, batch sizes [batch_unit] and expected regrets [loss_unit] in full precision. What does not
        exist, is infinite or unknown is None.
    """
    diagnostics = asdict(report.diagnostics)
    diagnostics |= {
        "min_ess": report.diagnostics.min_ess,
        "trustworthy": report.diagnostics.trustworthy,
    }
    parameters: dict[str, Any] = {"noise_scale": None, "max_learning_rate": None}
    for estimate, said in zip(report.parameters, report.statements, strict=True):
        held = asdict(estimate)
        name = held.pop("name")
        parameters[name] = {**held, "statement": said}
    return strict_dict(
        {
            "version": report.version,
            "law": None if report.law is None else report.law.name,
            "source": report.source,
            "group": None
            if report.group is None
            else {**asdict(report.group), "covariate_e_folds": dict(report.group.covariate_e_folds)},
            "runs": report.runs,
            "batch_sizes": report.batch_sizes,
            "batch_unit": report.batch_unit,
            "loss_unit": report.loss_unit,
            "random_seed": report.random_seed,
            "parameters": parameters,
            "law_parameters": {
                parameter.name: {
                    "median": parameter.median,
                    "interval": parameter.interval,
                    "probability": PROBABILITY,
                    "unit": parameter.unit,
                }
                for parameter in report.law_parameters
            },
            "steps": None if report.steps is None else _steps(report.steps),
            "recommendations": [_recommendation(held) for held in report.recommendations],
            "prior_sensitivity": [{**asdict(held), "verdict": held.verdict} for held in report.sensitivities],
            "priors": {name: str(prior) for name, prior in report.priors.items()},
            "diagnostics": diagnostics,
            "warnings": report.warnings,
        }
    )


def _steps(steps: StepsReport) -> dict[str, Any]:
    return {
        "predictions": [
            {**asdict(held), "probability": PROBABILITY, "steps_seen": seen}
            for held, seen in zip_longest(steps.predictions, steps.seen)
        ],
        "straight_line": None if steps.line is None else asdict(steps.line),
    }


def _recommendation(recommendation: Recommendation) -> dict[str, Any]:
    held = asdict(recommendation)
    held["interval"] = held.pop("interval_90")
    held["covariate_e_folds"] = dict(recommendation.covariate_e_folds)
    low, middle, high = held.pop("slope")
    return {
        **held,
        "probability": PROBABILITY,
        "slope": {"median": middle, "interval": (low, high)},
    }


def comparison_to_json(comparison: LawComparison) -> dict[str, Any]:
    """Tell a comparison of laws as a dict of JSON types.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    dict
        Keys ``version, source, kind, runs, batch_sizes, batch_unit, random_seed, verdict, laws, curve,
        left_out, untrusted, warnings``; the laws in the order of their elpd [nats], the best first.
    """
    curve = None if comparison.statements is None else asdict(comparison.statements)
    if curve is not None:
        curve |= {"probability": PROBABILITY, "statements": curve_sentences(comparison)}
    return strict_dict(
        {
            "version": comparison.version,
            "source": comparison.source,
            "kind": comparison.kind,
            "runs": comparison.runs,
            "batch_sizes": comparison.batch_sizes,
            "batch_unit": comparison.batch_unit,
            "random_seed": comparison.random_seed,
            "verdict": " ".join(verdicts(comparison)),
            "laws": [
                {
                    "law": score.law.name,
                    "verdict": score.verdict,
                    "elpd": score.elpd,
                    "difference": score.difference,
                    "standard_error": score.standard_error,
                    "weight": score.weight,
                    "monte_carlo_error": score.monte_carlo_error,
                    "pointwise": score.pointwise,
                }
                for score in comparison.scores
            ],
            "curve": curve,
            "left_out": [{"law": law, "reason": reason} for law, reason in comparison.left_out],
            "untrusted": [
                {"law": law, "batch_size_left_out": size, "problem": problem}
                for law, size, problem in comparison.untrusted
            ],
            "warnings": comparison_warnings(comparison),
        }
    )


def sweep_to_json(sweep: Sweep) -> dict[str, Any]:
    """Tell what a sweep holds, and what its checks found, as a dict of JSON types.

    Parameters
    ----------
    sweep : Sweep

    Returns
    -------
    dict
    """
    checks = sweep.checks()
    return strict_dict(
        {
            "source": sweep.source,
            "kind": sweep.kind,
            "batch_unit": sweep.batch_unit,
            "protocol": sweep.protocol,
            "runs": len(sweep),
            "batch_sizes": sweep.batch_sizes,
            "status": {status: sweep.status.count(status) for status in STATUSES},
            "groups": sweep.groups,
            "loss_unit": sweep.loss_unit,
            "ignored_columns": sweep.ignored_columns,
            "reading": [asdict(decision) for decision in sweep.reading],
            "checks": [asdict(check) for check in checks],
            "fittable": all(check.severity != "error" for check in checks),
        }
    )


def law_to_json(law: Law) -> dict[str, Any]:
    """Tell a law as a dict of JSON types."""
    return strict_dict(
        {
            "name": law.name,
            "title": law.title,
            "formula": law.formula,
            "parameters": [
                {
                    "name": parameter.name,
                    "symbol": parameter.symbol,
                    "unit": parameter.unit,
                    "role": parameter.role,
                    "prior": None if parameter.prior is None else str(parameter.prior),
                    "description": parameter.description,
                }
                for parameter in law.parameters
            ],
            "regime": law.regime,
            "reference": law.reference,
        }
    )


def strict_dict(values: Mapping[str, Any]) -> dict[str, Any]:
    """Replace what strict JSON cannot hold: tuples and arrays by lists, infinity and NaN by None."""
    return {key: _strict(held) for key, held in values.items()}


def _strict(value: Any) -> Any:
    if isinstance(value, Mapping):
        return strict_dict(value)
    if isinstance(value, np.ndarray | np.generic):
        return _strict(value.tolist())
    if isinstance(value, list | tuple):
        return [_strict(held) for held in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
