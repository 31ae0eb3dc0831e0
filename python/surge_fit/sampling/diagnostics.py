"""Diagnostics of a fit, checked for the user: R-hat, effective sample sizes and divergences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from surge_fit._support.results import Result
from surge_fit.sampling.mixing import Mixing, measure
from surge_fit.typing import Engine, FloatArray


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that chains must keep before their draws are trusted.

    Attributes
    ----------
    max_rhat : float
        Chains that agree have R-hat below this.
    min_ess : float
        Least effective sample size.
    """

    max_rhat: float
    min_ess: float


FOR_INTERVALS = Limits(max_rhat=1.01, min_ess=400.0)
"""R-hat and the tails themselves are unreliable beyond (Vehtari et al. 2021, arXiv:1903.08008)."""

FOR_MEANS = Limits(max_rhat=1.05, min_ess=50.0)
"""A mean over the draws is known to a seventh of a standard deviation; quantiles are not."""

MAX_DIVERGENT_SHARE = 0.01
"""Share of divergent draws above which the posterior may be missing a region."""


@dataclass(frozen=True, slots=True)
class Diagnostics(Result):
    """How well the chains mixed.

    Attributes
    ----------
    max_rhat : float
        Largest rank-normalised split R-hat over all parameters.
    max_rhat_parameter : str
        The parameter with that R-hat.
    min_ess_bulk, min_ess_tail : float
        Smallest effective sample sizes over all parameters.
    min_ess_parameter : str
        The parameter with the smaller of the two.
    divergences : int
    draws : int
        Kept draws, all chains together.
    engine : {"native", "pymc"}
        Engine that sampled them.
    """

    max_rhat: float
    max_rhat_parameter: str
    min_ess_bulk: float
    min_ess_tail: float
    min_ess_parameter: str
    divergences: int
    draws: int
    engine: Engine = "native"

    def __repr__(self) -> str:
        return (
            f"Diagnostics({'trustworthy' if self.trustworthy else 'not trustworthy'}: R-hat ≤ "
            f"{self.max_rhat:.3f}, ≥ {self.min_ess:.0f} effective samples, {self.divergences} of "
            f"{self.draws} draws diverged, {self.engine} engine)"
        )

    def _record(self) -> dict[str, Any]:
        return {**asdict(self), "min_ess": self.min_ess, "trustworthy": self.trustworthy}

    @property
    def min_ess(self) -> float:
        """The smaller of bulk and tail effective sample size."""
        return min(self.min_ess_bulk, self.min_ess_tail)

    @property
    def diverged(self) -> bool:
        """Whether so many draws diverged that the posterior may be missing a region."""
        return self.divergences > MAX_DIVERGENT_SHARE * self.draws

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for each reason not to trust the fit; empty when there is none."""
        return self.beyond(FOR_INTERVALS)

    def beyond(self, limits: Limits) -> tuple[str, ...]:
        """Describe in a sentence each what exceeds the limits.

        Parameters
        ----------
        limits : Limits

        Returns
        -------
        tuple of str
        """
        problems = []
        if not self.max_rhat <= limits.max_rhat:
            problems.append(
                f"R-hat is {self.max_rhat:.3f} for {self.max_rhat_parameter} (must be at most "
                f"{limits.max_rhat:g}): the chains disagree."
            )
        if not self.min_ess >= limits.min_ess:
            problems.append(
                f"Only {self.min_ess:.0f} effective samples for {self.min_ess_parameter} "
                f"(must be at least {limits.min_ess:.0f})."
            )
        if self.diverged:
            problems.append(
                f"{self.divergences} of {self.draws} draws diverged: the posterior has a corner that the "
                "sampler could not enter."
            )
        return tuple(problems)

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
        Engine that sampled them.

    Returns
    -------
    Diagnostics
    """
    mixing = {name: _worst(draws) for name, draws in posterior.items()}
    # NaN is the worst that R-hat can be.
    worst = max(mixing, key=lambda name: np.inf if np.isnan(mixing[name].rhat) else mixing[name].rhat)
    bulk, tail = (
        min(mixing, key=lambda name: getattr(mixing[name], ess)) for ess in ("ess_bulk", "ess_tail")
    )
    return Diagnostics(
        max_rhat=mixing[worst].rhat,
        max_rhat_parameter=worst,
        min_ess_bulk=mixing[bulk].ess_bulk,
        min_ess_tail=mixing[tail].ess_tail,
        min_ess_parameter=bulk if mixing[bulk].ess_bulk <= mixing[tail].ess_tail else tail,
        divergences=int(diverging.sum()),
        draws=diverging.size,
        engine=engine,
    )


def _worst(draws: FloatArray) -> Mixing:
    """The worst of all entries of a parameter, measure by measure."""
    entries = np.moveaxis(draws.reshape(*draws.shape[:2], -1), 2, 0)
    rhat, bulk, tail = np.array([measure(entry) for entry in entries]).T
    return Mixing(float(rhat.max()), float(bulk.min()), float(tail.min()))
