"""Numbers as people write them: whatever the notation, the number that was meant."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from surge_fit.sweep.sources.base import cells_of
from surge_fit.sweep.table.cells import read_column
from surge_fit.sweep.table.numerals import Style, read_numeral

values = st.floats(1e-12, 1e12, allow_nan=False)
counts = st.integers(1, 10**12)
exponents = st.integers(-12, 12)


def read(cell, *, kind="measure"):
    column = read_column(cells_of("x", [cell]), kind)
    assert not column.unreadable.any(), cell
    return float(column.values[0])


@given(
    values, st.sampled_from(["{}", " {} ", "**{}**", "`{}`", "{}*", "$ {} $", "~{}", "{} (best)", "\u2248{}"])
)
def test_emphasis_and_notes_leave_a_number_as_it_is(value, frame):
    assert read(frame.format(repr(value))) == value


@given(values)
def test_typographic_signs_are_those_of_the_keyboard(value):
    text = f"{-value:e}".replace("-", "−")
    assert read(text) == -float(f"{value:e}")


@given(
    st.integers(1, 9999),
    exponents,
    st.sampled_from(["{m}×10^{e}", "{m} x 10**{e}", "{m}·10^{{{e}}}", "{m}e{e}"]),
)
def test_powers_of_ten(mantissa, exponent, notation):
    text = notation.format(m=mantissa, e=exponent)
    assert read(text) == float(f"{mantissa}e{exponent}")


@given(st.integers(0, 60), st.sampled_from(["2^{}", "2**{}", "2 ^ {}"]))
def test_powers_of_two(exponent, notation):
    assert read(notation.format(exponent), kind="batch") == 2**exponent


@given(exponents)
def test_superscripts(exponent):
    raised = str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
    assert read(f"10{raised}") == float(f"1e{exponent}")


@given(counts, st.sampled_from([",", " ", "\u202f", "'", "_"]))
def test_thousands(count, mark):
    text = f"{count:,}".replace(",", mark)
    assert read(text, kind="batch") == count


@given(st.integers(1, 10**6), st.integers(1, 99))
def test_decimal_commas(whole, hundredths):
    assert read(f"{whole},{hundredths:02d}") == float(f"{whole}.{hundredths:02d}")


@given(st.integers(1, 999), st.sampled_from([("k", 1), ("K", 1), ("M", 2), ("B", 3), ("G", 3), ("T", 4)]))
def test_suffixes_of_counts_are_powers_of_a_thousand(count, suffix):
    letter, power = suffix
    assert read(f"{count}{letter}", kind="count") == count * 1000.0**power
    assert read(f"{count} {letter} tokens", kind="count") == count * 1000.0**power
    assert read(f"{count}Ki", kind="count") == count * 1024


@given(st.integers(0, 9))
def test_k_is_1024_in_batch_sizes_that_are_powers_of_two_before_it(power):
    column = read_column(cells_of("batch_size", [f"{2**power}k", "512K"]), "batch")
    assert column.values.tolist() == [2**power * 1024, 512 * 1024]
    mixed = read_column(cells_of("batch_size", [f"{2**power}k", "524K"]), "batch")
    assert mixed.values.tolist() == [2**power * 1000, 524_000]


@given(values, st.floats(1e-6, 1e3), st.sampled_from(["±", " ± ", "+/-", " \\pm "]))
def test_what_stands_behind_plus_minus_is_the_error(value, error, sign):
    numeral = read_numeral(f"{value!r}{sign}{error!r}", Style())
    assert (numeral.value, numeral.error) == (value, error)


@given(st.integers(1, 9), st.integers(0, 9999), st.integers(1, 99))
def test_last_digits_in_brackets_are_an_error(whole, decimals, error):
    numeral = read_numeral(f"{whole}.{decimals:04d}({error})", Style())
    assert numeral.value == float(f"{whole}.{decimals:04d}")
    assert numeral.error == pytest.approx(error * 1e-4)


@given(st.floats(0, 100))
def test_a_percentage_is_a_fraction(value):
    assert read(f"{value!r} %") == value / 100


@pytest.mark.parametrize("cell", ["", "-", "—", "–", "n/a", "N/A", "None", "null", "?", "#N/A", "tbd", "."])
def test_cells_that_say_there_is_nothing(cell):
    assert read_numeral(cell, Style()).is_blank


@pytest.mark.parametrize(
    ("cell", "value", "status"),
    [("3e-4 (diverged)", 3e-4, "diverged"), ("NaN (diverged)", math.nan, "diverged"),
     ("diverged", math.nan, "diverged"),
     ("OOM", math.nan, "crashed"), ("CUDA out of memory", math.nan, "crashed"),
     ("diverged (OOM)", math.nan, "crashed"),
     ("early stopped", math.nan, "stopped"), ("nan", math.nan, ""), ("inf", math.inf, "")],
)  # fmt: skip
def test_words_in_a_number_say_how_the_run_ended(cell, value, status):
    numeral = read_numeral(cell, Style())
    assert (numeral.status, numeral.is_readable, numeral.is_blank) == (status, True, False)
    assert numeral.value == value or (math.isnan(value) and math.isnan(numeral.value))


@given(st.text(max_size=30))
def test_any_text_is_read_or_named_unreadable(cell):
    numeral = read_numeral(cell, Style())
    assert numeral.is_readable or math.isnan(numeral.value)


@pytest.mark.parametrize(
    "cell", ["abc", "3 4", "1/2", "> 10", "0.3m", "2024-01-01", "１２", "1__0", "1e", "--5"]
)
def test_what_is_no_number_is_not_made_one(cell):
    assert not read_numeral(cell, Style(suffixes=False)).is_readable
