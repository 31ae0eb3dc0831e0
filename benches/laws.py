"""The laws beside NumPy: evaluation, quantiles and expected regret.

Limits. The table of 4,000 draws × 4,096 batch sizes is 131 MB: writing it is bounded by memory bandwidth,
computing it by one logarithm (and, where a power of B is involved, one exponential) for each number;
`benches/laws.rs` counts them. NumPy's own logarithm is as fast; it loses to its passes over memory, one for
every operation of a formula. A law without a logarithm is one pass for NumPy too: there only stores past
the caches and the second core are to be gained, and only with `out=`, because a fresh table costs the page
faults of 131 MB, whoever writes it.

Run: python benches/laws.py [--json] [--repeat N]
"""

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from surge_fit.law import LAWS, Landscape, Law, LawDraws
from surge_fit.model import loss_surface

DRAWS, BATCH_SIZES, CANDIDATES = 4_000, 4_096, 256


def milliseconds(compute: Callable[[], object], repeat: int) -> float:
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def draws_of(law: Law) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = {"learning_rate_scale": (-6.0, 0.3), "batch_size_scale": (8.0, 1.0)}
    return {
        p.name: p.prior.draw(rng, DRAWS) if p.prior else rng.normal(*centres[p.role], DRAWS)
        for p in law.parameters
    }


def evaluation(repeat: int) -> list[dict]:
    batch_size = np.geomspace(1, 1e7, BATCH_SIZES)
    x = np.log(batch_size)[None, :]
    out = np.zeros((DRAWS, BATCH_SIZES))
    halves = np.array_split(out, 2)
    with ThreadPoolExecutor(2) as pool:
        write = milliseconds(lambda: list(pool.map(lambda half: half.fill(1.0), halves)), repeat)
    rows = [{"what": "write, 2 threads", "ours": write}]
    for law in LAWS.values():
        draws = draws_of(law)
        columns = {name: values[:, None] for name, values in draws.items()}
        numpy = milliseconds(lambda law=law, columns=columns: law.log_learning_rate(np, x, **columns), repeat)
        ours = milliseconds(
            lambda law=law, draws=draws: LawDraws.of(law, draws).optimum(batch_size, out=out), repeat
        )
        fresh = milliseconds(lambda law=law, draws=draws: LawDraws.of(law, draws).optimum(batch_size), repeat)
        rows.append(
            {
                "what": f"evaluate {law.name}",
                "ours": ours,
                "numpy": numpy,
                "fresh": fresh,
                "of_write": write / ours,
            }
        )
    return rows


def quantiles(repeat: int) -> dict:
    law, probabilities = LAWS["broken_power"], [0.05, 0.25, 0.5, 0.75, 0.95]
    draws, batch_size = draws_of(law), np.geomspace(1, 1e7, BATCH_SIZES)
    columns = {name: values[:, None] for name, values in draws.items()}

    def numpy() -> np.ndarray:
        curves = law.log_learning_rate(np, np.log(batch_size)[None, :], **columns)
        return np.quantile(curves, probabilities, axis=0)

    def ours() -> np.ndarray:
        return LawDraws.of(law, draws).quantiles(batch_size, probabilities)

    np.testing.assert_allclose(ours(), numpy(), rtol=1e-12)
    return {
        "what": "quantiles broken_power",
        "ours": milliseconds(ours, repeat),
        "numpy": milliseconds(numpy, min(repeat, 3)),
    }


def expected_regret(repeat: int) -> dict:
    law = LAWS["broken_power"]
    draws, batch_size = draws_of(law), np.geomspace(16, 1e5, 16)
    columns = {name: values[:, None] for name, values in draws.items()}
    candidates = np.linspace(-9, -4, CANDIDATES)[None, :] + np.zeros((16, 1))
    landscape = Landscape(
        log_curvature=np.log(0.05), curvature_slope=0.0, reference_log_batch_size=np.log(256.0),
        rate=0.6, asymmetry=1.6, wall=2.0, wall_width=0.3, divergence_cost=2.0,
    )  # fmt: skip

    def numpy() -> np.ndarray:
        optima = law.log_learning_rate(np, np.log(batch_size)[None, :], **columns)
        u = candidates[None, :, :] - optima[:, :, None]
        diverges = loss_surface.divergence_probability(np, u, 2.0, 0.3)
        loss = 0.05 * loss_surface.valley(np, u, 0.6, 1.6)
        return ((1 - diverges) * loss + 2.0 * diverges).mean(axis=0)

    def ours() -> np.ndarray:
        return LawDraws.of(law, draws).regret(batch_size, candidates, landscape)[0]

    np.testing.assert_allclose(ours(), numpy(), rtol=1e-11)
    return {
        "what": "expected regret broken_power",
        "ours": milliseconds(ours, repeat),
        "numpy": milliseconds(numpy, min(repeat, 3)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")
    parser.add_argument("--repeat", type=int, default=7, help="take the best of this many")
    arguments = parser.parse_args()
    rows = [*evaluation(arguments.repeat), quantiles(arguments.repeat), expected_regret(arguments.repeat)]
    for row in rows:
        if "numpy" in row:
            row["ratio"] = row["numpy"] / row["ours"]
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'milliseconds, best':32}{'NumPy':>9}{'ours':>9}{'ratio':>7}{'fresh':>9}{'of write':>10}")
    for row in rows:
        cells = [row.get(key) for key in ("numpy", "ours", "ratio", "fresh", "of_write")]
        widths = (9, 9, 7, 9, 10)
        print(
            f"{row['what']:32}"
            + "".join(f"{c:{w}.2f}" if c else " " * w for c, w in zip(cells, widths, strict=True))
        )


if __name__ == "__main__":
    main()
