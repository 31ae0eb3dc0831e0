import math
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import same_color
from support.posteriors import BATCH_SIZES, make_comparison, make_posterior, optimum_points
from surge_fit import plots
from surge_fit.decisions.recommendation import recommend
from surge_fit.errors import InputError
from surge_fit.gradients.curve import learning_rate_curve
from surge_fit.model.draw_groups import DrawGroups
from surge_fit.plots.style import RED


@pytest.fixture(scope="module")
def posterior():
    return make_posterior()


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    yield
    plt.close("all")


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def line(ax, label):
    return next(held for held in ax.get_lines() if held.get_label() == label)


def test_the_law_has_labelled_axes_with_units_on_log_scales(posterior):
    ax = plots.plot_law(posterior)
    assert ax.get_xlabel() == "batch size [examples]"
    assert ax.get_ylabel() == "learning rate"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_the_law_reaches_from_a_quarter_of_the_smallest_to_four_times_the_largest_batch_size(posterior):
    assert plots.plot_law(posterior).get_xlim() == pytest.approx((8 / 4, 512 * 4))


def test_the_law_reaches_beyond_every_batch_size_asked_for(posterior):
    ax = plots.plot_law(posterior, recommend(posterior, batch_size=[1, 1e6]))
    low, high = ax.get_xlim()
    assert low < 1
    assert high > 1e6


def test_the_median_is_that_of_the_posterior(posterior):
    sizes, rates = line(plots.plot_law(posterior), "median").get_data()
    expected = np.exp(np.median(posterior.log_optimal_learning_rate(sizes), axis=0))
    assert rates == pytest.approx(expected)


def test_every_run_is_drawn_and_the_diverged_one_as_a_cross(posterior):
    ax = plots.plot_law(posterior)
    diverged = line(ax, "diverged")
    assert diverged.get_marker() == "x"
    assert len(diverged.get_xdata()) == 1
    assert len(line(ax, "runs").get_xdata()) == 11


def test_the_best_run_of_each_batch_size_is_marked(posterior):
    # Tried at 0.1, 0.5, 2 and 20 times the optimum; the valley is steeper above: 0.5 is the best.
    sizes, rates = line(plots.plot_law(posterior), "best of its batch size").get_data()
    assert sizes == pytest.approx(BATCH_SIZES)
    assert rates == pytest.approx([0.5e-3, 1.5e-3, 4e-3])


def test_the_rules_pass_through_the_best_run(posterior):
    ax, best = plots.plot_law(posterior), posterior.sweep.best_run()
    for name, slope in (("√ rule", 0.5), ("linear rule", 1.0)):
        x, y = line(ax, name).get_data()
        at_best = math.exp(np.interp(math.log(best.batch_size), np.log(x), np.log(y)))
        assert at_best == pytest.approx(best.learning_rate)
        assert np.polyfit(np.log(x), np.log(y), 1)[0] == pytest.approx(slope)


def test_the_title_of_the_law_says_the_recommendation(posterior):
    found = recommend(posterior, batch_size=[64])
    title = plots.plot_law(posterior, found).get_title(loc="left")
    assert title.startswith("Use 3.0e-3 (")
    assert title.endswith("at batch size 64")


def test_the_law_is_drawn_where_it_is_told(posterior):
    _, ax = plt.subplots()
    assert plots.plot_law(posterior, ax=ax) is ax


@pytest.mark.parametrize("largest", [4096, 3e5, 1e8])
def test_batch_sizes_are_labelled_over_few_decades_and_many(posterior, largest):
    ax = plots.plot_law(posterior, recommend(posterior, batch_size=[largest]))
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    shown = [tick for tick in ax.xaxis.get_majorticklocs() if low <= tick <= high]
    assert 4 <= len(shown) <= 11


def test_valleys_are_one_per_batch_size_with_units(posterior):
    axes = plots.plot_valleys(posterior).get_axes()
    assert len(axes) == 3
    assert axes[0].get_ylabel() == "loss [nats]"
    assert {ax.get_xlabel() for ax in axes} == {"learning rate"}
    assert [ax.get_title(loc="left").split(":")[0] for ax in axes] == ["B = 8", "B = 64", "B = 512"]


def test_a_valley_is_lowest_at_its_optimum(posterior):
    for index, ax in enumerate(plots.plot_valleys(posterior).get_axes()):
        rates, loss = line(ax, "median").get_data()
        optimum = np.median(posterior.draws("log_optimal_learning_rate")[:, index])
        assert math.log(rates[np.argmin(loss)]) == pytest.approx(optimum, abs=0.1)


def test_valleys_mark_what_diverged_and_what_is_off_the_scale(posterior):
    first, second, _ = plots.plot_valleys(posterior).get_axes()
    assert "diverged" in labels(first)
    assert "diverged" not in labels(second)
    marked = line(second, "loss off the scale")
    assert marked.get_marker() == "^"
    assert max(marked.get_ydata()) < second.get_ylim()[1]


def test_valleys_are_drawn_where_they_are_told(posterior):
    figure, axes = plt.subplots(1, 3)
    assert plots.plot_valleys(posterior, ax=axes) is figure
    with pytest.raises(InputError, match="one Axes for each of 3 batch sizes; got 2"):
        plots.plot_valleys(posterior, ax=axes[:2])


