"""ARCHITECTURE.md is true: its tables name what there is, and the imports keep its order and rules."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "surge_fit"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400


def table(heading: str) -> list[list[str]]:
    """Read the rows of the first table under a heading, without its header."""
    section = re.split(rf"^## {heading}.*$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def named(heading: str) -> list[str]:
    return [row[0].strip("`") for row in table(heading)]


def stages() -> dict[str, int]:
    return {module: i for i, row in enumerate(table("Stages")) for module in re.findall(r"`(\w+)`", row[1])}


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def run_time_imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, lazily or not, but for those of type checkers alone."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def importers_of(*packages: str) -> set[str]:
    return {
        module_of(path)
        for path in SOURCES
        for name in run_time_imports(path)
        if name.split(".")[0] in packages
    }


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the last name of what each call in a file calls, and its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            yield (node.func.id if isinstance(node.func, ast.Name) else node.func.attr), node.lineno


def callers_of(*names: str) -> set[str]:
    return {module_of(path) for path in SOURCES for name, _ in calls(path) if name in names}


def test_every_module_has_one_line():
    there = {module_of(path) for path in SOURCES} | {"_core"}
    assert sorted(named("Python")) == sorted(there)


def test_every_entry_of_the_rust_sources_has_one_line():
    assert sorted(named("Rust")) == sorted(path.name for path in (ROOT / "src").iterdir())


def test_every_folder_of_tests_has_one_line():
    folders = {path.parent.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/*/**/test_*.py")}
    assert sorted(named("Tests")) == sorted(folders)


def test_every_row_says_something():
    for heading in ("Python", "Rust", "Tests"):
        assert all(len(row) == 2 and len(row[1].split()) >= 2 for row in table(heading))


def test_every_module_has_one_stage():
    listed = [m for row in table("Stages") for m in re.findall(r"`(\w+)`", row[1])]
    assert sorted(listed) == sorted({module_of(path) for path in SOURCES} - {"__init__"})


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stage_imports_only_stages_above_it(path):
    order = stages()
    own = module_of(path)
    if own == "__init__":  # the package's front page: its names are imported when used
        return
    for name in run_time_imports(path):
        parts = name.split(".")
        if parts[0] != "surge_fit":
            continue
        assert len(parts) > 1, f"{path.name} imports the whole package"
        other = parts[1]
        if other not in (own, "_core"):
            assert order[other] < order[own], f"{path.name} imports {other}, which is not above {own}"


def test_the_front_page_imports_nothing_of_the_package():
    assert not [name for name in run_time_imports(PACKAGE / "__init__.py") if name.startswith("surge_fit")]


def test_the_rust_core_is_imported_where_it_belongs():
    core = {
        module_of(p) for p in SOURCES for name in run_time_imports(p) if name.startswith("surge_fit._core")
    }
    assert core == {"_version", "dump", "statistics", "curve", "law", "native", "held_out", "planning"}


def test_the_probabilistic_libraries_are_imported_where_they_belong():
    assert importers_of("pymc") == {"model"}
    assert importers_of("nutpie") == {"pymc_engine"}
    assert importers_of("pytensor") == {"model", "testing"}
    assert importers_of("arviz") == {"_compat"}


def test_training_frameworks_are_imported_by_their_integration_alone_and_when_it_is_called():
    assert importers_of("jax", "torch") == {"integrations"}
    for path in (PACKAGE / "integrations").rglob("*.py"):
        top_level = ast.parse(path.read_text(encoding="utf-8")).body
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in top_level
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert {name.split(".")[0] for name in imported} & {"jax", "optax", "torch"} == set()


def test_matplotlib_and_the_terminal_stay_in_the_faces():
    assert importers_of("matplotlib") == {"plots"}
    assert importers_of("typer", "rich") == {"report", "cli"}


def test_only_reading_stages_read_files():
    readers = callers_of(
        *(
            "open",
            "read_text",
            "read_bytes",
            "read_csv",
            "scan_csv",
            "read_parquet",
            "read_ndjson",
            "read_json",
        ),
        *("load", "loadtxt", "genfromtxt", "fromfile", "open_datatree", "open_dataset", "from_netcdf"),
    )
    allowed = {"dump", "statistics", "curve", "sweep", "importers", "posterior"}
    assert {"importers", "posterior"} <= readers <= allowed


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
    # xarray finds h5netcdf by name, to write and read posteriors.
    assert declared == (imported - set(sys.stdlib_module_names) - {"surge_fit"}) | {"h5netcdf"}
