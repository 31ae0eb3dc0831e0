"""From a file to a table: the ending of its name says what it is, or else its content."""

from collections.abc import Callable

from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import Table
from surge_fit.sweep.sources.binary import read_arrow, read_parquet, read_spreadsheet
from surge_fit.sweep.sources.delimited import read_delimited
from surge_fit.sweep.sources.json_text import read_json, read_json_lines
from surge_fit.sweep.sources.markdown import looks_like_markdown, read_markdown
from surge_fit.sweep.sources.unpacking import decoded, read_bytes

_BINARY: dict[str, Callable[[bytes, str], Table]] = {
    ".parquet": read_parquet,
    **dict.fromkeys((".arrow", ".feather", ".ipc", ".arrows"), read_arrow),
    **dict.fromkeys((".xlsx", ".xlsm"), read_spreadsheet),
}
_MAGIC: dict[bytes, Callable[[bytes, str], Table]] = {
    b"PAR1": read_parquet,
    b"ARROW1": read_arrow,
    b"PK\x03\x04": read_spreadsheet,
}
_TEXT: dict[str, Callable[[str, str], Table]] = {
    ".json": read_json,
    **dict.fromkeys((".jsonl", ".ndjson"), read_json_lines),
    **dict.fromkeys((".md", ".markdown"), read_markdown),
}
_DELIMITED = (".csv", ".tsv", ".psv", ".tab")


def read(location: str) -> Table:
    """Return the table of runs in a file.

    Parameters
    ----------
    location : str
        A path, or ``-`` for standard input. CSV and its dialects, JSON, JSONL, Parquet, Arrow or Feather,
        Markdown, or a spreadsheet; packed with gzip, xz, bzip2 or zstd, or not. Text is UTF-8 or UTF-16.

    Raises
    ------
    SweepError
        If the file is missing, empty, or not the table that it should be.
    """
    data, name, suffix = read_bytes(location)
    if suffix in _BINARY:
        return _BINARY[suffix](data, name)
    if suffix not in (*_TEXT, *_DELIMITED):
        for magic, read_binary in _MAGIC.items():
            if data.startswith(magic):
                return read_binary(data, name)
        if b"\0" in data[:2000] and data[:2] not in (b"\xff\xfe", b"\xfe\xff") and not _looks_utf_16(data):
            msg = (
                f"{name} is not a table of runs that can be read: neither text nor Parquet, Arrow or a "
                "spreadsheet. Save the table as one of these."
            )
            raise SweepError(msg)
    text = decoded(data, name)
    if suffix in _TEXT:
        return _TEXT[suffix](text, name)
    if suffix not in _DELIMITED:
        start = text[:1000].lstrip()[:1]
        if start and start in "[{":
            return read_json(text, name)
    if looks_like_markdown(text):
        return read_markdown(text, name)
    return read_delimited(text, name, suffix)


def _looks_utf_16(data: bytes) -> bool:
    sample = data[:2000]
    return 4 * max(sample[1::2].count(0), sample[::2].count(0)) > len(sample)
