"""`open_dump`: paths or arrays, and what the caller states about them, → `Dump`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path as _Path
from typing import Any, Literal

import numpy as np

from surge_fit._support.arguments import require_positive
from surge_fit._support.wording import listing
from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump import facts
from surge_fit.gradients.dump.arrays import from_memory
from surge_fit.gradients.dump.files import labelled, open_source
from surge_fit.gradients.dump.layout import along_axis, choose_layout, one_per_file, one_per_item
from surge_fit.gradients.dump.refusing import (
    gradient_files,
    gradients_among,
    require_gradients,
    without_weights,
)
from surge_fit.gradients.dump.selection import Selection, beside_gradients, numbers_beside
from surge_fit.gradients.dump.sources import Source, source_of
from surge_fit.gradients.dump.value import Dump, DumpTensor, Layout, LossReduction
from surge_fit.typing import Path

_LAYOUTS, _REDUCTIONS, _ABSENT = ("examples", "rows", "items"), ("none", "mean", "sum"), ("zero", "missing")


def open_dump(
    paths: Path | Sequence[Path] | Mapping[str, Any],
    *,
    only: str | Sequence[str] = (),
    leave_out: str | Sequence[str] = (),
    layout: Layout | None = None,
    microbatch_size: float | Sequence[float] | None = None,
    loss_reduction: LossReduction | None = None,
    loss_scale: float | None = None,
    clipped: bool | None = None,
    row_groups: Sequence[Any] | None = None,
    absent: Literal["zero", "missing"] | None = None,
    void_dtype: str | None = None,
) -> Dump:
    """Open a gradient dump: read its headers, but no gradients.

    What is not stated is taken from the metadata of the files (the ``__metadata__`` of safetensors, the
    plain values of a PyTorch dict, the sidecar of a raw file) under the same names. Arrays that stand beside
    gradients (losses, labels, optimizer state) are left out and named in `Dump.skipped`; files of weights,
    optimizer states, shards of either, and adapters are refused.

    Parameters
    ----------
    paths : path-like, sequence of path-like, or mapping of str to array
        Files (safetensors and its ``index.json``, ``.npy``, ``.npz``, PyTorch ``.pt`` and ``.pth``, raw
        with a JSON sidecar, HDF5, zarr), folders and patterns of them, an index of bergson or a store of
        TRAK; or arrays of NumPy, PyTorch or JAX by name. Pickles are never executed.
    only, leave_out : str or sequence of str, optional
        Regular expressions, searched in the names of arrays: those to take, and those to leave out. What
        `only` names is a gradient, even with one number per row.
    layout : {"examples", "rows", "items"}, optional
        ``examples``: every array has a first axis of examples (or micro-batches), and several files are
        joined along it. ``rows``: every file is one row, such as the gradient of one rank or micro-batch.
        ``items``: a file is a list with one gradient (a tensor, a dict or a list of tensors) per row.
        By default whatever the names and shapes allow.
    microbatch_size : float or sequence of float, optional
        Number of examples that each row is the mean gradient of. Default 1.
    loss_reduction : {"none", "mean", "sum"}, optional
        What was differentiated. ``none``: the mean loss of the row's own examples, so that a row is g_k
        (Opacus, ``vmap(grad)``, a micro-batch). ``mean``: the mean over all rows together, so that a row is
        g_k/N (BackPACK under a mean loss). ``sum``: the sum over the row's examples.
    loss_scale : float, optional
        Factor that the loss was multiplied by, as in mixed-precision training.
    clipped : bool, optional
        Whether gradients were clipped; the statistics are then those of clipped gradients.
    row_groups : sequence, optional
        One label per row; rows of one label (the tokens of a document, the steps of a rank) are correlated.
    absent : {"zero", "missing"}, optional
        What it means that a row has no gradient for a tensor (embeddings, experts): that its file lacks
        it, or, with ``missing``, also that it is zero throughout.
    void_dtype : str, optional
        The type of two-byte void numbers in ``.npy`` and ``.npz`` files: ``bfloat16``.

    Returns
    -------
    Dump

    Raises
    ------
    DumpError
        If a file is broken or holds something other than gradients, or files contradict each other; the
        message names file, tensor and byte.
    InputError
        If an option cannot be used as given, or `only` and `leave_out` leave nothing.

    Examples
    --------
    >>> sf.open_dump("examples/digits_gradients/step00010.safetensors")
    Dump(step00010.safetensors: 384 gradients of 1810 parameters in 4 tensors, 1.39 MB)
    >>> gradients = {"weight": np.random.default_rng(0).normal(size=(32, 10, 4))}
    >>> sf.open_dump(gradients, layout="examples").parameters
    40
    """
    selection = Selection.of(only, leave_out)
    return _assemble(
        _sources(paths, void_dtype, selection),
        selection,
        layout=layout,
        microbatch_size=microbatch_size,
        loss_reduction=loss_reduction,
        loss_scale=loss_scale,
        clipped=clipped,
        row_groups=row_groups,
        absent=absent,
    )


def open_checkpoints(
    paths: Path | Sequence[Path],
    *,
    only: str | Sequence[str] = (),
    leave_out: str | Sequence[str] = (),
    void_dtype: str | None = None,
    **options: Any,
) -> tuple[Dump, ...]:
    """Open files of several checkpoints: one dump for each ``step`` that the files name.

    Parameters
    ----------
    paths : path-like or sequence of path-like
    only, leave_out, void_dtype, **options
        As for `open_dump`.

    Returns
    -------
    tuple of Dump
        By ascending step; a single one where the files name no step.

    Raises
    ------
    DumpError
        As `open_dump`; or if only some files name their step.
    """
    selection = Selection.of(only, leave_out)
    sources = _sources(paths, void_dtype, selection)
    steps = {source.label: _step(source) for source in sources}
    unknown = [label for label, step in steps.items() if step is None]
    if unknown and len(unknown) < len(steps):
        known = next(label for label, step in steps.items() if step is not None)
        msg = (
            f"Files of several checkpoints must all name their step; '{known}' does, '{unknown[0]}' does "
            "not. "
            "Pass the files of one checkpoint at a time."
        )
        raise DumpError(msg)
    if unknown:
        return (_assemble(sources, selection, **options),)
    order = sorted({step for step in steps.values() if step is not None})
    return tuple(
        _assemble([source for source in sources if steps[source.label] == step], selection, **options)
        for step in order
    )


def read_labels(path: Path) -> list[str]:
    """Read the labels of rows from a text file: one line per row.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    list of str

    Raises
    ------
    DumpError
        If the file cannot be read as text.
    """
    try:
        return _Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Labels of rows must be a UTF-8 text with one line per row; '{path}': {error}."
        raise DumpError(msg) from error


def _step(source: Source) -> float | None:
    return facts.parsed(source, "step", facts.finite_or_list) if "step" in source.metadata else None


def _sources(
    paths: Path | Sequence[Path] | Mapping[str, Any], void_dtype: str | None, selection: Selection
) -> list[Source]:
    if void_dtype not in (None, "bfloat16"):
        msg = f"'void_dtype' must be 'bfloat16'; got {void_dtype!r}."
        raise InputError(msg)
    if isinstance(paths, Mapping):
        if not paths:
            msg = "A dump in memory must have at least one array; the mapping is empty."
            raise InputError(msg)
        return gradients_among(selection.applied([source_of("memory", from_memory(paths))]))
    given = [paths] if isinstance(paths, str) or not isinstance(paths, Sequence) else list(paths)
    if not given:
        msg = "A gradient dump must be at least one file; no path was given."
        raise InputError(msg)
    files, left_out = gradient_files(labelled([_Path(path) for path in given]))
    opened = [open_source(path, label, void_dtype) for path, label in files]
    first, *others = gradients_among(selection.applied(opened))
    return [first.naming(left_out), *others]


def _assemble(
    sources: list[Source],
    selection: Selection,
    *,
    layout: Layout | None = None,
    microbatch_size: float | Sequence[float] | None = None,
    loss_reduction: LossReduction | None = None,
    loss_scale: float | None = None,
    clipped: bool | None = None,
    row_groups: Sequence[Any] | None = None,
    absent: Literal["zero", "missing"] | None = None,
) -> Dump:
    _require("layout", layout, _LAYOUTS)
    _require("loss_reduction", loss_reduction, _REDUCTIONS)
    _require("absent", absent, _ABSENT)
    require_positive("loss_scale", loss_scale)
    notes: list[str | None] = []

    def settle(key: str, parse: Any, option: Any) -> Any:
        value, note = facts.stated(key, parse, option, sources)
        notes.append(note)
        return value

    sources = [source.leaving_out(numbers_beside(source.arrays, selection)) for source in sources]
    stated = settle("layout", facts.one_of(*_LAYOUTS), layout)
    if stated is None:
        sources = without_weights(sources)
    chosen, note = choose_layout(sources, stated)
    notes.append(note)
    reduction = settle("loss_reduction", facts.one_of(*_REDUCTIONS), loss_reduction)
    if stated is None and reduction is None:
        require_gradients(sources, chosen)
    if chosen == "examples":
        sources = [source.leaving_out(beside_gradients(source, selection)) for source in sources]
    absent = settle("absent", facts.one_of(*_ABSENT), absent)
    tensors, row_names = _stacked(sources, chosen, absent)
    rows = sum(count for _, count in row_names)
    labels = row_groups if row_groups is not None else facts.per_row("group", str, sources, row_names)
    sizes, known = _microbatch_sizes(microbatch_size, sources, row_names)
    scale = settle("loss_scale", facts.positive, loss_scale)
    was_clipped = settle("clipped", facts.flag, clipped)
    if reduction not in (None, "none") and not np.all(sizes == sizes[0]):
        msg = (
            f"With loss_reduction {reduction!r}, all rows must have the same micro-batch size; found "
            f"{sizes.min():g} to {sizes.max():g}. Divide the rows before they are written, and say 'none'."
        )
        raise DumpError(msg)
    notes += _assumed(chosen, known, reduction, scale, was_clipped)
    return Dump(
        source=listing([source.label for source in sources], 3),
        layout=chosen,
        tensors=tuple(tensors),
        row_names=tuple(row_names),
        microbatch_size=sizes,
        microbatch_known=known,
        loss_reduction=reduction or "none",
        loss_scale=scale or 1.0,
        clipped=bool(was_clipped),
        row_groups=None if labels is None else facts.as_row_groups(labels, rows),
        absent=absent,
        step=settle("step", facts.finite_or_list, None),
        loss=settle("loss", facts.finite_or_list, None),
        skipped=tuple(dict.fromkeys(left for source in sources for left in source.skipped)),
        assumptions=tuple(filter(None, notes)),
    )


def _stacked(
    sources: list[Source], layout: Layout, absent: Literal["zero", "missing"] | None
) -> tuple[list[DumpTensor], list[tuple[str, int]]]:
    if layout == "examples":
        return along_axis(sources)
    return one_per_item(sources, absent) if layout == "items" else one_per_file(sources, absent)


def _require(argument: str, value: object, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        msg = f"'{argument}' must be one of {', '.join(map(repr, allowed))}; got {value!r}."
        raise InputError(msg)


def _microbatch_sizes(
    option: float | Sequence[float] | None, sources: list[Source], row_names: list[tuple[str, int]]
) -> tuple[Any, bool]:
    rows = sum(count for _, count in row_names)
    if option is None:
        option = facts.per_row("microbatch_size", facts.positive, sources, row_names)
    return facts.as_microbatch_sizes(1 if option is None else option, rows), option is not None


def _assumed(
    layout: Layout, known: bool, reduction: str | None, scale: float | None, clipped: bool | None
) -> list[str]:
    """Say what nobody said, as far as it changes a result."""
    unsaid = [
        what
        for what, missing in (
            ("that rows are not divided by their number (loss_reduction 'none')", reduction is None),
            ("that the loss was not scaled", scale is None),
            ("that gradients were not clipped", clipped is None),
        )
        if missing
    ]
    found = [f"Assumed, since neither files nor options say it: {listing(unsaid)}."] if unsaid else []
    if not known and layout == "rows":
        found.append(
            "Nobody said how many examples a row is the mean of: noise scales count rows, not examples. Say "
            "microbatch_size (command line: --microbatch-size)."
        )
    return found
