"""The house: nothing is imported in a circle, no function is long, nothing stands twice."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("raywiki", "jobs", "examples", "benchmarks", "tests")
FILES = sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py"))
LONGEST = 60  # lines of code of a function
TWICE = 6  # lines
# Lines that say nothing by themselves: what closes or opens a bracket or a block, and docstrings' quotes.
TRIVIAL = re.compile(r'[\[\](){},:"]*|"""|else:|try:|finally:|return|return None|pass|from __future__ import annotations')


@cache
def modules() -> dict[str, Path]:
    """Every file by the name that others import it by: in full, and a script or a test by its own name alone."""
    named = {}
    for path in FILES:
        pieces = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(pieces if pieces[0] == "raywiki" else pieces[-1:])
        named[name.removesuffix(".__init__")] = path
    return named


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports anywhere: in functions and for type checkers too.

    What takes a module from a package needs that module, not what else the package's `__init__` names.
    """
    names, named = set(), modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            taken = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names |= {module if module in named else node.module for module in taken.values()}
    return names & named.keys()


def test_nothing_is_imported_in_a_circle():
    """What a package's `.pyi` names is imported lazily, and is no import of the package's."""
    named = modules()
    waiting = {name: imported(path) - {name} for name, path in named.items()}
    assert "raywiki.corpus" in waiting["raywiki.engine.extract"], "otherwise this test proves nothing"
    assert "peak_memory" in waiting["dedup_index"]
    while ready := {name for name, needed in waiting.items() if not needed & waiting.keys()}:
        waiting = {name: needed for name, needed in waiting.items() if name not in ready}
    assert not waiting, f"these import each other, or what does: {sorted(waiting)}"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function and how many lines of code it has, from `def` to its end, blank ones among them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            has_docstring = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
            docstring = first.end_lineno - first.lineno + 1 if has_docstring else 0
            yield node.name, node.end_lineno - node.lineno + 1 - docstring


def test_no_function_is_long():
    """60 lines at most. The docstring is not counted: that of a verb lists all that it takes and raises."""
    found = [(path, *each) for path in FILES for each in functions(path)]
    assert len(found) > 1000
    too_long = [f"{path.relative_to(ROOT)}: {name} has {lines}" for path, name, lines in found if lines > LONGEST]
    assert too_long == []


def code(path: Path) -> list[tuple[int, str]]:
    """The lines of a file that say something, each with its number, blanks folded: no import, comment or docstring,
    and no parameters, in which two functions agree that take the same.
    """
    text = path.read_text()
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)
        if is_text or isinstance(node, ast.Import | ast.ImportFrom):
            skipped |= set(range(node.lineno, node.end_lineno + 1))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            skipped |= set(range(node.lineno, node.body[0].lineno))
    folded = [(number, " ".join(line.split())) for number, line in enumerate(text.splitlines(), start=1)]
    said = [(number, line) for number, line in folded if number not in skipped and not line.startswith("#")]
    return [(number, line) for number, line in said if not TRIVIAL.fullmatch(line)]


def test_no_six_lines_stand_twice():
    places = defaultdict(list)
    for path in FILES:
        if path.relative_to(ROOT).parts[0] in ("raywiki", "jobs", "benchmarks"):
            lines = code(path)
            for start in range(len(lines) - TWICE + 1):
                block = tuple(line for _, line in lines[start : start + TWICE])
                places[block].append(f"{path.relative_to(ROOT)}:{lines[start][0]}")
    twice = [f"{' and '.join(where)}: {block[0]}" for block, where in places.items() if len(where) > 1]
    assert twice == []
