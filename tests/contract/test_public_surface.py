"""What the package shows to the outside: its names, their documents, its types, and what importing costs."""

import inspect
import re
import subprocess
import sys
from functools import cached_property
from pathlib import Path

import pytest
import surge_fit

PACKAGE = Path(surge_fit.__file__).parent
HEAVY = ("pymc", "pytensor", "nutpie", "numba", "arviz", "matplotlib", "polars", "pandas", "scipy")
NAMES = sorted(surge_fit.__all__)
CALLABLES = [name for name in NAMES if callable(getattr(surge_fit, name))]


FUNCTIONS = [name for name in CALLABLES if inspect.isfunction(getattr(surge_fit, name))]
CLASSES = [name for name in CALLABLES if inspect.isclass(getattr(surge_fit, name))]


def loaded_by(code: str) -> set[str]:
    """Run code in a new interpreter; return the top-level modules that it loaded."""
    told = "\nimport sys; print('\\nLOADED', *sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code + told], capture_output=True, text=True, check=True, timeout=120
    )
    return set(done.stdout.rpartition("LOADED ")[2].split())


def test_importing_the_package_is_light():
    assert loaded_by("import surge_fit") & {*HEAVY, "numpy", "click"} == set()


def test_asking_the_command_for_help_is_light():
    code = (
        "import sys; sys.argv = ['surge-fit', '--help']\n"
        "from surge_fit.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
    )
    assert loaded_by(code) & set(HEAVY) == set()


def test_a_recommendation_loads_no_frame_library_and_no_engine_but_the_native_one(root):
    sweep = root / "examples" / "digits_adam" / "sweep.csv"
    code = (
        f"import sys; sys.argv = ['surge-fit', 'recommend', {str(sweep)!r}, '-b', '64', '--json']\n"
        "from surge_fit.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
    )
    assert loaded_by(code) & {*HEAVY, "xarray", "narwhals", "pyarrow", "h5py", "h5netcdf"} == set()


def test_all_names_are_there_and_few():
    assert len(set(surge_fit.__all__)) == len(surge_fit.__all__)
    assert all(hasattr(surge_fit, name) for name in NAMES)
    assert set(NAMES) <= set(dir(surge_fit))
    assert 25 <= len(NAMES) <= 48


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'recomend'"):
        _ = surge_fit.recomend


def own_docstring(held: object) -> str:
    """Return the docstring, unless it is inherited or the signature that a dataclass writes for itself."""
    text = vars(held).get("__doc__") if inspect.isclass(held) else getattr(held, "__doc__", None)
    return "" if text is None or re.match(r"\w+\(", text) else inspect.cleandoc(text)


def section(text: str, title: str) -> str:
    """Return the numpydoc section of that title, or nothing."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n\S.*\n---|\Z)", text, re.DOTALL | re.MULTILINE)
    return found.group(1) if found else ""


@pytest.mark.parametrize("name", CALLABLES)
def test_every_public_object_is_documented(name):
    assert len(own_docstring(getattr(surge_fit, name)).split()) >= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_takes_and_returns(name):
    function = getattr(surge_fit, name)
    text, signature = own_docstring(function), inspect.signature(function)
    listed = re.findall(r"^(\w[\w, ]*?)(?: : .*)?$", section(text, "Parameters"), re.MULTILINE)
    assert [p for names in listed for p in names.split(", ")] == list(signature.parameters)
    assert signature.return_annotation is not inspect.Signature.empty
    if signature.return_annotation not in (None, "None"):
        assert section(text, "Returns") or section(text, "Yields")


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_is_documented(name):
    members = {n: m for n, m in vars(getattr(surge_fit, name)).items() if not n.startswith("_")}
    described = (property, cached_property, classmethod, staticmethod)
    wanted = {n: m for n, m in members.items() if inspect.isfunction(m) or isinstance(m, described)}
    assert [n for n, m in wanted.items() if not m.__doc__] == []


@pytest.mark.parametrize("name", CLASSES)
def test_a_list_of_fields_is_complete(name):
    held = getattr(surge_fit, name)
    text = own_docstring(held)
    listing = section(text, "Attributes") or section(text, "Parameters")
    if listing:
        heads = re.findall(r"^(\w[\w, ]*?)(?: : .*)?$", listing, re.MULTILINE)
        listed = {field for names in heads for field in names.split(", ")}
        assert {f for f in getattr(held, "__dataclass_fields__", {}) if not f.startswith("_")} <= listed


def test_types_ship_with_the_package():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_core.pyi").is_file()
