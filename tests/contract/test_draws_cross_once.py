"""A recommendation stacks and checks the draws of its law once, and draws the joint optimum once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import surge_fit as sf
from support.posteriors import make_posterior
from surge_fit import _core
from surge_fit.law import LawDraws
from surge_fit.model import discrepancy

BATCH_SIZES = [32.0, 512.0, 4096.0]
COMPILED = [
    name for name in dir(_core) if name.startswith(("law_", "evaluate_law")) and name != "law_parameters"
]


def recorded(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[tuple[Any, ...]]:
    """Record the positional arguments of every call of a function, which works as before."""
    original: Callable[..., Any] = getattr(owner, name)
    calls: list[tuple[Any, ...]] = []

    def wrapper(*arguments: Any, **named: Any) -> Any:
        calls.append(arguments)
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, wrapper)
    return calls


def test_a_recommendation_checks_its_draws_once_and_draws_the_joint_optimum_once(monkeypatch):
    posterior = make_posterior()
    matrices = recorded(monkeypatch, LawDraws, "__post_init__")
    deviations = recorded(monkeypatch, discrepancy, "conditional_draws")
    found = sf.recommend(posterior, batch_size=BATCH_SIZES, current_learning_rate=1e-3)
    assert len(found) == len(BATCH_SIZES)
    assert len(matrices) == 1
    assert len(deviations) == 1


def test_a_recommendation_hands_rust_one_matrix_and_never_a_copy(monkeypatch):
    posterior = make_posterior()
    calls = [recorded(monkeypatch, _core, name) for name in COMPILED]
    sf.recommend(posterior, batch_size=BATCH_SIZES)
    handed = [parameters for made in calls for _, parameters, *_ in made]
    # The law at the targets, at those tried, and around the targets for its slope; the peak; the regret.
    assert len(handed) == 5
    assert all(parameters is posterior.law_draws.parameters for parameters in handed)
    assert handed[0].flags.c_contiguous
    assert not handed[0].flags.writeable
    assert handed[0].dtype == np.float64
