"""Coordinates of posteriors of many groups: exact where these are normal, and what they do for fits."""

import numpy as np
import pytest
import surge_fit as sf
from support.native_draws import reported_and_own_density
from surge_fit import _core
from surge_fit.model.spec import Model
from surge_fit.sampling import native
from surge_fit.sampling.block_transform import learn_blocks
from surge_fit.sampling.mixing import measure

GROUPS = 40
NONE = np.zeros(0, dtype=int)


def group_of(shared):
    """What is shared, then two entries of each group: the first ones of all groups, then the second ones."""
    return np.concatenate([np.full(shared, -1), np.arange(GROUPS), np.arange(GROUPS)])


def a_normal():
    """Its precision: three shared entries, and groups that are stiff, correlated, and coupled to them."""
    rng = np.random.default_rng(1)
    precision = np.diag(np.concatenate([[2.0, 30.0, 500.0], np.ones(2 * GROUPS)]))
    for group in range(GROUPS):
        one, other = 3 + group, 3 + GROUPS + group
        block = np.array([[40.0, 11.0], [11.0, 4.0]]) * rng.uniform(0.5, 2.0)
        precision[np.ix_([one, other], [one, other])] = block
        coupling = 0.4 * rng.standard_normal((3, 2))
        precision[np.ix_([0, 1, 2], [one, other])] = coupling
        precision[np.ix_([one, other], [0, 1, 2])] = coupling.T
        precision[:3, :3] += coupling @ np.linalg.inv(block) @ coupling.T
    return precision


def test_a_normal_posterior_becomes_white():
    precision = a_normal()
    size = len(precision)
    draws = np.random.default_rng(2).multivariate_normal(
        np.full(size, 3.0), np.linalg.inv(precision), size=(4, 2000)
    )

    def density(positions):
        gradient = -(positions - 3.0) @ precision
        return 0.5 * ((positions - 3.0) * gradient).sum(axis=1), gradient

    # Every draw is the last one of a chain of its own, so all of them come back in the coordinates.
    found = learn_blocks(draws.reshape(-1, 1, size), group_of(3), NONE, density)
    apart = np.linalg.eigvalsh(np.cov(found.starts.T))
    # Eigenvalues of a unit covariance of 83 numbers, from 8,000 draws: (1 ∓ √(83/8000))² = 0.81 and 1.21.
    assert apart[0] > 0.75
    assert apart[-1] < 1.3
    alone = np.linalg.eigvalsh(np.corrcoef(draws.reshape(-1, size).T))
    assert alone[-1] / alone[0] > 10 * apart[-1] / apart[0]


def test_widths_follow_the_spread_as_far_as_the_runs_do_not_tell():
    """Offsets and values of spread e^q around zero, half of them seen with an error of a hundredth."""
    seen = np.where(np.arange(GROUPS) % 2 == 0, 1e4, 0.0)

    def density(positions):
        q, offsets, values = positions[:, :1], positions[:, 1 : GROUPS + 1], positions[:, GROUPS + 1 :]
        spread = np.exp(q)
        of_offsets, of_values = offsets + seen * spread**2 * offsets, values / spread**2 + seen * values
        by_spread = (
            GROUPS + q + (seen * (spread * offsets) ** 2 - (values / spread) ** 2).sum(axis=1)[:, None]
        )
        return np.zeros(len(positions)), -np.concatenate([by_spread, of_offsets, of_values], axis=1)

    rng = np.random.default_rng(3)
    q = 0.1 * rng.standard_normal((4, 500, 1))
    spread, z = np.exp(q), rng.standard_normal((2, 4, 500, GROUPS))
    offsets, values = z[0] / np.sqrt(1 + seen * spread**2), z[1] / np.sqrt(1 / spread**2 + seen)
    draws = np.concatenate([q, offsets, values], axis=2)
    found = learn_blocks(draws, group_of(1), np.array([0]), density)
    column = {int(entry): place for place, entry in enumerate(found.others)}
    of_offsets = [found.exponent[0, column[1 + group]] for group in range(GROUPS)]
    of_values = [found.exponent[0, column[1 + GROUPS + group]] for group in range(GROUPS)]
    assert of_offsets == pytest.approx(np.where(seen > 0, -1, 0), abs=0.1)
    assert of_values == pytest.approx(np.where(seen > 0, 0, 1), abs=0.1)


