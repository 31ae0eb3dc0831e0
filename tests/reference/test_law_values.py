"""Exact values of every law, derived by hand, and its parity in Rust, NumPy and PyTensor."""

import numpy as np
import pytest
from surge_fit import _core
from surge_fit.law import LAWS, LawDraws
from surge_fit.model import loss_surface
from surge_fit.testing import evaluate_in_pytensor

LOG2 = np.log(2.0)


def at(name, batch_size, *parameters):
    law = LAWS[name]
    draws = dict(zip(law.parameter_names, parameters, strict=True))
    return LawDraws.of(law, draws).optimum(batch_size)[0, 0]


@pytest.mark.parametrize(
    ("name", "batch_size", "parameters", "expected"),
    [
        ("constant", 77.0, (-6.0,), -6.0),
        # c = e^-6, B = 2^10: slopes 1, 1/2 and 0.3 add log 1024, half and 0.3 of it.
        ("linear", 1024.0, (-6.0,), -6.0 + 10 * LOG2),
        ("square_root", 1024.0, (-6.0,), -6.0 + 5 * LOG2),
        ("power", 1024.0, (-6.0, 0.3), -6.0 + 3 * LOG2),
        # 1/(1 + 256/256) = 1/2; 1/(1 + 768/256) = 1/4, its root 1/2.
        ("sgd", 256.0, (-6.0, np.log(256.0)), -6.0 - LOG2),
        ("large_batch_half", 256.0, (-6.0, np.log(768.0)), -6.0 - LOG2),
        # The peak; then B/B_noise = 16: cosh(½ log 16) = (4 + 1/4)/2 = 17/8.
        ("surge", 256.0, (-6.0, np.log(256.0)), -6.0),
        ("surge", 4096.0, (-6.0, np.log(256.0)), -6.0 - np.log(17 / 8)),
        # cosh(2 log 2) = (4 + 1/4)/2 = 17/8 once more.
        ("surge_free_exponent", 512.0, (-6.0, np.log(256.0), 2.0), -6.0 - np.log(17 / 8)),
        # β = (1 + 3)^(−½) = ½ = β_n: the peak. β = (1 + 15)^(−½) = ¼ = β_n/2: cosh(log 2) = 5/4.
        ("saturating_surge", 256.0, (-6.0, np.log(768.0), -LOG2), -6.0),
        ("saturating_surge", 256.0, (-6.0, np.log(3840.0), -LOG2), -6.0 - np.log(5 / 4)),
        # x = log 2, p = 2, q = 1: ½(1/4 + 2) = 9/8.
        ("broken_power", 512.0, (-6.0, np.log(256.0), 2.0, 1.0), -6.0 - np.log(9 / 8)),
    ],
)  # fmt: skip
def test_values(name, batch_size, parameters, expected):
    assert at(name, batch_size, *parameters) == pytest.approx(expected, abs=1e-14)


def draws_of(law, count=60, seed=0):
    """Draw parameters as far out as a posterior may go, the noise scale near one."""
    rng = np.random.default_rng(seed)
    return {
        p.name: p.prior.draw(rng, count)
        if p.prior
        else rng.normal(*((-6, 2) if "learning" in p.name else (0, 1)), count)
        for p in law.parameters
    }


def assert_parity(found, expected):
    """Agree to 1e-12: absolutely in log learning rate (so relatively in learning rate) where it is of order
    one, relatively where it is larger."""
    np.testing.assert_array_less(np.abs(found - expected), 1e-12 * np.maximum(1.0, np.abs(expected)) + 1e-300)


@pytest.mark.parametrize("name", LAWS)
def test_rust_numpy_and_pytensor_agree_over_24_decades(name):
    law = LAWS[name]
    draws = draws_of(law)
    x = np.linspace(np.log(1e-12), np.log(1e12), 301)
    checked = LawDraws.of(law, draws)
    rust, rust_gradient = checked.optimum(np.exp(x)), checked.gradient(np.exp(x))
    numpy = law.log_learning_rate(np, np.log(np.exp(x)), **{k: v[:, None] for k, v in draws.items()})
    pytensor, pytensor_gradient = evaluate_in_pytensor(law, draws, np.log(np.exp(x)))
    assert_parity(rust, np.broadcast_to(numpy, rust.shape))
    assert_parity(rust, pytensor)
    assert_parity(rust_gradient, pytensor_gradient)


@pytest.mark.parametrize("name", LAWS)
def test_gradients_are_right_at_the_noise_scale_itself(name):
    # There the absolute values inside the formulas have their kink.
    law = LAWS[name]
    draws = {p.name: np.array([0.5]) for p in law.parameters} | {"log_noise_scale": np.array([0.0])}
    draws = {p.name: draws[p.name] for p in law.parameters}
    _, gradient = evaluate_in_pytensor(law, draws, np.array([0.0]))
    assert_parity(LawDraws.of(law, draws).gradient(1.0), gradient)


@pytest.mark.parametrize("name", LAWS)
def test_large_arguments_are_finite_and_exact(name):
    law = LAWS[name]
    draws = draws_of(law, 20, seed=1)
    parameters = np.stack(list(draws.values()), axis=1)
    x = np.array([-1000.0, -900.0, -300.0, 300.0, 900.0, 1000.0])
    rust = _core.evaluate_law(name, parameters, x)
    numpy = np.broadcast_to(
        law.log_learning_rate(np, x, **{k: v[:, None] for k, v in draws.items()}), rust.shape
    )
    assert np.isfinite(rust).all()
    assert_parity(rust, numpy)
    small, large = law.asymptotic_slopes(draws)
    np.testing.assert_allclose((rust[:, 1] - rust[:, 0]) / 100, small, atol=1e-12)
    np.testing.assert_allclose((rust[:, 5] - rust[:, 4]) / 100, large, atol=1e-12)


