"""A posterior made by hand, for tests of what shows one: no sampler, a few hundred draws, a known law."""

import numpy as np
import xarray as xr
from surge_fit.decisions.comparison import LawComparison, LawScore
from surge_fit.decisions.estimates import CurveStatements
from surge_fit.law import get_law
from surge_fit.model.default_priors import default_priors
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.model.loss_surface import valley
from surge_fit.model.observations import observe
from surge_fit.model.spec import Model
from surge_fit.model.steps import log_steps
from surge_fit.posterior.value import Posterior
from surge_fit.sampling.diagnostics import Diagnostics
from surge_fit.sweep import Sweep

CHAINS, DRAWS = 2, 200
BATCH_SIZES = np.array([8.0, 64.0, 512.0])
OPTIMA = np.array([1e-3, 3e-3, 8e-3])
"""The optimum that the runs and the draws are made around."""

MIN_STEPS, CRITICAL_BATCH_SIZE = 1000.0, 2000.0
"""Fewest steps to the target, and critical batch size."""

FLOOR, CURVATURE, RATE, ASYMMETRY = 2.0, 0.05, 0.6, 1.6
GOOD = Diagnostics(1.003, "log_noise_scale", 900.0, 800.0, "wall", 1, CHAINS * DRAWS)
BAD = Diagnostics(1.2, "log_noise_scale", 90.0, 80.0, "wall", 1, CHAINS * DRAWS)


def runs() -> Sweep:
    """Four learning rates at each of three batch sizes: one run diverged, one was stopped."""
    factors = np.array([0.1, 0.5, 2.0, 20.0])
    batch = np.repeat(BATCH_SIZES, 4)
    u = np.log(np.tile(factors, 3))
    loss = FLOOR + CURVATURE * valley(np, u, RATE, ASYMMETRY)
    status = ["finished"] * 12
    status[3], status[8] = "diverged", "stopped"
    return Sweep.from_columns(
        run_id=[f"run-{i}" for i in range(12)],
        batch_size=batch,
        learning_rate=np.repeat(OPTIMA, 4) * np.exp(u),
        loss=[None if state != "finished" else value for state, value in zip(status, loss, strict=True)],
        status=status,
        batch_unit="examples",
    )


def optimum_points() -> Sweep:
    """The optima alone."""
    return Sweep.from_columns(batch_size=BATCH_SIZES, optimal_learning_rate=OPTIMA, batch_unit="tokens")


def steps_to_target(smallest: float = 64) -> Sweep:
    """Steps to a target at six batch sizes, exactly by the law, and one run that was stopped short of it."""
    sizes = smallest * 4.0 ** np.arange(-1, 6)
    steps = MIN_STEPS * (1 + CRITICAL_BATCH_SIZE / sizes)
    return Sweep.from_columns(
        run_id=[f"B={size:g}" for size in sizes],
        batch_size=sizes,
        steps_to_target=[None, *steps[1:]],
        steps=[2000.0, *steps[1:]],
        batch_unit="sequences",
    )


def make_steps_posterior(*, smallest: float = 64, spread: float = 0.1) -> Posterior:
    """Make the posterior of `steps_to_target`: `spread` is the standard deviation of log B_crit."""
    rng = np.random.default_rng(0)
    sweep, law = steps_to_target(smallest), get_law("broken_power")
    shape = (CHAINS, DRAWS)
    critical = np.log(CRITICAL_BATCH_SIZE) + spread * rng.standard_normal(shape)
    # The fewest examples, the product, are what small batch sizes tell well.
    examples = np.log(CRITICAL_BATCH_SIZE * MIN_STEPS) + 0.03 * rng.standard_normal(shape)
    least, tried = examples - critical, np.log(sweep.batch_sizes)
    after = {
        "log_critical_batch_size": critical,
        "log_min_steps": least,
        # As small a discrepancy as that of the learning rate below.
        "steps_discrepancy_scale": np.full(shape, 1e-6),
        "log_steps_curve": log_steps(np, tried, least[..., None], critical[..., None]),
        "steps_noise": np.exp(np.log(0.05) + 0.2 * rng.standard_normal(shape)),
    }
    model = Model.of(sweep, law)
    before = {name: prior.draw(rng, shape) for name, prior in model.priors.items()}
    groups = {"posterior": after, "prior": before}
    sets = {
        group: xr.Dataset(
            {
                name: (("chain", "draw", "batch_size")[: values.ndim], values)
                for name, values in arrays.items()
            }
        )
        for group, arrays in groups.items()
    }
    return Posterior(
        draw_groups=DrawGroups.of_tree(xr.DataTree.from_dict(sets)),
        model=model,
        random_seed=0,
        diagnostics=GOOD,
    )


