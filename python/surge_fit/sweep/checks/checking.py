"""All checks of a sweep, in one list.

Each check looks for one thing and speaks at most once, naming the batch sizes at which it found it. A sweep
that fails a check of severity ``error`` cannot be fitted.
"""

from surge_fit.sweep.checks.design import one_factor_at_a_time
from surge_fit.sweep.checks.effects import check_effects
from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.checks.mixtures import mixed_settings
from surge_fit.sweep.checks.outliers import check_outliers
from surge_fit.sweep.checks.reading import check_reading
from surge_fit.sweep.checks.runs import check_runs
from surge_fit.sweep.checks.steps import check_steps
from surge_fit.sweep.columns import SweepColumns

_SEVERITIES = ("error", "warning", "note")


def check_sweep(sweep: SweepColumns) -> tuple[Finding, ...]:
    """Return the findings about a sweep, errors first, then warnings, then notes."""
    mixture = mixed_settings(sweep)
    about_runs, about_batch_sizes = check_runs(sweep)
    findings = [
        mixture,
        *about_runs,
        *(check_steps(sweep) if sweep.steps_to_target is not None else ()),
        *check_reading(sweep),
        *about_batch_sizes,
        *check_outliers(sweep),
        one_factor_at_a_time(sweep),
        # Among runs of several kinds no effect of batch size and rate could show.
        *(check_effects(sweep) if sweep.kind == "runs" and mixture is None else ()),
    ]
    return tuple(sorted(filter(None, findings), key=lambda finding: _SEVERITIES.index(finding.severity)))
