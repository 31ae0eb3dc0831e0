"""Type aliases shared by every stage; imports nothing of the package."""

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
"""A float64 array of any shape."""

IndexArray: TypeAlias = NDArray[np.int64]
"""An int64 array of any shape."""

BatchUnit: TypeAlias = Literal["examples", "sequences", "tokens"]
"""Unit of a batch size; never guessed."""

Protocol: TypeAlias = Literal["one_step", "fixed_steps", "fixed_tokens", "to_target"]
"""The quantity held fixed between the runs of a sweep."""

RunStatus: TypeAlias = Literal["finished", "diverged", "crashed", "stopped"]
"""How a run ended."""

NanMeaning: TypeAlias = Literal["diverged", "crashed"]
"""Meaning of a NaN loss without a status; asked for where it matters."""

Engine: TypeAlias = Literal["native", "pymc"]
"""What samples: compiled ahead of time, in Rust; or the definition in PyMC, compiled by nutpie."""

FrameLibrary: TypeAlias = Literal["polars", "pandas"]
"""Whose data frame a result becomes."""

Path: TypeAlias = str | PathLike[str]
"""Anything that names a file."""

Namespace: TypeAlias = Any
"""An array namespace that writes a formula once: ``numpy`` or ``pytensor.tensor``."""

Progress: TypeAlias = Callable[[str, float | None], None]
"""Called with the stage and the share of it that is done, or None where that is not known."""

CountProgress: TypeAlias = Callable[[str, int, int], None]
"""Called with the stage, how much of it is done, and how much there is: bytes, or rows of gradients."""
