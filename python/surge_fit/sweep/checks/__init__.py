"""Checks of a sweep: what to know about it before trusting a fit of it.

Each check looks for one thing and reports it at most once, naming the batch sizes at which it found it.
A sweep that fails a check of severity ``error`` cannot be fitted.
"""

from surge_fit.sweep.checks.checking import check_sweep
from surge_fit.sweep.checks.finding import Finding

__all__ = ["Finding", "check_sweep"]
