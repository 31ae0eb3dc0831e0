"""The native engine's log density and gradient against PyMC's, all constants included.

A term that is changed in one of the two and not in the other fails here, by name: the parts of PyMC's log
density are compared one by one where the sums differ.
"""

from functools import cache

import numpy as np
import pytensor.tensor as pt
import pytest
import surge_fit as sf
from pytensor.compile.mode import Mode
from surge_fit.model.in_pymc import assemble
from surge_fit.model.spec import Model
from surge_fit.sampling import native

INTERPRETED = Mode(linker="py", optimizer="None")
OPTIMISED = None
"""Slow to build; the other takes log(1 − p) as it stands, and loses digits where p is nearly one."""
RNG = np.random.default_rng(5)
SIZES = np.repeat([8, 64, 512], 4)
RATES = np.tile([1e-3, 2e-3, 4e-3, 1.6e-2], 3)
# Two losses are huge (censored), one is infinite (diverged), some have a standard error.
LOSS = [2.0, 1.9, 2.05, 2.6, 2.1, 1.7, 1.75, 80.0, 2.2, 1.8, 95.0, np.inf]
SE = [0.0, 0.01, 0.0, 0.02] * 3
STEPS = [9e3, None, None, None, None, 1.5e3, None, None, None, None, None, None]
ENDED = [9e3, 7e3, 7e3, 7e3, 7e3, 1.5e3, 2e3, 2e3, 800, 700, 900, 900]

LIKELIHOODS = {
    "losses": {"batch_size": SIZES, "learning_rate": RATES, "loss": LOSS, "loss_se": SE},
    "optima": {
        "batch_size": [8, 64, 512, 2048],
        "optimal_learning_rate": [1e-3, 2e-3, 3e-3, 2e-3],
        "grid_step": [0.7] * 4,
    },
    "steps": {"batch_size": [8, 64, 512], "steps_to_target": [9e3, 1.5e3, None], "steps": [9e3, 1.5e3, 500]},
    "losses and steps": {
        "batch_size": SIZES,
        "learning_rate": RATES,
        "loss": LOSS,
        "loss_se": SE,
        "steps_to_target": STEPS,
        "steps": ENDED,
    },
}
GROUPS = ("one group", "two groups", "two groups with a covariate")


def described(law, likelihood, groups):
    columns = {name: list(values) for name, values in LIKELIHOODS[likelihood].items()}
    if groups == "one group":
        return Model.of(sf.Sweep.from_columns(**columns, batch_unit="examples"), law)
    count = len(columns["batch_size"])
    doubled = {name: values * 2 for name, values in columns.items()}
    sweep = sf.Sweep.from_columns(
        **doubled, params=[1e8] * count + [7e8] * count, group_by="params", batch_unit="examples"
    )
    return Model.of(sweep, law, covariates=["params"] if groups.endswith("covariate") else [])


def compare(law, likelihood, groups, points):
    model = described(law, likelihood, groups)
    ours, theirs = native.assemble(model), assemble(model)
    start = theirs.initial_point()
    value_of = {variable.name: theirs.rvs_to_values[variable].name for variable in theirs.free_RVs}
    assert set(value_of) == {name for name, *_ in ours.variables()}
    # PyTensor's interpreter adds no more than 32 terms at once; a vector of them it sums.
    total = pt.stack([part.sum() for part in theirs.logp(sum=False)]).sum()

    @cache
    def compiled(mode):
        return theirs.compile_fn([total, *pt.grad(total, theirs.value_vars)], mode=mode)

    for _ in range(points):
        position, point = [], {}
        for name, _start, entries, _scale in ours.variables():
            centre = np.ravel(start[value_of[name]])
            values = centre + 0.4 * RNG.standard_normal(centre.size)
            position.append(values)
            point[value_of[name]] = values if entries is not None else values[0]
        (value,), (gradient,) = ours.log_density(np.concatenate(position)[None])
        expected, *slopes = compiled(INTERPRETED)(point)
        if value != pytest.approx(expected, rel=1e-9):
            expected, *slopes = compiled(OPTIMISED)(point)
        if value != pytest.approx(expected, rel=1e-9):
            parts = theirs.point_logps(point, round_vals=12)
            pytest.fail(f"log density {value} against {expected}; PyMC's terms are {parts}")
        by_name = {v.name: np.ravel(slope) for v, slope in zip(theirs.value_vars, slopes, strict=True)}
        scale = 1.0 + np.abs(gradient).max()
        for name, first, entries, _scale in ours.variables():
            mine = gradient[first : first + (entries or 1)]
            assert mine == pytest.approx(by_name[value_of[name]], rel=1e-9, abs=1e-9 * scale), name


@pytest.mark.parametrize(
    ("law", "likelihood", "groups"),
    [
        ("broken_power", "losses", "one group"),
        ("surge_free_exponent", "optima", "two groups"),
        ("constant", "steps", "one group"),
        ("saturating_surge", "losses and steps", "two groups with a covariate"),
    ],
)
def test_the_density_is_that_of_the_pymc_model(law, likelihood, groups):
    compare(law, likelihood, groups, points=5)


@pytest.mark.slow
@pytest.mark.parametrize("groups", GROUPS)
@pytest.mark.parametrize("likelihood", sorted(LIKELIHOODS))
@pytest.mark.parametrize("law", sorted(sf.LAWS))
def test_every_model_has_the_density_of_its_pymc_model(law, likelihood, groups):
    compare(law, likelihood, groups, points=200)
