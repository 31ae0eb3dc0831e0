"""No two files of the Rust core use each other, not through others either."""

from pathlib import Path

from support.rust_modules import Modules, circles

ROOT = Path(__file__).resolve().parents[2]


def listed(root: Path) -> list[list[str]]:
    modules = Modules(root)
    return [sorted(modules.files[module] for module in circle) for circle in circles(modules.uses())]


def planted(folder: Path, **sources: str) -> list[list[str]]:
    for name, text in sources.items():
        file = folder / f"{name.replace('__', '/')}.rs"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return listed(folder)


def test_no_rust_file_reaches_itself_through_what_it_uses():
    assert listed(ROOT / "src") == []


def test_every_rust_file_is_seen():
    modules = Modules(ROOT / "src")
    uses = modules.uses()
    by_file = {modules.files[module]: {modules.files[other] for other in uses[module]} for module in uses}
    # `use super::{Law, …}` and a path, `crate::simd::Plain`, through a re-export.
    assert "law/mod.rs" in by_file["law/surge.rs"]
    assert "simd/arithmetic.rs" in by_file["surface.rs"]


def test_a_circle_through_a_re_export_is_seen(tmp_path):
    found = planted(
        tmp_path,
        lib="mod one;\nmod two;\npub use one::{A, B as C};\n",
        one="use crate::two::D;\npub struct A;\npub struct B;\n",
        two="use super::{C};\npub struct D;\n",
    )
    assert found == [["one.rs", "two.rs"]]


def test_a_circle_of_paths_without_use_is_seen(tmp_path):
    found = planted(
        tmp_path,
        lib="mod room;\n",
        room__mod="mod leaf;\npub fn a() { leaf::b() }\n",
        room__leaf="pub fn b() { super::a() }\n",
    )
    assert found == [["room/leaf.rs", "room/mod.rs"]]


def test_tests_texts_and_mere_re_exports_are_no_use(tmp_path):
    found = planted(
        tmp_path,
        lib="mod room;\n",
        room__mod="mod leaf;\npub use leaf::b;\npub fn a() { x.b(); }\n",
        room__leaf='use super::a;\n// super::leaf::b\npub fn b() { a("crate::room::leaf::b") }\n',
        room__other="pub fn c() {}\n#[cfg(test)]\nmod tests {\n    use super::super::leaf::b;\n}\n",
    )
    assert found == []
