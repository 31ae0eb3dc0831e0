"""YAML as trackers write it: values alone, never objects; what only Python could make is left blank."""

from functools import cache
from pathlib import Path
from typing import Any

from surge_fit.errors import SweepError


def read_yaml(file: Path) -> Any:
    """Read one YAML document.

    Raises
    ------
    SweepError
        If it is not YAML.
    """
    import yaml

    text = file.read_bytes()
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        msg = f"'{file}' must be YAML; it is not{where}. Write it again, or leave the run's folder out."
        raise SweepError(msg) from None


@cache
def _loader() -> Any:
    """Return PyYAML's safe loader, in C where it is there, that reads tags of Python as blanks."""
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc,valid-type]
        pass

    Loader.add_multi_constructor("", lambda loader, suffix, node: None)
    return Loader
