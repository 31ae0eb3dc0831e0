"""One pass over a dump: what is left out, what must not matter, and what is kept."""

import dataclasses

import numpy as np
import pytest
import surge_fit as sf
from support.dumps import flat, gaussian, write_safetensors
from surge_fit._core import GradientFile
from surge_fit.gradients.noise import (
    cautions,
    load_statistics,
    merge_statistics,
    noise_scale_from_norms,
    save_statistics,
)

SHAPES = {"layers.0.w": (30, 40), "layers.0.b": (40,), "layers.1.w": (40, 10), "head": (10,)}


@pytest.fixture(scope="module")
def arrays():
    return {n: a.astype(np.float32) for n, a in gaussian(24, SHAPES, noise_scale=10).items()}


@pytest.fixture(scope="module")
def found(arrays):
    return sf.gradient_statistics(arrays, batch_size=16)


def numbers(statistics):
    """Every number of a result, so that two can be compared bit by bit."""
    rows = (*statistics.tensors, *statistics.groups, statistics.total)
    return [dataclasses.astuple(row) for row in rows]


def test_how_files_are_split_changes_no_bit(arrays, found, tmp_path):
    for k, name in enumerate(arrays):
        write_safetensors(tmp_path / f"tensor{k}.safetensors", {name: arrays[name]})
    assert numbers(sf.gradient_statistics(tmp_path, batch_size=16)) == numbers(found)
    for k, rows in enumerate((slice(0, 5), slice(5, 6), slice(6, 24))):
        write_safetensors(tmp_path / f"part{k}.safetensors", {n: a[rows] for n, a in arrays.items()})
    parts = sorted(tmp_path.glob("part*.safetensors"))
    assert numbers(sf.gradient_statistics(parts, batch_size=16)) == numbers(found)


def test_one_file_per_row_gives_the_same(arrays, found, tmp_path):
    for row in range(24):
        write_safetensors(tmp_path / f"{row}.safetensors", {n: a[row] for n, a in arrays.items()})
    dump = sf.open_dump(tmp_path, microbatch_size=1)
    assert numbers(sf.gradient_statistics(dump, batch_size=16)) == numbers(found)


def test_the_order_of_examples_does_not_matter(arrays, found):
    order = np.random.default_rng(0).permutation(24)
    other = sf.gradient_statistics({n: a[order] for n, a in arrays.items()}, batch_size=16)
    for one, two in zip((*found.tensors, found.total), (*other.tensors, other.total), strict=True):
        assert one.simple_noise_scale.value == pytest.approx(two.simple_noise_scale.value, rel=1e-6)
        assert one.simple_noise_scale.interval == pytest.approx(two.simple_noise_scale.interval, rel=1e-5)
        assert one.skewness == pytest.approx(two.skewness, rel=1e-4, abs=1e-3)


def test_a_factor_of_the_gradients_leaves_the_noise_scale(arrays, found):
    other = sf.gradient_statistics({n: 8 * a for n, a in arrays.items()}, batch_size=16)
    assert other.total.gradient_norm_squared.value == 64 * found.total.gradient_norm_squared.value
    assert other.total.simple_noise_scale == found.total.simple_noise_scale


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({"loss_reduction": "mean"}, 1 / 24),
        ({"loss_scale": 1024.0}, 1024.0),
        ({"loss_reduction": "sum", "microbatch_size": 4}, 4.0),
    ],
)
def test_conventions_of_scaling_are_undone(arrays, options, factor):
    """Rows that were written as `factor` times the gradient say the same once the convention is stated."""
    size = options.get("microbatch_size", 1)
    plain = sf.gradient_statistics(sf.open_dump(arrays, microbatch_size=size))
    written = sf.open_dump({n: np.float32(factor) * a for n, a in arrays.items()}, **options)
    told = sf.gradient_statistics(written).total
    assert told.gradient_covariance_trace.value == pytest.approx(
        plain.total.gradient_covariance_trace.value, rel=1e-6
    )
    assert told.simple_noise_scale.value == pytest.approx(plain.total.simple_noise_scale.value, rel=1e-5)


def test_a_row_that_is_not_finite_is_left_out_of_all_tensors_counted_and_named(arrays):
    broken = {n: a.copy() for n, a in arrays.items()}
    broken["head"][3, 2] = np.nan
    broken["layers.0.w"][20, 0, 0] = np.inf
    told = sf.gradient_statistics(broken)
    kept = np.delete(np.arange(24), [3, 20])
    expected = sf.gradient_statistics({n: a[kept] for n, a in arrays.items()})
    assert told.dropped_examples == ("memory[3]", "memory[20]")
    assert told.examples == 22
    assert told.total.simple_noise_scale == expected.total.simple_noise_scale
    assert told.tensors[3].non_finite_fraction == 1 / 240
    assert any("2 rows of 24 with numbers that are not finite" in said for said in cautions(told))


