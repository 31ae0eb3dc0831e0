import json
from pathlib import Path

import pytest
from support.posteriors import BAD, make_comparison, make_posterior
from surge_fit.cli import app
from surge_fit.errors import FitError, UntrustworthyFitError
from typer.testing import CliRunner

TABLE = """run_id,batch_size,lr,smooth loss,N
a,8,0.001,2.0,1
b,8,0.004,2.1,1
c,8,0.016,2.4,1
d,64,0.001,2.2,1
e,64,0.004,2.0,1
f,64,0.016,2.1,1
"""
READ = ["--batch-unit", "examples"]


@pytest.fixture(scope="module")
def posterior():
    return make_posterior()


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(TABLE)
    return str(path)


@pytest.fixture
def fits(monkeypatch, posterior):
    """Fits that return at once; the list of the sweeps and options they were asked for."""
    asked = []

    def fit(sweep, **options):
        asked.append((sweep, options))
        options["progress"]("sampling", 0.5)
        return posterior

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    return asked


@pytest.fixture
def saved(tmp_path, monkeypatch, posterior):
    """A file that is recognised as a posterior."""
    monkeypatch.setattr("surge_fit.posterior.value.load_posterior", lambda path: posterior)
    return str(tmp_path / "posterior.nc")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="surge-fit")


def test_recommend_fits_and_tells_the_answer_on_stdout_and_the_progress_on_stderr(sweep, fits):
    result = run("recommend", sweep, *READ, "-b", "64,512")
    assert result.exit_code == 0
    assert result.stdout.lstrip().startswith("batch size")
    assert "3.0e-3" in result.stdout
    assert result.stderr == "sampling\n"


def test_recommend_reads_a_saved_posterior_without_fitting(saved, fits):
    result = run("recommend", saved, "-b", "64")
    assert result.exit_code == 0
    assert not fits
    assert result.stderr == ""


def test_next_fits_and_tells_the_plan(sweep, fits):
    result = run("next", sweep, *READ, "-b", "4096", "--seed", "3", "--count", "2")
    assert result.exit_code == 0
    assert result.stdout.startswith("Go on: ")
    assert fits[0][1]["random_seed"] == 3


def test_next_tells_the_same_runs_as_json_and_as_csv(saved, fits):
    arguments = ("next", saved, "-b", "4096", "--count", "2", "--worth", "1e9")
    held = json.loads(run(*arguments, "--json").stdout)
    rows = [line.split(",") for line in run(*arguments, "--csv").stdout.splitlines()]
    assert not fits
    assert (held["targets"], held["stop"], held["cost_unit"]) == ([4096], False, "runs")
    assert rows[0][:2] == ["batch_size", "learning_rate"]
    assert [[float(cell) for cell in row[:2]] for row in rows[1:]] == [
        [held_run["batch_size"], held_run["learning_rate"]] for held_run in held["runs"]
    ]


def test_a_price_that_the_sweep_does_not_have_fails(saved):
    result = run("next", saved, "-b", "4096", "--cost", "tokens")
    assert result.exit_code == 1
    assert "has no 'tokens'" in result.stderr


def test_batch_sizes_may_be_listed_repeated_and_in_powers_of_ten(saved):
    result = run("recommend", saved, "-b", "64,512", "--batch-size", "1e6", "--json")
    assert [held["batch_size"] for held in json.loads(result.stdout)["recommendations"]] == [64, 512, 1e6]


def test_the_current_learning_rate_is_compared(saved):
    result = run("recommend", saved, "-b", "64", "--current-learning-rate", "3e-4", "--json")
    first = json.loads(result.stdout)["recommendations"][0]["alternatives"][0]
    assert (first["name"], first["learning_rate"]) == ("current", 3e-4)


def test_the_json_of_a_recommendation_is_strict_and_has_all_that_the_text_has(saved):
    def refuse(constant):
        raise ValueError(constant)

    held = json.loads(run("recommend", saved, "-b", "64", "--json").stdout, parse_constant=refuse)
    assert {"median", "interval", "identified", "probability", "bound", "statement"} <= set(
        held["parameters"]["noise_scale"]
    )
    wanted = {
        *("batch_size", "learning_rate", "interval", "probability", "interval_50", "expected_regret"),
        *("equivalent_range", "probability_past_peak", "probability_of_divergence", "extrapolation"),
        *("reason", "alternatives"),
    }
    assert wanted <= set(held["recommendations"][0])
    assert {"max_rhat", "min_ess", "divergences"} <= set(held["diagnostics"])
    assert {"warnings", "law", "batch_unit", "loss_unit", "random_seed", "version"} <= set(held)
    low, high = held["recommendations"][0]["interval"]
    assert low < held["recommendations"][0]["learning_rate"] < high


def test_a_law_without_noise_scale_has_null_there(tmp_path, monkeypatch):
    monkeypatch.setattr("surge_fit.posterior.value.load_posterior", lambda path: make_posterior("linear"))
    held = json.loads(run("recommend", tmp_path / "p.nc", "-b", "64", "--json").stdout)
    assert held["parameters"]["noise_scale"] is None
    assert held["parameters"]["max_learning_rate"]["median"] is None
    assert held["parameters"]["max_learning_rate"]["probability_none"] == 1.0


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_plot_is_saved(saved, tmp_path, suffix):
    path = tmp_path / f"law.{suffix}"
    assert run("recommend", saved, "-b", "64", "--plot", path).exit_code == 0
    assert path.stat().st_size > 5000


