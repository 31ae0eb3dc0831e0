"""The repository speaks of the project alone: of no machine, no package host, no lock file that names one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

MACHINE_PATH = re.compile(r"(?<![\w.~*$}])/(?:home|root|work|Users|tmp/[a-z]\w*)/[A-Za-z]")
PACKAGE_HOST = re.compile(
    r"https?://[\w.:@-]*(?:pypi|pythonhosted|crates|conda|artifact|nexus|devpi)[\w.-]*", re.I
)
CRATES_INDEX = 'source = "registry+https://github.com/rust-lang/crates.io-index"'


@pytest.fixture(scope="module")
def committed() -> dict[str, str]:
    """The text of every committed file by name."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a clone: git cannot say what is committed")
    texts = {}
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        # Inputs of the fuzzers are bytes, whether or not one of them is zero.
        if name.startswith("fuzz/corpus/") or not path.is_file():
            continue
        if b"\0" not in (raw := path.read_bytes()):
            texts[name] = raw.decode("utf-8")
    return texts


def test_no_lock_file_that_names_hosts_is_committed(committed):
    assert "Cargo.lock" in committed
    assert "uv.lock" not in committed


def test_no_file_names_a_path_of_one_machine(committed):
    found = {name: m.group() for name, text in committed.items() if (m := MACHINE_PATH.search(text))}
    assert found == {}


def test_no_file_names_a_package_host(committed):
    others = {name: text for name, text in committed.items() if name != "Cargo.lock"}
    assert {name: m.group() for name, text in others.items() if (m := PACKAGE_HOST.search(text))} == {}


def test_every_crate_comes_from_the_public_index(committed):
    sources = {line for line in committed["Cargo.lock"].splitlines() if line.startswith("source")}
    assert sources == {CRATES_INDEX}
