"""Regular expressions that count their steps, in place of those of `raywiki.wikitext`.

`re` does not tell how often it tries. So beside each call of a pattern a plain backtracking matcher walks the same text by the
same parse tree (`re._parser`), counting every character that it compares, and must find the same spans. It does no more and no
less work than `re` in the sense that matters: what makes one try again makes the other try again.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import raywiki.wikitext

CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d", op.CATEGORY_NOT_DIGIT: r"\D", op.CATEGORY_SPACE: r"\s", op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w", op.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


class Matcher:
    """One pattern. `steps` grows with every character compared and every item of the pattern tried."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.flags = pattern.flags
        self.tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
        self.classes: dict[int, Callable[[str], bool]] = {}
        self.groups: dict[int, str] = {}
        self.text = ""
        self.steps = 0

    def spans(self, text: str, position: int = 0) -> Iterator[tuple[int, int]]:
        """Spans of all matches from left to right, as `finditer` gives them."""
        self.text, start, last = text, position, -1
        while start <= len(text):
            end = next((end for end in self.sequence(self.tree, 0, start) if end > start or start != last), None)
            if end is None:
                start += 1
                continue
            yield start, end
            last, start = end, end + (end == start)

    def at(self, text: str, position: int, to_the_end: bool) -> None:
        """One try at `position`, as `match` and `fullmatch` make it."""
        self.text = text
        next((end for end in self.sequence(self.tree, 0, position) if not to_the_end or end == len(text)), None)

    def sequence(self, items: Any, i: int, position: int) -> Iterator[int]:
        """Ends of the items from the i-th on, begun at a position; the preferred first."""
        if i == len(items):
            yield position
            return
        for end in self.item(*items[i], position):
            yield from self.sequence(items, i + 1, end)

    def item(self, code: Any, what: Any, position: int) -> Iterator[int]:
        self.steps += 1
        if code in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY):
            if position < len(self.text) and self.is_in(code, what, self.text[position]):
                yield position + 1
        elif code is op.SUBPATTERN:
            for end in self.sequence(what[3], 0, position):
                self.groups[what[0]] = self.text[position:end]
                yield end
        elif code is op.BRANCH:
            for branch in what[1]:
                yield from self.sequence(branch, 0, position)
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT):
            yield from self.repeat(*what, position, code is op.MIN_REPEAT)
        elif code is op.POSSESSIVE_REPEAT:
            yield from self.possessive(*what, position)
        elif code is op.ATOMIC_GROUP:
            yield from [end for end in [next(self.sequence(what, 0, position), None)] if end is not None]
        elif code in (op.ASSERT, op.ASSERT_NOT):
            start = position if what[0] > 0 else position - what[1].getwidth()[0]
            found = start >= 0 and next(self.sequence(what[1], 0, start), None) is not None
            if found == (code is op.ASSERT):
                yield position
        elif code is op.GROUPREF:
            if self.text.lower().startswith(self.groups[what].lower(), position):
                yield position + len(self.groups[what])
        elif code is op.AT and self.is_at(what, position):
            yield position

    def repeat(self, least: int, most: Any, body: Any, position: int, lazy: bool) -> Iterator[int]:
        if len(body) == 1 and body[0][0] in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY):
            ends = range(position + least, self.run(body[0], most, position) + 1)
            yield from ends if lazy else reversed(ends)
            return
        if lazy and least <= 0:
            yield position
        if most:
            for end in self.sequence(body, 0, position):
                if end > position or least > 0:
                    yield from self.repeat(least - 1, most if most is op.MAXREPEAT else most - 1, body, end, lazy)
        if not lazy and least <= 0:
            yield position

    def run(self, one: tuple[Any, Any], most: Any, position: int) -> int:
        """Where the characters of one class end."""
        end = position
        while end < len(self.text) and (most is op.MAXREPEAT or end - position < most):
            self.steps += 1
            if not self.is_in(*one, self.text[end]):
                break
            end += 1
        return end

    def possessive(self, least: int, most: Any, body: Any, position: int) -> Iterator[int]:
        times = 0
        while most is op.MAXREPEAT or times < most:
            end = next(self.sequence(body, 0, position), None)
            if end is None or end == position:
                times += end is not None
                break
            position, times = end, times + 1
        if times >= least:
            yield position

    def is_in(self, code: Any, what: Any, char: str) -> bool:
        if code is op.ANY:
            return char != "\n" or bool(self.flags & re.DOTALL)
        test = self.classes.get(id(what)) if code is op.IN else None
        if test is None:
            inside = "".join(map(class_item, what)) if code is op.IN else class_item((op.LITERAL, what))
            one = re.compile(f"[{'^' if code is op.NOT_LITERAL else ''}{inside}]", self.flags)
            test = self.classes[id(what) if code is op.IN else -1 - what] = lambda char: one.fullmatch(char) is not None
        return test(char)

    def is_at(self, what: Any, position: int) -> bool:
        before, behind = self.text[max(position - 1, 0) : position], self.text[position : position + 1]
        if what in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return not before or (before == "\n" and what is op.AT_BEGINNING and bool(self.flags & re.MULTILINE))
        if what is op.AT_END:
            return not behind or (behind == "\n" and (bool(self.flags & re.MULTILINE) or position == len(self.text) - 1))
        is_boundary = (re.match(r"\w", before) is None) != (re.match(r"\w", behind) is None)
        return is_boundary == (what is op.AT_BOUNDARY)