def test_reading_options_reach_the_reader_and_the_fit(sweep, fits):
    options = [
        "--column",
        "loss=smooth loss",
        "--group-by",
        "N",
        "--group",
        "N=1",
        "--protocol",
        "fixed_steps",
    ]
    result = run("fit", sweep, *READ, *options, "--law", "surge", "--seed", "7")
    assert result.exit_code == 0
    read, asked = fits[0]
    assert read.loss.tolist() == [2.0, 2.1, 2.4, 2.2, 2.0, 2.1]
    assert (read.groups, read.protocol, read.batch_unit) == (("N=1",), "fixed_steps", "examples")
    assert (asked["law"], asked["random_seed"]) == ("surge", 7)


def test_a_group_is_meant_by_number_too(sweep, fits):
    assert run("fit", sweep, *READ, "--group-by", "N", "--group", "N = 1.0").exit_code == 0


def test_fit_tells_parameters_and_on_request_priors_and_saves(sweep, fits, tmp_path):
    output = tmp_path / "out.nc"
    result = run("fit", sweep, *READ, "-o", output)
    assert result.exit_code == 0
    assert "noise scale: 200 examples (130 … 320, 90 % interval)" in result.stdout
    assert "Priors" not in result.stdout
    assert result.stderr.endswith(f"Saved {output}.\n")
    assert output.stat().st_size > 1000
    assert "Priors" in run("fit", sweep, *READ, "--priors").stdout


def test_fit_tells_json(sweep, fits):
    held = json.loads(run("fit", sweep, *READ, "--json").stdout)
    assert held["recommendations"] == []
    assert set(held["law_parameters"]) >= {"noise_scale", "small_batch_slope"}


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
    assert (asked["laws"], asked["random_seed"]) == (["surge", "constant"], 7)


def test_compare_takes_the_usual_laws_unless_told_otherwise(sweep, comparisons):
    run("compare", sweep, *READ)
    assert comparisons[0][1]["laws"] is None


def test_compare_tells_json_and_saves_the_figure(sweep, comparisons, tmp_path):
    path = tmp_path / "laws.png"
    held = json.loads(run("compare", sweep, *READ, "--json", "--plot", path).stdout)
    assert [law["verdict"] for law in held["laws"]] == ["best", "tie", "loses"]
    assert path.stat().st_size > 5000


