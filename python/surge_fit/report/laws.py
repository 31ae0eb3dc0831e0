"""Laws: name and formula, parameters, regime and reference."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from surge_fit._support.json_text import strict_dict
from surge_fit.law import Law
from surge_fit.report.blocks import Block, Line


def blocks(laws: Iterable[Law]) -> list[Block]:
    """Tell laws as text."""
    text: list[Block] = []
    for law in laws:
        parameters = ", ".join(parameter.symbol for parameter in law.parameters)
        text += [
            Line(f"{law.name} ({law.title})", "heading"),
            Line(law.formula, bullet="  formula     "),
            Line(parameters, bullet="  parameters  "),
            Line(law.regime, bullet="  regime      "),
            Line(law.reference, bullet="  reference   "),
            None,
        ]
    return text[:-1]


def record(laws: Iterable[Law]) -> list[dict[str, Any]]:
    """Tell laws as a list of dicts for strict JSON."""
    return [_law(law) for law in laws]


def _law(law: Law) -> dict[str, Any]:
    return strict_dict(
        {
            "name": law.name,
            "title": law.title,
            "formula": law.formula,
            "parameters": [
                {
                    "name": parameter.name,
                    "symbol": parameter.symbol,
                    "unit": parameter.unit,
                    "role": parameter.role,
                    "prior": None if parameter.prior is None else str(parameter.prior),
                    "description": parameter.description,
                }
                for parameter in law.parameters
            ],
            "regime": law.regime,
            "reference": law.reference,
        }
    )
