"""Median and central interval of draws."""

import numpy as np
import pytest
from surge_fit._support.intervals import Interval


def test_a_central_interval_leaves_equal_shares_on_both_sides():
    # Of 0, 1, …, 100 the quantile q is 100·q.
    interval = Interval.of(np.arange(101.0), tail=0.25)
    assert (interval.low, interval.median, interval.high) == (25.0, 50.0, 75.0)
    assert interval.ends == (25.0, 75.0)
    assert interval.width == 50.0


def test_order_statistics_are_draws_even_next_to_infinite_ones():
    # Of 20 draws the 5, 50 and 95 % quantiles are the 1st, 10th and 19th; halfway to the 20th lies infinity.
    draws = np.array([*range(1, 20), np.inf])
    assert Interval.of(draws, 0.05, order_statistics=True) == Interval(1.0, 10.0, 19.0)
    assert np.isinf(Interval.of(draws, 0.05).high)


def test_the_exponential_is_that_of_each_number():
    assert Interval(0.0, np.log(2.0), np.inf).exp() == Interval(1.0, pytest.approx(2.0), np.inf)
