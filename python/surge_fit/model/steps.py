"""Steps and examples to a target loss, over the batch size.

With S steps of B examples each, E = B·S examples in all,

    (S/S_min − 1)(E/E_min − 1) = 1    ⇔    S = S_min (1 + B_crit/B),    E = E_min (1 + B/B_crit),

with B_crit = E_min/S_min (arXiv:1812.06162, appendix D; arXiv:2405.14578, Eq. 20 to 22). At the critical
batch size a run takes twice the fewest steps and twice the fewest examples; at a fifth of it, 20 % more
examples than the fewest, which arXiv:2410.21676 calls critical.

The law holds for the steps at the best learning rate of each batch size: a badly chosen rate wastes both
steps and examples, and says nothing of either minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from surge_fit.typing import FloatArray, Namespace

OVERHEAD = 0.2
"""Share of additional examples at what arXiv:2410.21676 calls critical, and that batch size over B_crit."""


def log_steps(
    xp: Namespace, log_batch_size: Any, log_min_steps: Any, log_critical_batch_size: Any
) -> Any:  # an array of xp
    """Log of the steps to the target.

    Parameters
    ----------
    xp : namespace
        ``numpy`` or ``pytensor.tensor``.
    log_batch_size, log_min_steps, log_critical_batch_size : array of xp
        Natural logarithms, in one unit of the batch; shapes that broadcast.

    Returns
    -------
    array of xp
        ``log S_min + log(1 + B_crit/B)``, without overflow at either end.
    """
    return log_min_steps + xp.logaddexp(0.0, log_critical_batch_size - log_batch_size)


@dataclass(frozen=True, slots=True)
class StraightLine:
    """The cross-check of arXiv:1812.06162: 1/S = 1/S_min − B_crit/E by least squares.

    It is not the answer: E = B·S carries the error of S, so both axes do, and equal errors of 1/S are not
    what steps have, whose errors are alike in proportion.

    Attributes
    ----------
    min_steps, critical_batch_size : float
        NaN where the line has no positive one.
    """

    min_steps: float
    critical_batch_size: float


def straight_line(batch_size: FloatArray, steps: FloatArray) -> StraightLine:
    """Fit the straight line of 1/S over 1/E.

    Parameters
    ----------
    batch_size, steps : ndarray, shape (run,)
        At least two distinct batch sizes.

    Returns
    -------
    StraightLine
    """
    slope, intercept = np.polyfit(1 / (batch_size * steps), 1 / steps, 1)
    return StraightLine(
        min_steps=float(1 / intercept) if intercept > 0 else float("nan"),
        critical_batch_size=float(-slope) if slope < 0 else float("nan"),
    )
