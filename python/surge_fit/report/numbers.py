"""How a result writes its numbers: a value and its interval are rounded together, and no digit is idle."""

from __future__ import annotations

import math
from collections.abc import Callable

from surge_fit._support.wording import number

_MOST_DIGITS = 5
_LARGEST_PLAIN = 1e6
_SMALLEST_PLAIN = 1e-3


def digits_for(low: float, high: float) -> int:
    """How many significant digits an interval of positive numbers deserves: enough to show its width.

    The least d ≥ 2 whose coarsest step, 10^(1 − d) of a number, is at most half of log(high/low).
    """
    if not (0 < low < high and math.isfinite(high)):
        return 2
    return min(_MOST_DIGITS, max(2, math.ceil(1 - math.log10(math.log(high / low) / 2))))


def scientific(value: float, digits: int = 2) -> str:
    """Write a learning rate: ``2.4e-3``; ``2.4`` where the exponent is zero, ``∞`` where there is none."""
    if not math.isfinite(value):
        return _not_finite(value)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return mantissa if int(exponent) == 0 else f"{mantissa}e{int(exponent)}"


def plain(value: float, digits: int = 2) -> str:
    """Write a batch size or a loss: ``340``, ``0.012``; in powers of ten beyond 1e6 and below 1e-3."""
    if not math.isfinite(value):
        return _not_finite(value)
    if value != 0 and not _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return scientific(value, digits)
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = 0 if rounded == 0 else max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:.{decimals}f}"


def together(
    value: float, interval: tuple[float, float], write: Callable[[float, int], str] = scientific
) -> tuple[str, str]:
    """Round a positive value and its interval to the digits that the interval deserves.

    Parameters
    ----------
    value : float
    interval : tuple of float
    write : callable
        `scientific` for learning rates, `plain` for batch sizes.

    Returns
    -------
    tuple of str
        The value and the interval: ``("2.4e-3", "2.0e-3 … 2.8e-3")``.
    """
    digits = digits_for(*interval)
    return write(value, digits), " … ".join(write(end, digits) for end in interval)


def signed_together(value: float, interval: tuple[float, float]) -> tuple[str, str]:
    """Round a number of any sign and its interval to two digits of the interval's width."""
    width = interval[1] - interval[0]
    decimals = max(0, 1 - math.floor(math.log10(width))) if width > 0 else 2
    return f"{value:.{decimals}f}", " … ".join(f"{end:.{decimals}f}" for end in interval)


def batch_size(value: float) -> str:
    """Write a batch size that somebody chose: in full where it is a whole number."""
    return number(value) if value < 1e9 else f"{value:.6g}".replace("e+", "e")


def probability(value: float) -> str:
    """Write a probability: ``<0.1 %``, ``0.4 %``, ``37 %``, ``99.6 %``, ``>99.9 %``."""
    share = 100 * value
    if share < 0.1:
        return "<0.1 %"
    if share > 99.9:
        return ">99.9 %"
    return f"{share:.1f} %" if share < 0.95 or share > 99.05 else f"{share:.0f} %"


def _not_finite(value: float) -> str:
    return "∞" if value > 0 else "-∞" if value < 0 else "n/a"
