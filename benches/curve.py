"""How fast a learning-rate curve is beside NumPy doing the same; `benches/curve.rs` has its limits.

256 × 2,000,000 float32, 64 resamples × 9 batch sizes: running sums, signs, their products with the mean
gradient of the other rows and, for the Fisher, with every gradient. NumPy works through blocks of columns
that fit into the cache and sums the rows between two batch sizes at once; its products go through BLAS.
The curve includes what NumPy is spared: statistics of the dump, the theory, products with groups of rows,
intervals. Peak memory is that of the process after the curve, the mapped pages of the dump included.

    python benches/curve.py                 # --columns for less
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import numpy as np
from gradients import ROWS, timed, write_dump

RESAMPLES, SIZES = 64, (1, 2, 4, 8, 16, 32, 64, 128, 255)
BLOCK = 2048


def by_numpy(matrix: np.ndarray, permutations: np.ndarray) -> np.ndarray:
    """Sum VᵀG and VᵀFV over blocks of columns."""
    ends = list(zip((0, *SIZES), SIZES, strict=False))
    own = np.zeros((RESAMPLES, len(SIZES)))
    products = np.zeros((RESAMPLES * len(SIZES), ROWS), dtype=np.float32)
    for column in range(0, matrix.shape[1], BLOCK):
        block = np.ascontiguousarray(matrix[:, column : column + BLOCK])
        directions = np.empty((RESAMPLES, len(SIZES), block.shape[1]), dtype=np.float32)
        for resample, run in enumerate(permutations):
            sums = np.cumsum([block[run[start:end]].sum(axis=0) for start, end in ends], axis=0)
            directions[resample] = np.sign(sums)
            own[resample] += np.einsum("sp,sp->s", directions[resample], sums)
        products += directions.reshape(-1, block.shape[1]) @ block.T
    return own + products.sum(axis=1).reshape(own.shape)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--columns", type=int, default=2_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    import surge_fit as sf

    random = np.random.default_rng(0)
    permutations = np.stack([random.permutation(ROWS)[: SIZES[-1]] for _ in range(RESAMPLES)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradients.raw"
        write_dump(path, ROWS, arguments.columns, "float32")
        dump = sf.open_dump(path)
        matrix = np.memmap(path, dtype=np.float32, mode="r", shape=(ROWS, arguments.columns))
        curve = timed(
            lambda: sf.learning_rate_curve(dump, "sign", batch_size=SIZES, resamples=RESAMPLES),
            arguments.repeats,
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peer = timed(lambda: by_numpy(matrix, permutations), 1)
    dump_size = 4 * ROWS * arguments.columns / 2**20
    print(f"{ROWS} × {arguments.columns:,} float32, {dump_size:.0f} MiB")
    print(f"peak memory         {peak:8.0f} MiB, at most {dump_size:.0f} of it the mapped dump")
    print(f"curve, all of it    {curve:8.2f} s")
    print(f"NumPy, sums alone   {peer:8.2f} s  {peer / curve:5.1f}×")


if __name__ == "__main__":
    main()
