"""Median and central interval of draws, in one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True)
class Interval:
    """Median of a number, and the ends of its central interval.

    Attributes
    ----------
    low, median, high : float
    """

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, draws: FloatArray, tail: float, *, order_statistics: bool = False) -> Interval:
        """Summarise draws.

        Parameters
        ----------
        draws : ndarray, shape (draw,)
        tail : float
            Share of the draws below the interval, and of those above.
        order_statistics : bool
            Whether the three numbers are draws themselves rather than interpolated between two: needed where
            draws may be infinite.

        Returns
        -------
        Interval

        Examples
        --------
        >>> Interval.of(np.arange(101.0), tail=0.05)
        Interval(low=5.0, median=50.0, high=95.0)
        """
        levels = [tail, 0.5, 1 - tail]
        if order_statistics:
            return cls(*np.quantile(draws, levels, method="inverted_cdf").tolist())
        return cls(*np.quantile(draws, levels).tolist())

    def exp(self) -> Interval:
        """Take the logarithm away."""
        return Interval(*np.exp([self.low, self.median, self.high]).tolist())

    @property
    def ends(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.low, self.high

    @property
    def width(self) -> float:
        """Distance of the ends."""
        return self.high - self.low
