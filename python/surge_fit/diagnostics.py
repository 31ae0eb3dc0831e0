"""Whether a fit can be trusted: R-hat, effective sample size and divergences, checked for the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from surge_fit.mixing import ess_bulk, ess_tail, rhat
from surge_fit.typing import Engine, FloatArray

MAX_RHAT = 1.01
"""Chains that agree have R-hat below this (Vehtari et al. 2021, arXiv:1903.08008)."""

MIN_ESS = 400.0
"""Effective samples below which R-hat and the tails themselves are unreliable (same source)."""

MAX_DIVERGENT_SHARE = 0.01
"""Share of divergent draws above which the posterior may be missing a region."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How well the chains mixed.

    Attributes
    ----------
    max_rhat : float
        Largest rank-normalised split R-hat over all parameters.
    max_rhat_parameter : str
        Whose it is.
    min_ess_bulk, min_ess_tail : float
        Smallest effective sample sizes over all parameters.
    min_ess_parameter : str
        Whose the smaller of the two is.
    divergences : int
    draws : int
        Kept draws, all chains together.
    engine : {"native", "pymc"}
        What sampled them.
    """

    max_rhat: float
    max_rhat_parameter: str
    min_ess_bulk: float
    min_ess_tail: float
    min_ess_parameter: str
    divergences: int
    draws: int
    engine: Engine = "native"

    @property
    def min_ess(self) -> float:
        """The smaller of bulk and tail effective sample size."""
        return min(self.min_ess_bulk, self.min_ess_tail)

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each reason not to trust the fit; empty when there is none."""
        found = []
        if not self.max_rhat <= MAX_RHAT:
            found.append(
                f"R-hat is {self.max_rhat:.3f} for {self.max_rhat_parameter} (must be at most {MAX_RHAT}): "
                "the chains disagree."
            )
        if not self.min_ess >= MIN_ESS:
            found.append(
                f"Only {self.min_ess:.0f} effective samples for {self.min_ess_parameter} "
                f"(must be at least {MIN_ESS:.0f})."
            )
        if self.divergences > MAX_DIVERGENT_SHARE * self.draws:
            found.append(
                f"{self.divergences} of {self.draws} draws diverged: the posterior has a corner that the "
                "sampler could not enter."
            )
        return tuple(found)

    @property
    def trustworthy(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


def diagnose(posterior: Mapping[str, FloatArray], diverging: np.ndarray, engine: Engine) -> Diagnostics:
    """Check the chains of a fit.

    Parameters
    ----------
    posterior : mapping of str to ndarray, each of shape (chain, draw, ...)
        Draws of every parameter.
    diverging : ndarray of bool, shape (chain, draw)
    engine : {"native", "pymc"}
        What sampled them.

    Returns
    -------
    Diagnostics
    """
    rhats = {name: _extreme(rhat, draws, largest=True) for name, draws in posterior.items()}
    bulks = {name: _extreme(ess_bulk, draws, largest=False) for name, draws in posterior.items()}
    tails = {name: _extreme(ess_tail, draws, largest=False) for name, draws in posterior.items()}
    # NaN is the worst that R-hat can be.
    worst = max(rhats, key=lambda name: np.inf if np.isnan(rhats[name]) else rhats[name])
    bulk, tail = min(bulks, key=bulks.__getitem__), min(tails, key=tails.__getitem__)
    return Diagnostics(
        max_rhat=rhats[worst],
        max_rhat_parameter=worst,
        min_ess_bulk=bulks[bulk],
        min_ess_tail=tails[tail],
        min_ess_parameter=bulk if bulks[bulk] <= tails[tail] else tail,
        divergences=int(diverging.sum()),
        draws=diverging.size,
        engine=engine,
    )


def _extreme(measure: Callable[[FloatArray], float], draws: FloatArray, *, largest: bool) -> float:
    """The worst of all entries of a parameter."""
    entries = np.moveaxis(draws.reshape(*draws.shape[:2], -1), 2, 0)
    found = [measure(entry) for entry in entries]
    return float(np.max(found) if largest else np.min(found))
