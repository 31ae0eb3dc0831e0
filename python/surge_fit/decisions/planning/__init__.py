"""Posterior → the runs to make next: those that shrink the expected regret most per unit of cost.

>>> from surge_fit.decisions.planning import next_runs
>>> next_runs(posterior, batch_size=4096, count=4).runs  # doctest: +SKIP
"""

from surge_fit.decisions.planning.campaign import next_runs
from surge_fit.decisions.planning.value import NextRun, NextRuns

__all__ = ["NextRun", "NextRuns", "next_runs"]
