"""The posterior of three groups made by hand: no sampler, independent draws, a known population."""

import numpy as np
import xarray as xr
from support.posteriors import GOOD
from surge_fit.law import get_law
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.model.spec import Model
from surge_fit.model.steps import log_steps
from surge_fit.posterior.value import Posterior
from surge_fit.sweep import Sweep

CHAINS, DRAWS = 2, 2000
PARAMS = (1e8, 1e9, 4e9)
GROUPS = ("params=100000000.0", "params=1000000000.0", "params=4000000000.0")
BATCH_SIZES = ((8.0, 64.0, 512.0), (16.0, 64.0), (64.0, 512.0, 4096.0, 32768.0))
MEAN = {
    "log_reference_learning_rate": np.log(3e-3),
    "log_noise_scale": np.log(500.0),
    "small_batch_slope": 0.5,
    "large_batch_fall": 0.2,
    "log_curvature": np.log(0.05),
    "log_min_steps": np.log(1000.0),
}
TREND = {
    "log_reference_learning_rate": -0.2,
    "log_noise_scale": 0.4,
    "log_curvature": 0.1,
    "log_min_steps": 0.3,
}
SPREAD = 0.2
"""Standard deviation of every parameter between groups."""


def groups(**columns: object) -> Sweep:
    """Runs of three model sizes, three learning rates at each batch size, with steps to a target."""
    table: dict[str, list[object]] = {
        name: [] for name in ("params", "batch_size", "learning_rate", "loss", "steps_to_target")
    }
    for index, (params, sizes) in enumerate(zip(PARAMS, BATCH_SIZES, strict=True)):
        for size in sizes:
            for rate, excess in ((1e-3, 0.1), (3e-3, 0.0), (9e-3, 0.05)):
                table["params"].append(params)
                table["batch_size"].append(size)
                table["learning_rate"].append(rate)
                table["loss"].append(3.0 - index + excess)
                table["steps_to_target"].append((1 + 500 / size) * 1000 * (1 + excess))
    return Sweep.from_columns(**(table | columns), batch_unit="sequences", group_by="params")


def make_pooled_posterior(*, covariates: tuple[str, ...] = ("params",)) -> Posterior:
    """Make a posterior of `groups`, whose population is that of `MEAN`, `TREND` and `SPREAD`."""
    rng = np.random.default_rng(0)
    sweep, law = groups(), get_law("broken_power")
    model = Model.of(sweep, law, covariates=covariates)
    observations = model.observations
    x, cell = observations.log_batch_size, observations.cell_group
    shape = (CHAINS, DRAWS)
    group_dims, cell_dims = ("chain", "draw", "group"), ("chain", "draw", "cell")
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}

    def keep(name: str, values: np.ndarray, dims: tuple[str, ...] = ("chain", "draw")) -> np.ndarray:
        variables[name] = (dims, values)
        return values

    theta = {}
    for name, mean in MEAN.items():
        keep(f"{name}_mean", np.full(shape, mean))
        keep(f"{name}_spread", np.full(shape, SPREAD))
        offset = keep(f"{name}_offset", rng.standard_normal((*shape, 3)), group_dims)
        shift = np.zeros(3)
        if covariates and name in TREND:
            keep(f"{name}_trend", np.full((*shape, 1), TREND[name]), ("chain", "draw", "covariate"))
            shift = TREND[name] * (np.log(PARAMS) - np.log(PARAMS).mean())
        positive = name == "small_batch_slope"
        value = mean * np.exp(SPREAD * offset) if positive else mean + shift + SPREAD * offset
        theta[name] = keep(name, value, group_dims)
    shapes = {p.name: theta[p.name] for p in law.parameters[1:]}
    reference = np.full((*shape, 3), observations.log_reference_batch_size)
    scale = keep(
        law.parameters[0].name,
        theta["log_reference_learning_rate"] - law.shape(np, reference, **shapes),
        group_dims,
    )
    curve = scale[..., cell] + law.shape(np, x, **{name: value[..., cell] for name, value in shapes.items()})
    keep("log_optimal_learning_rate", curve + 0.01 * rng.standard_normal(curve.shape), cell_dims)
    keep("discrepancy_scale", np.full(shape, 0.3))
    ratio = keep("log_critical_ratio", 0.1 * rng.standard_normal(shape))
    critical = keep("log_critical_batch_size", theta["log_noise_scale"] + ratio[..., None], group_dims)
    steps = log_steps(np, x, theta["log_min_steps"][..., cell], critical[..., cell])
    keep("log_steps_curve", steps + 0.01 * rng.standard_normal(steps.shape), cell_dims)
    keep("steps_innovation", rng.standard_normal(steps.shape), cell_dims)
    keep("steps_discrepancy_scale", np.full(shape, 0.1))
    keep("steps_noise", np.full(shape, 0.05))
    gap = keep("floor_gap", rng.uniform(0, 1, curve.shape), cell_dims)
    keep("floor", observations.scales.best_loss - observations.scales.gap * gap, cell_dims)
    for name, value in (
        ("curvature_slope", 0.1),
        ("valley_rate", 0.6),
        ("valley_asymmetry", 0.8),
        ("loss_noise", 0.01),
        ("shape_error", 0.1),
        ("wall", 2.5),
        ("wall_width", 0.3),
    ):
        keep(name, np.full(shape, value))
    dataset = xr.Dataset(variables, coords={"group": list(observations.groups)})
    return Posterior(
        draw_groups=DrawGroups.of_tree(
            xr.DataTree.from_dict({"posterior": dataset, "prior": dataset, "sample_stats": xr.Dataset()})
        ),
        model=model,
        random_seed=0,
        diagnostics=GOOD,
    )
