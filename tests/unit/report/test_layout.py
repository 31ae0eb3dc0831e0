"""Tables on narrow terminals: split where they do not fit, and never a digit less."""

import pytest
from surge_fit.report.blocks import Table, render

HEADERS = ("batch size\n[examples]", "learning rate", "95 % interval", "theory", "debiased\ntheory")
ROWS = tuple(
    (str(4**i), f"{1.1 * i:.3e}", f"{i}.1e-4 … {i}.6e-3", f"{5 + i}.1e-2", f"{9 - i}.7e-3") for i in range(4)
)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("words", [0, 1])
@pytest.mark.parametrize("width", [100, 80, 60, 45])
def test_no_number_is_cut_off(width, words, color):
    table = Table(
        (*HEADERS, "note")[: 5 + words], tuple((*row, "one two three")[: 5 + words] for row in ROWS), words
    )
    text = render([table], width=width, color=color)
    for row in ROWS:
        for cell in row:
            assert cell in text
    assert words == 0 or text.count("three") == len(ROWS)


def test_a_table_that_fits_stays_whole():
    text = render([Table((*HEADERS, "note"), tuple((*row, "a few words") for row in ROWS), 1)], width=75)
    assert text.count("[examples]") == 1
    narrow = render([Table((*HEADERS, "note"), tuple((*row, "a few words") for row in ROWS), 1)], width=60)
    assert narrow.count("[examples]") == 2
