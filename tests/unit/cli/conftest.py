"""What the tests of the command line share: a table, fits that return at once, a saved posterior, a dump."""

import json

import numpy as np
import pytest
from support.dumps import gaussian, write_safetensors
from support.posteriors import make_posterior

TABLE = """run_id,batch_size,lr,smooth loss,N
a,8,0.001,2.0,1
b,8,0.004,2.1,1
c,8,0.016,2.4,1
d,64,0.001,2.2,1
e,64,0.004,2.0,1
f,64,0.016,2.1,1
"""


@pytest.fixture(scope="module")
def posterior():
    return make_posterior()


@pytest.fixture
def sweep(tmp_path):
    path = tmp_path / "sweep.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def fits(monkeypatch, posterior):
    """Fits that return at once; the list of the sweeps and options they were asked for."""
    asked = []

    def fit(sweep, **options):
        asked.append((sweep, options))
        options["progress"]("sampling", 0.5)
        return posterior

    monkeypatch.setattr("surge_fit.posterior.fitting.fit", fit)
    return asked


@pytest.fixture
def saved(tmp_path, monkeypatch, posterior):
    """A file that is recognised as a posterior."""
    monkeypatch.setattr("surge_fit.posterior.loading.load_posterior", lambda path: posterior)
    return tmp_path / "posterior.nc"


@pytest.fixture
def write_dump(tmp_path):
    """Write gradients of two tensors, the same shapes every time, to a file of that name."""

    def write(name, seed=0, rows=32, **metadata):
        shapes = {"layers.0.w": (20, 10), "layers.1.w": (10, 5)}
        arrays = gaussian(rows, shapes, noise_scale=10, seed=seed)
        return write_safetensors(
            tmp_path / name, {n: a.astype(np.float32) for n, a in arrays.items()}, **metadata
        )

    return write


@pytest.fixture
def dump(write_dump):
    return write_dump("grads.safetensors", step=3)


@pytest.fixture
def endless_dump(tmp_path):
    """Make a sparse file of raw gradients that takes long to read, and no room on the disk."""

    def make(rows, columns):
        file = tmp_path / "big.raw"
        with file.open("wb") as big:
            big.truncate(4 * rows * columns)
        (tmp_path / "big.raw.json").write_text(json.dumps({"dtype": "float32", "shape": [rows, columns]}))
        return file

    return make
