"""A result as text that one would forward to a colleague: the answer first, then why, then how sure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from surge_fit._support.wording import plural
from surge_fit.decisions.estimates import PROBABILITY
from surge_fit.decisions.recommendation import Alternative, Recommendation
from surge_fit.law import Law
from surge_fit.posterior.population import GroupMeant
from surge_fit.report.blocks import MAX_WIDTH, Block, Line, Table, render
from surge_fit.report.fit import PopulationReport, Report
from surge_fit.report.numbers import batch_size, digits_for, plain, scientific, signed_together, together
from surge_fit.report.statements import chance, cost
from surge_fit.report.steps import steps_blocks, steps_table
from surge_fit.sweep import Sweep
from surge_fit.sweep.schema import STATUSES

_INTERVAL = f"{100 * PROBABILITY:.0f} % interval"
_RULES = {"current": "current", "square_root": "√ rule", "linear": "linear rule"}


def to_text(
    report: Report,
    *,
    width: int = MAX_WIDTH,
    color: bool = False,
    parameters: bool = False,
    priors: bool = False,
) -> str:
    """Tell a report as text.

    Parameters
    ----------
    report : Report
    width : int
        Of the terminal [columns]; at most 100 are used.
    color : bool
        Whether it shows colours.
    parameters, priors : bool
        Whether to tell the law's own parameters, and the priors.

    Returns
    -------
    str
    """
    blocks = not_trusted(report)
    blocks += [Line(_group(report.group), "heading"), None] if report.group else []
    if report.recommendations:
        blocks += [*_answer(report), None, *_reasons(report.recommendations), None]
        blocks += [*_comparison(report), None] if report.loss_unit else []
    blocks += [Line(said) for said in report.statements]
    blocks += [None, *steps_blocks(report.steps)] if report.steps else []
    blocks += [None, *_law_parameters(report, report.law)] if parameters and report.law else []
    blocks += [None, *priors_table(report)] if priors else []
    blocks += closing(report)
    return render(blocks, width=width, color=color)


def _group(group: GroupMeant) -> str:
    if group.tried:
        return f"Group {group.label}"
    return f"Group {', '.join([group.label, *group.outside])}: never run, drawn from the population"


def not_trusted(report: Report | PopulationReport) -> list[Block]:
    """Begin with the problems of chains that disagree."""
    if report.diagnostics.trustworthy:
        return []
    return [
        Line("This fit cannot be trusted: look at the result, do not act on it.", "error"),
        *(Line(problem, "error", "  ") for problem in report.diagnostics.problems),
        None,
    ]


def closing(report: Report | PopulationReport) -> list[Block]:
    """End with the reasons for caution, what the fit was made of, and how its chains did."""
    cautions = report.warnings[len(report.diagnostics.problems) :]
    blocks: list[Block] = [None] if cautions else []
    blocks += [Line(warning, "warning", "Warning: ") for warning in cautions]
    return [*blocks, None, Line(_provenance(report), "faint")]


def _answer(report: Report) -> list[Block]:
    """Tell what to use; of what the sweep cannot tell there is no column."""
    found = report.recommendations
    written = [together(held.learning_rate, held.interval_90) for held in found]
    columns = {
        f"batch size \n[{report.batch_unit}] ": [
            batch_size(held.batch_size) + ("*" if held.extrapolation else " ") for held in found
        ],
        "learning\nrate": [rate for rate, _ in written],
        _INTERVAL: [interval for _, interval in written],
        f"expected\nregret [{report.loss_unit}]": [cost(held.expected_regret) for held in found],
        "indistinguishable\nlearning rates": [_range(held) for held in found],
        "P(diverge)": [chance(held.probability_of_divergence) for held in found],
        "P(past\npeak)": [chance(held.probability_past_peak) for held in found],
    }
    known = {header: cells for header, cells in columns.items() if any(cells)}
    blocks: list[Block] = [Table(tuple(known), tuple(zip(*known.values(), strict=True)))]
    if any(held.extrapolation for held in found):
        low, high = (batch_size(report.batch_sizes[end]) for end in (0, -1))
        tried = f"{low} … {high} {report.batch_unit}"
        blocks.append(Line(f"* extrapolated: outside the batch sizes tried, {tried}", "faint"))
    return blocks


def _range(held: Recommendation) -> str:
    if held.equivalent_range is None:
        return ""
    digits = digits_for(*held.interval_90)
    return " … ".join(scientific(end, digits) for end in held.equivalent_range)


def _reasons(recommendations: Sequence[Recommendation]) -> list[Block]:
    names = [batch_size(held.batch_size) for held in recommendations]
    longest = max(map(len, names))
    return [
        Line(held.reason, bullet=f"{name:>{longest}}: ")
        for name, held in zip(names, recommendations, strict=True)
    ]


def _comparison(report: Report) -> list[Block]:
    """Tell what other choices would cost, one row per batch size."""
    headers = ["batch size"]
    for name in ["recommended", *(_RULES[other.name] for other in report.recommendations[0].alternatives)]:
        headers += [name, "regret"]
    rows = []
    for held in report.recommendations:
        row = [batch_size(held.batch_size)]
        choices: list[Recommendation | Alternative] = [held, *held.alternatives]
        for choice in choices:
            row += [scientific(choice.learning_rate), cost(choice.expected_regret)]
        rows.append(tuple(row))
    title = f"What other learning rates would cost (expected regret [{report.loss_unit}])"
    return [Line(title, "heading"), Table(tuple(headers), tuple(rows), kept=2)]


def _law_parameters(report: Report, law: Law) -> list[Block]:
    rows = []
    for held in report.law_parameters:
        if held.unit == "1":
            value, interval = signed_together(held.median, held.interval)
        else:
            write = scientific if held.unit == "learning rate" else plain
            value, interval = together(held.median, held.interval, write)
        unit = held.unit if held.unit == report.batch_unit else ""
        rows.append((value, interval, unit, held.symbol, held.description))
    headers = ("median", _INTERVAL, "unit", "parameter", "meaning")
    return [Line(f"{law.title}: {law.formula}", "heading"), Table(headers, tuple(rows), 3)]


def priors_table(report: Report | PopulationReport) -> list[Block]:
    """Tell the priors."""
    rows = tuple((name, str(prior)) for name, prior in report.priors.items())
    return [Line("Priors (logarithms are natural)", "heading"), Table(("variable", "prior"), rows, 2)]


_ENGINES = {"native": "native engine", "pymc": "PyMC and nutpie"}


def _provenance(report: Report | PopulationReport) -> str:
    held = report.diagnostics
    what = "optimum points" if report.law and not report.loss_unit else "runs"
    law = f"law {report.law.name}; " if report.law else ""
    return (
        f"{report.runs} {what} of {report.source}; {law}seed {report.random_seed}; "
        f"{_ENGINES[held.engine]}; R-hat ≤ {held.max_rhat:.3f}, ≥ {held.min_ess:.0f} effective samples, "
        f"{plural(held.divergences, 'divergence')} in {plural(held.draws, 'draw')}; "
        f"surge_fit {report.version}"
    )


def sweep_to_text(sweep: Sweep, *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Tell what a sweep holds, and what its checks found.

    Parameters
    ----------
    sweep : Sweep
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks: list[Block] = [Line(f"{sweep.source}: {_contents(sweep)}", "heading"), None]
    table = steps_table if sweep.kind == "steps_to_target" else _batch_table
    blocks += [_group_table(sweep) if len(sweep.groups) > 1 else table(sweep), None]
    checks = sweep.checks()
    names: dict[str, tuple[str, str]] = {
        "error": ("error", "Error: "),
        "warning": ("warning", "Warning: "),
        "note": ("plain", "Note: "),
    }
    for check in checks:
        style, bullet = names[check.severity]
        blocks.append(Line(str(check), style, bullet))  # type: ignore[arg-type]
    if not checks:
        blocks.append(Line("Nothing found that weakens a fit."))
    if sweep.ignored_columns:
        blocks.append(Line(", ".join(sweep.ignored_columns) + ".", "faint", "Columns not used: "))
    blocks += [
        Line(decision.message, "faint", "Read: ") for decision in sweep.reading if not decision.is_doubt
    ]
    return render(blocks, width=width, color=color)


def _contents(sweep: Sweep) -> str:
    what = "optimum point" if sweep.kind == "optimum_points" else "run"
    parts = [plural(len(sweep), what), f"batch sizes in {sweep.batch_unit}"]
    parts += [f"protocol {sweep.protocol}"] if sweep.protocol else ["protocol unknown"]
    parts += [plural(len(sweep.groups), "group")] if sweep.groups else []
    return ", ".join(parts)


def _batch_table(sweep: Sweep) -> Table:
    rows = []
    for size in sweep.batch_sizes:
        here = sweep.where(sweep.batch_size == size)
        rates = np.unique(here.learning_rate)
        rows.append(
            (
                batch_size(float(size)),
                str(rates.size),
                " … ".join(scientific(float(rate)) for rate in dict.fromkeys((rates[0], rates[-1]))),
                *_ends(here),
                *_best(here),
            )
        )
    headers = (
        f"batch size\n[{sweep.batch_unit}]",
        "learning\nrates",
        "from … to",
        *_ENDS,
        "best learning\nrate",
        "its loss or\nsteps",
    )
    return Table(headers, tuple(rows))


_ENDS = ("finished", "diverged", "others")


def _ends(sweep: Sweep) -> tuple[str, str, str]:
    counts = {status: sweep.status.count(status) for status in STATUSES}
    finished, diverged = counts.pop("finished"), counts.pop("diverged")
    return str(finished), str(diverged), str(sum(counts.values()))


def _best(sweep: Sweep) -> tuple[str, str]:
    if sweep.kind == "optimum_points":
        return scientific(float(sweep.learning_rate[0])), ""
    if not np.isfinite(sweep.outcome).any():
        return "none", ""
    best = int(np.nanargmin(sweep.outcome))
    return scientific(float(sweep.learning_rate[best])), plain(float(sweep.outcome[best]), 5)


def _group_table(sweep: Sweep) -> Table:
    rows = []
    for label in sweep.groups:
        here = sweep.select(label)
        sizes = here.batch_sizes
        span = " … ".join(dict.fromkeys(batch_size(float(size)) for size in (sizes[0], sizes[-1])))
        rows.append((str(len(here)), str(sizes.size), span, *_ends(here), label))
    headers = ("runs", "batch\nsizes", f"from … to\n[{sweep.batch_unit}]", *_ENDS, "group")
    return Table(headers, tuple(rows), 1)


def laws_to_text(laws: Iterable[Law], *, width: int = MAX_WIDTH, color: bool = False) -> str:
    """Tell what laws there are: name and formula, parameters, regime and reference.

    Parameters
    ----------
    laws : iterable of Law
    width, color
        As for `to_text`.

    Returns
    -------
    str
    """
    blocks: list[Block] = []
    for law in laws:
        parameters = ", ".join(parameter.symbol for parameter in law.parameters)
        blocks += [
            Line(f"{law.name} ({law.title})", "heading"),
            Line(law.formula, bullet="  formula     "),
            Line(parameters, bullet="  parameters  "),
            Line(law.regime, bullet="  regime      "),
            Line(law.reference, bullet="  reference   "),
            None,
        ]
    return render(blocks[:-1], width=width, color=color)
