"""What was decided while a table was read, a line each, so that nothing is taken for granted unseen."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Topic: TypeAlias = Literal["columns", "units", "cells", "rows", "status", "shape", "ignored"]
"""What a decision is about."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that was decided while a table was read.

    Attributes
    ----------
    topic : {"columns", "units", "cells", "rows", "status", "shape", "ignored"}
    message : str
        A sentence: what was taken for what, what was left out, and why.
    is_doubt : bool
        Whether the table leaves room for another reading, so that `Sweep.checks` tells it too.
    """

    topic: Topic
    message: str
    is_doubt: bool = False
