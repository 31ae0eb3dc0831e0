"""The command line as a process of its own: terminals, pipes, encodings, and what it imports."""

import os
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from typing import get_args

import pytest
import surge_fit as sf
from support.command_line import process
from support.posteriors import make_posterior
from surge_fit import typing
from surge_fit.cli.dump_options import DumpOptions
from surge_fit.cli.fit_options import FitOptions
from surge_fit.cli.sweep_options import BATCH_UNITS, NAN_MEANINGS, PROTOCOLS

HEAVY = ("pymc", "nutpie", "arviz", "matplotlib", "polars", "xarray", "numpy", "rich")


def test_a_saved_posterior_is_recommended_from_without_pymc(tmp_path):
    path = tmp_path / "posterior.nc"
    make_posterior().save(path)
    code = (
        "import sys, surge_fit as sf; p = sf.load_posterior(sys.argv[1]);"
        "r = sf.recommend(p, batch_size=[64]);"
        "from surge_fit.report import compose, fit, render; render(fit.blocks(compose(p, r)));"
        "sys.exit(bool({'pymc', 'pytensor', 'nutpie'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == 0


def test_a_missing_table_fails_with_one_line():
    result = process("recommend", "nowhere.csv", "-b", "64", "--batch-unit", "examples")
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: A table of runs must be a file; 'nowhere.csv' does not exist. Check the path.\n"
    )


def on_terminal(**environment):
    """Run `surge-fit laws` with stdout on a terminal and return what it wrote there."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    ours, theirs = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "surge_fit", "laws"]
    environment = {**variables, "TERM": "xterm", "COLUMNS": "90", **environment}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as child:
        os.close(theirs)
        written = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
    os.close(ours)
    assert child.returncode == 0
    return written.decode()


def test_a_terminal_has_colours_unless_it_refuses_them():
    assert "\x1b[" in on_terminal()
    assert "\x1b[" not in on_terminal(NO_COLOR="1")
    assert "\x1b[" not in on_terminal(TERM="dumb")
    assert "broken_power" in on_terminal(NO_COLOR="1")


def test_a_pipe_has_none():
    result = process("laws")
    assert result.returncode == 0
    assert "\x1b[" not in result.stdout


def test_an_encoding_without_the_signs_is_no_failure():
    result = process("laws", PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "broken_power" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["recommend", "--help"], ["next", "--help"], ["compare", "--help"], ["--version"]],
)
def test_help_and_version_import_nothing_heavy(arguments):
    code = (
        "import sys\nfrom surge_fit.cli import app\n"
        f"try: app({arguments!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert result.stderr == "[]\n"


def test_the_choices_of_the_options_are_those_of_the_package():
    assert get_args(typing.BatchUnit) == BATCH_UNITS
    assert get_args(typing.Protocol) == PROTOCOLS
    assert get_args(typing.NanMeaning) == NAN_MEANINGS


@pytest.mark.parametrize(("value", "function"), [(FitOptions, sf.fit), (DumpOptions, sf.open_dump)])
def test_an_option_left_out_is_what_the_package_takes_by_default(value, function):
    defaults = {name: parameter.default for name, parameter in signature(function).parameters.items()}
    assert {one.name: one.default for one in fields(value)}.items() <= defaults.items()


def test_the_module_is_the_command():
    assert process("--version").stdout == f"surge-fit {sf.__version__}\n"
    assert process("--help").stdout.startswith("Usage: python -m surge_fit [OPTIONS] COMMAND")
