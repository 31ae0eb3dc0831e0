"""Theorem 2 with the paper's approximate expected signs (arXiv:2405.14578): exact values, limits, and NumPy.

With y = √(B/2)·μ/σ, the expected sign is erf(y) and its approximation y/√(π/4 + y²).
"""

import math

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import flat, gaussian, write_safetensors
from surge_fit.gradients.dump import read_arrays

ROWS, SIZES = 60, (0.5, 1, 4, 1000)
erf = np.vectorize(math.erf)


def alternating(mean, deviation, rows=36):
    """Gradients that are mean ± deviation in turn: those are their moments exactly."""
    turns = np.where(np.arange(rows) % 2 == 0, 1.0, -1.0)
    return {"w": (np.asarray(mean) + turns[:, None] * np.asarray(deviation)).astype(np.float32)}


def approximate_signs(mean, deviation, size):
    ratio = mean / deviation
    return ratio / np.sqrt(math.pi / (2 * size) + ratio**2)


def theorem_2(signs, mean, hessian, diagonal):
    return (signs @ mean) / (((1 - signs**2) * diagonal).sum() + signs @ hessian @ signs)


def rates(curve):
    """Exact and approximate rates, shape (batch, 2)."""
    points = [point.theory for point in curve.points]
    return np.array([(point.learning_rate, point.approximate_learning_rate) for point in points])


def test_a_problem_with_whole_triangles_has_a_rational_answer():
    """At B = π/2 the approximation is r/√(1 + r²): 3/5 for r = 3/4 and 4/5 for r = 4/3.

    σ = (4, 3), so μ = (3, 4): 3/5·3 + 4/5·4 = 5. With H = [[2, 1], [1, 3]], Σ(1 − A²)Hᵢᵢ = 16/25·2 + 9/25·3 =
    59/25 and AᵀHA = 9/25·2 + 2·12/25 + 16/25·3 = 90/25: 5/(149/25) = 125/149.
    """
    curve = sf.learning_rate_curve(
        alternating([3, 4], [4, 3]),
        "sign",
        curvature=np.array([[2.0, 1.0], [1.0, 3.0]]),
        batch_size=[1, math.pi / 2],
        resamples=4,
    )
    assert curve.points[1].theory.approximate_learning_rate == pytest.approx(125 / 149, rel=1e-6)


@pytest.fixture(scope="module")
def dump():
    shapes = {"a.w": (8, 5), "b.w": (23,)}
    return {name: array.astype(np.float32) for name, array in gaussian(ROWS, shapes, noise_scale=3).items()}


def symmetric(parameters):
    half = np.random.default_rng(1).standard_normal((parameters, parameters)) / math.sqrt(parameters)
    return half @ half.T + np.eye(parameters)


@pytest.mark.parametrize("curvature", ["hessian", "product", "diagonal", "fisher"])
def test_rates_are_those_of_numpy_with_every_curvature(dump, curvature):
    """A function's diagonal is probed with random signs, which is exact where there is nothing beside it."""
    g = flat(dump).astype(np.float64)
    mean, deviation = g.mean(axis=0), g.std(axis=0)
    hessian = symmetric(g.shape[1])
    given = {
        "hessian": hessian,
        "product": lambda vectors: vectors * np.diag(hessian),
        "diagonal": np.diag(hessian),
        "fisher": "fisher",
    }[curvature]
    if curvature in ("product", "diagonal"):
        hessian = np.diag(np.diag(hessian))
    elif curvature == "fisher":
        hessian = g.T @ g / ROWS
    curve = sf.learning_rate_curve(dump, "sign", curvature=given, batch_size=SIZES, resamples=4)
    expected = [
        theorem_2(approximate_signs(mean, deviation, size), mean, hessian, np.diag(hessian)) for size in SIZES
    ]
    assert rates(curve)[:, 1] == pytest.approx(expected, rel=2e-5)


def test_the_approximate_signs_of_rust_are_those_of_numpy(dump):
    """A function for the Hessian is shown the rows whose forms are asked for; one block is the signs."""
    shown = []

    def identity(vectors):
        shown.append(np.array(vectors))
        return vectors

    sf.learning_rate_curve(dump, "sign", curvature=identity, batch_size=SIZES, resamples=4)
    g = flat(dump).astype(np.float64)
    expected = np.stack([approximate_signs(g.mean(axis=0), g.std(axis=0), size) for size in SIZES])
    blocks = [np.sort(block, axis=0) for block in shown if block.shape == expected.shape]
    assert min(np.abs(block - np.sort(expected, axis=0)).max() for block in blocks) < 1e-6


