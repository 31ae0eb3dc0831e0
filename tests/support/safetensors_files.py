"""Captured files read back with NumPy alone, for the tests of every framework."""

import json

import numpy as np

SIZES = {"F32": "<f4", "BF16": "<u2"}


def read_safetensors(*paths):
    """Give the arrays of files, joined along their first axis, and the metadata of the first.

    bfloat16 is widened to float32: its bits are the upper half of one.
    """
    found, told = {}, []
    for path in paths:
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        told.append(header.pop("__metadata__", {}))
        for name, held in header.items():
            begin, end = (8 + length + offset for offset in held["data_offsets"])
            numbers = np.frombuffer(raw[begin:end], SIZES[held["dtype"]]).reshape(held["shape"])
            if held["dtype"] == "BF16":
                numbers = (numbers.astype("u4") << 16).view("f4")
            found.setdefault(name, []).append(numbers)
    return {
        name: np.concatenate(parts) if parts[0].ndim else parts[0] for name, parts in found.items()
    }, told[0]
