"""The wire format of Protocol Buffers, for files whose few messages are known by their numbers.

Source: https://protobuf.dev/programming-guides/encoding
"""

import struct
from collections.abc import Iterator

Value = int | bytes
"""A number where the wire type is one; the bytes of a string, a message or a fixed-size number."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield the fields of a message: number and value.

    Raises
    ------
    ValueError
        If the bytes are no message.
    """
    position, end = 0, len(message)
    while position < end:
        key, position = varint(message, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = varint(message, position)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, position = varint(message, position)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            msg = f"wire type {kind}"
            raise ValueError(msg)
        if position + size > end:
            msg = "a field that ends after its message"
            raise ValueError(msg)
        yield key >> 3, message[position : position + size]
        position += size


def varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and the position after it.

    Raises
    ------
    ValueError
        If no number ends there.
    """
    value = shift = 0
    while position < len(message) and shift < 64:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    msg = "a number without an end"
    raise ValueError(msg)


def text(value: Value) -> str:
    """Return the string that a field holds, or nothing where it holds a number."""
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else ""


def message(value: Value) -> bytes:
    """Return the message that a field holds.

    Raises
    ------
    ValueError
        If it holds a number.
    """
    if not isinstance(value, bytes):
        msg = "a number in place of a message"
        raise ValueError(msg)  # noqa: TRY004
    return value


def float32(value: Value) -> float:
    """Return the 4-byte number that a field holds.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    return _unpacked("<f", value)


def float64(value: Value) -> float:
    """Return the 8-byte number that a field holds.

    Raises
    ------
    ValueError
        If it holds something else.
    """
    return _unpacked("<d", value)


def _unpacked(layout: str, value: Value) -> float:
    try:
        (number,) = struct.unpack(layout, message(value))
    except struct.error as error:
        raise ValueError(str(error)) from None
    return float(number)
