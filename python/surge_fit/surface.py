"""The loss around its optimum: a valley in the log learning rate, and a wall beyond which runs diverge.

The distance u is the log of a learning rate minus the log of the optimal one. Every formula is written once,
over an array namespace: `numpy`, or `pytensor.tensor` inside a model.
"""

from typing import Any

from surge_fit.typing import Namespace

_SERIES_LIMIT = 1e-2


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
