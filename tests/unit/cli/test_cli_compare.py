"""`surge-fit compare` as a person meets it."""

import json

import pytest
from support.command_line import run
from support.posteriors import make_comparison

READ = ["--batch-unit", "examples"]


@pytest.fixture
def comparisons(monkeypatch):
    """Comparisons that return at once; the list of the sweeps and options they were asked for."""
    asked = []

    def compare(sweep, **options):
        asked.append((sweep, options))
        options["progress"]("surge, without 64: compiling the model", None)
        return make_comparison()

    monkeypatch.setattr("surge_fit.decisions.comparison.compare", compare)
    return asked


def test_compare_tells_the_verdict_on_stdout_and_the_progress_on_stderr(sweep, comparisons):
    result = run("compare", sweep, *READ, "--law", "surge", "--law", "constant", "--seed", "7")
    assert result.exit_code == 0
    assert result.stdout.startswith("Ahead at predicting unseen batch sizes: square_root.")
    assert result.stderr == "surge, without 64: compiling the model (about 20 s the first time)\n"
    read, asked = comparisons[0]
    assert (len(read), read.batch_unit) == (6, "examples")
    assert (asked["laws"], asked["random_seed"]) == (("surge", "constant"), 7)


def test_compare_takes_the_usual_laws_unless_told_otherwise(sweep, comparisons):
    run("compare", sweep, *READ)
    assert comparisons[0][1]["laws"] is None


def test_compare_tells_json_and_saves_the_figure(sweep, comparisons, tmp_path):
    path = tmp_path / "laws.png"
    held = json.loads(run("compare", sweep, *READ, "--json", "--plot", path).stdout)
    assert [law["verdict"] for law in held["laws"]] == ["best", "tie", "loses"]
    assert path.stat().st_size > 5000


def test_a_sweep_of_two_batch_sizes_is_not_compared(sweep, fits):
    result = run("compare", sweep, *READ)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: A comparison needs usable runs at 3 or more batch sizes")
    assert not fits
