"""Coordinates learnt from draws: what they find in a funnel, and what they do for a posterior."""

import numpy as np
import pytest
import surge_fit as sf
from support.native_draws import reported_and_own_density
from surge_fit import _core
from surge_fit.model.spec import Model
from surge_fit.sampling import native
from surge_fit.sampling.transform import learn


def a_funnel(chains=4, draws=250):
    """Log of a scale, a signed scale, and three numbers: two as wide as a scale, one of no scale."""
    rng = np.random.default_rng(3)
    log_scale = 0.6 * rng.standard_normal((chains, draws))
    signed = rng.standard_normal((chains, draws))
    z = rng.standard_normal((3, chains, draws))
    wide = 7 + 3 * log_scale + np.exp(log_scale) * z[0]
    return np.stack([log_scale, wide, 1e-3 * z[1], np.abs(signed) * z[2], signed], axis=2)


def test_a_funnel_is_found_with_its_exponents():
    found = learn(a_funnel(), np.array([0, 4]), np.array([False, True]))
    assert list(found.others) == [1, 2, 3]
    # Whose axis is whose: the entry along which it is longest, in units of that entry.
    rows = [int(np.argmax(np.abs(found.axes.reshape(3, 3)[:, i]))) for i in range(3)]
    assert sorted(rows) == [0, 1, 2]
    of_log, of_signed = found.exponent[:, rows]
    # Standard errors of a thousand draws: 1.2/√1000 by the spread of the log, 0.6 and about as much.
    assert of_log == pytest.approx([1, 0, 0], abs=0.2)
    assert of_signed[[0, 1]] == pytest.approx([0, 0], abs=0.2)
    assert of_signed[2] > 0.7
    assert found.slope[0] == pytest.approx([3, 0, 0], abs=0.2)


def test_in_its_coordinates_a_funnel_is_as_wide_at_either_end():
    draws = a_funnel(chains=1000, draws=2)  # of which the last ones are returned
    found = learn(draws, np.array([0, 4]), np.array([False, True]))
    low, high = (found.starts[chosen] for chosen in (found.starts[:, 0] < -0.3, found.starts[:, 0] > 0.3))
    before = draws[:, -1, 1] - 7 - 3 * draws[:, -1, 0]
    assert before[draws[:, -1, 0] > 0.3].std() > 2.5 * before[draws[:, -1, 0] < -0.3].std()
    widths = high[:, found.others].std(axis=0) / low[:, found.others].std(axis=0)
    assert widths == pytest.approx(1, rel=0.3)


@pytest.mark.parametrize("draws", [1, 4])
def test_few_draws_or_still_ones_give_a_finite_geometry(draws):
    walk = a_funnel(chains=1, draws=draws)
    walk[:, :, 2] = 5.0
    found = learn(walk, np.array([0, 4]), np.array([False, True]))
    for name in ("reference", "centre", "mean", "slope", "axes", "exponent", "starts"):
        assert np.isfinite(getattr(found, name)).all(), name
    assert np.linalg.matrix_rank(found.axes.reshape(3, 3)) == 3


def a_model():
    sweep = sf.simulate_sweep(
        "surge",
        {"log_max_learning_rate": np.log(0.01), "log_noise_scale": np.log(200)},
        batch_size=[16, 64, 256, 1024, 4096, 16384],
        learning_rate=list(np.geomspace(1e-3, 2e-2, 4)),
        random_seed=1,
    )
    return native.assemble(Model.of(sweep, "broken_power"))


def test_the_reported_log_density_of_a_draw_is_its_density_in_the_variables_of_the_model():
    reported, own = reported_and_own_density(a_model())
    assert reported == pytest.approx(own, rel=1e-9)


def test_energies_move_further_from_draw_to_draw_in_the_learnt_coordinates():
    model = a_model()
    ((_, learnt),) = native.sample([model], [0], chains=4, tune=400, draws=1000, target_accept=0.95)
    settings = {"chains": 4, "tune": 400, "draws": 1000, "target_accept": 0.95, "threads": 2}
    (as_it_is,) = _core.sample_posteriors([model], [0], [None], **settings, progress=None)

    def moved(energy):  # E-BFMI (arXiv:1604.00695), 1 where draws are independent in energy
        return float(np.mean(np.diff(energy, axis=1).var(axis=1) / energy.var(axis=1)))

    assert moved(learnt["energy"]) > 1.2 * moved(as_it_is["energy"])


def test_a_geometry_of_another_model_is_refused():
    settings = {"chains": 1, "tune": 4, "draws": 4, "target_accept": 0.9, "threads": 1, "progress": None}
    held = {
        name: np.zeros(0) for name in ("reference", "centre", "mean", "slope", "axes", "exponent", "starts")
    }
    none = np.zeros(0, dtype=int)
    held |= {"lean": np.zeros(0), "blocks": none}
    with pytest.raises(sf.SurgeFitError, match="geometry is not one of the model"):
        _core.sample_posteriors([a_model()], [0], [held | {"scales": none, "others": none}], **settings)
