"""Posterior → the runs to make next: those that shrink the expected regret most per unit of cost.

>>> from surge_fit.decisions.planning import next_runs
>>> plan = next_runs(posterior, batch_size=64, candidates=[(64, 3e-3)], count=1)
>>> [(run.batch_size, run.learning_rate) for run in plan.runs]
[(64.0, 0.003)]
"""

from surge_fit.decisions.planning.campaign import next_runs
from surge_fit.decisions.planning.value import NextRun, NextRuns

__all__ = ["NextRun", "NextRuns", "next_runs"]
