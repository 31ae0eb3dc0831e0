"""Uses between the files of the Rust sources: `use` declarations and paths, read by rule."""

import re
from collections.abc import Iterator
from pathlib import Path

_COMMENT_OR_TEXT = re.compile(r"//[^\n]*|/\*.*?\*/|b?\"(?:\\.|[^\"\\])*\"|b?'(?:\\.|[^'\\])'", re.DOTALL)
_OF_TESTS = re.compile(
    r"#\[cfg\((?:test|fuzzing)\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?(?:mod|use)\b"
)
_USE = re.compile(r"(?P<public>\bpub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
_PATH = re.compile(r"(?<![\w:])(?:\w+::)+\w+")

ModulePath = tuple[str, ...]


def _without_tests(text: str) -> str:
    """Leave out comments, literals, and what is compiled for tests or fuzzing alone."""
    text = re.sub(r"pub\(in [^)]*\)", "pub(crate)", _COMMENT_OR_TEXT.sub('""', text))
    while match := _OF_TESTS.search(text):
        end = min(at for at in (text.find("{", match.end()), text.find(";", match.end())) if at >= 0)
        depth = text[end] == "{"
        while depth:
            end += 1
            depth += {"{": 1, "}": -1}.get(text[end], 0)
        text = text[: match.start()] + text[end + 1 :]
    return text


def _leaves(tree: str) -> Iterator[tuple[ModulePath, str]]:
    """Yield the path of each name in a `use` tree, and the name it is known by."""
    tree = tree.strip()
    stem, brace, rest = tree.partition("{")
    if not brace:
        path, _, alias = tree.partition(" as ")
        parts = tuple(part.strip() for part in path.split("::"))
        parts = parts[:-1] if parts[-1] == "self" else parts
        yield parts, alias.strip() or (parts[-1] if parts else "")
        return
    prefix = tuple(part.strip() for part in stem.split("::") if part.strip())
    depth, start, inner = 0, 0, rest[: rest.rindex("}")] + ","
    for at, letter in enumerate(inner):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "," and not depth:
            if inner[start:at].strip():
                for path, name in _leaves(inner[start:at]):
                    yield prefix + path, name or prefix[-1]
            start = at + 1


class Modules:
    """The modules below one folder, each a file."""

    def __init__(self, root: Path) -> None:
        self._code: dict[ModulePath, str] = {}
        self.files: dict[ModulePath, str] = {}
        for file in sorted(root.rglob("*.rs")):
            parts = file.relative_to(root).with_suffix("").parts
            if "tests" in parts or "fuzzing" in parts:
                continue
            module = parts[:-1] if parts[-1] in ("mod", "lib") else parts
            self._code[module] = _without_tests(file.read_text(encoding="utf-8"))
            self.files[module] = str(file.relative_to(root))

    def _names(self, module: ModulePath, *, public: bool) -> dict[str, ModulePath]:
        """Map each name that a module declares with (pub) `use` to its whole path."""
        return {
            name: path
            for use in _USE.finditer(self._code[module])
            if use["public"] or not public
            for path, name in _leaves(use["tree"])
        }

    def _absolute(self, module: ModulePath, path: ModulePath) -> ModulePath | None:
        """Give a path from the root of the crate; None for one of another crate or of the file itself."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return module + rest
        if first == "super":
            while rest[:1] == ("super",):
                module, rest = module[:-1], rest[1:]
            return module[:-1] + rest
        if (*module, first) in self._code:
            return module + path
        return None

    def defined_in(self, module: ModulePath, path: ModulePath) -> ModulePath | None:
        """Find the module whose file defines what a path in `module` names, through re-exports."""
        absolute = self._absolute(module, path)
        if absolute is None:
            return None
        here: ModulePath = ()
        for at, name in enumerate(absolute):
            if (*here, name) in self._code:
                here = (*here, name)
                continue
            again = self._names(here, public=True).get(name)
            if again is None:
                return here
            return self.defined_in(here, again + absolute[at + 1 :]) or here
        return here

    def uses(self) -> dict[ModulePath, set[ModulePath]]:
        """Map each module to those that define what it uses; a mere re-export is no use."""
        graph = {}
        for module, code in self._code.items():
            body = _USE.sub("", code)
            body = re.sub(r"\bmod\s+\w+\s*;", "", body)
            every, public = self._names(module, public=False), self._names(module, public=True)
            used = {
                path
                for name, path in every.items()
                if name not in public or re.search(rf"(?<!\.)(?<!fn )\b{re.escape(name)}\b", body)
            }
            paths = {tuple(name.split("::")) for name in _PATH.findall(body)}
            paths |= {every[path[0]] + path[1:] for path in paths if path[0] in every}
            targets = {self.defined_in(module, path) for path in used | paths}
            graph[module] = {target for target in targets if target is not None} - {module}
        return graph


def circles(graph: dict[ModulePath, set[ModulePath]]) -> list[list[ModulePath]]:
    """List the sets of modules that reach each other, largest first."""
    reach = {module: set(targets) for module, targets in graph.items()}
    for middle in graph:
        for targets in reach.values():
            if middle in targets:
                targets |= reach[middle]
    components = {
        frozenset({module} | {other for other in reach[module] if module in reach.get(other, ())})
        for module in graph
        if module in reach[module]
    }
    return sorted((sorted(circle) for circle in components), key=len, reverse=True)
