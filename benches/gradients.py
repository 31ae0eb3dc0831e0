"""How fast gradient statistics are beside NumPy, PyTorch and reading the bytes; how much memory they take.

The limit: every byte must be read from memory once, so the `limit` is a streaming read of the mapped bytes
by as many threads. The second pass over a tile (exact variance, projections on the mean) hits the cache.

A repetition counts only where other processes were idle: what all processors were busy, less this process's
own time, must stay below 5 % of the wall time. Figures are medians; ratios are of medians from one run.

    python benches/gradients.py                 # 256 × 2,000,000, float32 and bfloat16, 1 and 2 threads
    python benches/gradients.py --memory        # peak anonymous memory on a dump of 4 GB
    python benches/gradients.py --cold          # a file that is not in the page cache, beside dd
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROWS, COLUMNS = 256, 2_000_000
BLOCK = 1 << 22
BUSY_OTHERS = 0.05
TRIES = 60


def write_dump(path: Path, rows: int, columns: int, dtype: str) -> None:
    """Write random gradients, row-major, with a sidecar: a block of noise, shifted from row to row."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(BLOCK).astype(np.float32)
    with path.open("wb") as file:
        for row in range(rows):
            for start in range(0, columns, BLOCK):
                block = np.roll(noise, 7919 * row + start)[: min(BLOCK, columns - start)] + np.float32(0.1)
                bits = block.view(np.uint32)
                file.write((block if dtype == "float32" else (bits >> 16).astype(np.uint16)).tobytes())
    Path(f"{path}.json").write_text(json.dumps({"dtype": dtype, "shape": [rows, columns]}))


def busy_seconds() -> float:
    """CPU seconds of all processes since boot."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], object], repeats: int) -> float:
    """Median seconds of the repetitions that no other process disturbed; all of them where none was quiet."""
    quiet, all_of_them = [], []
    work()
    for _ in range(TRIES):
        before, own = busy_seconds(), sum(os.times()[:4])
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        others = busy_seconds() - before - (sum(os.times()[:4]) - own)
        all_of_them.append(seconds)
        if others < BUSY_OTHERS * seconds + 0.02:
            quiet.append(seconds)
        if len(quiet) == repeats:
            break
    if len(quiet) < repeats:
        sys.stderr.write(f"only {len(quiet)} of {len(all_of_them)} repetitions were undisturbed\n")
    return statistics.median(quiet or all_of_them)


def reader(path: Path, threads: int) -> Callable[[], object]:
    """Stream over the mapped bytes with so many threads."""
    words = np.memmap(path, dtype=np.uint64, mode="r")
    parts = np.array_split(words, 64)
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(np.bitwise_or.reduce, parts))


def measure(path: Path, dtype: str, threads: int, repeats: int) -> dict[str, float]:
    """Seconds of the scan and of its peers, in this process."""
    import surge_fit as sf

    dump = sf.open_dump(path)
    found = {
        "limit": timed(reader(path, threads), repeats),
        "scan": timed(lambda: sf.gradient_statistics(dump), repeats),
        "scan with shapes": timed(lambda: sf.gradient_statistics(dump, batch_size=512), repeats),
    }
    if dtype == "float32":
        matrix = np.memmap(path, dtype=np.float32, mode="r", shape=(ROWS, COLUMNS))
        found["numpy mean + var"] = timed(lambda: (matrix.mean(0), matrix.var(0, ddof=1)), 3)
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(threads)
    kind = np.float32 if dtype == "float32" else np.int16
    tensor = torch.from_numpy(np.memmap(path, dtype=kind, mode="r", shape=(ROWS, COLUMNS)))
    tensor = tensor if dtype == "float32" else tensor.view(torch.bfloat16)
    found["torch var_mean"] = timed(lambda: torch.var_mean(tensor, 0), 3)
    return found


def speed(repeats: int) -> dict[str, object]:
    """Measure in a process of its own for every number of threads."""
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for dtype in ("float32", "bfloat16"):
            path = Path(folder) / f"{dtype}.raw"
            write_dump(path, ROWS, COLUMNS, dtype)
            for threads in (2, 1):
                command = [sys.executable, __file__, "--one", str(path), dtype, str(threads), str(repeats)]
                environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
                done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
                sys.stderr.write(done.stderr)
                seconds = json.loads(done.stdout)
                results[f"{dtype}, {threads} threads"] = seconds
                _tell(f"{dtype}, {threads} thread(s)", seconds, path.stat().st_size)
            path.unlink()
    return results


def _tell(title: str, seconds: dict[str, float], size: int) -> None:
    print(title)
    for name, value in seconds.items():
        ratio = seconds["limit"] / value
        print(
            f"  {name:18} {value:8.4f} s  {size / value / 1e9:6.1f} GB/s  {ratio:5.2f} of the read"
            f"  scan is {value / seconds['scan']:6.2f}×"
        )


def memory(gigabytes: float = 4.0) -> dict[str, float]:
    """Peak anonymous memory while a large dump is scanned, above that before."""
    import surge_fit as sf

    sf.gradient_statistics({"warm": np.random.default_rng(0).standard_normal((8, 4096))})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.raw"
        write_dump(path, ROWS, int(gigabytes * 1e9 / 4 / ROWS), "float32")
        peak, done = [_anonymous()], threading.Event()

        def watch() -> None:
            while not done.wait(0.002):
                peak.append(_anonymous())

        watcher = threading.Thread(target=watch)
        watcher.start()
        sf.gradient_statistics(path, batch_size=512)
        done.set()
        watcher.join()
    found = {"before MB": peak[0] / 1e6, "peak MB": max(peak) / 1e6, "above MB": (max(peak) - peak[0]) / 1e6}
    print(
        f"peak anonymous memory on {gigabytes:g} GB: {found['above MB']:.0f} MB above "
        f"{found['before MB']:.0f} MB"
    )
    return found


def _anonymous() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def cold(repeats: int = 3) -> dict[str, float]:
    """Read a file that is not in the page cache: the scan and dd in turn."""
    import surge_fit as sf

    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_FOLDER")) as folder:
        path = Path(folder) / "cold.raw"
        write_dump(path, ROWS, COLUMNS, "float32")
        os.sync()
        seconds: dict[str, list[float]] = {"dd": [], "scan": []}
        for _ in range(repeats):
            for name, times in seconds.items():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                start = time.perf_counter()
                if name == "dd":
                    command = ["dd", f"if={path}", "of=/dev/null", "bs=4M", "status=none"]
                    subprocess.run(command, check=True)
                else:
                    sf.gradient_statistics(path)
                times.append(time.perf_counter() - start)
    found = {name: statistics.median(times) for name, times in seconds.items()}
    print(
        f"cold file: dd {found['dd']:.2f} s, scan {found['scan']:.2f} s ({found['scan'] / found['dd']:.2f}×)"
    )
    return found


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        path, dtype, threads, repeats = arguments.one
        print(json.dumps(measure(Path(path), dtype, int(threads), int(repeats))))
    elif arguments.memory:
        memory()
    elif arguments.cold:
        cold()
    else:
        speed(arguments.repeats)


if __name__ == "__main__":
    main()
