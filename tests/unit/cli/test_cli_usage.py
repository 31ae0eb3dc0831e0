"""What is wrong about a command line is refused before anything is fitted."""

import pytest
from support.command_line import run

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
    "unknown engine": (["next", "SWEEP", "-b", "64", "--engine", "stan"], "'stan' is not one of"),
    "law of a recommendation": (["recommend", "SWEEP", "-b", "64", "--law", "surg"], "Did you mean 'surge'?"),
    "seed that is no number": (["next", "SWEEP", "-b", "64", "--seed", "x"], "--seed"),
    "plot of a comparison": (["compare", "SWEEP", "--plot", "laws.txt"], ".png, .svg or .pdf"),
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
    "engine of a posterior for next": (["next", "p.nc", "-b", "64", "--engine", "auto"], "--engine is for"),
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
