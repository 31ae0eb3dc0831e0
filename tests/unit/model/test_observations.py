import numpy as np
import pytest
from surge_fit import Sweep, SweepError, observe


def sweep(**columns):
    table = {
        "batch_size": [8, 8, 8, 64, 64, 64],
        "learning_rate": [1e-3, 2e-3, 4e-3, 1e-3, 2e-3, 4e-3],
        "loss": [2.0, 1.9, 2.1, 1.9, 1.7, 1.8],
        "batch_unit": "examples",
    }
    return Sweep.from_columns(**(table | columns))


def test_every_run_enters_the_likelihood_that_it_can_inform():
    runs = sweep(
        loss=[2.0, 1.9, 1e6, 1.9, 1.7, np.nan],
        status=["finished", "finished", "finished", "crashed", "finished", "diverged"],
        run_id=["a", "b", "huge", "crashed", "c", "nan"],
    )
    seen = observe(runs)
    assert seen.finished.id == ("a", "b", "c")
    assert seen.censored.id == ("huge",)
    assert seen.wall.id == ("a", "b", "c", "nan")
    assert seen.wall.value.tolist() == [0, 0, 0, 1]
    assert seen.unused == (("crashed", "crashed"),)
    # Median of the finite losses 1.7, 1.9, 2.0, 1e6 is 1.95, 0.25 above the best: 1.95 + 10 · 0.25.
    assert seen.censored.value.tolist() == pytest.approx([4.45])
    assert seen.count == 5


def test_the_reference_is_the_geometric_mean_of_the_batch_sizes():
    assert np.exp(observe(sweep()).log_reference_batch_size) == pytest.approx(np.sqrt(8 * 64))


def test_scales_are_read_off_the_valleys():
    scales = observe(sweep()).scales
    # Both winners are at 2e-3, both medians 0.1 above them, both other rates log 2 away.
    assert scales.log_learning_rate == pytest.approx(np.log(2e-3))
    assert scales.curvature == pytest.approx(2 * 0.1 / np.log(2) ** 2)
    assert scales.best_loss.tolist() == [1.9, 1.7]
    # Half of the distance to the neighbours, log 2, costs ½ κ (½ log 2)² = 0.025.
    assert scales.gap == pytest.approx([0.025, 0.025])


def test_a_winner_on_the_edge_may_lie_farther_from_the_floor():
    scales = observe(sweep(loss=[1.9, 2.0, 2.1, 1.9, 1.7, 1.8])).scales
    assert scales.gap[0] == pytest.approx(4 * scales.gap[1])


def test_units_of_loss_and_batch_only_rescale():
    one, other = (
        observe(sweep()).scales,
        observe(sweep(loss=np.array([2.0, 1.9, 2.1, 1.9, 1.7, 1.8]) * 7)).scales,
    )
    assert other.curvature == pytest.approx(7 * one.curvature)
    assert other.gap == pytest.approx(7 * one.gap)


def test_the_standard_error_of_an_optimum_includes_the_step_of_its_grid():
    points = Sweep.from_columns(
        batch_size=[8, 64, 512],
        optimal_learning_rate=[1e-3, 2e-3, 4e-3],
        log_learning_rate_se=[0.1, 0.0, 0.2],
        grid_step=[0.0, 0.6, 0.6],
        batch_unit="examples",
    )
    seen = observe(points)
    # A uniform error of width w has variance w²/12: 0.6²/12 = 0.03.
    assert seen.optimum.se == pytest.approx([0.1, np.sqrt(0.03), np.sqrt(0.04 + 0.03)])
    assert len(seen.finished) == len(seen.wall) == 0


def test_optima_of_one_batch_size_cannot_be_fitted():
    points = Sweep.from_columns(batch_size=[8, 8], optimal_learning_rate=[1e-3, 2e-3], batch_unit="examples")
    with pytest.raises(SweepError, match="two or more batch sizes"):
        observe(points)


def test_cells_are_the_batch_sizes_of_each_group():
    held = observe(sweep(model=["b", "b", "a", "b", "a", "a"], group_by="model"))
    # In the order in which the groups appear: b at 8 and 64, then a at 8 and 64.
    assert held.groups == ("model=b", "model=a")
    assert held.cell_group.tolist() == [0, 0, 1, 1]
    assert held.batch_size.tolist() == [8, 64, 8, 64]
    assert held.finished.cell_index.tolist() == [0, 0, 2, 1, 3, 3]


def test_the_range_of_the_losses_is_that_within_a_group():
    assert observe(sweep()).loss_range == pytest.approx(2.1 - 1.7)
    groups = observe(
        sweep(loss=[2.0, 1.9, 2.1, 7.9, 7.7, 7.8], model=["a"] * 3 + ["b"] * 3, group_by="model")
    )
    # 2.1 − 1.9 in a, 7.9 − 7.7 in b; not 7.9 − 1.9.
    assert groups.loss_range == pytest.approx(0.2)
    assert groups.merged().loss_range == groups.loss_range


def test_merged_observations_keep_the_runs_and_drop_the_groups():
    groups = observe(sweep(batch_size=[8, 8, 16, 64, 8, 8], model=["a"] * 3 + ["b"] * 3, group_by="model"))
    merged = groups.merged()
    assert merged.batch_size.tolist() == [8, 16, 64]
    assert merged.groups == ()
    assert merged.finished.cell_index.tolist() == [0, 0, 1, 2, 0, 0]
    assert merged.log_reference_batch_size == groups.log_reference_batch_size


def test_equal_losses_leave_a_scale_to_work_with():
    scales = observe(sweep(loss=[2.0] * 6)).scales
    assert scales.curvature > 0
    assert np.isfinite(scales.gap).all()
