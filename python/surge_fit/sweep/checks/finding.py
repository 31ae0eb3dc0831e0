"""One finding about a sweep, as a value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One finding about a sweep.

    Attributes
    ----------
    slug : str
        Stable name of the kind of finding, such as ``winner_on_edge``.
    severity : {"note", "warning", "error"}
        An error forbids a fit, a warning weakens its answer, a note is good to know.
    message : str
        What was found, and at which batch sizes.
    remedy : str
        What to do about it.
    """

    slug: str
    severity: Literal["note", "warning", "error"]
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}"
