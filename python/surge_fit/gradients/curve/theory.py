"""The paper's theorems at the moments of a dump (arXiv:2405.14578; SGD: arXiv:1812.06162)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit.gradients.curve.passes import Singles
from surge_fit.gradients.curve.resampling import GROUPS, Ratio
from surge_fit.gradients.curve.sign_sums import SignSums
from surge_fit.gradients.curve.value import TheoryPoint
from surge_fit.typing import FloatArray

_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class SmallBatchLaw:
    """Theorems 3 to 5, from moments without bias.

    Attributes
    ----------
    noise_scale : float or None
        B_noise = π Σ Hᵢᵢ / (2 Σᵢ≠ⱼ (μᵢμⱼ/σᵢσⱼ) Hᵢⱼ) [rows]; None where the denominator is not positive.
    max_learning_rate : float or None
        √(B_noise/2π) · Σ (μ²/σ)/Σ Hᵢᵢ.
    max_loss_drop : float or None
        ΔL of Theorem 5, in the limit of infinite batches.
    limit : float or None
        Theorem 4: Σ|μ|/Σᵢⱼ sign(μᵢ) sign(μⱼ) Hᵢⱼ.
    """

    noise_scale: float | None
    max_learning_rate: float | None
    max_loss_drop: float | None
    limit: float | None


def sign_theory(sums: SignSums, batch: Sequence[float]) -> tuple[list[TheoryPoint], list[float]]:
    """Give Theorem 2 at every batch size, at the moments as they are and without their bias.

    Beside it, at the moments as they are, what it says with the paper's approximation of expected signs, from
    which Theorem 3 follows: 𝓔 = erf(√(B/2) μ/σ) ≈ (μ/σ)/√(π/(2B) + (μ/σ)²).

    Parameters
    ----------
    sums : SignSums
    batch : sequence of float
        [rows]

    Returns
    -------
    points : list of TheoryPoint
    forms : list of float
        𝔼[VᵀHV] as independent signs would have it.

    Notes
    -----
    Without bias: expected signs from one third of the rows, gradients from the others, curvature (where it
    is the Fisher) from the last; a third's expected signs are taken at the batch size that makes up for the
    noise of its mean. That batch size is the one of the error function, so the approximation has no value
    without bias. The interval follows the scatter of the numerator over groups of rows and over
    thirds.
    """
    points, forms = [], []
    rows, in_group, products = float(sums.in_group.sum()), sums.in_group, sums.products
    for index, size in enumerate(batch):
        numerator = float(products.expected[index].sum()) / rows
        denominator = sums.independent[index] + sums.forms.expected[index]
        influence = products.influence[index] / in_group
        error = float(influence.std(ddof=1)) / math.sqrt(GROUPS)
        plain = Ratio(numerator, denominator, error / numerator if numerator > 0 else math.nan)
        debiased = None
        thirds = in_group.reshape(3, -1).sum(axis=1)
        if size < thirds.min():
            apart = [_apart(products.of_thirds[index, third], third, in_group) for third in range(3)]
            mean, spread = sum(apart) / 3.0, float(np.std(apart, ddof=1)) / math.sqrt(3.0)
            relative = math.hypot(plain.log_error, spread / mean) if mean > 0 else math.nan
            split = Ratio(mean, sums.independent_split[index] + sums.forms.split[index], relative)
            debiased, interval, denominator = split.value, split.interval, split.denominator
        else:
            interval = plain.interval
        value = plain.value
        drop = None if value is None else 0.5 * numerator * value
        approximate = Ratio(
            float(products.approximate[index].sum()) / rows,
            sums.independent_approximate[index] + sums.forms.approximate[index],
            math.nan,
        )
        points.append(TheoryPoint(value, approximate.value, debiased, interval, drop))
        forms.append(denominator)
    return points, forms


def _apart(products: FloatArray, third: int, in_group: FloatArray) -> float:
    """Multiply the expected signs of a third with the mean gradient of the others."""
    others = np.arange(GROUPS) // (GROUPS // 3) != third
    return float(products[others].sum() / in_group[others].sum())


def small_batch_law(sums: SignSums) -> SmallBatchLaw:
    """Give Theorems 3 to 5.

    Parameters
    ----------
    sums : SignSums

    Returns
    -------
    SmallBatchLaw
    """
    steep = float(sums.products.mean_sign.sum()) / float(sums.in_group.sum())
    limit = Ratio(steep, sums.forms.mean_sign, math.nan).value
    off_diagonal = sums.forms.ratio - sums.ratio_curvature
    # What single precision cannot tell from zero is none.
    rounding = _ROUNDING * (abs(sums.forms.ratio) + abs(sums.ratio_curvature))
    if not (off_diagonal > rounding and sums.curvature > 0 and sums.drift > 0):
        return SmallBatchLaw(None, None, None, limit)
    noise_scale = math.pi * sums.curvature / (2.0 * off_diagonal)
    peak = math.sqrt(noise_scale / (2.0 * math.pi)) * sums.drift / sums.curvature
    return SmallBatchLaw(noise_scale, peak, 0.5 * sums.drift**2 / off_diagonal, limit)


@dataclass(frozen=True, slots=True)
class SgdLaw:
    """ε(B) = ε_max/(1 + B_noise/B), from moments without bias (arXiv:1812.06162, Eq. 2.6 to 2.8).

    Attributes
    ----------
    points : list of TheoryPoint
    forms : list of float
        𝔼[VᵀHV].
    noise_scale, max_learning_rate, max_loss_drop : float or None
    """

    points: list[TheoryPoint]
    forms: list[float]
    noise_scale: float | None
    max_learning_rate: float | None
    max_loss_drop: float | None


def sgd_theory(singles: Singles, batch: Sequence[float]) -> SgdLaw:
    """Give the exact optimum of SGD, with momentum or without.

    Parameters
    ----------
    singles : Singles
        What the direction of every row alone gives.
    batch : sequence of float
        [rows]

    Returns
    -------
    SgdLaw
    """
    points, forms = [], []
    rows = len(singles.numerators)
    numerator = float(singles.numerators.mean())
    for size in batch:
        form = singles.form_of_mean + (singles.form_of_one - singles.form_of_mean) / size
        moves = singles.moves_of_one / size + (1.0 - 1.0 / size) * singles.moves_of_mean
        error = math.nan
        if numerator > 0 and form > 0:
            relative = singles.moves_of_numerator / numerator - moves / form
            error = float(relative.std(ddof=1)) / math.sqrt(rows)
        ratio = Ratio(numerator, form, error)
        value = ratio.value
        drop = None if value is None else 0.5 * numerator * value
        points.append(TheoryPoint(value, None, value, ratio.interval, drop))
        forms.append(form)
    best = Ratio(numerator, singles.form_of_mean, math.nan).value
    noise = None if best is None else (singles.form_of_one - singles.form_of_mean) / singles.form_of_mean
    if best is None or noise is None or noise <= 0:
        return SgdLaw(points, forms, None, best, None)
    return SgdLaw(points, forms, noise, best, 0.5 * numerator * best)
