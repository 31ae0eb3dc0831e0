"""What a reader of a curve should know: flags, and whether theory and resampling agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surge_fit._support.wording import number
from surge_fit.gradients.curve.state import Optimizer
from surge_fit.gradients.curve.value import CurvePoint, Verdict

FLAGS = {
    "beyond_quarter_of_rows": "more than a quarter of the rows: minibatches share too many",
    "no_disjoint_rows": "no rows are left beside the minibatch: nothing was resampled",
    "not_whole_rows": "no whole number of rows: nothing was resampled",
    "negative_curvature": "VᵀHV of the minibatches is not positive: the loss has no optimum along them",
    "no_descent": "the mean gradient gives no descent along the minibatches' directions",
    "theory_negative_curvature": "𝔼[VᵀHV] of the theory is not positive",
    "theory_no_descent": "the theory has no descent",
    "small_batch_law_fails": "B ≥ πσ²/(2μ²) for more than a tenth of the curvature: Theorem 3 does not hold",
}
"""Every flag of a point, in words."""


def judge(points: Sequence[CurvePoint], optimizer: Optimizer) -> Verdict:
    """Compare theory and resampling where both can be trusted.

    Parameters
    ----------
    points : sequence of CurvePoint
    optimizer : {"sgd", "sign", "adam"}

    Returns
    -------
    Verdict
    """
    compared = []
    for point in points:
        theory, resampled = point.theory, point.resampled
        if "beyond_quarter_of_rows" in point.flags or not theory.best or not resampled.learning_rate:
            continue
        if theory.interval is None or resampled.interval is None:
            continue
        apart = theory.interval[0] > resampled.interval[1] or theory.interval[1] < resampled.interval[0]
        compared.append((point.batch_size, theory.best / resampled.learning_rate, apart))
    if not compared:
        return Verdict(
            None,
            None,
            None,
            "Theory and resampling cannot be compared: no batch size has both, with intervals.",
        )
    differing = [held for held in compared if held[2]]
    size, factor, _ = max(differing or compared, key=lambda held: abs(math.log(held[1])))
    span = f"{number(compared[0][0])} to {number(compared[-1][0])} examples"
    if not differing:
        return Verdict(
            True,
            factor,
            size,
            f"Theory and resampling agree within their intervals at batch sizes of {span}; they differ most "
            f"at {number(size)}, by a factor of {factor:.2g}.",
        )
    cause = _CAUSE[optimizer]
    more, times = ("over", factor) if factor > 1 else ("under", 1.0 / factor)
    return Verdict(
        False,
        factor,
        size,
        f"{cause} at {len(differing)} of {len(compared)} batch sizes: the theory {more}estimates the best "
        f"learning rate by a factor of {times:.2g} at batch size {number(size)}. Use the resampled curve.",
    )


_CAUSE = {
    "sign": "The independence of parameters fails here,",
    "adam": "The theory, which takes Adam for sign descent with independent parameters, fails here,",
    "sgd": "The closed form and the minibatches disagree,",
}
