"""A comparison of laws: the verdict first, then the numbers, then what the curve does."""

from __future__ import annotations

from typing import Any

from surge_fit._support.wording import listing, plural
from surge_fit.decisions.comparison import (
    CLEAR_ERRORS,
    CLEAR_NATS,
    MAX_MONTE_CARLO_ERROR,
    LawComparison,
)
from surge_fit.decisions.estimates import CURVE_LAW, PROBABILITY, CurveStatements
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import batch_size, probability, signed_together

_FEW_BATCH_SIZES = 5
_WORDS = ("verdict", "law")


def blocks(comparison: LawComparison) -> list[Block]:
    """Tell a comparison of laws as text."""
    text: list[Block] = [Line(verdict, "heading") for verdict in verdicts(comparison)]
    text += [None, _score_table(comparison), Line(_METHOD, "faint")]
    text += [None, Line(_POINTWISE, "heading"), _pointwise_table(comparison), None]
    text += [Line(sentence) for sentence in curve_sentences(comparison)]
    cautions = warnings(comparison)
    text += [None] if cautions else []
    text += [Line(caution, "warning", "Warning: ") for caution in cautions]
    return [*text, None, Line(_provenance(comparison), "faint")]


def record(comparison: LawComparison) -> dict[str, Any]:
    """Tell a comparison of laws as a dict for strict JSON.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    dict
        Keys ``version, source, kind, runs, batch_sizes, batch_unit, random_seed, verdict, laws, curve,
        left_out, untrusted, warnings``; the laws in the order of their elpd [nats], the best first.
    """
    values = comparison.to_dict()
    findings = {name: values.pop(name) for name in ("laws", "curve", "left_out", "untrusted")}
    if findings["curve"] is not None:
        findings["curve"]["statements"] = list(curve_sentences(comparison))
    return {
        **values,
        "verdict": " ".join(verdicts(comparison)),
        **findings,
        "warnings": list(warnings(comparison)),
    }


_METHOD = (
    "elpd: log density [nats] of the runs at each batch size, as a fit to all others predicts them, summed. "
    f"A law loses where it is behind by more than {CLEAR_ERRORS:g} standard errors and {CLEAR_NATS:g} nats. "
    "weight: share in the mixture of laws that predicts best."
)
_POINTWISE = "Where: difference in elpd to the best law, by the batch size left out"


def verdicts(comparison: LawComparison) -> tuple[str, ...]:
    """Say which law predicts best, which tie with it and which lose.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    tuple of str
        One to three sentences.
    """
    best, others = comparison.best.law.name, comparison.scores[1:]
    ties = [score.law.name for score in others if score.verdict == "tie"]
    losers = [score.law.name for score in others if score.verdict == "loses"]
    if not losers:
        return (
            f"A tie: the runs do not tell {listing([best, *ties])} apart; {best} is ahead, but not clearly.",
        )
    sentences = [f"{'Ahead' if ties else 'Best'} at predicting unseen batch sizes: {best}."]
    sentences += [f"Tied with it: {listing(ties)}."] if ties else []
    return (*sentences, f"{'Loses' if len(losers) == 1 else 'Lose'}: {listing(losers)}.")


def curve_sentences(comparison: LawComparison) -> tuple[str, ...]:
    """Say where the default law, fitted to all runs, has its peak, and its slope.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    tuple of str
        Two sentences, or one where there is no such fit.
    """
    statements, unit = comparison.statements, comparison.batch_unit
    if statements is None:
        return (f"There are too few runs to fit {CURVE_LAW}: nothing is said of peak and slope.",)
    low, high = (batch_size(comparison.batch_sizes[end]) for end in (0, -1))
    return (
        f"By {CURVE_LAW}, fitted to all runs: the optimal rate falls at batch size {high} with probability "
        f"{probability(statements.probability_falls)}; it peaks between {low} and {high} {unit} with "
        f"probability {probability(statements.probability_peak_inside)}.",
        _slope(statements),
    )


def _slope(statements: CurveStatements) -> str:
    value, interval = signed_together(statements.small_batch_slope, statements.slope_interval)
    central = f"{100 * PROBABILITY:.0f} % interval {interval}"
    if not statements.slope_resolved:
        return f"Slope at small batch sizes: not resolved; ½ and 1 both lie in its {central}."
    return (
        f"Slope at small batch sizes: {value} ({central}); below ½ with probability "
        f"{probability(statements.probability_below_half)}, above 1 with "
        f"{probability(statements.probability_above_one)}."
    )


def warnings(comparison: LawComparison) -> tuple[str, ...]:
    """Collect every reason for caution, the gravest first.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    tuple of str
    """
    cautions = [
        f"The fit of {law} without batch size {batch_size(size)} cannot be trusted, but was used. {problem}"
        for law, size, problem in comparison.untrusted
    ]
    if comparison.statements is not None and not comparison.statements.trustworthy:
        cautions.append(
            f"The fit of {CURVE_LAW} to all runs cannot be trusted: do not rely on peak and slope. "
            "`surge-fit fit` tells why."
        )
    cautions += [f"{law} is left out: {reason}" for law, reason in comparison.left_out]
    noisy = [
        f"{score.law.name} ({score.monte_carlo_error:.1f})"
        for score in comparison.scores
        if not score.monte_carlo_error <= MAX_MONTE_CARLO_ERROR
    ]
    if noisy:
        cautions.append(
            f"The Monte Carlo error of the elpd exceeds {MAX_MONTE_CARLO_ERROR:g} nats for {listing(noisy)}: "
            "few draws reach the runs left out. Compare with another seed before relying on it."
        )
    count = len(comparison.batch_sizes)
    if count < _FEW_BATCH_SIZES:
        cautions.append(
            f"Standard errors from {plural(count, 'batch size')} are rough. Add batch sizes where the laws "
            "differ."
        )
    return tuple(cautions)


def _score_table(comparison: LawComparison) -> Table:
    rows = tuple(
        (
            f"{score.elpd:.1f}",
            _signed(score.difference),
            "" if score.verdict == "best" else f"{score.standard_error:.1f}",
            f"{score.monte_carlo_error:.2f}",
            f"{score.weight:.2f}",
            score.verdict,
            score.law.name,
        )
        for score in comparison.scores
    )
    headers = (
        "elpd",
        "difference",
        "standard\nerror",
        "Monte Carlo\nerror of elpd",
        "weight",
        "verdict",
        "law",
    )
    return Table(headers, rows, words=len(_WORDS))


def _pointwise_table(comparison: LawComparison) -> Table:
    best = comparison.best.pointwise
    headers = ("without", *(batch_size(size) for size in comparison.batch_sizes))
    return Table(
        headers,
        tuple(
            (score.law.name, *(_signed(here - top) for here, top in zip(score.pointwise, best, strict=True)))
            for score in comparison.scores
        ),
    )


def _signed(difference: float) -> str:
    """Write a difference in nats with its sign, and zero without one."""
    written = f"{difference:+.1f}"
    return written[1:] if float(written) == 0 else written


def _provenance(comparison: LawComparison) -> str:
    noun = "run" if comparison.kind == "runs" else "optimum point"
    return (
        f"{plural(comparison.runs, noun)} of {comparison.source}; "
        f"{plural(len(comparison.batch_sizes), 'batch size')}, each left out once; seed "
        f"{comparison.random_seed}; surge_fit {comparison.version}"
    )
