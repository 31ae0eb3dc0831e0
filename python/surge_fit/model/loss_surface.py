"""The loss around its optimum: a valley in the log learning rate, and a wall beyond which runs diverge.

The distance u is the log of a learning rate minus the log of the optimal one. Every formula is written once,
over an array namespace: `numpy`, or `pytensor.tensor` inside a model.
"""

import math
from typing import Any

from surge_fit.typing import Namespace

STUDENT_T_DEGREES = 5.0
"""Degrees of freedom of every residual; `log_survival` is exact for this value only."""

_SERIES_LIMIT = 1e-2

_INTEGRAL_OF_SIN4 = (1 / 5, -2 / 21, 1 / 45, -34 / 10395, 62 / 184275)
"""∫₀^θ sin⁴ over θ⁵, in powers of θ²."""


def valley(xp: Namespace, u: Any, rate: Any, asymmetry: Any) -> Any:
    """Loss above the optimum at distance `u`, for unit curvature.

    ``h(u) = log[(q e^(pu) + p e^(−qu))/(p + q)]/(pq)``, the cumulant generating function of a centred
    two-point variable over its variance: convex, h(0) = h'(0) = 0, h''(0) = 1, with slopes that tend to 1/q
    for u → ∞ and to −1/p for u → −∞.

    Parameters
    ----------
    xp : module
        `numpy` or `pytensor.tensor`.
    u : array
        Distance from the optimum in natural log of the learning rate.
    rate : array
        Geometric mean of p and q; positive. The larger, the sooner the valley turns into straight lines.
    asymmetry : array
        log(p/q); positive where a learning rate too high costs more than one too low.

    Returns
    -------
    array
        h(u), to 1e-9 of its value at any u, without overflow.
    """
    p = rate * xp.exp(0.5 * asymmetry)
    q = rate * xp.exp(-0.5 * asymmetry)
    distance = xp.abs(u)
    along, across = xp.where(u > 0, p, q), xp.where(u > 0, q, p)
    total = p + q
    far = (along * distance + xp.log((along * xp.exp(-total * distance) + across) / total)) / (p * q)
    return xp.where(total * distance < _SERIES_LIMIT, _series(xp, u, p, q), far)


def _series(xp: Namespace, u: Any, p: Any, q: Any) -> Any:
    """Evaluate h near 0, where its closed form cancels: the second to sixth cumulants, over pq."""
    skew, product, square = p - q, p * q, (p + q) ** 2
    # Far away, where the other form is taken, this one must not overflow: nor must its gradient.
    near = xp.where((p + q) * xp.abs(u) < _SERIES_LIMIT, u, 0.0)
    fourth = square - 6.0 * product
    fifth = skew * (square - 12.0 * product)
    sixth = square * (square - 30.0 * product) + 120.0 * product**2
    total = sixth / 720.0 * near + fifth / 120.0
    total = total * near + fourth / 24.0
    total = total * near + skew / 6.0
    return (total * near + 0.5) * near**2


def loss_variance(noise: Any, shape_error: Any, depth: Any, standard_error: Any = 0.0) -> Any:
    """Squared scale of a loss around the valley, from run to run.

    Parameters
    ----------
    noise : array
        Standard deviation of the loss at the optimum.
    shape_error : array
        Relative error of the valley's shape.
    depth : array
        Loss above the optimum, as the valley has it.
    standard_error : array
        Standard error of the loss itself, where it is known.

    Returns
    -------
    array
    """
    return noise**2 + (shape_error * depth) ** 2 + standard_error**2


def divergence_logit(u: Any, wall: Any, wall_width: Any) -> Any:
    """Log odds that a run at distance `u` diverges: ``(u − wall)/wall_width``."""
    return (u - wall) / wall_width


def divergence_probability(xp: Namespace, u: Any, wall: Any, wall_width: Any) -> Any:
    """Probability that a run at distance `u` diverges.

    Parameters
    ----------
    xp : module
        `numpy` or `pytensor.tensor`.
    u : array
        Distance from the optimum in natural log of the learning rate.
    wall : array
        Distance at which half of the runs diverge; inf where none do.
    wall_width : array
        Width of the transition in natural log of the learning rate; positive.

    Returns
    -------
    array
        ``1/(1 + exp(−(u − wall)/wall_width))``, without overflow.
    """
    logit = divergence_logit(u, wall, wall_width)
    small = xp.exp(-xp.abs(logit))
    return xp.where(logit < 0, small, 1.0) / (1.0 + small)


def log_survival(xp: Namespace, t: Any) -> Any:
    """Log P(T > t) of Student's t with `STUDENT_T_DEGREES` degrees of freedom, exact in both tails.

    With θ = arctan(√5 / t) in (0, π), P(T > t) = 8/(3π) ∫₀^θ sin⁴ = (θ − sin θ cos θ (1 + ⅔ sin² θ))/π;
    for small θ the integral's series, since the closed form cancels; its terms give 13 digits below 0.1, in
    the derivative as well.

    Parameters
    ----------
    xp : module
        `numpy` or `pytensor.tensor`.
    t : array
        Residual over its scale.

    Returns
    -------
    array
    """
    theta = xp.arctan2(math.sqrt(STUDENT_T_DEGREES), t)
    sine = xp.sin(theta)
    closed = (theta - sine * xp.cos(theta) * (1 + 2 / 3 * sine**2)) / math.pi
    small = xp.minimum(theta, 0.1)
    square = small**2
    series = sum(term * square**power for power, term in enumerate(_INTEGRAL_OF_SIN4))
    series = 8 / (3 * math.pi) * small**5 * series
    return xp.log(xp.where(theta < 0.1, series, closed))


def log_huge_loss(xp: Namespace, logit: Any, survival: Any) -> Any:
    """Log probability of a huge loss, which may be a divergence that stopped short of infinity.

    Parameters
    ----------
    xp : module
        `numpy` or `pytensor.tensor`.
    logit : array
        Log odds that the run diverges.
    survival : array
        Log S, the log probability that a run of the valley exceeds the threshold.

    Returns
    -------
    array
        log(π + (1 − π) S) with π = e^logit / (1 + e^logit).
    """
    return xp.logaddexp(logit, survival) - xp.logaddexp(0.0, logit)
