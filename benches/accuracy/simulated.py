"""Grids simulated from every built-in law: the optimum and the cost of any rate are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import surge_fit as sf
from surge_fit.model import loss_surface
from surge_fit.simulate import Valley

GRIDS = 2
"""Grids of each law, with parameters of their own."""

SIZES = 2.0 ** np.arange(2, 12)
RATES = 12
STEP = float(np.log(2) / 2)
"""Spacing of the rates, two to a doubling, on a lattice that all batch sizes share."""

REFERENCE = (256.0, 3e-3)
"""Where every law is pinned: batch size, and optimal learning rate there."""


@dataclass(frozen=True)
class KnownOptimum:
    """One batch size of a simulated grid. Only the valley costs: no divergence is charged."""

    batch_size: float
    optimum: float
    optimum_se: float = 0.0

    def regret(self, log_rate: float) -> float:
        """Depth of the valley at a log rate, without noise."""
        v = Valley()
        return float(v.curvature * loss_surface.valley(np, log_rate - self.optimum, v.rate, v.asymmetry))


def simulated() -> list[tuple[str, sf.Sweep, tuple[KnownOptimum, ...]]]:
    """Label, full grid and truth of `GRIDS` grids of every law, in sorted label order.

    Noise scales are drawn log-normally around the reference batch size with log-sd 1, shapes from the law's
    own priors, and the learning-rate scale pins the optimum at the reference.
    """
    return [(f"{name} {k}", *_grid(sf.LAWS[name], k)) for name in sorted(sf.LAWS) for k in range(GRIDS)]


def _grid(law: sf.Law, number: int) -> tuple[sf.Sweep, tuple[KnownOptimum, ...]]:
    rng = np.random.default_rng([number, sorted(sf.LAWS).index(law.name)])
    size, rate = REFERENCE
    theta = {
        p.name: float(p.prior.draw(rng, 1)[0]) if p.prior else float(rng.normal(np.log(size), 1.0))
        for p in law.parameters[1:]
    }
    scale = float(np.log(rate) - law.shape(np, np.log(size), **theta))
    optimum = scale + law.shape(np, np.log(SIZES), **theta)
    first = np.floor(optimum / STEP) - RATES // 2 + rng.integers(-1, 2, len(SIZES))
    lattice = STEP * (first[:, None] + np.arange(RATES))
    sweep = sf.simulate_sweep(
        law,
        {law.parameters[0].name: scale, **theta},
        batch_size=SIZES.tolist(),
        learning_rate=np.exp(lattice).tolist(),
        random_seed=number,
    )
    return sweep, tuple(KnownOptimum(float(b), float(o)) for b, o in zip(SIZES, optimum, strict=True))
