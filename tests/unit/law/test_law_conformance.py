"""The conformance suite passes sound laws and names what is wrong with others."""

from dataclasses import replace

import numpy as np
import pytest
from surge_fit.errors import InputError
from surge_fit.law import LAWS
from surge_fit.testing import check_law

SURGE = LAWS["surge"]


@pytest.mark.parametrize("name", LAWS)
def test_every_built_in_law_conforms_compiled_or_not(name):
    check_law(LAWS[name])
    check_law(replace(LAWS[name], name="own", compiled=None))


def overflows(xp, log_batch_size, *, log_noise_scale):
    return -xp.log(xp.exp(30 * (log_noise_scale - log_batch_size)) + 1.0)


def differs_in_pytensor(xp, log_batch_size, *, log_noise_scale):
    factor = 1.0 if xp is np else 1.001
    return -factor * xp.log1p(xp.exp(-xp.abs(log_noise_scale - log_batch_size)))


def branch_that_is_not_finite(xp, log_batch_size, *, log_noise_scale):
    distance = log_noise_scale - log_batch_size
    # The side that is not taken has an infinite derivative times zero.
    return xp.where(distance > 0, -xp.sqrt(xp.where(distance > 0, distance, 0.0)), 0.0)


def own(**changes):
    return replace(SURGE, name="own", compiled=None, **changes)


@pytest.mark.parametrize(
    ("law", "message"),
    [
        (own(shape=overflows), "must be finite for batch sizes from 1e-12 to 1e12"),
        (own(shape=differs_in_pytensor), "PyTensor must give the values that NumPy gives"),
        (own(shape=branch_that_is_not_finite), "PyTensor's gradient must be that of the formula"),
        (
            own(supremum=lambda log_max_learning_rate, **_: log_max_learning_rate - 0.1),
            "exceed the declared supremum",
        ),
        (own(peak=lambda log_noise_scale, **_: log_noise_scale + 0.5), "than the declared peak at"),
        (
            own(peak=lambda log_noise_scale, **_: np.full_like(log_noise_scale, np.inf)),
            "must rise everywhere",
        ),
        (
            own(slopes=lambda log_noise_scale, **_: (0.5 + 0 * log_noise_scale, -0.4 + 0 * log_noise_scale)),
            "slopes",
        ),
    ],
)
def test_what_is_wrong_is_named(law, message):
    with pytest.raises(AssertionError, match=message) as failure, np.errstate(all="ignore"):
        check_law(law)
    assert "Law 'own'" in str(failure.value)
    assert "It fails at log_max_learning_rate = " in str(failure.value)


def test_a_scale_that_is_not_additive_is_named(monkeypatch):
    monkeypatch.setattr(
        type(SURGE), "log_learning_rate", lambda law, xp, x, **p: 2.0 * p["log_max_learning_rate"] + 0 * x
    )
    with pytest.raises(AssertionError, match="'log_max_learning_rate' must be additive"):
        check_law(own())


def test_correct_declarations_pass():
    check_law(
        own(
            peak=lambda log_noise_scale, **_: log_noise_scale,
            supremum=lambda log_max_learning_rate, **_: log_max_learning_rate,
            slopes=lambda log_noise_scale, **_: (0.5 + 0 * log_noise_scale, -0.5 + 0 * log_noise_scale),
        )
    )


def test_something_else_is_refused():
    with pytest.raises(InputError, match=r"'law' must be a surge_fit\.law\.Law"):
        check_law("surge")
