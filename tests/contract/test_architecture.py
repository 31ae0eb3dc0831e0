"""ARCHITECTURE.md is true: its tables name what there is, and the imports keep its order and rules."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "surge_fit"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400
MOST_ENTRIES = 24


def table(heading: str) -> list[list[str]]:
    """Read the rows of the first table under a heading, without its header."""
    section = re.split(rf"^## {heading}.*$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def named(heading: str) -> list[str]:
    return [row[0].strip("`") for row in table(heading)]


def module_of(path: Path) -> str:
    """Give the dotted name of a file; the front page is ``__init__``."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def room_of(path: Path) -> str:
    return module_of(path).partition(".")[0]


MODULES = {module_of(path): path for path in SOURCES}


def imports(path: Path, *, of_type_checkers: bool) -> Iterator[str]:
    """Yield the dotted names that a file imports, lazily or not."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not of_type_checkers:
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def run_time_imports(path: Path) -> Iterator[str]:
    return imports(path, of_type_checkers=False)


def modules_imported(path: Path) -> set[str]:
    """Find the modules of the package that a file imports, or imports a name from."""
    found = set()
    for name in imports(path, of_type_checkers=True):
        if name.partition(".")[0] == "surge_fit":
            assert name != "surge_fit", f"{path.name} imports the whole package"
            inner = name.removeprefix("surge_fit.")
            found.add(inner if inner in MODULES else inner.rpartition(".")[0] or inner)
    return found


def importers_of(*packages: str) -> set[str]:
    return {
        module_of(path)
        for path in SOURCES
        for name in run_time_imports(path)
        if name.split(".")[0] in packages
    }


def rooms(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the last name of what each call in a file calls, and its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield (node.func.id if isinstance(node.func, ast.Name) else node.func.attr), node.lineno


def callers_of(*names: str) -> set[str]:
    return {room_of(path) for path in SOURCES for name, _ in calls(path) if name in names}


def test_every_room_has_one_line():
    assert sorted(named("Rooms")) == sorted({room_of(path) for path in SOURCES})


def test_every_entry_of_the_rust_sources_has_one_line():
    assert sorted(named("Rust")) == sorted(path.name for path in (ROOT / "src").iterdir())


def test_every_folder_of_tests_has_one_line():
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/*.py")}
    assert sorted(named("Tests")) == sorted(folders - {"fixtures"})


def test_every_row_says_something():
    for heading in ("Rooms", "Rust", "Tests"):
        assert all(len(row) == 2 and len(row[1].split()) >= 2 for row in table(heading))


def test_the_house_is_small_enough_to_find_ones_way():
    entries = [path for path in PACKAGE.iterdir() if path.suffix not in (".so", ".pyd")]
    entries = [path.name for path in entries if path.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, entries


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_above_it(path):
    order = {room: place for place, room in enumerate(named("Rooms"))}
    own = room_of(path)
    if own == "__init__":  # the front page: its names are imported when they are used
        return
    for module in modules_imported(path):
        other = module.partition(".")[0]
        if other not in (own, "_core"):
            assert order[other] < order[own], f"{path.name} imports {other}, which is not above {own}"


def test_no_modules_import_in_a_circle():
    # Of any length, type-checking imports and packages' front pages included.
    graph = {module: modules_imported(path) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imported in a circle: {' ← '.join(error.args[1])}")


def test_the_front_page_imports_nothing_of_the_package():
    assert not [name for name in run_time_imports(PACKAGE / "__init__.py") if name.startswith("surge_fit")]


def test_the_rust_core_is_imported_where_it_belongs():
    core = {room_of(path) for path in SOURCES for name in modules_imported(path) if name == "_core"}
    assert core == {"_version", "law", "sampling", "gradients", "posterior", "decisions"}


def test_the_probabilistic_libraries_are_imported_where_they_belong():
    assert importers_of("pymc") == {"model.in_pymc"}
    assert importers_of("nutpie") == {"sampling.pymc_engine"}
    assert importers_of("pytensor") == {"model.in_pymc", "testing"}
    assert importers_of("arviz") == {"_support.compat"}


def test_training_frameworks_are_imported_by_their_integration_alone_and_when_it_is_called():
    assert rooms(importers_of("jax", "torch")) == {"integrations"}
    for path in (PACKAGE / "integrations").rglob("*.py"):
        top_level = ast.parse(path.read_text(encoding="utf-8")).body
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in top_level
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert {name.split(".")[0] for name in imported} & {"jax", "optax", "torch"} == set()


def test_matplotlib_and_the_terminal_stay_in_the_faces():
    assert rooms(importers_of("matplotlib")) == {"plots"}
    assert rooms(importers_of("click", "rich")) <= {"report", "cli"}


def test_only_reading_rooms_read_files():
    readers = callers_of(
        *("open", "read_text", "read_bytes", "read_csv", "scan_csv", "read_parquet", "read_ndjson"),
        *("read_json", "load", "loadtxt", "genfromtxt", "fromfile", "open_datatree", "open_dataset"),
        "from_netcdf",
    )
    assert {"sweep", "posterior"} <= readers <= {"_support", "gradients", "sweep", "posterior"}


def test_only_the_faces_print():
    assert callers_of("print", "echo", "secho") <= {"report", "plots", "cli"}


def test_no_file_is_two_ideas():
    files = [*SOURCES, *(ROOT / "src").rglob("*.rs")]
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files
    }
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}


def test_the_package_depends_on_what_it_imports_and_no_more():
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = read["project"], read["dependency-groups"]
    requirements = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    # Who captures gradients has the framework already; for the tests, a group installs it.
    requirements += [group[0] for group in (groups["jax"], groups["torch"])]
    declared = {re.split(r"[\[<>=!~ ]", requirement)[0] for requirement in requirements}
    imported = {name.split(".")[0] for path in SOURCES for name in run_time_imports(path)}
    declared = {"yaml" if name == "pyyaml" else name for name in declared}
    # xarray finds h5netcdf by name, to write and read posteriors.
    assert declared == (imported - set(sys.stdlib_module_names) - {"surge_fit"}) | {"h5netcdf"}
