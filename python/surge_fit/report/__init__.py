"""The faces of a result: one `Report`, composed once, told as text or as JSON.

>>> from surge_fit.report import compose, to_text
>>> print(to_text(compose(posterior, recommendations)))  # doctest: +SKIP
"""

from surge_fit.report.as_json import comparison_to_json, law_to_json, sweep_to_json, to_json
from surge_fit.report.comparison_text import comparison_to_text
from surge_fit.report.content import LawParameter, Report, StepsReport, compose
from surge_fit.report.progress import progress_bar
from surge_fit.report.text import laws_to_text, sweep_to_text, to_text

__all__ = [
    "LawParameter",
    "Report",
    "StepsReport",
    "comparison_to_json",
    "comparison_to_text",
    "compose",
    "law_to_json",
    "laws_to_text",
    "progress_bar",
    "sweep_to_json",
    "sweep_to_text",
    "to_json",
    "to_text",
]
