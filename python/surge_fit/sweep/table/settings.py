"""Columns that a sweep does not hold and that may be settings of its runs: model, data set, schedule."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from surge_fit.sweep.table.draft import Draft
from surge_fit.typing import IndexArray

_SETTINGS = frozenset(
    [
        "activation",
        "algorithm",
        "arch",
        "architecture",
        "augmentation",
        "backbone",
        "config",
        "corpus",
        "d_model",
        "data",
        "dataset",
        "depth",
        "dim",
        "dtype",
        "embd",
        "embed",
        "experiment",
        "finetune",
        "head",
        "heads",
        "hidden",
        "init",
        "kind",
        "layers",
        "lora",
        "loss_fn",
        "method",
        "mixture",
        "mode",
        "model",
        "network",
        "norm",
        "objective",
        "opt",
        "optim",
        "optimizer",
        "param",
        "parameters",
        "params",
        "precision",
        "preset",
        "pretrained",
        "recipe",
        "sched",
        "schedule",
        "scheduler",
        "size",
        "solver",
        "task",
        "tokenizer",
        "type",
        "variant",
        "vocab",
        "width",
    ]
)
"""Words of headers that hold settings."""

_NO_SETTINGS = frozenset(
    [
        "commit",
        "created",
        "date",
        "dir",
        "directory",
        "duration",
        "elapsed",
        "file",
        "folder",
        "git",
        "gpu",
        "group",
        "host",
        "hostname",
        "id",
        "index",
        "job",
        "log",
        "machine",
        "name",
        "node",
        "note",
        "notes",
        "path",
        "pid",
        "project",
        "rank",
        "rep",
        "repeat",
        "replicate",
        "run",
        "runtime",
        "seed",
        "sha",
        "start",
        "sweep",
        "tag",
        "tags",
        "time",
        "timestamp",
        "trial",
        "updated",
        "url",
        "user",
        "version",
        "wall",
        "worker",
    ]
)
"""Words of headers that name a run, its time or its place, by which replicates may differ."""

_MOST_VALUES = 12
_LARGE = 100_000
"""Runs beyond which only columns whose header is that of a setting are looked into."""


def settings_of(
    draft: Draft, headers: Iterable[str], cell: IndexArray, rows: IndexArray
) -> dict[str, tuple[str, ...]]:
    """Return the columns that take several values within one batch size, as words.

    Parameters
    ----------
    draft : Draft
    headers : iterable of str
        Columns that the sweep does not hold.
    cell : ndarray of int, shape (run,)
        Index of the group and batch size of every run.
    rows : ndarray of int, shape (run,)
        The rows of the table that are runs.

    Returns
    -------
    dict of str to tuple of str
        Header → words, one per run. Names, times and seeds are no settings.
    """
    found: dict[str, tuple[str, ...]] = {}
    for header in headers:
        if _may_be_setting(draft, header, len(rows)):
            cells = draft.words(header)
            chosen = tuple(cells[row] for row in rows)
            if _is_varied(chosen, cell):
                found[header] = chosen
    return found


def _may_be_setting(draft: Draft, header: str, count: int) -> bool:
    parts = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).lower()))
    if parts & _NO_SETTINGS:
        return False
    return bool(parts & _SETTINGS) or (
        count < _LARGE and not draft.headers[header].metric and draft.is_text(header)
    )


def _is_varied(values: Sequence[str], cell: IndexArray) -> bool:
    """Whether a few values stand for many runs, and two of them were tried in one cell."""
    distinct: set[str] = set()
    for value in values:
        distinct.add(value)
        if len(distinct) > _MOST_VALUES:
            return False
    if len(distinct) < 2 or 2 * len(distinct) > len(values):
        return False
    order = {value: index for index, value in enumerate(distinct)}
    pairs = np.unique(np.stack([cell, np.array([order[value] for value in values])]), axis=1)
    return bool((np.unique(pairs[0], return_counts=True)[1] > 1).any())
