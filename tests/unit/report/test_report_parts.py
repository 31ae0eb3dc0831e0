import io
import math
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.posteriors import make_posterior
from surge_fit._support.files import replacing
from surge_fit.decisions.estimates import ParameterEstimate
from surge_fit.decisions.recommendation import recommend
from surge_fit.report import compose, progress_bar
from surge_fit.report.blocks import Line, Table, render
from surge_fit.report.numbers import batch_size, plain, probability, scientific, signed_together, together
from surge_fit.report.statements import statement, warnings_of

POSITIVE = st.floats(1e-12, 1e12)


def test_a_value_and_its_interval_are_rounded_to_the_digits_that_the_interval_deserves():
    # log(2.8/2.0) = 0.34: steps of 0.1 of a number are at most half of it for two digits, 10^(1-2).
    assert together(2.3712e-3, (2.0412e-3, 2.8277e-3)) == ("2.4e-3", "2.0e-3 … 2.8e-3")
    # log(1.03/1.00) = 0.03: half is 0.015, so 10^(1-3) = 0.01 is fine enough and 0.1 is not.
    assert together(1.0155e-3, (1.0e-3, 1.03e-3)) == ("1.02e-3", "1.00e-3 … 1.03e-3")
    assert together(341.2, (120.4, 897.0), plain) == ("340", "120 … 900")


@given(POSITIVE, st.floats(1.001, 100))
def test_the_ends_of_an_interval_stay_apart_when_written(low, ratio):
    value, interval = together(low * math.sqrt(ratio), (low, low * ratio))
    start, end = map(float, interval.split(" … "))
    assert start < end
    assert start <= float(value) <= end


@given(POSITIVE, st.integers(2, 5))
def test_a_written_number_is_the_number_to_its_digits(value, digits):
    for write in (scientific, plain):
        assert float(write(value, digits)) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (scientific(2.4e-3), "2.4e-3"),
        (scientific(9.99e-4), "1.0e-3"),
        (scientific(2.4), "2.4"),
        (scientific(math.inf), "∞"),
        (plain(0.0123), "0.012"),
        (plain(0.00083), "8.3e-4"),
        (plain(999_999), "1000000"),
        (plain(0.0), "0"),
        (batch_size(64.0), "64"),
        (batch_size(0.5), "0.5"),
        (batch_size(2e12), "2e12"),
        (probability(0.0), "<0.1 %"),
        (probability(0.004), "0.4 %"),
        (probability(0.37), "37 %"),
        (probability(0.996), "99.6 %"),
        (probability(1.0), ">99.9 %"),
    ],
)
def test_numbers_are_written_as_people_write_them(written, expected):
    assert written == expected


def test_a_number_of_any_sign_has_two_digits_of_the_width():
    assert signed_together(-0.2588, (-0.5798, 0.2734)) == ("-0.26", "-0.58 … 0.27")
    assert signed_together(1.0, (1.0, 1.0)) == ("1.00", "1.00 … 1.00")


def estimate(**changes):
    held = {
        "name": "noise_scale",
        "median": 200.0,
        "interval": (19.2, 4000.0),
        "probability": 0.9,
        "identified": False,
        "bound": None,
        "probability_none": 0.0,
    }
    return ParameterEstimate(**{**held, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bound": "lower"}, "noise scale: not identified; ≥ 19 examples (95 %)"),
        ({"bound": "upper"}, "noise scale: not identified; ≤ 4000 examples (95 %)"),
        ({}, "noise scale: not identified; the runs say little more than the prior"),
        ({"identified": True}, "noise scale: 200 examples (19 … 4000, 90 % interval)"),
        (
            {"name": "max_learning_rate", "bound": "lower", "probability_none": 0.69},
            "maximum learning rate: not identified; ≥ 1.9e1 (95 %); "
            "the law has no maximum with probability 0.69",
        ),
        (
            {"name": "max_learning_rate", "probability_none": 1.0},
            "maximum learning rate: the law has none",
        ),
    ],
)
def test_what_is_not_known_is_said_so(changes, said):
    assert statement(estimate(**changes), "examples") == said


def test_warnings_name_runs_without_a_say_once_and_the_checks():
    warnings = compose(make_posterior()).warnings
    assert [warning for warning in warnings if "run-8" in warning] == [
        "1 of 12 runs tells the fit nothing: 'run-8' (stopped)."
    ]
    assert any("is not bracketed" in warning for warning in warnings)


@pytest.mark.parametrize("width", [30, 50, 80, 100])
@pytest.mark.parametrize("color", [False, True])
def test_no_number_of_a_table_is_ever_cut(width, color):
    cells = tuple(f"{index}.234e-{index}" for index in range(1, 9))
    text = render([Table(tuple("abcdefgh"), (cells,))], width=width, color=color)
    assert all(cell in text for cell in cells)


def test_a_bullet_indents_what_wraps():
    text = render([Line("one two three", bullet="Note: ")], width=14)
    assert text == "Note: one two\n      three\n"


def test_progress_beside_a_terminal_is_one_line_per_stage(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_bar() as progress:
        progress("compiling the model", None)
        for share in (0.0, 0.5, 1.0):
            progress("sampling", share)
    assert sys.stderr.getvalue() == "compiling the model (about 20 s the first time)\nsampling\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_on_a_terminal_shows_the_share(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar() as progress:
        progress("preparing the model", None)
        progress("sampling", 0.0)
        progress("sampling", 0.25)
    assert "sampling" in sys.stderr.getvalue()
    assert "25%" in sys.stderr.getvalue()


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "out.nc"
    path.write_text("old")

    def stopped():
        with replacing(path) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert path.read_text() == "old"
    with replacing(path) as draft:
        assert draft.suffix == ".nc"
        draft.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def cautions(**changes):
    """Reasons for caution about a recommendation inside the grid, changed in this."""
    posterior = make_posterior()
    made = replace(recommend(posterior, batch_size=64.0), **changes)
    return [text for text in warnings_of(posterior, (), [made], ()) if "At batch size 64" in text]


def test_a_rate_inside_the_grid_and_its_interval_is_no_reason_for_caution():
    assert cautions(learning_rate=3e-3, interval_90=(2e-3, 4e-3)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 3.0, "interval_90": (2.0, 4.0)},
        {"learning_rate": 3e-3, "interval_90": (2e-3, 4.0)},
        {"learning_rate": 3e-3, "interval_90": (1e-9, 4e-3)},
    ],
)
def test_a_rate_or_an_interval_beyond_every_rate_tried_is(changes):
    # The rates tried are 1e-3·0.1 to 8e-3·20.
    (text,) = cautions(**changes)
    assert "beyond every rate tried (1.0e-4 … 0.16)" in text or "(1.0e-4 … 1.6e-1)" in text


def test_a_rate_outside_its_own_interval_is():
    (text,) = cautions(learning_rate=1e-3, interval_90=(2e-3, 4e-3))
    assert "outside the interval of the best one" in text
