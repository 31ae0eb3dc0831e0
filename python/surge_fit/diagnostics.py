"""Whether a fit can be trusted: R-hat, effective sample size and divergences, checked for the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from surge_fit._compat import import_arviz

if TYPE_CHECKING:
    import xarray as xr

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
    """

    max_rhat: float
    max_rhat_parameter: str
    min_ess_bulk: float
    min_ess_tail: float
    min_ess_parameter: str
    divergences: int
    draws: int

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


def diagnose(tree: xr.DataTree) -> Diagnostics:
    """Check the chains of a fit.

    Parameters
    ----------
    tree : xarray.DataTree
        With the groups ``posterior`` and ``sample_stats``.

    Returns
    -------
    Diagnostics
    """
    arviz = import_arviz()
    posterior = tree["posterior"].to_dataset()
    rhat = _worst(arviz.rhat(posterior), largest=True)
    bulk = _worst(arviz.ess(posterior, method="bulk"), largest=False)
    tail = _worst(arviz.ess(posterior, method="tail"), largest=False)
    return Diagnostics(
        max_rhat=rhat[0],
        max_rhat_parameter=rhat[1],
        min_ess_bulk=bulk[0],
        min_ess_tail=tail[0],
        min_ess_parameter=min(bulk, tail)[1],
        divergences=int(tree["sample_stats"]["diverging"].sum()),
        draws=posterior.sizes["chain"] * posterior.sizes["draw"],
    )


def _worst(values: xr.Dataset, *, largest: bool) -> tuple[float, str]:
    extremes = {str(name): float(v.max() if largest else v.min()) for name, v in values.items()}
    name = max(extremes, key=extremes.__getitem__) if largest else min(extremes, key=extremes.__getitem__)
    return extremes[name], name
