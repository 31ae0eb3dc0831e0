"""How much of an answer is the prior's: what becomes of the posterior when priors or data weigh more.

Raising the prior, or the likelihood, to a power α near 1 moves the posterior. How far it moves per doubling
of α is the sensitivity (arXiv:2107.14054), measured by the cumulative Jensen–Shannon distance between the
posterior and the one reweighted by ``exp((α − 1) log density)``. A sensitivity of 0.05 is about what a mean
that moves by 0.3 standard deviations per doubling makes (same source). So close to α = 1 all weights are
alike, and need no smoothing; a test holds the numbers to those of ArviZ.

Scaled are the priors that a user chooses. The Gaussian processes around the laws and the groups' places in
their population are the model's own, and stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from surge_fit.errors import InputError
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray

Verdict: TypeAlias = Literal["data", "prior", "conflict"]

THRESHOLD = 0.05
"""Sensitivity from which on a posterior is said to move."""

SHIFT = 0.3
"""Standard deviations per doubling from which on a mean is said to move."""

_STEP = 0.01
_POWERS = (1 / (1 + _STEP), 1 + _STEP)


@dataclass(frozen=True, slots=True)
class PriorSensitivity:
    """How the posterior of one quantity moves when the priors or the likelihood weigh more.

    Attributes
    ----------
    quantity : str
        ``noise_scale``, ``max_learning_rate`` or ``critical_batch_size``, as in
        `surge_fit.estimate_parameters`, or ``optimal_learning_rate``; of each the logarithm.
    batch_size : float or None
        Of an optimal learning rate, in the sweep's batch unit.
    prior, likelihood : float
        Sensitivities to all priors together and to the likelihood; below 0.05 nothing moves to speak of.
    prior_shift, likelihood_shift : float
        How far the posterior mean moves per doubling [posterior standard deviations].
    strongest_prior : str
        The prior that moves mean and spread the most, by the name of its variable.
    """

    quantity: str
    batch_size: float | None
    prior: float
    likelihood: float
    prior_shift: float
    likelihood_shift: float
    strongest_prior: str

    @property
    def verdict(self) -> Verdict:
        """Whether data or priors lead.

        ``conflict``: priors and data pull the mean in opposite directions, both of them noticeably.
        ``prior``: the priors move the posterior, and at least as much as the data do: its interval comes
        mostly from them. ``data``: neither; the usual case.
        """
        if self.prior < THRESHOLD:
            return "data"
        opposed = self.prior_shift * self.likelihood_shift < 0
        if opposed and min(abs(self.prior_shift), abs(self.likelihood_shift)) >= SHIFT:
            return "conflict"
        return "prior" if self.prior >= self.likelihood else "data"


def has_densities(posterior: Posterior) -> bool:
    """Whether the posterior holds what `prior_sensitivity` needs; every fit does."""
    return {"log_prior", "log_likelihood"} <= set(posterior.draw_groups)


def prior_sensitivity(
    posterior: Posterior, *, batch_size: float | Sequence[float] = ()
) -> tuple[PriorSensitivity, ...]:
    """Tell how much of each answer is the prior's.

    Parameters
    ----------
    posterior : Posterior
    batch_size : float or sequence of float
        Where the optimal learning rate is looked at, in the sweep's batch unit.

    Returns
    -------
    tuple of PriorSensitivity
        The noise scale, the maximum learning rate and the critical batch size, as far as the fit has them,
        then one optimal learning rate for each batch size. A maximum that some draws do not have is left out.

    Raises
    ------
    InputError
        If a batch size is not a positive finite number, learning rates are asked for of a posterior that has
        none, or the posterior lacks the densities of its draws (`has_densities`).
    """
    if not has_densities(posterior):
        msg = (
            "Sensitivities need the log prior and the log likelihood of every draw, which `surge_fit.fit` "
            f"keeps; the posterior has the groups {', '.join(posterior.draw_groups)}. Fit the sweep again."
        )
        raise InputError(msg)
    sizes = np.atleast_1d(np.asarray(batch_size, dtype=np.float64)).tolist()
    weighed = _Weighed(posterior)
    sensitivities = [
        weighed.look_at(name, None, values)
        for name, values in _quantities(posterior).items()
        if np.isfinite(values).all()
    ]
    if sizes:
        optima = posterior.log_optimal_learning_rate(sizes)
        sensitivities += [
            weighed.look_at("optimal_learning_rate", size, optima[:, j]) for j, size in enumerate(sizes)
        ]
    return tuple(sensitivities)


def _quantities(posterior: Posterior) -> dict[str, FloatArray]:
    """Draws of what the laws are made of, logarithms, each of shape (draw,)."""
    quantities: dict[str, FloatArray] = {}
    if posterior.has_law:
        if "log_noise_scale" in posterior.law_draws:
            quantities["noise_scale"] = posterior.law_draws["log_noise_scale"]
        quantities["max_learning_rate"] = posterior.law_draws.supremum()
    if posterior.has_steps:
        quantities["critical_batch_size"] = posterior.draws("log_critical_batch_size")
    return quantities


class _Weighed:
    """The densities of a posterior's draws, by which they are reweighted."""

    def __init__(self, posterior: Posterior) -> None:
        data = posterior.draw_groups
        self.priors = {
            name: _of_draws(values)
            for name, (_, values) in data["log_prior"].variables.items()
            if not _belongs_to_the_model(name)
        }
        self.each_prior = np.stack(list(self.priors.values()))
        self.prior = self.each_prior.sum(axis=0)
        parts, sizes = data["log_likelihood"], data["posterior"].sizes
        self.likelihood = np.sum([_of_draws(values) for _, values in parts.variables.values()], axis=0)
        chains, draws = sizes["chain"], sizes["draw"]
        # The log likelihood of many runs is kept for some of the draws only.
        kept = np.asarray(parts.labels["draw"])
        self.kept = np.arange(chains * draws).reshape(chains, draws)[:, kept].ravel()

    def look_at(self, quantity: str, batch_size: float | None, values: FloatArray) -> PriorSensitivity:
        every, some = _Sorted(values), _Sorted(values[self.kept])
        return PriorSensitivity(
            quantity=quantity,
            batch_size=batch_size,
            prior=every.sensitivity(self.prior),
            likelihood=some.sensitivity(self.likelihood),
            prior_shift=every.shift(self.prior),
            likelihood_shift=some.shift(self.likelihood),
            strongest_prior=list(self.priors)[int(np.argmax(every.moved(self.each_prior)))],
        )


