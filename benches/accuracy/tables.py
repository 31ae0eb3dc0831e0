"""The tables of the benchmark, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from judging import FLOOR, ORACLE, SHARES, SURGE_FIT, Fit, Outcome, Row
from numpy.typing import ArrayLike
from peers import peers

NAMES = (SURGE_FIT, *peers(), ORACLE, FLOOR)
PLACES: dict[str, tuple[str, ...]] = {
    "all batch sizes": ("tried", "between", "outside"),
    "between the tried": ("between",),
    "outside the tried": ("outside",),
}
LOST = 0.1
"""Regret [loss] above which a recommendation counts as lost."""

NAME, CELL = 31, 46
"""Widths."""


@dataclass(frozen=True)
class Spread:
    """Mean with its standard error, median and 90th percentile."""

    mean: float
    se: float
    median: float
    p90: float


def spread(values: ArrayLike, clusters: Sequence[object]) -> Spread:
    """Summarise values of which those in one cluster hang together.

    The standard error of the mean is that of a ratio of cluster sums; NaN where there is one cluster only.
    """
    x = np.asarray(values, dtype=float)
    mean = float(x.mean())
    _, index = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
    sums = np.bincount(index, weights=x - mean)
    count = len(sums)
    se = float(np.sqrt((sums**2).sum() * count / (count - 1)) / len(x)) if count > 1 else float("nan")
    return Spread(mean, se, float(np.median(x)), float(np.quantile(x, 0.9)))


def clusters_of(rows: Sequence[Row]) -> list[tuple[int, ...]]:
    """Rows of one grid hang together; where there is one grid only, those of one design."""
    one_grid = len({row.grid for row in rows}) == 1
    return [(row.grid, row.design) if one_grid else (row.grid,) for row in rows]


def lines(title: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """One table: every predictor, at all batch sizes, between and outside the tried ones."""
    rows = [row for outcome in outcomes for row in outcome.rows]
    if not rows:
        return
    places = {place: [row for row in rows if row.place in kinds] for place, kinds in PLACES.items()}
    yield f"{title}: {len(outcomes)} designs of {len({row.grid for row in rows})} grids"
    yield " " * NAME + "".join(f" | {f'{place} ({len(held)})':<{CELL}}" for place, held in places.items())
    columns = f" | {'mean':>7} {'± se':>7} {'median':>7} {'p90':>7} {'lost':>6} {'error':>7}"
    yield f"{'regret, 1e-3 of the loss':<{NAME}}" + columns * len(places)
    for name in NAMES:
        cells = [_regret(name, held) for held in places.values()]
        if any(cell.strip() for cell in cells):
            yield f"{name:<{NAME}}" + "".join(f" | {cell:<{CELL}}" for cell in cells)
    for share in SHARES:
        for text, value in _intervals(share):
            cells = [value(held) for held in places.values()]
            if any(cells):
                yield f"{text:<{NAME}}" + "".join(f" | {cell:<{CELL}}" for cell in cells)


def _regret(name: str, rows: Sequence[Row]) -> str:
    """The cells of one predictor; empty where it applies to no row."""
    held = [row for row in rows if name in row.regret]
    if not held:
        return ""
    s = spread([1e3 * row.regret[name] for row in held], clusters_of(held))
    error = np.mean([row.log_error[name] for row in held])
    lost = np.mean([row.regret[name] > LOST for row in held])
    part = "" if len(held) == len(rows) else f" of {len(held)}"
    return f"{s.mean:7.2f} {_se(s, 2)} {s.median:7.2f} {s.p90:7.2f} {lost:6.1%} {error:7.3f}{part}"


def _se(s: Spread, digits: int) -> str:
    """The standard error, or a dash where one cluster does not tell it."""
    return f"{s.se:7.{digits}f}" if np.isfinite(s.se) else f"{'–':>7}"


def _intervals(share: int) -> list[tuple[str, Callable[[Sequence[Row]], str]]]:
    """What is told of surge_fit's intervals of a share: text, and what computes its cell."""

    def coverage(name: str) -> Callable[[Sequence[Row]], str]:
        def cell(rows: Sequence[Row]) -> str:
            held = [row for row in rows if name in row.covered]
            if not held:
                return ""
            s = spread([row.covered[name] for row in held], clusters_of(held))
            return f"{s.mean:7.3f} {_se(s, 3)}"

        return cell

    def width(rows: Sequence[Row]) -> str:
        held = [row for row in rows if row.width]
        if not held:
            return ""
        s = spread([row.width[f"{share}"] for row in held], clusters_of(held))
        return f"{s.mean:7.3f} {_se(s, 3)} {s.median:7.3f} {s.p90:7.3f}"

    return [
        (f"{share} % interval covers", coverage(f"raw {share}")),
        ("  allowing for the truth's error", coverage(f"allowing {share}")),
        ("  its width in log rate", width),
    ]


def fits_line(fits: Sequence[Fit], seconds: float) -> str:
    """How the fits went, in one line: speed, trust and divergences."""
    done = [fit for fit in fits if fit.error is None]
    draws, divergences = sum(fit.draws for fit in done), sum(fit.divergences for fit in done)
    alone = 60 * len(fits) / sum(fit.seconds for fit in fits)
    text = (
        f"fits: {len(fits)}, {60 * len(fits) / seconds:.1f} a minute ({alone:.1f} in one process); "
        f"{sum(fit.trusted for fit in fits)} trusted; {divergences} divergences in {draws} draws "
        f"({divergences / max(draws, 1):.2%}), in {sum(fit.divergences > 0 for fit in done)} fits"
    )
    refused = Counter(fit.error for fit in fits if fit.error is not None)
    return "\n".join([text, *(f"refused {count} times: {error}" for error, count in refused.items())])


def missing_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Which peers are missing, in how many designs, and why."""
    counted = Counter((name, why) for outcome in outcomes for name, why in outcome.missing.items())
    for (name, why), count in counted.items():
        yield f"{name}: left out of {count} designs, {why}"
