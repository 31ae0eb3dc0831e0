"""What others do with the same few runs: each peer is a function of a sparse sweep and batch sizes.

A peer returns natural logs of learning rates, shape (batch_size,), or raises `NotApplicable` with the reason.
Runs that did not finish have no loss and are not seen.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from surge_fit import Sweep, get_law

Array: TypeAlias = NDArray[np.float64]
Peer: TypeAlias = Callable[[Sweep, Array], Array]

REACH = 2.0
"""The quadratic surface is minimised over the tried log rates and this much beyond either end."""

CAP = 3.0
"""Surfaces see losses at most this many median excesses above the best: runs that blew up would bend them."""

PALINGENESIS_TOKENS = 100_000.0
"""The critical batch size [tokens] that palingenesis takes for all models."""


class NotApplicable(Exception):  # noqa: N818 - not an error: the column says why it is empty
    """A peer lacks something that it needs."""


def optima(sweep: Sweep) -> tuple[Array, Array]:
    """Log batch sizes and, at each, the log rate of the best finished run."""
    done = sweep.where(sweep.is_finished & np.isfinite(sweep.loss))
    if not len(done):
        msg = "no run finished"
        raise NotApplicable(msg)
    best = [done.where(done.batch_size == size).best_run() for size in done.batch_sizes]
    return np.log(done.batch_sizes), np.log([run.learning_rate for run in best])


def nearest(sweep: Sweep, sizes: Array, exponent: float = 0.0) -> Array:
    """Best rate of the nearest tried batch size, times a power of the ratio; of two as near, the smaller."""
    x, y = optima(sweep)
    log_sizes = np.log(sizes)
    near = np.argmin(np.abs(log_sizes[:, None] - x), axis=1)
    return y[near] + exponent * (log_sizes - x[near])


def rule(sweep: Sweep, sizes: Array, exponent: float) -> Array:
    """Rate of the best run times a power of the ratio of batch sizes."""
    size, rate = _best(sweep)
    return rate + exponent * (np.log(sizes) - size)


def constant(sweep: Sweep, sizes: Array) -> Array:
    """Geometric mean of the best rates of the batch sizes."""
    return np.full(len(sizes), optima(sweep)[1].mean())


def power_law(sweep: Sweep, sizes: Array) -> Array:
    """Straight line through the best rates by least squares in logs (arXiv:2503.04715, 2401.02954)."""
    x, y = _several_optima(sweep)
    return np.polyval(np.polyfit(x, y, 1), np.log(sizes))


def surge_law(sweep: Sweep, sizes: Array) -> Array:
    """Surge law through the best rates by least squares in logs (the procedure of arXiv:2405.14578)."""
    scale, noise = _least_squares("surge", *_several_optima(sweep))
    return scale + get_law("surge").shape(np, np.log(sizes), log_noise_scale=noise)


def quadratic_surface(sweep: Sweep, sizes: Array) -> Array:
    """Response surface: the loss quadratic in both logs, least over the rate.

    Huge losses are capped (`CAP`). Where the fitted surface has no minimum in the rate, the rate of the
    nearest batch size.
    """
    x, y, loss = _capped(sweep)
    x0, y0 = x.mean(), y.mean()
    u, v = x - x0, y - y0
    terms = np.stack([np.ones_like(u), u, u**2, v, u * v, v**2], axis=1)
    (*_, b, tilt, c), *_ = np.linalg.lstsq(terms, loss, rcond=None)
    if c <= 0:
        return nearest(sweep, sizes)
    vertex = y0 - (b + tilt * (np.log(sizes) - x0)) / (2 * c)
    return np.clip(vertex, y.min() - REACH, y.max() + REACH)


def gaussian_process(sweep: Sweep, sizes: Array) -> Array:
    """Gaussian process over both logs (anisotropic RBF and noise, maximum likelihood); least posterior mean.

    Huge losses are capped (`CAP`). The mean says nothing beyond the tried rates: it is minimised over these.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    except ImportError:
        msg = "scikit-learn is not installed"
        raise NotApplicable(msg) from None
    x, y, loss = _capped(sweep)
    lengths = RBF([2.0, 1.0], [(0.1, 100.0), (0.1, 100.0)])
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * lengths + WhiteKernel(1e-2, (1e-6, 1.0))
    model = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0)
    candidates = np.linspace(y.min(), y.max(), 401)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(np.stack([x, y], axis=1), loss)
    mean = [model.predict(np.stack([np.full(401, size), candidates], axis=1)) for size in np.log(sizes)]
    return candidates[np.argmin(mean, axis=1)]


