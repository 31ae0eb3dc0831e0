"""What was left open when the table was read."""

from surge_fit.sweep.checks.finding import Finding
from surge_fit.sweep.columns import SweepColumns


def check_reading(sweep: SweepColumns) -> list[Finding]:
    """Return a warning for each decision of the reading that the table leaves room for doubting."""
    return [
        Finding(
            f"doubtful_{decision.topic}",
            "warning",
            decision.message,
            "Correct the table where another reading was meant.",
        )
        for decision in sweep.reading
        if decision.is_doubt
    ]
