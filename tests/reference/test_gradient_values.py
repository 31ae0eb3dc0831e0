"""Gradient statistics against their definitions, in plain NumPy over pairs of examples."""

import json

import numpy as np
import pytest
import surge_fit as sf
from scipy import stats
from support.dumps import flat, gaussian

SHAPES = {"w": (7, 5), "b": (5,)}


@pytest.fixture(scope="module")
def arrays():
    return gaussian(40, SHAPES, noise_scale=15)


def by_pairs(gradients):
    """|G|² as the mean of g_i·g_j over i ≠ j, tr Σ as the mean of |g_i − g_j|²/2 over i ≠ j."""
    products = gradients @ gradients.T
    off = ~np.eye(len(gradients), dtype=bool)
    squares = np.diag(products)
    distances = squares[:, None] + squares[None, :] - 2 * products
    return products[off].mean(), distances[off].mean() / 2


def jackknife(estimate, units):
    """Value, standard error and 95 % interval from leaving one unit out at a time."""
    count = len(units)
    left = np.array([estimate(np.delete(np.arange(count), k)) for k in range(count)])
    value = estimate(np.arange(count))
    error = np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, count - 1) * error
    return value, error, (value - half, value + half)


def assert_is(quantity, expected, rel=1e-8):
    value, error, interval = expected
    assert quantity.value == pytest.approx(value, rel=rel)
    assert quantity.standard_error == pytest.approx(error, rel=10 * rel)
    assert quantity.interval == pytest.approx(interval, rel=10 * rel)


def test_per_example_gradients(arrays):
    found = sf.gradient_statistics(arrays)
    rows = [
        (found.total, flat(arrays)),
        *zip(found.tensors, map(flat, [{n: a} for n, a in arrays.items()]), strict=True),
    ]
    for told, gradients in rows:
        units = range(len(gradients))
        assert_is(told.gradient_norm_squared, jackknife(lambda k, g=gradients: by_pairs(g[k])[0], units))
        assert_is(told.gradient_covariance_trace, jackknife(lambda k, g=gradients: by_pairs(g[k])[1], units))

        def inverse(kept, g=gradients):
            norm, trace = by_pairs(g[kept])
            return norm / trace

        value, error, interval = jackknife(inverse, units)
        assert_is(told.inverse_noise_scale, (value, error, interval))
        assert told.simple_noise_scale.value == pytest.approx(1 / value)
        assert told.simple_noise_scale.interval[0] == pytest.approx(1 / interval[1])
        assert told.relative_error == pytest.approx(error / value)


def test_tensors_add_up(arrays):
    found = sf.gradient_statistics(arrays)
    for name in ("gradient_norm_squared", "gradient_covariance_trace"):
        parts = sum(getattr(row, name).value for row in found.tensors)
        assert getattr(found.total, name).value == pytest.approx(parts, rel=1e-12)


def test_micro_batches_give_the_noise_of_single_examples():
    """Rows that are means over b examples: tr Σ = Σ b|g − ḡ|²/(K − 1), |G|² = |ḡ|² − tr Σ/B."""
    single = gaussian(600, SHAPES, noise_scale=15, seed=3)
    sizes = np.array([4, 8, 12, 6, 10] * 15)
    ends = np.cumsum(sizes)
    rows = {
        n: np.stack([a[e - b : e].mean(0) for e, b in zip(ends, sizes, strict=True)])
        for n, a in single.items()
    }
    found = sf.gradient_statistics(sf.open_dump(rows, microbatch_size=sizes))
    gradients, examples = flat(rows), sizes.sum()

    def estimate(kept):
        weights = sizes[kept]
        mean = (weights[:, None] * gradients[kept]).sum(0) / weights.sum()
        trace = (weights * ((gradients[kept] - mean) ** 2).sum(1)).sum() / (len(kept) - 1)
        return mean @ mean - trace / weights.sum(), trace

    units = range(len(sizes))
    assert found.examples == examples
    assert_is(found.total.gradient_norm_squared, jackknife(lambda k: estimate(k)[0], units))
    assert_is(found.total.gradient_covariance_trace, jackknife(lambda k: estimate(k)[1], units))
    low, high = found.total.simple_noise_scale.interval
    assert low < 15 < high


