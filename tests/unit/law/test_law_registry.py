"""The laws as values: names, parameters, priors, and what they refuse."""

import subprocess
import sys
from dataclasses import replace

import pytest
from surge_fit import _core
from surge_fit.errors import InputError
from surge_fit.law import LAWS, Law, Parameter, get_law
from surge_fit.priors import LogNormal, Normal


def test_the_laws_are_those_of_the_kernel_with_the_same_parameters():
    described = [(law.name, list(law.parameter_names)) for law in LAWS.values()]
    assert described == _core.law_parameters()
    assert all(law.compiled == name for name, law in LAWS.items())


def test_public_names():
    assert list(LAWS) == [
        "constant", "power", "linear", "square_root", "sgd", "large_batch_half",
        "surge", "surge_free_exponent", "saturating_surge", "broken_power",
    ]  # fmt: skip


def test_get_law_takes_a_name_or_a_law():
    assert get_law("surge") is LAWS["surge"]
    own = replace(LAWS["surge"], name="mine")
    assert get_law(own) is own


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("surg", "Did you mean 'surge'?"), ("broken power", "Did you mean 'broken_power'?"), (3, "pass a Law")],
)
def test_an_unknown_law_is_refused_with_a_hint(asked, hint):
    with pytest.raises(InputError, match=r"'law' must be the name of a built-in law or a Law") as refusal:
        get_law(asked)
    assert hint in str(refusal.value)


def test_priors_are_on_shapes_alone():
    priors = {
        law.name: {p.name: p.prior for p in law.parameters if p.role == "shape"} for law in LAWS.values()
    }
    assert {name: shapes for name, shapes in priors.items() if shapes} == {
        "power": {"slope": Normal(mean=0.5, sd=0.4)},
        "surge_free_exponent": {"exponent": LogNormal(median=0.6, log_sd=0.4)},
        "saturating_surge": {"log_peak_ratio": Normal(mean=-0.7, sd=0.7)},
        "broken_power": {
            "small_batch_slope": LogNormal(median=0.8, log_sd=0.5),
            "large_batch_fall": Normal(mean=0.0, sd=0.25),
        },
    }


def test_only_some_laws_have_a_noise_scale():
    without = {name for name, law in LAWS.items() if not law.has_noise_scale}
    assert without == {"constant", "power", "linear", "square_root"}


def test_laws_are_hashable_values():
    assert replace(LAWS["surge"]) == LAWS["surge"]
    assert len({*LAWS.values(), *LAWS.values()}) == len(LAWS)


def test_a_shape_parameter_needs_a_prior_and_a_scale_has_none():
    with pytest.raises(InputError, match="'p' has none"):
        Parameter("p", "p", "1", "shape", None, "")
    with pytest.raises(InputError, match="'s' has Normal"):
        Parameter("s", "s", "1", "batch_size_scale", Normal(mean=0.0, sd=1.0), "")


def test_the_scale_comes_first_and_names_are_distinct():
    surge = LAWS["surge"]
    with pytest.raises(InputError, match="must be its learning-rate scale"):
        replace(surge, parameters=surge.parameters[::-1])
    with pytest.raises(InputError, match="distinct names"):
        replace(surge, parameters=(*surge.parameters, surge.parameters[1]))
    with pytest.raises(InputError, match="got none"):
        Law("empty", "", (), surge.shape, "", "", "")


def test_importing_the_laws_is_light():
    code = "import sys, surge_fit.law, surge_fit.model.loss_surface; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"pytensor", "pymc", "scipy", "matplotlib", "xarray", "polars"} & set(loaded)
