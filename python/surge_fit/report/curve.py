"""A learning-rate curve: what theory predicts and resampling shows, and whether they agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from surge_fit._support.wording import number
from surge_fit.gradients.curve import FLAGS, CurvePoint, LearningRateCurve
from surge_fit.report.blocks import Block, Line, Table
from surge_fit.report.numbers import plain, probability, scientific, together

_OPTIMIZERS = {"sgd": "SGD", "sign": "sign descent", "adam": "Adam"}


def blocks(curve: LearningRateCurve) -> list[Block]:
    """Tell a learning-rate curve as text."""
    text: list[Block] = [Line(_heading(curve), "heading"), None, _rates(curve)]
    met = dict.fromkeys(flag for point in curve.points for flag in point.flags)
    marks = {flag: _MARKS[place] for place, flag in enumerate(met)}
    text += [Line(f"{FLAGS[flag]}.", "faint", f"{marks[flag]} ") for flag in met]
    text += [None, Line(curve.verdict.text, "warning" if curve.verdict.agrees is False else "plain")]
    text += [None, *(Line(sentence) for sentence in _laws(curve)), None]
    if curve.optimizer != "sgd":
        text += [Line(_APPROXIMATION), None, _approximation(curve), None]
    text += [_gaussianity(curve)]
    dropped = len(curve.dropped_examples)
    notes = [*curve.notes]
    if dropped:
        notes.append(f"{dropped} rows with numbers that are not finite were left out.")
    text += [None] if notes else []
    return text + [Line(sentence, "warning", "Note: ") for sentence in notes]


def record(curve: LearningRateCurve) -> dict[str, Any]:
    """Tell a curve as a dict for strict JSON: `LearningRateCurve.to_dict`."""
    return curve.to_dict()


_MARKS = "*†‡§¶#ªº"

_APPROXIMATION = (
    "Theorem 2 at the moments of the dump, with expected signs erf(√(B/2) μ/σ) and, as Theorem 3 has it, "
    "with (μ/σ)/√(π/(2B) + (μ/σ)²) for them:"
)


def _heading(curve: LearningRateCurve) -> str:
    parts = [f"{number(curve.examples)} examples", f"{curve.parameters:,} parameters"]
    parts += [f"step {number(curve.step)}"] if curve.step is not None else []
    parts += [f"loss {plain(curve.loss, 4)}"] if curve.loss is not None else []
    return (
        f"{curve.source}: best next step of {_OPTIMIZERS[curve.optimizer]}, {', '.join(parts)}; curvature: "
        f"{curve.curvature}"
    )


def _rates(curve: LearningRateCurve) -> Table:
    met = list(dict.fromkeys(flag for point in curve.points for flag in point.flags))
    headers = (
        "batch size\n[examples]",
        "resampled\nlearning rate" if curve.scale_known else "resampled\n(shape only)",
        "95 % interval",
        "theory",
        "debiased\ntheory",
        "95 % interval",
        "VᵀHV over\ntheory's",
        "",
    )
    return Table(headers, tuple(_row(point, met) for point in curve.points), 1)


def _row(point: CurvePoint, met: list[str]) -> tuple[str, ...]:
    theory, resampled = point.theory, point.resampled
    ratio = point.quadratic_form_ratio
    return (
        number(point.batch_size),
        *_with_interval(resampled.learning_rate, resampled.interval),
        "n/a" if theory.learning_rate is None else scientific(theory.learning_rate),
        *_with_interval(theory.debiased_learning_rate, theory.interval),
        "n/a" if ratio is None else plain(ratio),
        "".join(_MARKS[met.index(flag)] for flag in point.flags),
    )


def _with_interval(value: float | None, interval: tuple[float, float] | None) -> tuple[str, str]:
    if value is None:
        return "n/a", "n/a"
    if interval is None:
        return scientific(value), "n/a"
    if interval[1] > 100 * interval[0]:
        return scientific(value), " … ".join(map(scientific, interval))
    return together(value, interval)


def _laws(curve: LearningRateCurve) -> list[str]:
    unit = "" if curve.scale_known else " (scale unknown)"
    if curve.optimizer == "sgd":
        if curve.noise_scale is None or curve.max_learning_rate is None:
            return ["SGD: no noise scale; GᵀHG or tr(HΣ) is not positive."]
        return [
            f"SGD, ε_max/(1 + B_noise/B): B_noise = {plain(curve.noise_scale, 3)} examples, ε_max = "
            f"{scientific(curve.max_learning_rate, 3)}{unit}."
        ]
    sentences = []
    if curve.noise_scale is not None and curve.max_learning_rate is not None:
        sentences.append(
            f"Theorem 3, small batches: B_noise = {plain(curve.noise_scale, 3)} examples, ε_max = "
            f"{scientific(curve.max_learning_rate, 3)}{unit}; Theorem 5: ΔL_max = "
            f"{plain(curve.max_loss_drop or math.nan)}{unit}."
        )
    if curve.limit is not None:
        sentences.append(f"Theorem 4, batches without end: {scientific(curve.limit, 3)}{unit}.")
    sentences.append(
        f"The mean of {probability(curve.unresolved_parameters)} of the parameters, with "
        f"{probability(curve.unresolved_curvature)} of the curvature, is not resolved from zero."
    )
    return sentences


def _approximation(curve: LearningRateCurve) -> Table:
    """Show Theorem 2 with exact and with approximate expected signs."""
    rows = []
    for point in curve.points:
        exact, approximate = point.theory.learning_rate, point.theory.approximate_learning_rate
        cells = ["n/a" if rate is None else scientific(rate, 3) for rate in (exact, approximate)]
        ratio = "n/a" if exact is None or approximate is None else plain(approximate / exact, 3)
        rows.append((number(point.batch_size), *cells, ratio))
    return Table(("batch size\n[examples]", "\ntheory", "approximate\ntheory", "over\ntheory"), tuple(rows))


def _gaussianity(curve: LearningRateCurve) -> Table:
    """Show how Gaussian batch means are and how independent their signs, at the largest size known."""
    sizes = curve.signs[-1].batch_size
    known = np.flatnonzero(np.isfinite(curve.signs[-1].effective_signs))
    place = int(known[np.argmax(sizes[known])]) if len(known) else 0
    has_signs = curve.optimizer == "sign"
    headers = ["parameters", f"skewness\nat {number(sizes[place])}", "excess\nkurtosis"]
    headers += ["signs as\nGaussian", "independent\nsigns"] if has_signs else []
    rows = []
    for check in curve.signs:
        cells = [f"{check.parameters:,}", plain(check.skewness[place]), plain(check.excess_kurtosis[place])]
        if has_signs:
            signs = check.effective_signs[place]
            cells += [plain(check.agreement[place]), f"{signs:,.0f}" if signs >= 10 else plain(signs)]
        rows.append((*cells, check.name))
    return Table((*headers, "tensor"), tuple(rows), 1)
