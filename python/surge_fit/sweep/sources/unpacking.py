"""The bytes of a file, unpacked, and their text."""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

from surge_fit.errors import SweepError

STANDARD_INPUT = "-"

_PACKED = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd", ".xz": "xz", ".bz2": "bzip2"}
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}


def read_bytes(location: str) -> tuple[bytes, str, str]:
    """Return the unpacked bytes of a file or of standard input.

    Parameters
    ----------
    location : str
        A path, or ``-``.

    Returns
    -------
    data : bytes
    name : str
        For messages.
    suffix : str
        The ending of the unpacked file's name in lower case: ``.csv`` for ``runs.csv.gz``; ``""`` without
        one.

    Raises
    ------
    SweepError
        If there is no such file, it is empty, or it cannot be unpacked.
    """
    if location == STANDARD_INPUT:
        data, name, suffix = sys.stdin.buffer.read(), "standard input", ""
    else:
        file = Path(location)
        if not file.is_file():
            what = "is a folder" if file.is_dir() else "does not exist"
            msg = f"A table of runs must be a file; '{file}' {what}. Check the path."
            raise SweepError(msg)
        data, name, suffix = file.read_bytes(), file.name, file.suffix.lower()
    if not data.strip():
        msg = f"A table of runs must have a header and one line per run; {name} is empty."
        raise SweepError(msg)
    how = _PACKED.get(suffix) or next((how for magic, how in _MAGIC.items() if data.startswith(magic)), None)
    if how is not None:
        data = _unpacked(data, how, name)
        suffix = Path(Path(name).stem).suffix.lower() if suffix in _PACKED else suffix
    return data, name, suffix


def _unpacked(data: bytes, how: str, name: str) -> bytes:
    unpack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "xz": lzma.decompress,
        "bzip2": bz2.decompress,
        "zstd": _unpack_zstd,
    }
    try:
        return unpack[how](data)
    except ImportError:
        msg = f"{name} is packed with zstd; to read it, install surge-fit[zstd], or unpack it first."
        raise SweepError(msg) from None
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        msg = f"{name} cannot be unpacked as {how}: {error}. Pack it again, or unpack it first."
        raise SweepError(msg) from error


def _unpack_zstd(data: bytes) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
            unpacked: bytes = reader.read()
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return unpacked


def decoded(data: bytes, name: str) -> str:
    """Return text: UTF-8, or UTF-16 as spreadsheets save it.

    Raises
    ------
    SweepError
        If it is neither; the message names the byte and the line.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return _utf_16(data, "utf-16", name)
    sample = data[:2000]
    if b"\0" in sample:
        odd, even = sample[1::2].count(0), sample[::2].count(0)
        return _utf_16(data, "utf-16-le" if odd > even else "utf-16-be", name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong_encoding(data, name) from None


def _utf_16(data: bytes, encoding: str, name: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        msg = f"{name} must be text; it is neither UTF-8 nor UTF-16 ({error.reason}). Save it as UTF-8."
        raise SweepError(msg) from None
    if "\0" in text:
        msg = (
            f"{name} must be text; it holds zero bytes. Save the table as text, or give the file its own "
            "ending."
        )
        raise SweepError(msg)
    return text


def _wrong_encoding(data: bytes, name: str) -> SweepError:
    valid = data.decode("utf-8", errors="surrogateescape")
    first = next(index for index, letter in enumerate(valid) if "\udc80" <= letter <= "\udcff")
    return SweepError(
        f"{name} must be UTF-8 text; byte 0x{ord(valid[first]) - 0xDC00:02x} in line "
        f"{valid.count(chr(10), 0, first) + 1} is not, it may be Latin-1. Save the file as UTF-8."
    )
