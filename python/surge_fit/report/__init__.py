"""Results in words: one file for each, with `blocks(result)` for people and `record(result)` for programs.

`render` lays blocks out for a terminal or a file; a record is a dict for strict JSON.

>>> from surge_fit.report import compose, fit, render
>>> recommendations = sf.recommend(posterior, batch_size=[64, 4096])
>>> text = render(fit.blocks(compose(posterior, recommendations)))
>>> "extrapolated: outside the batch sizes tried" in text
True
"""

from surge_fit.report.blocks import render
from surge_fit.report.composition import (
    LawParameter,
    PopulationReport,
    Report,
    StepsReport,
    compose,
    compose_population,
)
from surge_fit.report.progress import progress_bar

__all__ = [
    "LawParameter",
    "PopulationReport",
    "Report",
    "StepsReport",
    "compose",
    "compose_population",
    "progress_bar",
    "render",
]
