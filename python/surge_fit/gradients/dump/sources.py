"""A source of gradients: what one path stands for, as the arrays in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from surge_fit._core import GradientFile
from surge_fit._support.wording import listing

_OF_GRADIENTS = {"loss_reduction", "microbatch_size", "samples"}


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """One array of a file.

    Attributes
    ----------
    name, dtype : str
    shape : tuple of int
    file : GradientFile
    entry : int
        Its position in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: GradientFile
    entry: int


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What one path stands for: a file, the shards that an index lists, or a folder of another tool.

    Attributes
    ----------
    label : str
        Its name, for messages; its path where another has the same name.
    arrays : tuple of Array
    metadata : mapping of str to str
        What it says of itself.
    skipped : tuple of (str, str)
        Arrays that are left out, and why.
    """

    label: str
    arrays: tuple[Array, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def says_gradients(self) -> bool:
        """Whether it says how its gradients were taken, so that it holds such and nothing else."""
        return not _OF_GRADIENTS.isdisjoint(self.metadata)

    def naming(self, left_out: Iterable[tuple[str, str]]) -> Source:
        """Give the source with further names of what is left out, and why."""
        return replace(self, skipped=(*self.skipped, *left_out))

    def leaving_out(self, reasons: Mapping[str, str]) -> Source:
        """Give the source without the arrays of these names, which it names with the reasons."""
        if not reasons:
            return self
        named: dict[str, list[str]] = {}
        for name, why in reasons.items():
            named.setdefault(why, []).append(name)
        kept = tuple(array for array in self.arrays if array.name not in reasons)
        return replace(self, arrays=kept).naming((listing(names, 3), why) for why, names in named.items())


def source_of(label: str, files: Iterable[GradientFile], told: Mapping[str, str] | None = None) -> Source:
    """Join files to one source.

    Parameters
    ----------
    label : str
    files : iterable of GradientFile
        Of what they say of themselves, the first one's word counts.
    told : mapping of str to str, optional
        What is said of them elsewhere.

    Returns
    -------
    Source
    """
    held = tuple(files)
    metadata: dict[str, str] = {}
    for file in reversed(held):
        metadata |= file.metadata
    arrays = (
        Array(name, dtype, shape, file, entry)
        for file in held
        for entry, (name, dtype, shape, _) in enumerate(file.entries)
    )
    skipped = tuple(left for file in held for left in file.skipped)
    return Source(label, tuple(arrays), metadata | dict(told or {}), skipped)
