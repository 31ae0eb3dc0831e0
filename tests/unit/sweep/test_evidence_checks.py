"""Evidence that cannot answer: each kind is found where it is there, and nowhere else."""

import numpy as np
import polars as pl
import pytest
import surge_fit as sf

SIZES = np.array([64.0, 256.0, 1024.0])
FOUR_SIZES = np.array([64.0, 256.0, 1024.0, 4096.0])
RATES = 1e-3 * 2.0 ** np.arange(-3, 4)


def grid(*, sizes=SIZES, optimum_exponent=0.5, depth=0.05, noise=0.002, seed=0, **columns):
    """Losses on a full grid whose optimum is 1e-3·(B/256)^exponent; the depth is that of one e-fold."""
    rng = np.random.default_rng(seed)
    size, rate = (held.ravel() for held in np.meshgrid(sizes, RATES, indexing="ij"))
    distance = np.log(rate / (1e-3 * (size / 256) ** optimum_exponent))
    loss = 3 + depth * distance**2 + noise * rng.standard_normal(size.size)
    return sf.Sweep.from_columns(
        batch_size=size, learning_rate=rate, loss=loss, batch_unit="examples", **columns
    )


def slugs(sweep):
    return {finding.slug for finding in sweep.checks()}


NEW = {
    "mixed_settings",
    "every_winner_on_edge",
    "no_effect_of_batch_size",
    "no_effect_of_learning_rate",
    "one_factor_at_a_time",
    "replicate_far_from_siblings",
    "replicates_in_two_clusters",
    "steps_rise_with_batch_size",
    "unmarked_failures",
}


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_grid_raises_no_such_finding(seed):
    assert slugs(grid(seed=seed)) & NEW == set()


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_size_that_was_never_applied_is_found(seed):
    # The optimum does not move and neither does the floor: all batch sizes are one.
    found = grid(sizes=FOUR_SIZES, optimum_exponent=0.0, noise=0.01, seed=seed)
    assert "no_effect_of_batch_size" in slugs(found)
    assert "no_effect_of_learning_rate" not in slugs(found)


@pytest.mark.parametrize("seed", range(5))
def test_a_flat_landscape_is_found(seed):
    assert "no_effect_of_learning_rate" in slugs(grid(depth=0.0, noise=0.01, seed=seed))


def test_a_floor_that_moves_with_the_batch_size_is_an_effect():
    sweep = grid(sizes=FOUR_SIZES, optimum_exponent=0.0)
    moved = sweep.to_dict() | {"loss": (sweep.loss + 0.02 * np.log(sweep.batch_size)).tolist()}
    assert "no_effect_of_batch_size" not in slugs(sf.Sweep.from_dict(moved))


def test_optima_that_all_lie_on_an_edge_are_one_finding():
    # The optimum is 1e-3·(B/256)^½·64, beyond the highest rate at every batch size.
    rng = np.random.default_rng(0)
    size, rate = (held.ravel() for held in np.meshgrid(SIZES, RATES, indexing="ij"))
    loss = 3 + 0.05 * np.log(rate / (0.064 * np.sqrt(size / 256))) ** 2
    loss += 1e-4 * rng.standard_normal(size.size)
    sweep = sf.Sweep.from_columns(batch_size=size, learning_rate=rate, loss=loss, batch_unit="examples")
    assert "every_winner_on_edge" in slugs(sweep)
    assert "winner_on_edge" not in slugs(sweep)


def test_one_factor_at_a_time_is_found():
    sweep = sf.Sweep.from_columns(
        batch_size=[256] * 5 + [64, 1024],
        learning_rate=[2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 1e-3, 1e-3],
        loss=[3.1, 3.02, 3.0, 3.02, 3.1, 3.05, 3.04],
        batch_unit="examples",
    )
    assert "one_factor_at_a_time" in slugs(sweep)


def two_kinds(name, kinds=("a", "b"), **options):
    """A sound grid twice, once of each kind."""
    sweep = grid()
    table = {
        "batch_size": np.tile(sweep.batch_size, 2),
        "learning_rate": np.tile(sweep.learning_rate, 2),
        "loss": np.tile(sweep.loss, 2),
        name: np.repeat(kinds, len(sweep)),
    }
    return sf.Sweep.from_frame(pl.DataFrame(table), batch_unit="examples", **options)


@pytest.mark.parametrize("name", ["optimizer", "dataset", "model.arch", "lr_scheduler", "remark"])
def test_runs_of_two_kinds_are_named_with_the_remedy(name):
    (finding,) = [f for f in two_kinds(name).checks() if f.slug == "mixed_settings"]
    assert "'a' and 'b'" in finding.message
    assert "--group-by" in finding.remedy
    assert "mixed_settings" not in slugs(two_kinds(name, group_by=name))