def test_ctrl_c_while_comparing_stops_with_130(sweep, monkeypatch):
    def compare(sweep, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("surge_fit.decisions.comparison.compare", compare)
    result = run("compare", sweep, *READ)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Stopped.\n")


def test_a_sweep_of_two_batch_sizes_is_not_compared(sweep, fits):
    result = run("compare", sweep, *READ)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: A comparison needs usable runs at 3 or more batch sizes")
    assert not fits


def test_check_tells_what_the_sweep_holds(sweep):
    result = run("check", sweep, *READ)
    assert result.exit_code == 0
    assert result.stdout.startswith("sweep.csv: 6 runs, batch sizes in examples")
    held = json.loads(run("check", sweep, *READ, "--json").stdout)
    assert held["fittable"] is True
    assert [check["slug"] for check in held["checks"]] == ["winner_on_edge", "few_batch_sizes"]


def test_check_takes_several_groups(tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text(TABLE + "g,8,0.01,2,2\nh,64,0.01,2,2\n")
    result = run("check", path, *READ, "--group-by", "N")
    assert result.exit_code == 0
    assert "8 runs, batch sizes in examples, protocol unknown, 2 groups" in result.stdout
    assert json.loads(run("check", path, *READ, "--group-by", "N", "--json").stdout)["groups"] == [
        "N=1",
        "N=2",
    ]


def test_check_fails_where_the_sweep_cannot_be_fitted(tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("batch_size,lr,loss\n8,0.1,2\n8,0.2,1\n")
    result = run("check", path, *READ)
    assert result.exit_code == 1
    assert "Error: A law of the batch size needs runs at two or more batch sizes" in result.stdout


def test_laws_are_listed():
    assert "broken_power" in run("laws").stdout
    held = json.loads(run("laws", "--json").stdout)
    assert {"name", "formula", "parameters", "regime", "reference"} <= set(held[0])


def test_the_version_is_told():
    from importlib.metadata import version

    assert run("--version").stdout == f"surge-fit {version('surge-fit')}\n"


USAGE = {
    "no batch size": (["recommend", "SWEEP"], "--batch-size"),
    "suffixed batch size": (["recommend", "SWEEP", "-b", "64,4k"], "'4k'"),
    "negative batch size": (["recommend", "SWEEP", "-b", "-3"], "'-3'"),
    "infinite batch size": (["recommend", "SWEEP", "-b", "inf"], "'inf'"),
    "blank batch size": (["recommend", "SWEEP", "-b", "64,"], "got ''"),
    "current learning rate": (["recommend", "SWEEP", "-b", "64", "--current-learning-rate", "0"], "got 0"),
    "plot suffix": (["recommend", "SWEEP", "-b", "64", "--plot", "law.jpg"], ".png, .svg or .pdf"),
    "plot folder": (["recommend", "SWEEP", "-b", "64", "--plot", "nowhere/law.png"], "'nowhere' does not"),
    "output suffix": (["fit", "SWEEP", "-o", "posterior.txt"], "must end in .nc"),
    "unknown law": (["fit", "SWEEP", "--law", "surg"], "Did you mean 'surge'?"),
    "one law to compare": (["compare", "SWEEP", "--law", "surge"], "two or more laws, each once; got surge"),
    "unknown law to compare": (["compare", "SWEEP", "--law", "surge", "--law", "sdg"], "Did you mean 'sgd'?"),
    "unknown unit": (["fit", "SWEEP", "--batch-unit", "samples"], "samples"),
    "unknown protocol": (["fit", "SWEEP", "--protocol", "fixed"], "fixed"),
    "negative seed": (["fit", "SWEEP", "--seed", "-1"], "--seed"),
    "column without header": (["check", "SWEEP", "--column", "loss"], "NAME=HEADER"),
    "law of a posterior": (["recommend", "p.nc", "-b", "64", "--law", "surge"], "--law is for fitting"),
    "seed of a posterior": (["recommend", "p.nc", "-b", "64", "--seed", "0"], "--seed is for fitting"),
    "column of a posterior": (
        ["recommend", "p.nc", "-b", "64", "--column", "a=b"],
        "--column is for fitting",
    ),
    "output of a posterior": (["recommend", "p.nc", "-b", "64", "-o", "q.nc"], "--output is for fitting"),
    "no target": (["next", "SWEEP"], "--batch-size"),
    "no runs": (["next", "SWEEP", "-b", "64", "--count", "0"], "--count"),
    "nothing worth": (["next", "SWEEP", "-b", "64", "--worth", "0"], "got 0"),
    "two faces": (["next", "SWEEP", "-b", "64", "--csv", "--json"], "exclude each other"),
    "law of a posterior for next": (["next", "p.nc", "-b", "64", "--law", "surge"], "--law is for fitting"),
    "unknown command": (["guess"], "guess"),
    "unknown option": (["laws", "--colour"], "--colour"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_exits_with_2_names_the_trouble_and_fits_nothing(case, sweep, fits):
    arguments, words = USAGE[case]
    result = run(*(sweep if argument == "SWEEP" else argument for argument in arguments))
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert not fits


def test_a_missing_posterior_fails():
    result = run("recommend", "nowhere.nc", "-b", "64")
    assert result.exit_code == 1
    assert "nowhere.nc is not there" in result.stderr


def test_a_table_that_cannot_be_read_fails_without_a_traceback(sweep):
    result = run("check", sweep)
    assert result.exit_code == 1
    assert "--batch-unit" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("error", [FitError("It could not be sampled."), OSError("It could not be read.")])
def test_a_failure_is_one_line_on_stderr(sweep, monkeypatch, error):
    def fit(sweep, **options):
        raise error

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    result = run("fit", sweep, *READ)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {error}\n")


def test_a_fit_that_cannot_be_trusted_is_told_with_the_warning_first_and_fails(sweep, monkeypatch):
    held = make_posterior(diagnostics=BAD)

    def fit(sweep, **options):
        raise UntrustworthyFitError(held, held.diagnostics.problems)

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    for command in (["fit", sweep, *READ], ["recommend", sweep, *READ, "-b", "64"]):
        result = run(*command)
        assert result.exit_code == 1
        assert result.stdout.startswith("This fit cannot be trusted")
        assert "noise scale" in result.stdout
        assert result.stderr.startswith("Error: The fit cannot be trusted. R-hat is 1.200")
        told = run(*command, "--json")
        assert told.exit_code == 1
        assert json.loads(told.stdout)["warnings"][0].startswith("R-hat is 1.200")


def test_a_saved_posterior_that_cannot_be_trusted_fails_too(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "surge_fit.posterior.value.load_posterior", lambda path: make_posterior(diagnostics=BAD)
    )
    assert run("recommend", tmp_path / "p.nc", "-b", "64").exit_code == 1


def test_ctrl_c_while_fitting_stops_with_130(sweep, tmp_path, monkeypatch):
    def fit(sweep, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    result = run("fit", sweep, *READ, "-o", tmp_path / "out.nc")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Stopped.\n")
    assert not (tmp_path / "out.nc").exists()


def test_ctrl_c_while_saving_leaves_the_old_file(sweep, fits, tmp_path, monkeypatch):
    output = tmp_path / "out.nc"
    output.write_bytes(b"old")

    def save(self, path):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("surge_fit.posterior.value.Posterior.save", save)
    assert run("fit", sweep, *READ, "-o", output).exit_code == 130
    assert output.read_bytes() == b"old"
    assert sorted(held.name for held in tmp_path.iterdir()) == ["out.nc", "sweep.csv"]
