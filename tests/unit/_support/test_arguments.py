"""Arguments that must be positive numbers."""

import re

import numpy as np
import pytest
from surge_fit._support.arguments import (
    positive_number,
    require_all_positive,
    require_batch_sizes,
    require_positive,
)
from surge_fit.errors import InputError


@pytest.mark.parametrize(("value", "number"), [(2, 2.0), ("1e6", 1e6), (np.float32(0.5), 0.5)])
def test_a_positive_number_is_read_from_a_number_or_its_text(value, number):
    assert positive_number(value) == number


@pytest.mark.parametrize("value", [0, -1.0, np.inf, "nan", "many", "", None, True, [1.0, 2.0]])
def test_all_else_is_no_positive_number(value):
    assert positive_number(value) is None


def test_a_refusal_names_argument_number_and_place():
    require_positive("worth", None)
    require_positive("worth", 1e-300)
    with pytest.raises(InputError, match=re.escape("'worth' must be a positive finite number; got -1")):
        require_positive("worth", -1)
    with pytest.raises(
        InputError, match=re.escape("'rate' must be positive and finite; got 0 at index (1, 0)")
    ):
        require_all_positive("rate", np.array([[1.0, 2.0], [0.0, 3.0]]))


@pytest.mark.parametrize("batch_size", [[], [[64.0]]])
def test_batch_sizes_are_one_list_with_something_in_it(batch_size):
    with pytest.raises(
        InputError, match="'batch_size' must be one number or a list of numbers, at least one"
    ):
        require_batch_sizes(batch_size)
    np.testing.assert_array_equal(require_batch_sizes(64), [64.0])
