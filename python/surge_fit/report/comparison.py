"""A comparison of laws as text: the verdict first, then the numbers, then what the curve does."""

from __future__ import annotations

from surge_fit._support.wording import listing, plural
from surge_fit.decisions.comparison import (
    CLEAR_ERRORS,
    CLEAR_NATS,
    MAX_MONTE_CARLO_ERROR,
    LawComparison,
)
from surge_fit.decisions.estimates import CURVE_LAW, PROBABILITY, CurveStatements
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.numbers import batch_size, probability, signed_together

_FEW_BATCH_SIZES = 5
_WORDS = ("verdict", "law")


def comparison_to_text(comparison: LawComparison, *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Tell a comparison of laws as text.

    Parameters
    ----------
    comparison : LawComparison
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks: list[Block] = [Line(said, "heading") for said in verdicts(comparison)]
    blocks += [None, _score_table(comparison), Line(_METHOD, "faint")]
    blocks += [None, Line(_POINTWISE, "heading"), _pointwise_table(comparison), None]
    blocks += [Line(said) for said in curve_sentences(comparison)]
    cautions = comparison_warnings(comparison)
    blocks += [None] if cautions else []
    blocks += [Line(said, "warning", "Warning: ") for said in cautions]
    blocks += [None, Line(_provenance(comparison), "faint")]
    return render(blocks, width=width, color=color)


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
    told = [f"{'Ahead' if ties else 'Best'} at predicting unseen batch sizes: {best}."]
    told += [f"Tied with it: {listing(ties)}."] if ties else []
    return (*told, f"{'Loses' if len(losers) == 1 else 'Lose'}: {listing(losers)}.")


def curve_sentences(comparison: LawComparison) -> tuple[str, ...]:
    """Say what the default law, fitted to all runs, knows of the curve.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    tuple of str
        Two sentences, or one where there is no such fit.
    """
    held, unit = comparison.statements, comparison.batch_unit
    if held is None:
        return (f"There are too few runs to fit {CURVE_LAW}: nothing is said of peak and slope.",)
    low, high = (batch_size(comparison.batch_sizes[end]) for end in (0, -1))
    return (
        f"By {CURVE_LAW}, fitted to all runs: the optimal rate falls at batch size {high} with probability "
        f"{probability(held.probability_falls)}; it peaks between {low} and {high} {unit} with probability "
        f"{probability(held.probability_peak_inside)}.",
        _slope(held),
    )


def _slope(held: CurveStatements) -> str:
    value, interval = signed_together(held.small_batch_slope, held.slope_interval)
    told = f"{100 * PROBABILITY:.0f} % interval {interval}"
    if not held.slope_resolved:
        return f"Slope at small batch sizes: not resolved; ½ and 1 both lie in its {told}."
    return (
        f"Slope at small batch sizes: {value} ({told}); below ½ with probability "
        f"{probability(held.probability_below_half)}, above 1 with {probability(held.probability_above_one)}."
    )


def comparison_warnings(comparison: LawComparison) -> tuple[str, ...]:
    """Collect every reason for caution, the gravest first.

    Parameters
    ----------
    comparison : LawComparison

    Returns
    -------
    tuple of str
    """
    found = [
        f"The fit of {law} without batch size {batch_size(size)} cannot be trusted, but was used. {problem}"
        for law, size, problem in comparison.untrusted
    ]
    if comparison.statements is not None and not comparison.statements.trustworthy:
        found.append(
            f"The fit of {CURVE_LAW} to all runs cannot be trusted: do not rely on peak and slope. "
            "`surge-fit fit` tells why."
        )
    found += [f"{law} is left out: {reason}" for law, reason in comparison.left_out]
    noisy = [
        f"{score.law.name} ({score.monte_carlo_error:.1f})"
        for score in comparison.scores
        if not score.monte_carlo_error <= MAX_MONTE_CARLO_ERROR
    ]
    if noisy:
        found.append(
            f"The Monte Carlo error of the elpd exceeds {MAX_MONTE_CARLO_ERROR:g} nats for {listing(noisy)}: "
            "few draws reach the runs left out. Compare with another seed before relying on it."
        )
    count = len(comparison.batch_sizes)
    if count < _FEW_BATCH_SIZES:
        found.append(
            f"Standard errors from {plural(count, 'batch size')} are rough. Add batch sizes where the laws "
            "differ."
        )
    return tuple(found)


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
    what = "run" if comparison.kind == "runs" else "optimum point"
    return (
        f"{plural(comparison.runs, what)} of {comparison.source}; "
        f"{plural(len(comparison.batch_sizes), 'batch size')}, each left out once; seed "
        f"{comparison.random_seed}; surge_fit {comparison.version}"
    )
