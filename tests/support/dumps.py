"""Small gradient dumps for the tests, written without the package under test."""

import json

import numpy as np

NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "uint16": "BF16"}


def write_safetensors(path, arrays, **metadata):
    """Write arrays to one file; uint16 arrays are the bits of bfloat16."""
    header, offset = {}, 0
    if metadata:
        header["__metadata__"] = {key: str(value) for key, value in metadata.items()}
    for name, array in arrays.items():
        end = offset + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            file.write(array.tobytes())
    return path


def gaussian(rows, shapes, noise_scale=20.0, seed=0):
    """Per-example gradients g = G + noise with tr Σ/|G|² = `noise_scale`, as float64 by tensor."""
    rng = np.random.default_rng(seed)
    gradients = {}
    for name, shape in shapes.items():
        mean = rng.standard_normal(shape)
        gradients[name] = mean + np.sqrt(noise_scale) * rng.standard_normal((rows, *shape))
    return gradients


def flat(arrays):
    """Join tensors to a matrix of shape (row, parameter)."""
    return np.concatenate([array.reshape(len(array), -1) for array in arrays.values()], axis=1)