def test_fewer_than_three_finite_rows_are_refused(arrays):
    broken = {
        n: np.where(np.arange(24).reshape(-1, *[1] * (a.ndim - 1)) > 0, np.nan, a) for n, a in arrays.items()
    }
    with pytest.raises(
        sf.DumpError, match="At least 3 rows must hold finite numbers only; in memory 1 row of 24"
    ):
        sf.gradient_statistics(broken)


def test_large_numbers_do_not_overflow():
    """Squares of 1e30 leave single precision."""
    arrays = gaussian(16, {"w": (50,)}, noise_scale=4, seed=2)
    small = sf.gradient_statistics({"w": arrays["w"].astype(np.float32)}).total
    large = sf.gradient_statistics({"w": (arrays["w"].astype(np.float32) * np.float32(2.0**100))}).total
    assert large.simple_noise_scale.value == pytest.approx(small.simple_noise_scale.value, rel=1e-6)


def test_rows_of_zeros_are_gradients_or_missing_as_the_caller_says(arrays):
    sparse = {n: a.copy() for n, a in arrays.items()}
    sparse["head"][::3] = 0
    zero = sf.gradient_statistics(sf.open_dump(sparse, absent="zero"))
    missing = sf.gradient_statistics(sf.open_dump(sparse, absent="missing"))
    there = np.flatnonzero(np.arange(24) % 3)
    alone = sf.gradient_statistics({"head": arrays["head"][there]})
    assert zero.tensors[3].examples == 24
    assert missing.tensors[3].examples == 16
    assert missing.tensors[3].simple_noise_scale == alone.tensors[0].simple_noise_scale
    assert numbers(missing)[0][:7] == numbers(zero)[0][:7]
    assert missing.total.gradient_norm_squared.value == pytest.approx(
        sum(row.gradient_norm_squared.value for row in missing.tensors)
    )


def test_missing_files_and_rows_of_zeros_agree(arrays, tmp_path):
    for row in range(24):
        held = {n: a[row] for n, a in arrays.items() if row % 3 or n != "head"}
        write_safetensors(tmp_path / f"{row}.safetensors", held)
    sparse = {n: a.copy() for n, a in arrays.items()}
    sparse["head"][::3] = 0
    for absent in ("zero", "missing"):
        files = sf.gradient_statistics(sf.open_dump(tmp_path, absent=absent, microbatch_size=1))
        memory = sf.gradient_statistics(sf.open_dump(sparse, absent=absent))
        assert files.total.simple_noise_scale == memory.total.simple_noise_scale


def test_groups_of_tensors_by_pattern(arrays):
    told = sf.gradient_statistics(arrays, group=[r"layers\.(\d+)\.", "head"])
    assert [(row.name, row.parameters) for row in told.groups] == [
        ("layers.0", 1240),
        ("layers.1", 400),
        ("head", 10),
    ]
    first = sf.gradient_statistics({n: a for n, a in arrays.items() if n.startswith("layers.0")})
    assert told.groups[0].simple_noise_scale == first.total.simple_noise_scale


def test_moments_go_to_a_file_that_is_a_dump_of_its_own_format(arrays, tmp_path):
    path = tmp_path / "moments.safetensors"
    sf.gradient_statistics(arrays, per_parameter=path)
    file = GradientFile.open(str(path))
    assert [(name, shape) for name, _, shape, _ in file.entries] == [
        (f"{name}.{moment}", shape) for name, shape in SHAPES.items() for moment in ("mean", "variance")
    ]
    np.testing.assert_allclose(
        file.read(0, 0, 1200).reshape(30, 40), arrays["layers.0.w"].mean(0), rtol=1e-5, atol=1e-6
    )


def test_statistics_survive_saving(found, tmp_path):
    path = tmp_path / "statistics.json"
    save_statistics([found, found], path)
    again = load_statistics(path)
    assert len(again) == 2
    assert numbers(again[0]) == numbers(found)
    assert (
        dataclasses.replace(again[0], sums=(), microbatch_size=0, kept=0)
        == dataclasses.replace(found, sums=(), microbatch_size=0, kept=0)
        or again[0].assumptions == found.assumptions
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"records": [{}]}', '{"records": [{"surge_fit_statistics": 1}]}']
)
def test_a_file_that_holds_no_statistics_is_refused(text, tmp_path):
    path = tmp_path / "statistics.json"
    path.write_text(text)
    with pytest.raises(sf.InputError):
        load_statistics(path)


def test_the_table_and_the_dataset_hold_the_same(found, arrays):
    frame, dataset = found.to_frame(), found.to_dataset()
    assert frame["kind"].to_list() == ["tensor"] * 4 + ["total"]
    assert frame["simple_noise_scale"][4] == found.total.simple_noise_scale.value
    assert dataset.sizes == {"parameter_tensor": 4, "row": 24}
    norms = dataset["norms"].sum("parameter_tensor").values
    np.testing.assert_allclose(norms, (flat(arrays).astype(float) ** 2).sum(1), rtol=1e-6)


