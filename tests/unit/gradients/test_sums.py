"""Sums as values of the Rust core: frozen, equal bit by bit, pickled and merged."""

import copy
import gc
import pickle

import numpy as np
import pytest
import surge_fit as sf
from surge_fit._core import BatchSums, DirectionSums, TensorSums
from surge_fit.errors import InputError

ROWS = np.array([[1, 1], [1, -1], [3, 1], [3, -1]], dtype=np.float32)


def summed(rows, **options):
    """Sum the rows of one tensor, as a scan does."""
    return sf.gradient_statistics({"w": rows}, **options).sums[0]


def batch_sums(**changed):
    """Make sums at two batch sizes, with two resamples of two minibatches; each number once."""
    scalars = ("curvature", "absolute_curvature", "unresolved_parameters", "unresolved_curvature")
    at_size = (
        *("independent", "independent_split", "independent_approximate", "saturated_parameters"),
        *("saturated_curvature", "overlap_variance", "mean_expected", "expected_squared", "disagreement"),
        "scatter",
    )
    fields = {"parameters": 5, "constant": 1, "overlaps": np.array([[1.0, 2.0], [3.0, np.nan]])}
    fields |= {
        name: float(number) for number, name in enumerate((*scalars, "drift", "ratio_curvature"), start=10)
    }
    fields |= {name: np.array([number, -number / 3]) for number, name in enumerate(at_size, start=20)}
    return BatchSums(**fields | changed)


def direction_sums(factor=1.0):
    own = np.array([[1.0, 2.0]])
    return DirectionSums(own=factor * own, groups=np.full((3, 2), factor), rows=np.empty((0, 4)))


SUMS = {
    "tensor": lambda: summed(ROWS),
    "tensor with shapes": lambda: summed(ROWS, batch_size=8.0),
    "batch": batch_sums,
    "direction": direction_sums,
}


def test_sums_of_a_tensor_are_those_by_hand():
    """The mean gradient is (2, 0), so |ḡ|² = 4 and g·ḡ = 2 g₁."""
    sums = summed(ROWS)
    assert (sums.name, sums.dtype, sums.parameters, sums.elements) == ("w", "float32", 2, 8)
    assert sums.mean_norm_squared == 4.0
    np.testing.assert_array_equal(sums.rows, [0, 1, 2, 3])
    np.testing.assert_array_equal(sums.norms, [2.0, 2.0, 10.0, 10.0])
    np.testing.assert_array_equal(sums.projections, [2.0, 2.0, 6.0, 6.0])
    assert repr(sums) == 'TensorSums(name="w", dtype="float32", parameters=2, rows=4)'


def test_sums_of_other_parameters_add_up_to_those_of_all():
    """Small whole numbers, so that no sum is rounded."""
    left, right, both = summed(ROWS[:, :1]), summed(ROWS[:, 1:]), summed(ROWS)
    merged = left.merge(right)
    for name in ("parameters", "elements", "zeros", "mean_norm_squared", "signal_parameters"):
        assert getattr(merged, name) == getattr(both, name)
    np.testing.assert_array_equal(merged.norms, both.norms)
    np.testing.assert_array_equal(merged.projections, both.projections)
    # Σ of the debiased (μ/σ)²: 4/(4/3)/3 − 1/4 of the first column, 0/(4/3)/3 − 1/4 of the second.
    assert merged.signal == pytest.approx(0.5)


def test_sums_of_other_rows_are_refused():
    with pytest.raises(InputError, match="must have equal rows"):
        summed(ROWS).merge(summed(ROWS[:3]))
    with pytest.raises(InputError, match="must have equal standardized sums"):
        summed(ROWS).merge(summed(ROWS, batch_size=8.0))


@pytest.mark.parametrize("make", SUMS.values(), ids=SUMS)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_restores_every_bit(make, protocol):
    sums = make()
    restored = pickle.loads(pickle.dumps(sums, protocol))
    assert restored == sums
    assert restored is not sums
    (_, fields), (_, again) = sums.__getnewargs_ex__(), restored.__getnewargs_ex__()
    for name, value in fields.items():
        assert np.asarray(again[name]).tobytes() == np.asarray(value).tobytes(), name


@pytest.mark.parametrize("make", SUMS.values(), ids=SUMS)
def test_merged_sums_are_the_same_after_a_pickle(make):
    whole = make().merge(make())
    assert pickle.loads(pickle.dumps(make())).merge(copy.deepcopy(make())) == whole
    assert whole != make()


def test_a_single_bit_makes_sums_differ():
    sums = batch_sums()
    assert sums != batch_sums(drift=float(np.nextafter(sums.drift, 99.0)))
    assert sums != batch_sums(scatter=sums.scatter * (1.0 + 2**-52))
    assert summed(ROWS) != summed(ROWS, batch_size=8.0)


def test_sums_at_batch_sizes_add_up():
    merged = batch_sums().merge(batch_sums(parameters=7))
    assert (merged.parameters, merged.constant, merged.curvature) == (12, 2, 20.0)
    np.testing.assert_array_equal(merged.overlaps, [[2.0, 4.0], [6.0, np.nan]])
    np.testing.assert_array_equal(merged.independent, [40.0, -40.0 / 3])
    np.testing.assert_array_equal(merged.scatter, [58.0, -58.0 / 3])


def test_products_of_directions_add_up():
    merged = direction_sums().merge(direction_sums(2.0))
    np.testing.assert_array_equal(merged.own, [[3.0, 6.0]])
    np.testing.assert_array_equal(merged.groups, np.full((3, 2), 3.0))
    assert merged.rows.shape == (0, 4)
    with pytest.raises(InputError, match="must have equal shapes"):
        merged.merge(DirectionSums(own=merged.own, groups=merged.groups, rows=np.zeros((1, 4))))


def test_sums_of_other_minibatches_are_refused():
    with pytest.raises(InputError, match="must have equal minibatches"):
        batch_sums().merge(batch_sums(overlaps=np.zeros((3, 2))))


def test_sums_are_frozen():
    sums = summed(ROWS)
    with pytest.raises(AttributeError):
        sums.signal = 1.0
    with pytest.raises(ValueError, match="read-only"):
        sums.norms[0] = 1.0


def test_an_array_outlives_its_sums():
    sums = summed(ROWS)
    norms = sums.norms
    del sums
    gc.collect()
    np.testing.assert_array_equal(norms, [2.0, 2.0, 10.0, 10.0])


def test_fields_that_do_not_fit_are_refused():
    _, fields = summed(ROWS).__getnewargs_ex__()
    with pytest.raises(InputError, match=r"'projections' must have shape \(row,\) = \[4\]; got \[3\]"):
        TensorSums(**fields | {"projections": np.zeros(3)})
    with pytest.raises(InputError, match="'rows' must be a whole number from 0 on"):
        TensorSums(**fields | {"rows": np.array([0, 1, 2, -3])})
    with pytest.raises(InputError, match=r"'scatter' must have shape \(batch,\) = \[2\]; got \[3\]"):
        batch_sums(scatter=np.zeros(3))