def _of_draws(values: FloatArray) -> FloatArray:
    """Sum over all but the draws; shape (draw,), chains one after another."""
    return np.asarray(values.reshape(values.shape[0] * values.shape[1], -1).sum(axis=1))


def _belongs_to_the_model(name: str) -> bool:
    return name in ("log_optimal_learning_rate", "steps_innovation") or name.endswith("_offset")


class _Sorted:
    """Draws of one number in ascending order, and how reweighting moves their distribution."""

    def __init__(self, values: FloatArray) -> None:
        self.order = np.argsort(values)
        self.values = values[self.order]
        self.gaps = np.diff(self.values)
        self.uniform = np.arange(1, len(values)) / len(values)
        self.standardised = (self.values - self.values.mean()) / (self.values.std() or 1.0)

    def sensitivity(self, log_density: FloatArray) -> float:
        """Distance per doubling of the power: its second derivative's root, by differences."""
        centred = (log_density - log_density.mean())[self.order]
        total = sum(self._distance(np.exp((power - 1) * centred)) for power in _POWERS)
        return float(total / (2 * math.log2(1 + _STEP)))

    def shift(self, log_density: FloatArray) -> float:
        """Change of the mean per doubling, in standard deviations: the covariance with the log density."""
        return float(math.log(2) * np.mean(self.standardised * log_density[self.order]))

    def moved(self, log_densities: FloatArray) -> FloatArray:
        """Change of mean and of log spread per doubling, together, for densities of shape (part, draw)."""
        sides = np.stack([self.standardised, 0.5 * (self.standardised**2 - 1)], axis=1)
        sides -= sides.mean(axis=0)
        change = log_densities[:, self.order] @ sides / len(self.values)
        return np.asarray(math.log(2) * np.abs(change).sum(axis=1))

    def _distance(self, weights: FloatArray) -> float:
        """The larger of the distances of the distribution functions and of those of the negated number."""
        reweighted = np.cumsum(weights / weights.sum())[:-1]
        upper, lower = 1 - self.uniform, np.maximum(1 - reweighted, 0.0)
        return max(self._one_sided(self.uniform, reweighted), self._one_sided(upper, lower))

    def _one_sided(self, p: FloatArray, q: FloatArray) -> float:
        """Cumulative Jensen–Shannon distance of two distribution functions, normalised to at most 1."""
        middle = 0.5 * (p + q)
        of_p, of_q = float(self.gaps @ p), float(self.gaps @ q)
        excess = (of_q - of_p) * 0.5 / math.log(2)
        from_p = float(self.gaps @ (p * np.log2(p / middle))) + excess
        from_q = float(self.gaps @ (q * np.log2(np.maximum(q, 1e-300) / middle))) - excess
        bound = of_p + of_q
        return math.sqrt((max(from_p, 0.0) + max(from_q, 0.0)) / bound) if bound > 0 else 0.0