def test_one_kind_alone_is_no_mixture():
    sweep = two_kinds("dataset")
    first = sweep.where([kind == "a" for kind in sweep.settings["dataset"]])
    assert "mixed_settings" not in slugs(first)
    assert sf.Sweep.from_dict(sweep.to_dict()).settings == sweep.settings


@pytest.mark.parametrize("name", ["seed", "host", "created_at", "run_name", "gpu"])
def test_replicates_may_differ_in_seed_place_and_time(name):
    kinds = (0, 1) if name == "seed" else ("a", "b")
    assert "mixed_settings" not in slugs(two_kinds(name, kinds))


def with_failures(status):
    """A grid whose three highest rates at the smallest batch size ended at log 10: chance on ten classes."""
    sweep = grid(depth=0.005)
    loss = sweep.loss - 2.0  # the floor is 1
    failed = np.argsort(np.where(sweep.batch_size == 64, -sweep.learning_rate, 0.0))[:3]
    loss[failed] = np.log(10) + np.array([0.0, 3e-4, -2e-4])
    states = np.where(np.isin(np.arange(len(loss)), failed), status, "finished")
    stored = sweep.to_dict() | {"loss": loss.tolist(), "status": states.tolist()}
    return sf.Sweep.from_dict(stored)


def test_failures_that_nobody_marked_are_found():
    (finding,) = [f for f in with_failures("finished").checks() if f.slug == "unmarked_failures"]
    assert finding.message.startswith("3 finished runs ended at nearly one loss, 2.30")


def test_both_sides_of_a_symmetric_valley_are_no_failures():
    # Without noise the two ends of the grid have one loss at every batch size, three per cent above the best.
    size, step = (held.ravel() for held in np.meshgrid(SIZES, [-2, -1, 0, 1, 2], indexing="ij"))
    rate = 1e-3 * np.sqrt(size / 256) * 2.0**step
    sweep = sf.Sweep.from_columns(
        batch_size=size, learning_rate=rate, loss=3 + 0.025 * step**2, batch_unit="examples"
    )
    assert "unmarked_failures" not in slugs(sweep)


def test_failures_that_are_marked_are_not():
    assert "unmarked_failures" not in slugs(with_failures("diverged"))


def replicated(outcomes, name="steps_to_target"):
    """Replicates of steps to a target, a row for each of three batch sizes."""
    rows = [(size, value) for size, values in zip(SIZES, outcomes, strict=True) for value in values]
    size, value = np.array(rows).T
    return sf.Sweep.from_columns(batch_size=size, batch_unit="examples", **{name: value})


SCATTER = 1 + 0.03 * np.array([-1.0, 0.5, 0.2, -0.3, 1.0, -0.4])


def test_replicates_that_scatter_alike_raise_no_finding():
    assert slugs(replicated([8000 * SCATTER, 4000 * SCATTER, 3000 * SCATTER])) & NEW == set()


def test_one_replicate_far_from_its_siblings_is_named():
    wrong = 3000 * SCATTER
    wrong[2] *= 11
    sweep = replicated([8000 * SCATTER, 4000 * SCATTER, wrong])
    (finding,) = [f for f in sweep.checks() if f.slug == "replicate_far_from_siblings"]
    # The third replicate of the third batch size is the 15th run.
    assert "'run-15'" in finding.message
    assert "batch size 1024" in finding.message


def test_replicates_in_two_clusters_are_found():
    double = np.concatenate([3000 * SCATTER[:3], 6000 * SCATTER[3:]])
    sweep = replicated([8000 * SCATTER, 4000 * SCATTER, double])
    assert "replicates_in_two_clusters" in slugs(sweep)
    assert "replicate_far_from_siblings" not in slugs(sweep)


def test_steps_that_rise_with_the_batch_size_are_found():
    assert "steps_rise_with_batch_size" in slugs(replicated([8000 * SCATTER, 4000 * SCATTER, 6000 * SCATTER]))


def shared(shared_data, name, **options):
    return sf.read_sweep(shared_data / name, **options)


def test_the_null_control_shows_no_effect_of_its_batch_size(shared_data):
    sweep = shared(
        shared_data,
        "ecg_grid/runs.csv",
        batch_unit="examples",
        columns={"loss": "loss"},
        group_by=["model", "optimizer"],
    )
    assert "no_effect_of_batch_size" in slugs(sweep)


def test_published_sweeps_stay_silent(shared_data, root):
    steplaw = shared(
        shared_data,
        "steplaw/dense_lr_bs_loss.csv",
        batch_unit="sequences",
        columns={"loss": "smooth loss"},
        group_by=["N", "D"],
    )
    assert slugs(steplaw) & NEW == set()
    assert slugs(sf.read_sweep(root / "examples/digits_adam/grid.csv")) & NEW == set()
    assert slugs(sf.read_sweep(root / "examples/digits_adam/sweep.csv")) & NEW == set()
