"""Sentences of a report: the law's numbers as far as they are known, and every reason for caution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from surge_fit._support.wording import listing, plural
from surge_fit.decisions.estimates import ParameterEstimate
from surge_fit.decisions.recommendation import Recommendation
from surge_fit.decisions.sensitivity import PriorSensitivity
from surge_fit.posterior.value import Posterior
from surge_fit.report.numbers import batch_size, plain, probability, scientific, together

_NAMES = {
    "noise_scale": "noise scale",
    "max_learning_rate": "maximum learning rate",
    "critical_batch_size": "critical batch size",
    "overhead_batch_size": "batch size of 20 % more examples than the least",
    "min_steps": "least number of steps",
    "min_examples": "least number of examples",
}
_MOST_NAMED = 6
_WORTH_SAYING, _CERTAIN = 0.05, 0.995


def statement(estimate: ParameterEstimate, batch_unit: str) -> str:
    """Say what is known of one number of a law, and say so where it is not.

    Parameters
    ----------
    estimate : ParameterEstimate
    batch_unit : str

    Returns
    -------
    str
        ``noise scale: 340 examples (120 … 900, 90 % interval)``, or
        ``noise scale: not identified; ≥ 19 examples (95 %)``.
    """
    write = scientific if estimate.name == "max_learning_rate" else plain
    unit = "" if estimate.name in ("max_learning_rate", "min_steps") else f" {batch_unit}"
    if estimate.probability_none >= _CERTAIN:
        knowledge = "the law has none"
    elif estimate.identified:
        value, interval = together(estimate.median, estimate.interval, write)
        knowledge = f"{value}{unit} ({interval}, {100 * estimate.probability:.0f} % interval)"
    else:
        knowledge = "not identified"
        low, high = estimate.interval
        one_sided = f"({50 + 50 * estimate.probability:.0f} %)"
        if estimate.bound == "lower":
            knowledge += f"; ≥ {write(low, 2)}{unit} {one_sided}"
        elif estimate.bound == "upper":
            knowledge += f"; ≤ {write(high, 2)}{unit} {one_sided}"
        else:
            knowledge += "; the runs say little more than the prior"
    if _WORTH_SAYING <= estimate.probability_none < _CERTAIN:
        knowledge += f"; the law has no maximum with probability {estimate.probability_none:.2f}"
    return f"{_NAMES[estimate.name]}: {knowledge}"


def warnings_of(
    posterior: Posterior,
    parameters: Sequence[ParameterEstimate],
    recommendations: Sequence[Recommendation],
    sensitivities: Sequence[PriorSensitivity],
) -> tuple[str, ...]:
    """Collect every reason for caution, the gravest first.

    Parameters
    ----------
    posterior : Posterior
    parameters : sequence of ParameterEstimate
    recommendations : sequence of Recommendation
    sensitivities : sequence of PriorSensitivity

    Returns
    -------
    tuple of str
    """
    cautions = list(posterior.diagnostics.problems)
    cautions += [_extrapolated(recommendations)] if any(r.extrapolation for r in recommendations) else []
    cautions += _beyond_all_rates(recommendations, posterior)
    # Runs without a loss are named below, with what the fit made of them.
    cautions += [
        str(check)
        for check in posterior.sweep.checks()
        if check.severity != "note" and check.slug != "runs_without_loss"
    ]
    cautions += [_unused(posterior)] if posterior.observations.unused else []
    loose = [
        _NAMES[estimate.name]
        for estimate in parameters
        if not estimate.identified and estimate.probability_none < _CERTAIN
    ]
    if loose:
        verb, them = ("is", "it") if len(loose) == 1 else ("are", "them")
        cautions.append(
            f"The {listing(loose)} {verb} not identified by these runs: quote no value for {them}."
        )
    identified = {estimate.name for estimate in parameters if estimate.identified}
    # A number that is not identified has no interval to doubt.
    quoted = [s for s in sensitivities if s.batch_size is not None or s.quantity in identified]
    return (*cautions, *_led_by_priors(quoted))


def _led_by_priors(sensitivities: Sequence[PriorSensitivity]) -> Iterator[str]:
    """A sentence for each quantity that the runs do not decide, all batch sizes of one verdict together."""
    for sensitivity in sensitivities:
        if sensitivity.batch_size is None and sensitivity.verdict != "data":
            yield _led(f"the {_NAMES[sensitivity.quantity]}", [sensitivity])
    for verdict in ("prior", "conflict"):
        at = [s for s in sensitivities if s.batch_size is not None and s.verdict == verdict]
        if at:
            sizes = listing([batch_size(s.batch_size) for s in at if s.batch_size is not None])
            yield _led(f"the optimum at batch size{'s' if len(at) > 1 else ''} {sizes}", at)


def _led(quantity: str, alike: Sequence[PriorSensitivity]) -> str:
    priors = listing(list(dict.fromkeys(f"'{s.strongest_prior}'" for s in alike)))
    if alike[0].verdict == "prior":
        return (
            f"What is said of {quantity} comes mostly from the priors, most of all from {priors}: the runs "
            "move it less. Add runs that decide it, or make sure that the priors say what you know."
        )
    return (
        f"The priors, most of all {priors}, and the runs pull {quantity} in opposite directions. Look at the "
        "priors (--priors), and replace one that does not fit."
    )


def _extrapolated(recommendations: Sequence[Recommendation]) -> str:
    outside = [r for r in recommendations if r.extrapolation]
    sizes = listing([batch_size(r.batch_size) for r in outside])
    subject = f"Batch size {sizes} lies" if len(outside) == 1 else f"Batch sizes {sizes} lie"
    return (
        f"{subject} outside those tried, where the law is extrapolated. Try one or two runs there before a "
        "long one."
    )


def _beyond_all_rates(recommendations: Sequence[Recommendation], posterior: Posterior) -> Iterator[str]:
    """Sentences for rates beyond every rate tried, and for rates outside their own interval."""
    rates = posterior.sweep.learning_rate
    tried = rates[np.isfinite(rates)]
    if not len(tried) or not posterior.has_own_runs or posterior.sweep.kind != "runs":
        return
    lowest, highest = float(tried.min()), float(tried.max())
    beyond = [
        r
        for r in recommendations
        if not (lowest <= r.learning_rate <= highest)
        # Elsewhere the interval reaches far because nothing was tried there, which is said already.
        or (not r.extrapolation and not (lowest <= r.interval_90[0] and r.interval_90[1] <= highest))
    ]
    if beyond:
        yield (
            f"At batch size {listing([batch_size(r.batch_size) for r in beyond])} the learning rate or its "
            f"interval lies beyond every rate tried ({scientific(lowest)} … {scientific(highest)}): no run "
            "shows what happens there. Add runs at rates beyond those tried."
        )
    outside = [r for r in recommendations if not r.interval_90[0] <= r.learning_rate <= r.interval_90[1]]
    if outside:
        yield (
            f"At batch size {listing([batch_size(r.batch_size) for r in outside])} the rate of least regret "
            "lies outside the interval of the best one: a step to one side costs far more than to the other."
        )


def _unused(posterior: Posterior) -> str:
    unused = posterior.observations.unused
    named = [f"'{run}' ({reason})" for run, reason in unused]
    return (
        f"{len(unused)} of {plural(len(posterior.sweep), 'run')} {'tells' if len(unused) == 1 else 'tell'} "
        f"the fit nothing: {listing(named, _MOST_NAMED)}."
    )


def cost(expected_regret: float | None) -> str:
    """Write an expected regret, or nothing where no losses were fitted."""
    return "" if expected_regret is None else plain(max(expected_regret, 0.0), 2)


def chance(value: float | None) -> str:
    """Write a probability, or nothing where it is not known."""
    return "" if value is None else probability(value)
