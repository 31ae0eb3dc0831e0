"""Logged gradient norms, as training loops and trackers write them, give the noise scale."""

import json

import numpy as np
import pytest
import surge_fit as sf
from surge_fit.gradients.noise import noise_scale_from_norms, read_norm_log

STEPS, SMALL, BIG = 60, 8.0, 64.0
rng = np.random.default_rng(3)
# |G_B|² with expectation |G|² + tr Σ/B, for |G|² = 1 and tr Σ = 20 (arXiv:1812.06162, appendix A.1).
SMALL_SQUARES = (1 + 20 / SMALL) * rng.gamma(50, 1 / 50, (STEPS, 4))
BIG_SQUARES = (1 + 20 / BIG) * rng.gamma(50, 1 / 50, STEPS)
EXPECTED = noise_scale_from_norms(SMALL, SMALL_SQUARES.mean(axis=1), BIG, BIG_SQUARES)


def table(path, rows, separator=","):
    header = list(rows[0])
    lines = [separator.join(header), *(separator.join(str(row.get(h, "")) for h in header) for row in rows)]
    path.write_text("\n".join(lines))
    return path


def rows_of(small, big, sizes=True, square=False):
    root = (lambda x: x) if square else np.sqrt
    told = {"micro_batch_size": SMALL, "batch_size": BIG} if sizes else {}
    return [
        {"step": 10 * i, small: root(SMALL_SQUARES[i].mean()), big: root(BIG_SQUARES[i])} | told
        for i in range(STEPS)
    ]


def check(log):
    found = noise_scale_from_norms(
        log.small_batch_size, log.small_norm_squared, log.big_batch_size, log.big_norm_squared
    )
    assert found.simple_noise_scale.value == pytest.approx(EXPECTED.simple_noise_scale.value, rel=1e-9)
    assert found.simple_noise_scale.interval == pytest.approx(EXPECTED.simple_noise_scale.interval, rel=1e-6)


@pytest.mark.parametrize(
    ("small", "big", "square"),
    [
        ("micro_grad_norm", "grad_norm", False),
        ("local_grad_norm_sq", "global_grad_norm_sq", True),
        ("train/gradNormSmall", "train/gradNormBig", False),
        ("grad_norm^2 (rank)", "grad_norm^2 (all)", True),
        ("small |g|²", "big |g|²", True),
        ("run-7 - train/micro_grad_norm", "run-7 - train/grad_norm", False),
    ],
)
def test_two_columns_of_norms(tmp_path, small, big, square):
    log = read_norm_log(table(tmp_path / "log.csv", rows_of(small, big, square=square)))
    check(log)
    assert ("squares" in log.notes[0]) == square


def test_batch_sizes_may_be_stated(tmp_path):
    file = table(tmp_path / "log.tsv", rows_of("micro_grad_norm", "grad_norm", sizes=False), "\t")
    check(read_norm_log(file, small_batch_size=SMALL, big_batch_size=BIG))
    with pytest.raises(sf.DumpError, match="--microbatch-size, --batch-size"):
        read_norm_log(file)


def test_batch_sizes_may_stand_in_the_names(tmp_path):
    check(read_norm_log(table(tmp_path / "log.csv", rows_of("grad_norm_b8", "grad_norm_b64", sizes=False))))
    check(read_norm_log(table(tmp_path / "log.csv", rows_of("norm_sq_8", "norm_sq_64", False, square=True))))


