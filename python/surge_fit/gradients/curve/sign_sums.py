"""The theory's rows in the matrix of a pass, and the sums that the theorems of sign descent are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit.gradients.curve.curvature import Curvature
from surge_fit.gradients.curve.resampling import GROUPS
from surge_fit.typing import FloatArray

_PAIRS = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
"""Two thirds, and the one that is left."""


@dataclass(frozen=True, slots=True, eq=False)
class TheoryRows:
    """The matrix's rows after the directions of minibatches, or their products with something.

    Attributes
    ----------
    expected : ndarray, shape (batch, column)
        Expected signs E = erf(√(B/2) μ/σ).
    of_thirds : ndarray, shape (batch, third, column)
        E from a third of the rows, without the noise of its mean.
    ratios : ndarray, shape (third, column)
        μ/σ from a third.
    mean_sign : ndarray, shape (column,)
        sign(μ).
    influence : ndarray, shape (batch, column)
        Derivative of Σ E μ with respect to μ.
    approximate : ndarray, shape (batch, column)
        Approximate expected signs A = (μ/σ)/√(π/(2B) + (μ/σ)²).
    """

    expected: NDArray[Any]
    of_thirds: NDArray[Any]
    ratios: NDArray[Any]
    mean_sign: NDArray[Any]
    influence: NDArray[Any]
    approximate: NDArray[Any]

    @staticmethod
    def count(batches: int) -> int:
        """How many rows so many batch sizes have."""
        return 6 * batches + 4

    @classmethod
    def cut(cls, rows: NDArray[Any], batches: int) -> TheoryRows:
        """Tell the rows apart, shape (row, column)."""
        parts = np.split(rows, np.cumsum([batches, 3 * batches, 3, 1, batches]))
        expected, of_thirds, ratios, mean_sign, influence, approximate = parts
        thirds = of_thirds.reshape(batches, 3, -1)
        return cls(expected, thirds, ratios, mean_sign[0], influence, approximate)


@dataclass(frozen=True, slots=True, eq=False)
class SignForms:
    """Quadratic forms of the theory's rows.

    Attributes
    ----------
    expected, split, approximate : ndarray, shape (batch,)
        EᵀHE, the mean over pairs of thirds, and AᵀHA.
    mean_sign, ratio : float
        sign(μ)ᵀH sign(μ); (μ/σ)ᵀH(μ/σ) over pairs of thirds.
    """

    expected: FloatArray
    split: FloatArray
    approximate: FloatArray
    mean_sign: float
    ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class SignSums:
    """Sums of the theory of independent signs; rows are counted in groups.

    Attributes
    ----------
    in_group : ndarray, shape (group,)
        Rows of each group.
    products : TheoryRows
        Each row times Σ(gradients of a group), a column per group.
    independent, independent_split, independent_approximate : ndarray, shape (batch,)
        Σ (1 − E²) Hᵢᵢ, with E² from pairs of thirds, and with A for E.
    forms : SignForms
    ratio_curvature, curvature, drift : float
        The diagonal part of `forms.ratio`; Σ Hᵢᵢ; Σ μ²/σ.
    """

    in_group: FloatArray
    products: TheoryRows
    independent: FloatArray
    independent_split: FloatArray
    independent_approximate: FloatArray
    forms: SignForms
    ratio_curvature: float
    curvature: float
    drift: float


def fisher_forms(products: TheoryRows, group_of: NDArray[np.int64]) -> SignForms:
    """Give the forms of the Fisher; those of two thirds by the gradients of the one that is left.

    Parameters
    ----------
    products : TheoryRows
        Each row times every gradient.
    group_of : ndarray of int, shape (column,)

    Returns
    -------
    SignForms
    """
    thirds, ratios = products.of_thirds, products.ratios
    split, ratio = [], []
    for a, b, left in _PAIRS:
        rows = group_of // (GROUPS // 3) == left
        split.append((thirds[:, a] * thirds[:, b])[:, rows].mean(axis=1))
        ratio.append(float((ratios[a] * ratios[b])[rows].mean()))
    return SignForms(
        (products.expected**2).mean(axis=1),
        np.mean(split, axis=0),
        (products.approximate**2).mean(axis=1),
        float((products.mean_sign**2).mean()),
        sum(ratio) / 3.0,
    )


def hessian_forms(rows: TheoryRows, curvature: Curvature) -> SignForms:
    """Give the forms of a Hessian, or of a function that multiplies with it.

    Parameters
    ----------
    rows : TheoryRows
        Of all parameters.
    curvature : Curvature

    Returns
    -------
    SignForms
    """
    forms = curvature.forms
    thirds, ratios, mean_sign = rows.of_thirds, rows.ratios, rows.mean_sign[None]
    split = [
        forms(np.ascontiguousarray(thirds[:, a]), np.ascontiguousarray(thirds[:, b])) for a, b, _ in _PAIRS
    ]
    ratio = [forms(ratios[a : a + 1], ratios[b : b + 1])[0] for a, b, _ in _PAIRS]
    return SignForms(
        forms(rows.expected, rows.expected),
        np.mean(split, axis=0),
        forms(rows.approximate, rows.approximate),
        float(forms(mean_sign, mean_sign)[0]),
        float(sum(ratio)) / 3.0,
    )
