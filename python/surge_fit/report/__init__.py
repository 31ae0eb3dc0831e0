"""The faces of a result: one `Report`, composed once, told as text or as JSON.

>>> from surge_fit.report import compose, to_text
>>> recommendations = sf.recommend(posterior, batch_size=[64, 4096])
>>> text = to_text(compose(posterior, recommendations))
>>> "extrapolated: outside the batch sizes tried" in text
True
"""

from surge_fit.report.comparison import comparison_to_text
from surge_fit.report.fit import (
    LawParameter,
    PopulationReport,
    Report,
    StepsReport,
    compose,
    compose_population,
)
from surge_fit.report.population import population_to_json, population_to_text
from surge_fit.report.progress import progress_bar
from surge_fit.report.records import comparison_to_json, law_to_json, sweep_to_json, to_json
from surge_fit.report.terminal import laws_to_text, sweep_to_text, to_text

__all__ = [
    "LawParameter",
    "PopulationReport",
    "Report",
    "StepsReport",
    "comparison_to_json",
    "comparison_to_text",
    "compose",
    "compose_population",
    "law_to_json",
    "laws_to_text",
    "population_to_json",
    "population_to_text",
    "progress_bar",
    "sweep_to_json",
    "sweep_to_text",
    "to_json",
    "to_text",
]