def test_one_column_of_norms_with_its_batch_sizes(tmp_path):
    """Four micro-batches and the whole batch of each step, one row each: squares are averaged."""
    rows = []
    for step in range(STEPS):
        rows += [{"step": step, "batch_size": SMALL, "grad_norm": np.sqrt(x)} for x in SMALL_SQUARES[step]]
        rows += [{"step": step, "batch_size": BIG, "grad_norm": np.sqrt(BIG_SQUARES[step])}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    check(read_norm_log(tmp_path / "log.jsonl"))
    (tmp_path / "log.json").write_text(json.dumps(rows))
    check(read_norm_log(tmp_path / "log.json"))


def test_norms_that_were_logged_apart_are_joined_by_their_step(tmp_path):
    """As W&B's history has them: blank where another call logged; a step without both is left out."""
    rows = []
    for step in range(STEPS):
        rows.append({"_step": step, "micro_grad_norm": np.sqrt(SMALL_SQUARES[step].mean()), "grad_norm": ""})
        rows.append({"_step": step, "micro_grad_norm": "", "grad_norm": np.sqrt(BIG_SQUARES[step])})
    rows.append({"_step": STEPS, "micro_grad_norm": "NaN", "grad_norm": 2.0})
    log = read_norm_log(table(tmp_path / "log.csv", rows), small_batch_size=SMALL, big_batch_size=BIG)
    check(log)
    assert log.notes[-1] == "1 step without both norms and sizes left out."


def test_bounds_of_a_chart_and_other_norms_are_no_norms_of_gradients(tmp_path):
    rows = [
        row
        | {
            "micro_grad_norm__MIN": 0,
            "micro_grad_norm__MAX": 9,
            "param_norm": 5,
            "loss": 2,
            "tokens_per_second": 9,
        }
        for row in rows_of("micro_grad_norm", "grad_norm")
    ]
    check(read_norm_log(table(tmp_path / "log.csv", rows)))


def test_parquet(tmp_path):
    pl = pytest.importorskip("polars")
    pl.DataFrame(rows_of("micro_grad_norm", "grad_norm")).write_parquet(tmp_path / "log.parquet")
    check(read_norm_log(tmp_path / "log.parquet"))


REFUSED = {
    "a TensorBoard export": (
        "log.csv",
        "Wall time,Step,Value\n1,1,2\n",
        "are none, of the columns Wall",
    ),
    "one batch size": ("log.csv", "batch_size,grad_norm\n8,1\n8,2\n", "of two batch sizes; 'log.csv' has 8"),
    "no batch size": ("log.csv", "step,grad_norm\n8,1\n8,2\n", "one column of batch sizes beside it"),
    "two that do not tell": ("log.csv", "grad_norm_a,grad_norm_b\n1,1\n", "must tell which is of the small"),
    "three norms": (
        "log.csv",
        "grad_norm_a,grad_norm_b,grad_norm_c\n1,1,1\n",
        "are grad_norm_a, grad_norm_b and",
    ),
    "a word": (
        "log.csv",
        "batch_size,grad_norm\n8,1\n64,big\n",
        "row 2 of 'log.csv' has 'big' in 'grad_norm'",
    ),
    "a negative norm": ("log.csv", "batch_size,grad_norm\n8,-1\n64,1\n", "from 0 on; row 1"),
    "no step with both": (
        "log.csv",
        "step,batch_size,grad_norm\n1,8,1\n2,64,1\n",
        "has no step with both",
    ),
    "an open quote": ("log.csv", 'batch_size,grad_norm\n8,"1\n', "must be a readable .csv file"),
    "broken JSON": ("log.jsonl", '{"grad_norm": 1\n', "must be a readable .jsonl file"),
    "no rows": ("log.json", "3", "a list of objects"),
    "deep JSON": ("log.json", "[" * 100_000, "must be a readable .json file"),
    "another ending": ("log.txt", "1", "must end in .csv"),
    "no Parquet": ("log.parquet", "1", "must be a readable .parquet file"),
    "an empty file": ("log.csv", "", "of the columns none"),
    "UTF-16": ("log.csv", "grad_norm".encode("utf-16"), "must be a readable .csv file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_logs_that_do_not_tell_are_refused(case, tmp_path):
    name, text, said = REFUSED[case]
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(sf.DumpError) as refused:
        read_norm_log(tmp_path / name)
    assert said in str(refused.value)


def test_a_file_that_is_not_there():
    with pytest.raises(sf.DumpError, match=r"must be a readable \.csv file"):
        read_norm_log("missing.csv")
