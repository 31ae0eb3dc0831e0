"""One number as people write it: ``64k``, ``2^18``, ``65,536``, ``**2e-3**``, ``3.195 ± 0.01``, ``n/a``.

What one cell alone cannot tell, the meaning of a comma and of K, is a `Style`: the column settles it.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from surge_fit.sweep.schema import BLANK_WORDS
from surge_fit.sweep.table.statuses import status_in_words

DecimalMark = Literal[".", ","]


@dataclass(frozen=True, slots=True)
class Style:
    """What a column settles for all its cells.

    Attributes
    ----------
    decimal : {".", ","}
        The decimal mark; the other one separates thousands.
    kilo : {1000, 1024}
        What K is; M, G and T are its powers.
    suffixes : bool
        Whether K, M, B and T may follow a number: they count, and nobody writes a learning rate so.
    """

    decimal: DecimalMark = "."
    kilo: int = 1000
    suffixes: bool = True


@dataclass(frozen=True, slots=True)
class Numeral:
    """What a cell says.

    Attributes
    ----------
    value : float
        NaN for a blank cell, for a word, and for what cannot be read.
    is_blank, is_readable : bool
    error : float
        What stands behind ±; NaN where nothing does.
    status : str
        How the run ended, where the cell says it; else ``""``.
    unit : str
        A unit behind the number; else ``""``.
    """

    value: float = math.nan
    is_blank: bool = False
    is_readable: bool = True
    error: float = math.nan
    status: str = ""
    unit: str = ""


_BLANK = Numeral(is_blank=True)
_UNREADABLE = Numeral(is_readable=False)

_DASHES = frozenset(
    [
        "-",
        "–",
        "—",
        "‐",
        "‑",
        "−",
        "--",
        "---",
        "?",
        "??",
        ".",
        "..",
        "…",
        "/",
        "#n/a",
        "#na",
        "#div/0!",
        "#value!",
        "nil",
        "tbd",
        "missing",
        "unknown",
    ]
)
_MORE_BLANKS = frozenset(
    ("not available", "not run", "n.a.", "n.a", "no data", "undefined", "not applicable")
)

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT = re.compile(r"[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LATEX = re.compile(r"\\(?:mathbf|textbf|mathrm|text|emph|underline|num)\s*\{([^{}]*)\}|\\[,;!: ]|\$|[{}]")
_MARKS = re.compile(r"^(?:\*\*|__|\*|`|~~|<b>|<strong>)+|(?:\*\*|__|[*†‡★✓✔!]|`|~~|</b>|</strong>)+$")
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[ '’_\u00a0\u202f\u2009](?=\d{3}(?:\D|$))")
_NOTE = re.compile(r"^(.*?)\s*(?:[(\[]([^()\[\]]*)[)\]]|(?:#|<-|←)\s*(.*))$", re.S)
_LAST_DIGITS = re.compile(r"^([+-]?\d+\.(\d+))\((\d+)\)$")
_PLUS_MINUS = re.compile(r"^(.*?)\s*(?:±|\+/-|\+-|\\pm)\s*(.*)$", re.S)
_PLAIN = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_TIMES_TEN = re.compile(rf"^({_PLAIN})?\s*(?:[×x*·]|\\times|\\cdot)?\s*10\s*(?:\^|\*\*)\s*\(?([+-]?\d+)\)?$")
_POWER = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:\^|\*\*)\s*\(?([+-]?\d+(?:\.\d+)?)\)?$")
_NUMBER = re.compile(
    rf"^({_PLAIN})\s*"
    r"(?:(k|m|b|g|t)(i)?n?(?:(?![a-z])|(?=tok|seq))|(thousand|mil|million|billion|trillion)s?)?"
    r"\s*([a-z/ ]*?)\s*(%?)$",
    re.I,
)
_SUFFIXES = {"k": 1, "m": 2, "g": 3, "b": 3, "t": 4}
_WORDS = {"thousand": 1, "mil": 2, "million": 2, "billion": 3, "trillion": 4}
_UNITS = {
    **dict.fromkeys(("token", "tokens", "tok", "toks"), "tokens"),
    **dict.fromkeys(("sequence", "sequences", "seq", "seqs"), "sequences"),
    **dict.fromkeys(("example", "examples", "sample", "samples", "images"), "examples"),
    **dict.fromkeys(("step", "steps", "it", "iters", "iterations", "epoch", "epochs", "updates"), ""),
    **dict.fromkeys(("nat", "nats"), "nats"),
    **dict.fromkeys(("bit", "bits"), "bits"),
    "": "",
}

THOUSANDS_PROVEN = re.compile(r"^[+-]?\d{1,3}(?:,\d{3}){2,}(?:\.\d+)?$|^[+-]?\d{1,3}(?:,\d{3})+\.\d+$")
DECIMAL_PROVEN = re.compile(
    r"^[+-]?(?:0|\d{4,})?,\d+(?:[eE][+-]?\d+)?$|^[+-]?\d+,(?:\d{1,2}|\d{4,})(?:[eE].*)?$"
)
DECIMAL_PROVEN_DOTS = re.compile(r"^[+-]?\d{1,3}(?:\.\d{3})+,\d+$")
ONE_COMMA = re.compile(r"^[+-]?[1-9]\d{0,2},\d{3}$")
DOTTED_THOUSANDS = re.compile(r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")
KILO = re.compile(rf"^({_PLAIN})\s*([kmgbt])\b(?!i)", re.I)


def bare(cell: str) -> str:
    """Return a cell without emphasis, LaTeX and typographic signs; what it says is unchanged."""
    text = cell.strip().replace("\ufeff", "")
    text = _LATEX.sub(lambda match: match[1] or "", text.replace("\\pm", "±").replace("\\times", "×"))
    text = _SUPERSCRIPT.sub(lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    text = text.replace("−", "-").replace("–", "-") if any(letter.isdigit() for letter in text) else text
    stripped = _MARKS.sub("", text).strip()
    text = stripped or text
    if text[:1] in "~≈" or text[:1] == "=":
        text = text[1:].strip()
    return _SPACED_THOUSANDS.sub("", text).strip()


def is_blank_word(text: str) -> bool:
    """Whether a cell says that there is no value."""
    lower = text.lower()
    return lower in BLANK_WORDS or lower in _DASHES or lower in _MORE_BLANKS


def read_numeral(cell: str, style: Style) -> Numeral:
    """Read one cell.

    Parameters
    ----------
    cell : str
        As the table has it.
    style : Style

    Returns
    -------
    Numeral
        A percentage is a fraction: ``5 %`` is 0.05.
    """
    if is_blank_word(cell.strip()):
        return _BLANK
    text = bare(cell)
    if is_blank_word(text):
        return _BLANK
    value, unit = _number(text, style)
    if value is not None:
        return Numeral(value, unit=unit)
    if match := _PLUS_MINUS.match(text):
        return _with_error(match[1], match[2], style)
    if match := _LAST_DIGITS.match(text):
        return Numeral(float(match[1]), error=int(match[3]) * 10.0 ** -len(match[2]))
    if match := _NOTE.match(text):
        note = match[2] if match[2] is not None else match[3]
        inner = read_numeral(match[1], style) if match[1] else _BLANK
        status = status_in_words(note)
        if inner.is_readable and (match[1] or status):
            is_blank = inner.is_blank and not status
            said = status_in_words(text) if inner.status and status else inner.status or status
            return Numeral(inner.value, is_blank, True, inner.error, said, inner.unit)
    if status := status_in_words(text):
        return Numeral(status=status)
    return _UNREADABLE


def _with_error(value: str, error: str, style: Style) -> Numeral:
    note = _NOTE.match(error)
    status = status_in_words(note[2] or note[3] or "") if note else ""
    mean, deviation = read_numeral(value, style), read_numeral(note[1] if note else error, style)
    if not (mean.is_readable and deviation.is_readable):
        return _UNREADABLE
    if error.rstrip().endswith("%") and not value.rstrip().endswith("%"):
        return Numeral(mean.value / 100, mean.is_blank, True, deviation.value, status, mean.unit)
    return Numeral(mean.value, mean.is_blank, True, deviation.value, mean.status or status, mean.unit)


def _number(text: str, style: Style) -> tuple[float | None, str]:
    """Return the value of a bare number and its unit, or None where it is no number."""
    if not text.isascii() and "×" not in text and "·" not in text:
        return None, ""
    marked = text.replace(".", "").replace(",", ".") if style.decimal == "," else text.replace(",", "")
    if style.decimal == "," and "," not in text and not DOTTED_THOUSANDS.match(text):
        marked = text
    try:
        return float(marked), ""
    except ValueError:
        pass
    if match := _TIMES_TEN.match(marked):
        return float(f"{match[1] or 1}e{match[2]}") if "e" not in (match[1] or "").lower() else None, ""
    if match := _POWER.match(marked):
        return _power(float(match[1]), float(match[2])), ""
    match = _NUMBER.match(marked)
    if match is None:
        return None, ""
    number, suffix, binary, word, unit, percent = match.groups()
    if unit.lower().strip() not in _UNITS or ((suffix or word) and not style.suffixes):
        return None, ""
    power = _SUFFIXES[suffix.lower()] if suffix else _WORDS[word.lower()] if word else 0
    kilo = 1024 if binary else style.kilo if suffix else 1000
    value = float(number) * float(kilo) ** power
    return (value / 100 if percent else value), _UNITS[unit.lower().strip()]


def _power(base: float, exponent: float) -> float | None:
    try:
        return float(base**exponent)
    except OverflowError:
        return None
