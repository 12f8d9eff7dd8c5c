"""Imports run downwards only: cli, jobs → report → engine → local → the middle packages → corpus → files, schema."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MIDDLE = {"dumps", "samplewiki", "wikitext", "curation", "tokens", "training"}
FOUNDATION = {"", "schema", "files", "manifest", "corpus"}
SHOWN = {"summary", "progress", "command"}
ALLOWED = {
    "__init__": set(),  # it names modules, and imports them when one is asked for
    "schema": set(),
    "files": set(),
    "manifest": {""},
    "corpus": {"", "schema", "files", "manifest"},
    "documents": FOUNDATION,
    "intervals": {""},
    "scan": FOUNDATION,
    "progress": {""},
    "command": {"", "files"},
    "summary": FOUNDATION,
    "ratios": FOUNDATION | {"summary"},
    **{name: FOUNDATION | {name} for name in MIDDLE},
    "training": FOUNDATION | {"training", "progress"},
    "local": FOUNDATION | MIDDLE | SHOWN | {"documents", "ratios", "scan", "local"},
    "engine": FOUNDATION | MIDDLE | SHOWN | {"documents", "intervals", "ratios", "scan", "local", "engine"},
    "report": FOUNDATION | MIDDLE | SHOWN | {"intervals", "scan", "local", "engine", "report"},
    "cli": FOUNDATION | MIDDLE | SHOWN | {"scan", "local", "engine", "report"},
    "jobs": {"cli"},
    "examples": {""},
}
FILES = sorted([*ROOT.glob("raywiki/**/*.py"), *ROOT.glob("jobs/*.py"), *ROOT.glob("examples/*.py")])


def layer(path: Path) -> str:
    pieces = path.relative_to(ROOT).with_suffix("").parts
    if pieces[-1] == "__main__":
        return "cli"  # a command too
    return pieces[1] if pieces[0] == "raywiki" else pieces[0]


def imports(path: Path) -> set[str]:
    """Full names of all modules a file imports, at its top or in its functions; not those for type checkers."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path):
    for name in imports(path):
        package, *rest = name.split(".")
        if package == "raywiki":
            assert (rest[0] if rest else "") in ALLOWED[layer(path)], f"{layer(path)} imports {name}"
        if package == "ray":
            assert layer(path) == "engine", f"only raywiki.engine imports ray, not {path}"
        if package == "torch":
            assert layer(path) == "training", f"torch belongs to raywiki.training, not {path}"
        if package == "polars":
            assert layer(path) not in FOUNDATION | SHOWN | {"training"}, f"{path} must work without polars"


def test_no_script_hides_a_standard_module():
    import sys

    for path in [*ROOT.glob("jobs/*.py"), *ROOT.glob("examples/*.py"), *ROOT.glob("benchmarks/*.py")]:
        assert path.stem not in sys.stdlib_module_names, path