def make_posterior(
    law: str = "broken_power", *, sweep: Sweep | None = None, diagnostics: Diagnostics = GOOD
) -> Posterior:
    """Make the posterior of a sweep at `BATCH_SIZES`, or at some of them."""
    rng = np.random.default_rng(0)
    chosen, sweep = get_law(law), runs() if sweep is None else sweep
    tried, shape = np.log(sweep.batch_sizes), (CHAINS, DRAWS)

    def normal(mean: float, sd: float) -> np.ndarray:
        return mean + sd * rng.standard_normal(shape)

    location_and_sd = {
        "log_noise_scale": (np.log(200.0), 0.3),
        "small_batch_slope": (0.55, 0.05),
        "large_batch_fall": (0.1, 0.1),
        "slope": (0.5, 0.1),
    }
    theta = {p.name: normal(*location_and_sd[p.name]) for p in chosen.parameters[1:]}
    prior = {p.name: normal(location_and_sd.get(p.name, (0, 0))[0], 2.0) for p in chosen.parameters}
    reference = tried.mean()
    centre = np.interp(reference, np.log(BATCH_SIZES), np.log(OPTIMA))
    scale = normal(centre, 0.1) - chosen.shape(np, np.full(shape, reference), **theta)
    variables = {chosen.parameters[0].name: scale, **theta}
    curve = np.stack([scale + chosen.shape(np, np.full(shape, x), **theta) for x in tried], axis=-1)
    draws = {name: (("chain", "draw"), values) for name, values in variables.items()}
    # So small a discrepancy that no text depends on how a platform factorises its covariance.
    draws["discrepancy_scale"] = (("chain", "draw"), np.full(shape, 1e-6))
    draws["log_optimal_learning_rate"] = (("chain", "draw", "batch_size"), curve)
    if sweep.kind == "runs":
        surface = {
            "log_curvature": normal(np.log(CURVATURE), 0.1),
            "curvature_slope": normal(0.0, 0.05),
            "valley_rate": np.exp(normal(np.log(RATE), 0.1)),
            "valley_asymmetry": normal(ASYMMETRY, 0.2),
            "loss_noise": np.exp(normal(np.log(0.002), 0.2)),
            "shape_error": np.abs(normal(0.0, 0.1)),
            "wall": np.exp(normal(np.log(2.5), 0.2)),
            "wall_width": np.exp(normal(np.log(0.3), 0.3)),
        }
        draws |= {name: (("chain", "draw"), values) for name, values in surface.items()}
        floor = np.stack([normal(FLOOR, 0.002) for _ in tried], axis=-1)
        draws["floor"] = (("chain", "draw", "batch_size"), floor)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(draws, coords={"batch_size": sweep.batch_sizes}),
            "prior": xr.Dataset({name: (("chain", "draw"), values) for name, values in prior.items()}),
            "sample_stats": xr.Dataset({"diverging": (("chain", "draw"), np.zeros(shape, dtype=bool))}),
        }
    )
    observations = observe(sweep)
    return Posterior(
        draw_groups=DrawGroups.of_tree(tree),
        # Not `Model.of`: there may be fewer optimum points than the law has parameters.
        model=Model(sweep, observations, chosen, default_priors(observations, chosen)),
        random_seed=0,
        diagnostics=diagnostics,
    )


def make_comparison(*, tie: bool = False) -> LawComparison:
    """Make a comparison of three laws at `BATCH_SIZES`; in a tie, of two, with every reason for caution."""
    pointwise = {"square_root": (7.5, 8.0, 6.5), "surge": (7.0, 8.1, 5.9), "constant": (1.5, 7.5, -2.0)}
    names = ("square_root", "surge") if tie else tuple(pointwise)
    verdicts = {"square_root": "best", "surge": "tie", "constant": "loses"}
    scores = []
    for name in names:
        differences = np.array(pointwise[name]) - pointwise["square_root"]
        scores.append(
            LawScore(
                law=get_law(name),
                elpd=sum(pointwise[name]),
                difference=float(differences.sum()),
                standard_error=float(np.sqrt(3) * differences.std(ddof=1)),
                weight={"square_root": 0.8, "surge": 0.2, "constant": 0.0}[name],
                pointwise=pointwise[name],
                monte_carlo_error=0.7 if tie else 0.1,
                verdict=verdicts[name],
            )
        )
    return LawComparison(
        scores=tuple(scores),
        batch_sizes=tuple(BATCH_SIZES.tolist()),
        statements=CurveStatements(
            probability_falls=0.12,
            probability_peak_inside=0.1,
            small_batch_slope=0.62,
            slope_interval=(0.4, 1.2) if tie else (0.5, 0.8),
            probability_below_half=0.2,
            probability_above_one=0.003,
            slope_resolved=not tie,
            trustworthy=not tie,
        ),
        left_out=(("power", "The law needs more runs."),) if tie else (),
        untrusted=(("surge", 64.0, BAD.problems[0]),) if tie else (),
        source="sweep.csv",
        kind="runs",
        runs=11,
        batch_unit="examples",
        random_seed=0,
        version="1.2.3",
    )