def test_peaks_and_suprema():
    surge = {"log_max_learning_rate": [-6.0], "log_noise_scale": [np.log(256.0)]}
    assert LAWS["surge"].peak_batch_size(surge)[0] == pytest.approx(256.0, rel=1e-14)
    assert LAWS["surge"].log_supremum(surge)[0] == -6.0
    assert LAWS["sgd"].peak_batch_size(surge)[0] == np.inf
    assert LAWS["sgd"].log_supremum(surge)[0] == -6.0
    power = {"log_learning_rate_scale": -6.0, "slope": [0.5, -0.5, 0.0]}
    np.testing.assert_array_equal(LAWS["power"].peak_batch_size(power), [np.inf, 0.0, np.nan])
    np.testing.assert_array_equal(LAWS["power"].log_supremum(power), [np.inf, np.inf, -6.0])
    assert np.isnan(LAWS["constant"].peak_batch_size({"log_max_learning_rate": [-6.0]})[0])
    # β_n = ½: the peak is at B = B_s/(β_n^(−2) − 1) = B_s/3.
    saturating = {**surge, "log_peak_ratio": -LOG2}
    assert LAWS["saturating_surge"].peak_batch_size(saturating)[0] == pytest.approx(256.0 / 3, rel=1e-14)
    # p = 1, q = ½: x = log 2/1.5, and ½(2^(−2/3) + 2^(1/3)) = 1.5·2^(−2/3).
    broken = {
        "log_learning_rate_scale": -6.0,
        "log_noise_scale": np.log(256.0),
        "small_batch_slope": 1.0,
        "large_batch_fall": [0.5, 0.0, -0.1],
    }
    np.testing.assert_allclose(
        LAWS["broken_power"].peak_batch_size(broken), [256.0 * 2 ** (1 / 1.5), np.inf, np.inf], rtol=1e-14
    )
    np.testing.assert_allclose(
        LAWS["broken_power"].log_supremum(broken),
        [-6.0 - np.log(1.5) + LOG2 / 1.5, -6.0 + LOG2, np.inf],
        rtol=1e-14,
    )


@pytest.mark.parametrize("rate", [0.05, 0.6, 3.0])
@pytest.mark.parametrize("asymmetry", [-2.0, 0.0, 1.6])
def test_the_valley_is_the_same_in_rust_numpy_and_pytensor(rate, asymmetry):
    import pytensor.tensor as pt
    from pytensor import function
    from pytensor.compile.mode import Mode
    from pytensor.gradient import grad

    wide = np.geomspace(1e-6, 1e3, 400)
    u = np.concatenate([-wide[::-1], [0.0], wide])
    value, slope, bend = _core.valley(u, rate, asymmetry)
    numpy = loss_surface.valley(np, u, rate, asymmetry)
    # The slope rises from −1/p to 1/q by a total of (p + q)/pq; far from 0 it is constant.
    assert np.all(np.diff(slope) >= -1e-12)
    assert bend[len(wide)] == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(numpy, value, rtol=1e-9)
    symbol = pt.vector("u", dtype="float64")
    # As arrays: PyTensor reads a plain number as float32 where that is exact, and its exponential is not.
    h = loss_surface.valley(pt, symbol, np.array(rate), np.array(asymmetry))
    compiled = function([symbol], [h, grad(h.sum(), symbol)], mode=Mode(linker="py", optimizer="None"))
    pytensor, pytensor_slope = compiled(u)
    np.testing.assert_allclose(pytensor, value, rtol=1e-9)
    np.testing.assert_allclose(pytensor_slope, slope, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("rate", [0.05, 1.0, 3.0])
@pytest.mark.parametrize("asymmetry", [-2.0, 0.0, 1.6])
def test_the_valley_is_accurate_near_its_bottom(rate, asymmetry):
    # 60-digit arithmetic; relative error 1e-9 for any |u| from 1e-6.
    from decimal import Decimal, localcontext

    u = np.concatenate([[s * 10.0**k for k in range(-6, 2)] for s in (-1.0, 1.0)])
    with localcontext() as context:
        context.prec = 60
        half = (Decimal(asymmetry) / 2).exp()
        p, q = Decimal(rate) * half, Decimal(rate) / half
        exact = [
            float((((q * (p * Decimal(x)).exp() + p * (-q * Decimal(x)).exp()) / (p + q)).ln()) / (p * q))
            for x in u
        ]
    np.testing.assert_allclose(_core.valley(u, rate, asymmetry)[0], exact, rtol=1e-9)
    np.testing.assert_allclose(loss_surface.valley(np, u, rate, asymmetry), exact, rtol=1e-9)


def test_the_wall():
    # 1/(1 + e^(−z)) at z = −∞, −800, log 3, 800: 0, 0, 3/4, 1.
    found = loss_surface.divergence_probability(
        np, np.array([-1e3, -398.0, 2 + 0.5 * np.log(3), 402.0]), 2.0, 0.5
    )
    np.testing.assert_allclose(found, [0.0, 0.0, 0.75, 1.0], atol=1e-15)
    assert loss_surface.divergence_probability(np, 5.0, np.inf, 1.0) == 0.0
    assert loss_surface.divergence_logit(3.0, 2.0, 0.5) == 2.0