def test_both_signs_give_the_same_rate_where_batches_are_small_and_where_they_are_large(dump):
    """Small: both are √(2B/π)·μ/σ, so ε = √(2B/π)·Σ(μ²/σ)/Σ Hᵢᵢ. Large: both are sign(μ), Theorem 4."""
    g = flat(dump).astype(np.float64)
    hessian = symmetric(g.shape[1])
    curve = sf.learning_rate_curve(dump, "sign", curvature=hessian, batch_size=[1e-8, 1e12], resamples=4)
    slope = (g.mean(axis=0) ** 2 / g.std(axis=0)).sum() / np.trace(hessian)
    small, large = rates(curve)
    assert small == pytest.approx(math.sqrt(2e-8 / math.pi) * slope, rel=1e-3)
    assert small[1] == pytest.approx(small[0], rel=1e-5)
    assert large == pytest.approx(curve.limit, rel=1e-5)


def test_with_a_diagonal_curvature_the_approximation_loses_twelve_per_cent_at_most():
    """The denominator is Σ Hᵢᵢ for both, so the rates are as the signs.

    erf(y) − y/√(π/4 + y²) ≥ 0: its derivative changes its sign once beyond 0, and it is 0 at both ends. The
    ratio y/√(π/4 + y²)/erf(y) is stationary where (π/4)·erf(y)/(π/4 + y²) = 2/√π·y·exp(−y²): at y = 1.198166,
    where it is 0.8836616. With equal |μ/σ| = 1/2 that is B = 2·(1.198166/0.5)² = 11.48481.
    """
    y = 1.198166
    left = math.pi / 4 * math.erf(y) / (math.pi / 4 + y * y)
    assert left == pytest.approx(2 / math.sqrt(math.pi) * y * math.exp(-y * y), abs=1e-6)
    lowest = 2 * (y / 0.5) ** 2
    sizes = sorted([*2.0 ** np.arange(-8, 13), lowest])
    curve = sf.learning_rate_curve(
        alternating([1, -2, 3], [2, 4, 6]),
        "sign",
        curvature=np.array([1.0, 5.0, 2.0]),
        batch_size=sizes,
        resamples=4,
    )
    exact, approximate = rates(curve).T
    ratio = approximate / exact
    assert ratio.min() == pytest.approx(0.8836616, abs=2e-6)
    assert sizes[int(ratio.argmin())] == lowest
    assert ratio.max() <= 1 + 1e-6


def test_gradients_that_do_not_vary_have_certain_signs():
    curve = sf.learning_rate_curve(
        alternating([0.5, -1.0, 2.0], [0, 0, 0]), "sign", curvature=np.eye(3), batch_size=[1, 4], resamples=4
    )
    assert rates(curve) == pytest.approx(np.full((2, 2), 3.5 / 3.0))


def test_adam_has_the_approximation_of_sign_descent_and_sgd_has_none(dump, tmp_path):
    random = np.random.default_rng(2)
    arrays = {}
    for name, array in dump.items():
        arrays[f"{name}.exp_avg"] = array.mean(axis=0)
        arrays[f"{name}.exp_avg_sq"] = random.exponential(size=array.shape[1:]).astype(np.float32)
    state = write_safetensors(tmp_path / "s.safetensors", arrays, beta1=0.9, beta2=0.99, eps=1e-3, step=4)
    hessian = symmetric(flat(dump).shape[1])
    sign, adam, sgd = (
        sf.learning_rate_curve(dump, kind, curvature=hessian, state=of, batch_size=[1, 8], resamples=9)
        for kind, of in (("sign", None), ("adam", state), ("sgd", None))
    )
    np.testing.assert_array_equal(rates(adam), rates(sign))
    assert all(point.theory.approximate_learning_rate is None for point in sgd.points)


def test_a_rate_that_the_curvature_does_not_have_is_none(dump):
    curve = sf.learning_rate_curve(
        dump, "sign", curvature=-np.eye(flat(dump).shape[1]), batch_size=[1, 8], resamples=4
    )
    assert all(point.theory.approximate_learning_rate is None for point in curve.points)


@pytest.mark.parametrize("step", [10, 60])
def test_a_network_has_the_rates_of_numpy_over_all_its_examples(shared_data, step):
    folder = shared_data / "digits_mlp"
    path, curvature = (folder / f"step{step:05d}.{kind}.safetensors" for kind in ("all_examples", "hessian"))
    sizes = [1, 8, 64, 512, 4096]
    curve = sf.learning_rate_curve(path, "sign", curvature=curvature, batch_size=sizes, resamples=9)
    hessian, metadata = read_arrays(curvature)
    arrays = read_arrays(path)[0]
    g = flat({name: arrays[name] for name in metadata["order"].split(",")}).astype(np.float64)
    h = hessian["hessian"].astype(np.float64)
    mean, deviation = g.mean(axis=0), g.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(mean == 0, 0.0, mean / deviation)
    expected = []
    for size in sizes:
        y = math.sqrt(size / 2) * ratio
        with np.errstate(invalid="ignore"):
            approximate = np.where(np.isinf(y), np.sign(y), y / np.sqrt(math.pi / 4 + y * y))
        expected.append([theorem_2(signs, mean, h, np.diag(h)) for signs in (erf(y), approximate)])
    assert rates(curve) == pytest.approx(np.array(expected), rel=1e-4)
