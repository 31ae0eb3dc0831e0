"""Draws and what goes with them, in the groups that ArviZ names, each made when it is first asked for.

They are NumPy arrays with named dims. xarray, which takes longer to import than a fit takes, is loaded where
its datasets are wanted: to save and load, and for ArviZ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
        Labels of the entries of each dim that has any.
    attributes : mapping of str to object
        Notes on the variables, such as that they are thinned.
    """

    variables: Variables
    labels: Mapping[str, Any]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("variables", "labels", "attributes"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @classmethod
    def of_dataset(cls, dataset: xr.Dataset) -> Dataset:
        """Take the arrays of a dataset; they are not copied."""
        variables = {
            str(name): (tuple(map(str, array.dims)), array.values)
            for name, array in dataset.data_vars.items()
        }
        labels = {str(dim): array.values for dim, array in dataset.coords.items()}
        return cls(variables, labels, {str(name): value for name, value in dataset.attrs.items()})

    def __contains__(self, name: object) -> bool:
        return name in self.variables

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variables[name][1]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of entries of every dim."""
        variables = self.variables.values()
        return {dim: size for dims, values in variables for dim, size in zip(dims, values.shape, strict=True)}

    def to_dataset(self) -> xr.Dataset:
        """Give the arrays to xarray; they are not copied."""
        import xarray as xr

        return xr.Dataset(dict(self.variables), dict(self.labels), dict(self.attributes))


class DrawGroups(Mapping[str, Dataset]):
    """Groups by name, each made when it is first asked for and then kept.

    Parameters
    ----------
    makers : mapping of str to callable
        Functions that make each group; each returns the same whenever it is called.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Dataset]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Dataset] = {}

    @classmethod
    def of_tree(cls, tree: xr.DataTree) -> DrawGroups:
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

    def to_datasets(self) -> dict[str, xr.Dataset]:
        """Make all groups, and give their arrays to xarray."""
        return {name: group.to_dataset() for name, group in self.items()}
