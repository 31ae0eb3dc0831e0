"""The progress of a fit, shown on stderr while it runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from surge_fit.typing import CountProgress, Progress

_HINTS = {"compiling the model": "about 20 s the first time"}


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show the progress of a fit on stderr: a bar on a terminal, else one plain line per stage.

    Yields
    ------
    callable
        For ``fit(…, progress=…)``: takes the stage, and the share of it that is done or None.

    Examples
    --------
    >>> with sf.progress_bar() as progress:
    ...     posterior = sf.fit(sweep, progress=progress)
    """
    if sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield _lines()


def _lines() -> Progress:
    stages: list[str] = []

    def progress(stage: str, _share: float | None) -> None:
        if stages[-1:] != [stage]:
            stages.append(stage)
            sys.stderr.write(f"{_with_hint(stage)}\n")
            sys.stderr.flush()

    return progress


@contextmanager
def _bar() -> Iterator[Progress]:
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("{task.fields[left]}"),
    )
    current: list[tuple[str, rich.TaskID]] = []
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def progress(stage: str, share: float | None) -> None:
            if not current or current[-1][0] != stage:
                if current:
                    bar.update(current[-1][1], visible=False)
                total = None if share is None else 1.0
                current.append((stage, bar.add_task(_with_hint(stage), total=total, left="")))
            task = current[-1][1]
            if share is not None:
                seconds = bar.tasks[task].time_remaining
                left = "" if seconds is None else f"about {seconds:.0f} s left"
                bar.update(task, completed=share, left=left)

        yield progress


@contextmanager
def byte_progress() -> Iterator[CountProgress]:
    """Show on stderr how many bytes are read: a bar on a terminal, else one plain line per stage.

    Yields
    ------
    callable
        For ``gradient_statistics(…, progress=…)``: takes the stage, the bytes done, and the bytes in all.
    """
    if not sys.stderr.isatty():
        lines = _lines()
        yield lambda stage, done, total: lines(f"{stage} ({amount_of_bytes(total)})", None)
        return
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=30),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    current: list[tuple[str, rich.TaskID]] = []
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def progress(stage: str, done: int, total: int) -> None:
            if not current or current[-1][0] != stage:
                current.append((stage, bar.add_task(stage, total=total)))
            bar.update(current[-1][1], completed=done)

        yield progress


def amount_of_bytes(count: float) -> str:
    """Write an amount of memory: ``812 B``, ``1.4 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _with_hint(stage: str) -> str:
    hint = _HINTS.get(stage.rpartition(": ")[2])  # without the fit that the stage is one of
    return f"{stage} ({hint})" if hint else stage
