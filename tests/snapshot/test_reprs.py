"""Short forms of public values: what an interactive session shows, at most ten lines, word for word."""

from pathlib import Path

import surge_fit as sf
from support.dumps import gaussian
from support.posteriors import make_comparison, make_posterior, make_steps_posterior, runs
from surge_fit.decisions.planning import NextRun, NextRuns

SNAPSHOT = Path(__file__).with_name("reprs.txt")


def plan() -> NextRuns:
    run = NextRun(512.0, 5e-3, 1.0, 0.001, 0.002, 0.002, 0.7, 0.3, "It would say most.")
    return NextRuns((64.0, 512.0), "examples", (run,) * 8, 0.003, 1.0, "runs", False, "Make it.", 40, 0)


def values() -> list[object]:
    posterior, steps = make_posterior(), make_steps_posterior()
    gradients = gaussian(48, {"embed": (40, 30), "head": (30, 5)}, noise_scale=30)
    dump = sf.open_dump(gradients)
    return [
        runs(),
        runs().checks()[0],
        posterior,
        steps,
        posterior.diagnostics,
        posterior.priors,
        posterior.law,
        posterior.priors["wall"],
        *sf.recommend(posterior, batch_size=[64, 4096]),
        *sf.predict_steps(steps, batch_size=[100]),
        *sf.estimate_parameters(steps)[:1],
        plan(),
        make_comparison(),
        dump,
        sf.gradient_statistics(dump),
        sf.learning_rate_curve(dump, "sign", resamples=20),
    ]


def test_every_short_form_is_as_written_and_fits_ten_lines():
    shown = [repr(value) for value in values()]
    assert max(text.count("\n") + 1 for text in shown) <= 10
    assert max(len(line) for text in shown for line in text.splitlines()) <= 240
    text = "\n\n".join(shown) + "\n"
    assert text == SNAPSHOT.read_text(encoding="utf-8")
