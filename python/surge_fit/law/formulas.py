"""The two functions from which the laws are made, for any array namespace, without overflow.

Written with the functions that NumPy and PyTensor share, and such that PyTensor's gradient is right
everywhere, the kink of the absolute value included.
"""

import math
from typing import Any

from surge_fit.typing import Namespace


def log_cosh(xp: Namespace, h: Any) -> Any:
    """Log of cosh `h`: |h| + log(1 + exp(−2|h|)) − log 2."""
    magnitude = xp.abs(h)
    return magnitude + (xp.log1p(xp.exp(-2.0 * magnitude)) - math.log(2.0))


def softplus(xp: Namespace, t: Any) -> Any:
    """Log of 1 + exp(`t`): t/2 + |t/2| + log(1 + exp(−|t|))."""
    half = 0.5 * t
    return (half + xp.abs(half)) + xp.log1p(xp.exp(-xp.abs(t)))
