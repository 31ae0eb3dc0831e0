"""The examples of docstrings run and print what they say.

Every example finds ``sf``, ``np``, ``sweep`` and ``posterior`` as the page of the package defines them.
"""

import doctest
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest
import surge_fit as sf

PACKAGE = Path(sf.__file__).parent


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = sorted(
    _module_name(path) for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")
)

FUNCTIONS = [name for name in sf.__all__ if inspect.isfunction(getattr(sf, name))]

MADE_BY_HAND = ["HalfNormal", "Law", "LogNormal", "Normal", "Parameter", "Posterior", "StudentT", "Sweep"]
"""Classes that users make or ask themselves; the others are what the functions return."""


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.usefixtures("reading_folder")
def test_examples_print_what_they_say(module: str, posterior: sf.Posterior) -> None:
    known = {"sf": sf, "np": np, "sweep": posterior.sweep, "posterior": posterior}
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), extraglobs=known)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for test in tests:
        runner.run(test, out=report.append)
    assert not report, "\n".join(report)


@pytest.mark.parametrize("name", [*FUNCTIONS, *MADE_BY_HAND])
def test_every_public_function_shows_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(sf, name)) or ""), f"sf.{name} needs an Examples section"