def a_pooled_model(groups):
    """Of as many groups as asked for, at three batch sizes each."""
    columns = {name: [] for name in ("params", "batch_size", "learning_rate", "loss")}
    rng = np.random.default_rng(4)
    for group in range(groups):
        best = np.log(2e-3) + 0.2 * rng.standard_normal()
        for batch_size in (16, 128, 1024):
            optimum = best + 0.3 * np.log(batch_size / 128)
            for rate in np.log([5e-4, 1e-3, 2e-3, 4e-3, 8e-3]):
                columns["params"].append(1e8 * 1.1**group)
                columns["batch_size"].append(batch_size)
                columns["learning_rate"].append(np.exp(rate))
                columns["loss"].append(2 + 0.05 * (rate - optimum) ** 2 + 0.005 * rng.standard_normal())
    sweep = sf.Sweep.from_columns(**columns, batch_unit="examples", group_by="params")
    return native.assemble(Model.of(sweep, "power"))


def test_the_reported_log_density_of_a_draw_is_its_density_in_the_variables_of_the_model():
    model = a_pooled_model(20)
    assert not model.is_small()
    reported, own = reported_and_own_density(model)
    assert reported == pytest.approx(own, rel=1e-9)


def test_every_entry_of_a_group_is_found():
    groups = a_pooled_model(20).group_of_entries()
    # Per group log lr_ref, exponent and log curvature; three optima and three floors.
    assert [groups.count(group) for group in range(20)] == [9] * 20
    one = {name: 1 if entries is None else entries for name, _, entries, _ in a_pooled_model(20).variables()}
    assert groups.count(None) == sum(one.values()) - 9 * 20


def test_pooled_fits_mix_better_than_in_the_variables_of_the_model():
    model = a_pooled_model(20)
    settings = {"chains": 4, "tune": 600, "draws": 500, "target_accept": 0.95}
    ((learnt, statistics),) = native.sample([model], [0], **settings)
    (as_it_is,) = _core.sample_posteriors([model], [0], [None], **settings, threads=2, progress=None)
    start = {name: first for name, first, entries, _ in model.variables() if entries is None}
    before = np.median([measure(as_it_is["draws"][:, :, first]).ess_bulk for first in start.values()])
    after = np.median([measure(learnt[name]).ess_bulk for name in start])
    # Effective draws for a gradient.
    assert after / statistics["n_steps"].sum() > 1.5 * before / as_it_is["n_steps"].sum()


def test_a_sweep_of_many_batch_sizes_mixes():
    """Of sixty neighbouring optima, whose distances from the law are as wide as its discrepancy."""
    rng = np.random.default_rng(0)
    batch_size = np.repeat(np.geomspace(4, 65536, 60), 4)
    optimum = np.log(2e-3) + 0.5 * np.log(batch_size) - 0.8 * np.log1p(batch_size / 500)
    away = np.tile(np.linspace(-1.5, 1.5, 4), 60)
    losses = 2 + 0.05 * away**2 + 0.01 * rng.standard_normal(len(away))
    sweep = sf.Sweep.from_columns(
        batch_size=batch_size, learning_rate=np.exp(optimum + away), loss=losses, batch_unit="tokens"
    )
    model = native.assemble(Model.of(sweep, "broken_power"))
    assert not model.is_small()
    ((draws, _),) = native.sample([model], [0], chains=4, tune=600, draws=500, target_accept=0.95)
    found = [measure(values) for values in draws.values() if values.ndim == 2]
    # In the variables of the model nine draws of 4,000 are effective, and R-hat is 1.4.
    assert min(mixing.ess_bulk for mixing in found) > 60
    assert max(mixing.rhat for mixing in found) < 1.06