def adaptdl(sweep: Sweep, sizes: Array, law: str) -> Array:
    """AdaptDL's gain from the best run, with the noise scale of the law that the gain assumes.

    Its `AdaScale.gain` is (var + sqr)/(var/scale + sqr), with scale = B/B₀, var = tr Σ/B₀ and sqr = |G|² of
    the run: (1 + N/B₀)/(1 + N/B) for a noise scale N = tr Σ/|G|², the ``sgd`` law anchored at (B₀, lr₀).
    `AdamScale` takes its square root: ``large_batch_half``. AdaptDL measures N during a run; a table of runs
    has no gradients, so N is that of the law by least squares through the best rates.
    Source: petuum/adaptdl, adaptdl/torch/scaling_rules.py.
    """
    _, noise = _least_squares(law, *_several_optima(sweep))
    return _anchored(sweep, sizes, lambda log_size: get_law(law).shape(np, log_size, log_noise_scale=noise))


def palingenesis(sweep: Sweep, sizes: Array, sequence_length: float | None) -> Array:
    """Batch factor of palingenesis, r/(1 + r)^1.5, r = B/100,000 tokens, from the best run.

    Source: mii-llm/palingenesis, autopilot/adaptive_sweep.py, `_surge_aware_batch_factor` (said to peak at
    r = 1; as published it peaks at r = 2).
    """
    tokens = {"tokens": 1.0, "sequences": sequence_length}.get(sweep.batch_unit)
    if tokens is None:
        msg = "defined for batches of tokens; give --sequence-length"
        raise NotApplicable(msg)

    def factor(log_size: Array) -> Array:
        ratio = np.exp(log_size) * tokens / PALINGENESIS_TOKENS
        return np.log(ratio) - 1.5 * np.log1p(ratio)

    return _anchored(sweep, sizes, factor)


def peers(sequence_length: float | None = None) -> Mapping[str, Peer]:
    """All peers by the name of their column.

    Parameters
    ----------
    sequence_length : float, optional
        Tokens per sequence, where the batch sizes count sequences.
    """
    return {
        "sqrt rule, best run": partial(rule, exponent=0.5),
        "sqrt rule, nearest batch": partial(nearest, exponent=0.5),
        "linear rule, best run": partial(rule, exponent=1.0),
        "linear rule, nearest batch": partial(nearest, exponent=1.0),
        "rate of the nearest batch": nearest,
        "constant": constant,
        "power law, least squares": power_law,
        "surge law, least squares": surge_law,
        "quadratic surface": quadratic_surface,
        "Gaussian process": gaussian_process,
        "AdaptDL AdaScale": partial(adaptdl, law="sgd"),
        "AdaptDL AdamScale": partial(adaptdl, law="large_batch_half"),
        "palingenesis": partial(palingenesis, sequence_length=sequence_length),
    }


def _best(sweep: Sweep) -> tuple[float, float]:
    """Log batch size and log rate of the best finished run."""
    optima(sweep)  # refuses a sweep of which no run finished
    run = sweep.best_run()
    return float(np.log(run.batch_size)), float(np.log(run.learning_rate))


def _several_optima(sweep: Sweep) -> tuple[Array, Array]:
    x, y = optima(sweep)
    if len(x) < 2:
        msg = "runs finished at one batch size only"
        raise NotApplicable(msg)
    return x, y


def _capped(sweep: Sweep) -> tuple[Array, Array, Array]:
    """Log batch size, log rate and capped loss of the finished runs."""
    optima(sweep)
    done = sweep.is_finished & np.isfinite(sweep.loss)
    loss = sweep.loss[done]
    excess = loss - loss.min()
    return (
        np.log(sweep.batch_size[done]),
        np.log(sweep.learning_rate[done]),
        np.minimum(excess, CAP * np.median(excess)),
    )


def _anchored(sweep: Sweep, sizes: Array, curve: Callable[[Array], Array]) -> Array:
    """Shift a curve over log batch size so that it passes through the best run."""
    size, rate = _best(sweep)
    return rate + curve(np.log(sizes)) - curve(np.array(size))


def _least_squares(law: str, x: Array, y: Array) -> tuple[float, float]:
    """Scale and log noise scale of a law with these two parameters.

    The scale that fits best is a mean, so only the noise scale is searched: over a table that reaches four
    decades beyond the batch sizes, then by Brent's method between the neighbours of its best entry.
    """
    shape = get_law(law).shape

    def misfit(log_noise_scale: float) -> float:
        return float(np.var(y - shape(np, x, log_noise_scale=log_noise_scale)))

    table = np.linspace(x.min() - np.log(1e4), x.max() + np.log(1e4), 401)
    best = int(np.argmin([misfit(value) for value in table]))
    low, high = table[max(best - 1, 0)], table[min(best + 1, len(table) - 1)]
    noise = float(minimize_scalar(misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x)
    return float(np.mean(y - shape(np, x, log_noise_scale=noise))), noise