def test_progress_counts_bytes_and_may_stop(arrays):
    seen = []
    sf.gradient_statistics(arrays, progress=lambda *told: seen.append(told))
    total = sum(a.nbytes for a in arrays.values())
    assert seen[0] == ("reading memory", 0, total)
    assert seen[-1] == ("reading memory", total, total)

    def stop(stage, done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sf.gradient_statistics(arrays, progress=stop)


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"batch_size": np.nan}, {"per_parameter": "m.csv"}])
def test_unusable_options_are_refused(arrays, options):
    with pytest.raises(sf.InputError, match=f"'{next(iter(options))}' must"):
        sf.gradient_statistics(arrays, **options)


def test_a_reader_is_told_what_could_mislead():
    rng = np.random.default_rng(0)
    small = {"w": (1e-7 * rng.standard_normal((8, 2000))).astype(np.float16)}
    told = cautions(sf.gradient_statistics(sf.open_dump(small, clipped=True)))
    text = " ".join(told)
    for part in ("bounded on one side only", "were clipped", "subnormal", "loss was not scaled"):
        assert part in text
    heavy = {"w": rng.standard_t(2.2, (400, 50))}
    assert any(
        "far from Gaussian in w" in said for said in cautions(sf.gradient_statistics(heavy, batch_size=4))
    )


def test_parts_with_other_tensors_merge_without_loss(arrays, found):
    parts = [sf.gradient_statistics({n: a}, batch_size=16) for n, a in arrays.items()]
    assert numbers(merge_statistics(parts)) == numbers(found)


@pytest.mark.parametrize("size", [1, 4])
def test_parts_with_other_examples_merge_to_the_estimates_of_one_pass(arrays, size, tmp_path):
    cuts, parts, files = (slice(0, 9), slice(9, 17), slice(17, 24)), [], []
    for k, rows in enumerate(cuts):
        files.append(tmp_path / f"{k}.safetensors")
        dump = sf.open_dump({n: a[rows] for n, a in arrays.items()}, microbatch_size=size)
        parts.append(sf.gradient_statistics(dump, batch_size=16, per_parameter=files[-1]))
    whole = sf.gradient_statistics(sf.open_dump(arrays, microbatch_size=size), batch_size=16)
    merged = merge_statistics(parts, per_parameter=files)
    assert merged.examples == whole.examples == 24 * size
    for one, two in zip((*merged.tensors, merged.total), (*whole.tensors, whole.total), strict=True):
        for name in ("gradient_norm_squared", "gradient_covariance_trace", "simple_noise_scale"):
            assert getattr(one, name).value == pytest.approx(getattr(two, name).value, rel=1e-5), name
            assert np.isnan(getattr(one, name).interval).all()
        assert one.signal_to_noise == pytest.approx(two.signal_to_noise, rel=1e-5)
        assert one.skewness == pytest.approx(two.skewness, rel=1e-4, abs=1e-4)
        assert one.excess_kurtosis == pytest.approx(two.excess_kurtosis, rel=1e-4, abs=1e-4)


def test_parts_that_do_not_belong_together_are_refused(arrays):
    whole = sf.gradient_statistics(arrays)
    fewer = sf.gradient_statistics({"other": arrays["head"][:20]})
    some = sf.gradient_statistics({"head": arrays["head"], "other": arrays["head"]})
    for parts, message in (
        ([whole], "At least 2 parts"),
        ([whole, fewer], "must rest on the same rows"),
        ([whole, some], "all tensors in common, or none"),
        ([whole, whole], "'per_parameter' must name the file of moments of each of the 2 parts; got 0"),
    ):
        with pytest.raises(sf.InputError, match=message):
            merge_statistics(parts)


def test_logged_norms_at_two_batch_sizes_tell_the_noise_scale():
    """E|g_B|² = |G|² + tr Σ/B; with |G|² = 2 and tr Σ = 60 the noise scale is 30, whatever single steps "
    "say."""
    rng = np.random.default_rng(0)
    gradient = np.full(50, 0.2)
    norms = {
        size: [
            ((gradient + np.sqrt(60 / 50 / size) * rng.standard_normal(50)) ** 2).sum() for _ in range(400)
        ]
        for size in (8, 64)
    }
    told = noise_scale_from_norms(8, norms[8], 64, norms[64])
    for quantity, truth in (
        (told.gradient_norm_squared, 2),
        (told.gradient_covariance_trace, 60),
        (told.simple_noise_scale, 30),
    ):
        assert quantity.interval[0] < truth < quantity.interval[1]
    assert told.simple_noise_scale.value == pytest.approx(30, rel=0.15)
    for arguments, message in (
        ((64, [1.0, 2.0, 3.0], 8, [1.0, 2.0, 3.0]), "must be bigger than the small one"),
        ((8, [1.0], 64, [1.0]), "at least 3"),
        ((8, [1.0, 2.0], 64, [1.0, 2.0, 3.0]), "one number per step"),
        ((8, [1.0, np.nan, 2.0], 64, [1.0, 2.0, 3.0]), "finite"),
    ):
        with pytest.raises(sf.InputError, match=message):
            noise_scale_from_norms(*arguments)
