"""Captured files read back with NumPy alone, for the tests of every framework."""

import json

import numpy as np

SIZES = {"F32": "<f4", "BF16": "<u2"}


def read_safetensors(*paths):
    """Give the arrays of files, joined along their first axis, and the metadata of the first.

    bfloat16 is widened to float32: its bits are the upper half of one.
    """
    arrays, metadata = {}, []
    for path in paths:
        raw = path.read_bytes()
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        metadata.append(header.pop("__metadata__", {}))
        for name, entry in header.items():
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            numbers = np.frombuffer(raw[begin:end], SIZES[entry["dtype"]]).reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                numbers = (numbers.astype("u4") << 16).view("f4")
            arrays.setdefault(name, []).append(numbers)
    return {
        name: np.concatenate(parts) if parts[0].ndim else parts[0] for name, parts in arrays.items()
    }, metadata[0]