def class_item(item: tuple[Any, Any]) -> str:
    """One item of a character class, as source."""
    code, what = item
    if code is op.NEGATE:
        return "^"
    if code is op.RANGE:
        return f"{re.escape(chr(what[0]))}-{re.escape(chr(what[1]))}"
    return CATEGORIES[what] if code is op.CATEGORY else "\\^" if what == ord("^") else re.escape(chr(what))


class Counted:
    """Stands for a compiled pattern and adds its steps to `total[0]`."""

    def __init__(self, pattern: re.Pattern[str], total: list[int]) -> None:
        self.real, self.matcher, self.total = pattern, Matcher(pattern), total

    def __getattr__(self, name: str) -> Any:
        if name not in ("sub", "subn", "split", "findall", "finditer", "search", "match", "fullmatch"):
            return getattr(self.real, name)

        def call(*arguments: Any) -> Any:
            self.count(name, arguments)
            return getattr(self.real, name)(*arguments)

        return call

    def count(self, name: str, arguments: tuple[Any, ...]) -> None:
        before = self.matcher.steps
        if name in ("match", "fullmatch"):
            self.matcher.at(arguments[0], arguments[1] if len(arguments) > 1 else 0, name == "fullmatch")
        else:
            text = arguments[1] if name in ("sub", "subn") else arguments[0]
            position = arguments[1] if name in ("search", "finditer") and len(arguments) > 1 else 0
            ours, theirs = self.matcher.spans(text, position), (each.span() for each in self.real.finditer(text, position))
            if name == "search":
                assert next(ours, None) == next(theirs, None), self.real
            else:
                assert list(ours) == list(theirs), self.real
        self.total[0] += self.matcher.steps - before


def replace_all(monkeypatch: Any) -> list[int]:
    """Count the patterns of all modules of `raywiki.wikitext`, those in dicts too; the list holds the steps so far."""
    total, known = [0], {}
    counted = lambda pattern: known.setdefault(pattern, Counted(pattern, total))  # noqa: E731
    for info in pkgutil.walk_packages(raywiki.wikitext.__path__, "raywiki.wikitext."):
        module = importlib.import_module(info.name)
        for name, value in list(vars(module).items()):
            if isinstance(value, re.Pattern):
                monkeypatch.setattr(module, name, counted(value))
            elif isinstance(value, dict) and value and all(isinstance(each, re.Pattern) for each in value.values()):
                monkeypatch.setattr(module, name, {key: counted(each) for key, each in value.items()})
    return total
