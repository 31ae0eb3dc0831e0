"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`, of the same suffix, that takes its place at the end.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        To write to. If anything is raised, Ctrl-C included, it is removed and `path` stays as it was.
    """
    draft = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write JSON types to a file, in strict JSON.

    Parameters
    ----------
    path : Path
    record : mapping
    """
    with replacing(path) as draft:
        draft.write_text(json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
