"""Draws and what goes with them, in the groups that ArviZ names, each made when it is first asked for.

Held are NumPy arrays with named dims. xarray, which takes longer to import than a fit takes, is loaded where
its trees are wanted: to save and load, and by whoever asks for `InferenceData.tree`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

Variables: TypeAlias = Mapping[str, tuple[tuple[str, ...], np.ndarray]]
"""Dims and values by name, as xarray takes them."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Variables over shared dims: what xarray calls a dataset, without xarray.

    Attributes
    ----------
    variables : mapping of str to (dims, ndarray)
    labels : mapping of str to array_like
        Of the entries of a dim; a dim without labels has none.
    """

    variables: Variables
    labels: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name in ("variables", "labels"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @classmethod
    def of_dataset(cls, dataset: xr.Dataset) -> Dataset:
        """Take the arrays of a dataset; they are not copied."""
        variables = {
            str(name): (tuple(map(str, held.dims)), held.values) for name, held in dataset.data_vars.items()
        }
        return cls(variables, {str(dim): held.values for dim, held in dataset.coords.items()})

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name][1]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of entries of every dim."""
        held = self.variables.values()
        return {dim: size for dims, values in held for dim, size in zip(dims, values.shape, strict=True)}

    def to_dataset(self) -> xr.Dataset:
        """Give the arrays to xarray; they are not copied."""
        import xarray as xr

        return xr.Dataset(dict(self.variables), dict(self.labels))


class InferenceData(Mapping[str, Dataset]):
    """Groups by name, each made when it is first asked for and then kept.

    Parameters
    ----------
    makers : mapping of str to callable
        What makes each group; it gives the same whenever it is called.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Dataset]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Dataset] = {}

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> InferenceData:
        """Take the groups of a tree; their arrays are not copied."""

        def maker(node: xr.DataTree) -> Callable[[], Dataset]:
            return lambda: Dataset.of_dataset(node.to_dataset())

        return cls({name: maker(node) for name, node in tree.children.items()})

    def __getitem__(self, name: str) -> Dataset:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def tree(self) -> xr.DataTree:
        """Make all groups, and give them to xarray."""
        import xarray as xr

        return xr.DataTree.from_dict({name: held.to_dataset() for name, held in self.items()})