def test_optimum_points_have_a_law_and_no_valleys():
    posterior = make_posterior(sweep=optimum_points())
    figure = plots.plot_recommendation(posterior)
    assert [ax.get_xlabel() for ax in figure.get_axes()] == ["batch size [tokens]"]
    assert "optimum points" in labels(figure.get_axes()[0])
    with pytest.raises(InputError, match="Use plot_law"):
        plots.plot_valleys(posterior)


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_figure_is_saved_in_the_format_of_its_suffix(posterior, tmp_path, suffix, start):
    path = tmp_path / f"law.{suffix}"
    plots.save_recommendation(posterior, recommend(posterior, batch_size=[64]), path)
    assert path.read_bytes().startswith(start)
    assert path.stat().st_size > 5000
    assert [held.name for held in tmp_path.iterdir()] == [path.name]


def test_a_figure_that_fails_leaves_the_old_file(posterior, tmp_path, monkeypatch):
    path = tmp_path / "law.png"
    path.write_bytes(b"old")

    def interrupted(self, draft, **_):
        draft.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupted)
    with pytest.raises(KeyboardInterrupt):
        plots.save_recommendation(posterior, (), path)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_comparison_shows_every_law_in_total_and_by_batch_size():
    held = make_comparison()
    total, by_size = plots.plot_comparison(held).get_axes()
    names = [score.law.name for score in held.scores]
    told = [tick.get_text() for tick in total.get_yticklabels()]
    assert told == ["square_root: best", "surge: tie", "constant: loses"]
    assert labels(by_size) == names
    assert [tick.get_text() for tick in by_size.get_xticklabels()] == ["8", "64", "512"]
    assert by_size.get_xlabel() == "batch size left out [examples]"
    # The constant is at 1.5, 7.5 and −2, the best law at 7.5, 8 and 6.5.
    assert line(by_size, "constant").get_ydata() == pytest.approx([-6.0, -0.5, -8.5])


def test_laws_are_told_apart_by_their_marks_too():
    _, by_size = plots.plot_comparison(make_comparison()).get_axes()
    marks = [held.get_marker() for held in by_size.get_lines() if held.get_label()[0] != "_"]
    assert len(set(marks)) == len(marks) == 3


def test_importing_the_plots_does_not_import_matplotlib():
    import subprocess

    code = "import sys, surge_fit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def fitted(**priors):
    """Make draws of every prior; of those given by name, with this mean and standard deviation."""
    made = make_posterior()
    rng = np.random.default_rng(0)
    draws = {name: (("chain", "draw"), prior.draw(rng, (2, 500))) for name, prior in made.priors.items()}
    for name, (mean, sd) in priors.items():
        draws[name] = (("chain", "draw"), rng.normal(mean, sd, (2, 500)))
    return replace(
        made, draw_groups=DrawGroups.of_tree(xr.DataTree.from_dict({"posterior": xr.Dataset(draws)}))
    )


def test_every_prior_is_drawn_and_those_that_the_runs_left_alone_are_marked():
    posterior = fitted(log_noise_scale=(5.0, 0.4), valley_asymmetry=(0.8, 0.1))
    figure = plots.plot_priors(posterior)
    axes = {ax.get_title(loc="left"): ax for ax in figure.axes if ax.get_visible()}
    assert list(axes) == list(posterior.priors)
    marked = {name for name, ax in axes.items() if same_color(ax.patches[0].get_facecolor()[:3], RED)}
    assert marked == set(posterior.priors) - {"log_noise_scale", "valley_asymmetry"}
    # The line is the density of the prior, highest at its mean.
    prior = posterior.priors["log_noise_scale"]
    x, y = axes["log_noise_scale"].lines[0].get_data()
    assert x[np.argmax(y)] == pytest.approx(prior.mean, abs=0.05 * prior.sd)
    assert y[np.argmin(np.abs(x - prior.mean - prior.sd))] == pytest.approx(np.exp(-0.5), abs=0.03)
    # Log-normal priors are symmetric on the logarithmic axis that they are drawn on.
    ax, wall = axes["wall"], posterior.priors["wall"]
    x, y = ax.lines[0].get_data()
    assert ax.get_xscale() == "log"
    assert np.log(x[np.argmax(y)]) == pytest.approx(np.log(wall.median), abs=0.05 * wall.log_sd)


def test_the_figure_of_the_priors_is_saved(tmp_path):
    plots.save_priors(fitted(), tmp_path / "priors.png")
    assert (tmp_path / "priors.png").stat().st_size > 10_000


def test_the_figure_of_a_curve_has_a_dashed_line_for_approximate_signs_and_none_for_sgd():
    gradients = {"w": (0.3 + np.random.default_rng(0).standard_normal((40, 12))).astype(np.float32)}
    curve = learning_rate_curve(gradients, "sign", batch_size=[1, 4, 64], resamples=9)
    (ax,) = plots.plot_learning_rate_curve(curve).axes
    (line,) = (line for line in ax.lines if line.get_label() == "the same, approximate signs")
    assert line.get_linestyle() == "--"
    x, y = line.get_data()
    assert list(x) == [1, 4, 64]
    assert list(y) == [point.theory.approximate_learning_rate for point in curve.points]
    (ax,) = plots.plot_learning_rate_curve(learning_rate_curve(gradients, "sgd", batch_size=[1, 4])).axes
    assert "the same, approximate signs" not in labels(ax)
