"""Sampling effort: for each kind of model, and for another attempt where its chains do not pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

CHAINS = 4


@dataclass(frozen=True, slots=True)
class Effort:
    """Effort of an attempt: tuning steps and kept draws of each chain, and target acceptance."""

    tune: int
    draws: int
    target_accept: float


SamplerKind: TypeAlias = Literal["native", "native, for means", "native, large", "native, very large", "pymc"]

VERY_LARGE = 500
"""Number of entries of a model beyond which its geometry takes longer to learn."""

EFFORTS: dict[SamplerKind, tuple[Effort, ...]] = {
    "native": (Effort(400, 1000, 0.95), Effort(400, 3000, 0.95), Effort(2000, 3000, 0.99)),
    "native, for means": (Effort(400, 300, 0.95), Effort(400, 1000, 0.95), Effort(2000, 3000, 0.99)),
    "native, large": (Effort(1000, 3000, 0.98), Effort(3000, 6000, 0.99)),
    "native, very large": (Effort(2000, 4000, 0.98), Effort(3000, 6000, 0.99)),
    "pymc": (Effort(800, 1500, 0.95), Effort(3200, 3000, 0.99)),
}
"""The usual attempt, and what follows where its chains do not pass. Lower targets let chains stick without a
single divergence on these models; smaller steps enter the corners that larger ones could not."""
