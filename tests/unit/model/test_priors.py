"""Priors: their distributions, and what they refuse."""

import copy
import pickle
import re

import numpy as np
import pytest
from scipy import stats
from surge_fit import HalfNormal, InputError, LogNormal, Normal, Priors, StudentT


@pytest.mark.parametrize(
    ("prior", "median", "central_90"),
    [
        # z(0.95) = 1.6449; a half-normal has median 0.6745 sd and quantiles 0.0627 sd and 1.96 sd.
        (Normal(mean=2.0, sd=0.5), 2.0, (2.0 - 0.8224, 2.0 + 0.8224)),
        (LogNormal(median=0.6, log_sd=0.4), 0.6, (0.6 * np.exp(-0.65794), 0.6 * np.exp(0.65794))),
        (HalfNormal(sd=0.3), 0.3 * 0.67449, (0.3 * 0.062707, 0.3 * 1.959964)),
        # Student's t with 4 degrees of freedom: 95 % quantile 2.13185.
        (StudentT(degrees=4.0, location=0.5, scale=1.0), 0.5, (0.5 - 2.13185, 0.5 + 2.13185)),
    ],
)
def test_draws_have_the_quantiles_of_their_distribution(prior, median, central_90):
    draws = prior.draw(np.random.default_rng(1), 200_000)
    low, middle, high = np.quantile(draws, [0.05, 0.5, 0.95])
    assert middle == pytest.approx(median, abs=0.01)
    assert (low, high) == pytest.approx(central_90, abs=0.03)


@pytest.mark.parametrize(
    ("prior", "reference"),
    [
        (Normal(mean=2.0, sd=0.5), stats.norm(2.0, 0.5)),
        (LogNormal(median=0.6, log_sd=0.4), stats.lognorm(0.4, scale=0.6)),
        (HalfNormal(sd=0.3), stats.halfnorm(scale=0.3)),
        (StudentT(degrees=4.0, location=0.5, scale=1.5), stats.t(4.0, 0.5, 1.5)),
    ],
)
def test_log_densities_are_those_of_scipy(prior, reference):
    x = np.array([[-3.0, -1e-3], [0.2, 1.0], [7.0, 40.0]])
    assert prior.log_density(x) == pytest.approx(reference.logpdf(x), rel=1e-12)
    assert prior.log_density(0.7) == pytest.approx(float(reference.logpdf(0.7)), rel=1e-12)


def test_a_prior_with_impossible_numbers_is_refused():
    with pytest.raises(InputError, match=r"Normal: 'sd' must be a positive number; got -1.0"):
        Normal(mean=0.0, sd=-1.0)
    with pytest.raises(InputError, match=r"LogNormal: 'median' must be a positive number"):
        LogNormal(median=0.0, log_sd=1.0)
    with pytest.raises(InputError, match=r"StudentT: 'location' must be finite"):
        StudentT(degrees=4.0, location=np.inf, scale=1.0)


def test_priors_are_replaced_by_name_and_stay_as_they_were():
    priors = Priors({"a": Normal(mean=0.0, sd=1.0), "b": HalfNormal(sd=2.0)})
    changed = priors.replace(b=LogNormal(median=1.0, log_sd=0.5))
    assert priors["b"] == HalfNormal(sd=2.0)
    assert changed["b"] == LogNormal(median=1.0, log_sd=0.5)
    assert list(changed) == ["a", "b"]


def test_a_misspelt_prior_is_named_with_those_that_exist():
    priors = Priors({"noise": Normal(mean=0.0, sd=1.0)})
    with pytest.raises(InputError, match=r"no prior named 'nosie' in this model; its priors are: noise"):
        priors.replace(nosie=Normal(mean=0.0, sd=2.0))
    with pytest.raises(
        InputError, match=r"The prior of 'noise' must be a Prior such as Normal\(mean=0, sd=1\); got 3"
    ):
        priors.replace(noise=3)


def test_priors_survive_the_way_to_json_and_back():
    priors = Priors(
        {
            "a": Normal(mean=0.1, sd=1.0),
            "b": HalfNormal(sd=2.0),
            "c": LogNormal(median=0.3, log_sd=0.2),
            "d": StudentT(degrees=4.0, location=0.5, scale=1.0),
        }
    )
    assert dict(Priors.from_dict(priors.to_dict())) == dict(priors)


def test_printed_priors_line_up():
    text = str(Priors({"a": Normal(mean=0.0, sd=1.0), "long_name": HalfNormal(sd=0.3)}))
    assert text == "a         ~ Normal(0, 1)\nlong_name ~ HalfNormal(0.3)"


@pytest.mark.parametrize(
    ("family", "numbers", "wanted"),
    [
        (Normal, (0.0, 1.0), "Normal(mean=…, sd=…)"),
        (LogNormal, (0.1, 0.5), "LogNormal(median=…, log_sd=…)"),
        (HalfNormal, (1.0,), "HalfNormal(sd=…)"),
        (StudentT, (4.0, 0.0, 1.0), "StudentT(degrees=…, location=…, scale=…)"),
    ],
)
def test_numbers_without_names_are_refused_and_the_names_told(family, numbers, wanted):
    with pytest.raises(TypeError, match=re.escape(f"Write {wanted}.")):
        family(*numbers)


def test_a_prior_survives_copying_and_pickling():
    prior = StudentT(degrees=4.0, location=0.5, scale=1.0)
    assert pickle.loads(pickle.dumps(prior)) == copy.deepcopy(prior) == prior
