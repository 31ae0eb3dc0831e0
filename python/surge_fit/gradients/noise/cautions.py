"""Sentences where a reader of gradient statistics could be misled."""

from __future__ import annotations

import math

from surge_fit._support.wording import listing, number, plural
from surge_fit.gradients.noise.value import GradientStatistics

_GOOD = 0.2
_POOR = 0.5
_NOT_GAUSSIAN = 0.5
_UNDERFLOW = 1e-3
_MANY_ZEROS = 0.5
_FEW_GROUPS = 10


def cautions(statistics: GradientStatistics) -> tuple[str, ...]:
    """Tell what a reader should know before believing the numbers.

    Parameters
    ----------
    statistics : GradientStatistics

    Returns
    -------
    tuple of str
        One or two sentences each; the gravest first.
    """
    found = [
        _dropped(statistics),
        _unit(statistics),
        _precision(statistics),
        _clipped(statistics),
        _few_groups(statistics),
        _tails(statistics),
        _underflow(statistics),
        _zeros(statistics),
        _skipped(statistics),
        *statistics.assumptions,
    ]
    return tuple(sentence for sentence in found if sentence)


def _dropped(statistics: GradientStatistics) -> str | None:
    names = statistics.dropped_examples
    if not names:
        return None
    return (
        f"{plural(len(names), 'row')} of {len(statistics.kept)} with numbers that are not finite "
        f"{'was' if len(names) == 1 else 'were'} left out of all tensors: {listing(names, 3)}."
    )


def _unit(statistics: GradientStatistics) -> str | None:
    if statistics.microbatch_known:
        return None
    return (
        "Every row counts as one example. If rows are means over micro-batches, multiply noise scales by "
        "their "
        "size."
    )


def _precision(statistics: GradientStatistics) -> str | None:
    total, unit = statistics.total, statistics.unit
    low, high = total.simple_noise_scale.interval
    if math.isinf(high):
        bound = (
            f"B ≥ {number(float(f'{low:.2g}'))} {unit} (95 %)" if math.isfinite(low) else "not even a bound"
        )
        said = f"The noise scale of the total is bounded on one side only: {bound}."
    elif total.relative_error > _POOR:
        said = f"The noise scale of the total is known to ±{100 * total.relative_error:.0f} % only."
    else:
        return None
    needed = total.examples_needed
    if not math.isfinite(needed):
        return f"{said} Nothing but noise was seen; dump many more {unit} than {number(statistics.examples)}."
    return f"{said} About {number(float(f'{needed:.1g}'))} {unit} would give ±{100 * _GOOD:.0f} %."


def _clipped(statistics: GradientStatistics) -> str | None:
    if not statistics.clipped:
        return None
    return "The gradients were clipped: large ones are missing, and tr Σ and the noise scale are too small."


def _few_groups(statistics: GradientStatistics) -> str | None:
    if statistics.row_groups is None:
        return None
    count = len(set(statistics.row_groups[statistics.kept].tolist()))
    if count >= _FEW_GROUPS:
        return None
    return f"Intervals rest on {count} groups of rows; with fewer than {_FEW_GROUPS} they are wide and rough."


def _tails(statistics: GradientStatistics) -> str | None:
    size = statistics.batch_size
    if size is None:
        return None
    heavy = [
        held.name
        for held in statistics.tensors
        if held.excess_kurtosis is not None
        and max(held.excess_kurtosis / size, (held.skewness or 0.0) / math.sqrt(size)) > _NOT_GAUSSIAN
    ]
    if not heavy:
        return None
    return (
        f"At batch size {number(size)} the batch mean is far from Gaussian in {listing(heavy, 3)}: "
        "theory that "
        "takes it for Gaussian (Theorem 2 of arXiv:2405.14578) does not hold there."
    )


def _underflow(statistics: GradientStatistics) -> str | None:
    low = [held.name for held in statistics.tensors if held.subnormal_fraction > _UNDERFLOW]
    if not low:
        return None
    share = max(held.subnormal_fraction for held in statistics.tensors)
    return (
        f"Up to {100 * share:.3g} % of the stored numbers are subnormal ({listing(low, 3)}): small "
        "gradients lost "
        "digits or became zero. Scale the loss, or dump in bfloat16 or float32."
    )


def _zeros(statistics: GradientStatistics) -> str | None:
    many = [held.name for held in statistics.tensors if held.zero_fraction > _MANY_ZEROS]
    if not many:
        return None
    return (
        f"More than half of the stored numbers are zero in {listing(many, 3)}. If rows without a "
        "gradient (embeddings, "
        "experts) are meant, say whether they are zero or missing (absent; command line: --absent)."
    )


def _skipped(statistics: GradientStatistics) -> str | None:
    if not statistics.skipped:
        return None
    named = [f"{name} ({why})" for name, why in statistics.skipped]
    return f"Left out: {listing(named, 3)}."