def test_groups_of_correlated_rows_use_products_between_groups_alone():
    """Rows of a group share a part: within a group products are too large, between groups they are right."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(12), 5)
    shared = 2 * rng.standard_normal((12, 40))[labels]
    gradients = 0.5 + shared + rng.standard_normal((60, 40))
    found = sf.gradient_statistics(sf.open_dump({"w": gradients}, row_groups=labels))

    def estimate(groups):
        kept = np.isin(labels, groups)
        products = gradients[kept] @ gradients[kept].T
        apart = labels[kept][:, None] != labels[kept][None, :]
        norm = products[apart].mean()
        return norm, np.diag(products).mean() - norm

    assert_is(found.total.gradient_norm_squared, jackknife(lambda k: estimate(k)[0], range(12)))
    assert_is(found.total.gradient_covariance_trace, jackknife(lambda k: estimate(k)[1], range(12)))


def test_signal_to_noise_is_the_debiased_mean_over_parameters(arrays):
    found = sf.gradient_statistics(arrays)
    gradients = flat(arrays)
    count = len(gradients)
    ratio = gradients.mean(0) ** 2 / gradients.var(0, ddof=1)
    expected = ((count - 3) / (count - 1) * ratio - 1 / count).mean()
    assert found.total.signal_to_noise == pytest.approx(expected, rel=1e-9)
    with_interval = sf.gradient_statistics(arrays, batch_size=8)
    for told in (found, with_interval):
        assert told.total.resolvable_batch_size.value == pytest.approx(np.pi / 2 / expected, rel=1e-8)
    low, high = with_interval.total.resolvable_batch_size.interval
    assert low < np.pi / 2 / expected < high


def test_skewness_and_kurtosis_of_skewed_gradients():
    """Exponential numbers have skewness 2 and excess kurtosis 6; that of a mean of B is 2/√B and 6/B."""
    rng = np.random.default_rng(1)
    found = sf.gradient_statistics({"w": rng.standard_exponential((4000, 300))}, batch_size=64)
    assert found.total.skewness == pytest.approx(2, rel=0.05)
    assert found.total.excess_kurtosis == pytest.approx(6, rel=0.2)
    gaussian_noise = sf.gradient_statistics({"w": rng.standard_normal((4000, 300))}, batch_size=64)
    assert gaussian_noise.total.skewness < 0.03
    assert abs(gaussian_noise.total.excess_kurtosis) < 0.03


def test_moments_of_parameters_are_written_as_they_are(arrays, tmp_path):
    gradients = flat(arrays)
    path = tmp_path / "moments.npy"
    sf.gradient_statistics(arrays, batch_size=8, per_parameter=path)
    centred = gradients - gradients.mean(0)
    expected = [gradients.mean(0), gradients.var(0, ddof=1), (centred**3).mean(0), (centred**4).mean(0)]
    found = np.load(path)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


@pytest.fixture(scope="module")
def truth(shared_data):
    return json.loads((shared_data / "digits_mlp" / "truth.json").read_text())


@pytest.mark.parametrize("step", [10, 60])
def test_all_examples_of_a_real_network_give_the_population_values(step, shared_data, truth):
    """The truth takes |ḡ|² for |G|², which is larger by tr Σ/N."""
    found = sf.gradient_statistics(shared_data / "digits_mlp" / f"step{step:05d}.all_examples.safetensors")
    held, count = truth[str(step)], found.examples
    trace = found.total.gradient_covariance_trace.value
    assert count == held["samples"]
    assert trace == pytest.approx(held["trace_covariance"], rel=1e-6)
    norm = found.total.gradient_norm_squared.value + trace / count
    assert norm == pytest.approx(held["gradient_norm_squared"], rel=1e-6)


@pytest.mark.parametrize("step", [10, 60])
def test_a_dump_of_some_examples_holds_the_population_value_in_its_interval(step, shared_data, truth):
    found = sf.gradient_statistics(shared_data / "digits_mlp" / f"step{step:05d}.safetensors")
    low, high = found.total.simple_noise_scale.interval
    assert low < truth[str(step)]["simple_noise_scale"] < high
    assert (found.step, found.examples) == (step, 384)


def test_intervals_on_real_gradients_hold_the_population_value_as_often_as_they_say(shared_data, truth):
    """200 draws of 128 of 1,797 examples: at a rate of 0.95, fewer than 180 hits has a chance of 1 in 1,000.

    Examples are drawn without replacement from the population, which makes the intervals a little wide.
    """
    file = shared_data / "digits_mlp" / "step00010.all_examples.safetensors"
    whole = sf.open_dump(file)
    arrays = {
        tensor.name: segment.file.read(segment.entry, 0, tensor.rows * tensor.parameters).reshape(
            tensor.rows, *tensor.shape
        )
        for tensor in whole.tensors
        for segment in tensor.segments
    }
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        chosen = rng.choice(whole.rows, 128, replace=False)
        found = sf.gradient_statistics({name: array[chosen] for name, array in arrays.items()})
        low, high = found.total.simple_noise_scale.interval
        hits += low < truth["10"]["simple_noise_scale"] < high
    assert 180 <= hits <= 200
