"""Draws of the free parameters → all that follows from them, in NumPy: `evaluation`, kept by `assembly`."""

from surge_fit.predictive.assembly import infer
from surge_fit.predictive.evaluation import (
    deterministics,
    log_density,
    log_likelihood,
    log_prior,
    predictive,
    prior_draws,
)

__all__ = [
    "deterministics",
    "infer",
    "log_density",
    "log_likelihood",
    "log_prior",
    "predictive",
    "prior_draws",
]
