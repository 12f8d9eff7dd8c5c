"""Magic words and parser functions with an argument: `{{#if: …}}`, `{{formatnum: …}}`, `{{lc: …}}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from raywiki.wikitext.numbers import format_number, parse_number, plain_number

if TYPE_CHECKING:
    from raywiki.wikitext.page import Page

Function = Callable[[str, "list[str]", "Page"], "str | None"]
_FUNCTIONS: dict[str, Function] = {}
# Behaviour of the page, sort keys and such: they show nothing.
_SILENT = {
    "defaultsort", "defaultsortkey", "defaultcategorysort", "displaytitle", "#seo", "#vardefine", "#language", "#set",
    "noexternallanglinks", "#set_self", "#subobject", "#coordinates", "#shortdesc", "short description",
}  # fmt: skip


def function(*names: str) -> Callable[[Function], Function]:
    def register(render: Function) -> Function:
        for name in names:
            _FUNCTIONS[name] = render
        return render

    return register


def call(name: str, argument: str, rest: str | None, page: Page) -> tuple[bool, str | None]:
    """Whether there is a function of this name, and what it gives; None: it cannot be known here."""
    if name in _SILENT or (name.isupper() is False and name.upper() != name and name.startswith("#default")):
        return True, ""
    render = _FUNCTIONS.get(name)
    if render is not None:
        return True, render(argument.strip(), rest.split("|") if rest is not None else [], page)
    if name.startswith("#"):
        return True, None
    return False, None


def _at(args: list[str], i: int) -> str:
    return args[i].strip() if i < len(args) else ""


@function("#if")
def _if(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0 if test else 1)


@function("#ifeq")
def _ifeq(left: str, args: list[str], page: Page) -> str:
    right = _at(args, 0)
    numbers = parse_number(left), parse_number(right)
    equal = numbers[0] == numbers[1] if None not in numbers else left == right
    return _at(args, 1 if equal else 2)


@function("#ifexist", "#ifexpr")
def _ifexist(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0)


@function("#iferror")
def _iferror(test: str, args: list[str], page: Page) -> str:
    return test


@function("#switch")
def _switch(value: str, args: list[str], page: Page) -> str:
    default, matched = "", False
    for i, piece in enumerate(args):
        key, equals, result = piece.partition("=")
        matched = matched or key.strip() == value or (matched and not equals)
        if equals:
            if matched:
                return result.strip()
            if key.strip().lower() == "#default":
                default = result.strip()
        elif i == len(args) - 1:
            default = piece.strip()
    return default


@function("#expr")
def _expr(expression: str, args: list[str], page: Page) -> str | None:
    number = evaluate(expression)
    return None if number is None else plain_number(number)


@function("#tag")
def _tag(name: str, args: list[str], page: Page) -> str | None:
    if name.lower() in (
        "ref",
        "references",
        "gallery",
        "timeline",
        "imagemap",
        "score",
        "syntaxhighlight",
    ):
        return None
    return _at(args, 0)


@function("lc")
def _lc(text: str, args: list[str], page: Page) -> str:
    return text.lower()


@function("uc")
def _uc(text: str, args: list[str], page: Page) -> str:
    return text.upper()


@function("lcfirst")
def _lcfirst(text: str, args: list[str], page: Page) -> str:
    return text[:1].lower() + text[1:]


@function("ucfirst")
def _ucfirst(text: str, args: list[str], page: Page) -> str:
    return text[:1].upper() + text[1:]


@function("formatnum")
def _formatnum(number: str, args: list[str], page: Page) -> str:
    option = _at(args, 0).upper()
    if option == "R":
        value = parse_number(number, page.site.numbers)
        return number if value is None else plain_number(value)
    if option == "NOSEP":
        return number.replace(".", page.site.numbers.decimal)
    return format_number(number, page.site.numbers)


@function("plural")
def _plural(number: str, args: list[str], page: Page) -> str:
    return _at(args, 0) if number.strip() == "1" or len(args) < 2 else args[-1].strip()


@function("padleft")
def _padleft(text: str, args: list[str], page: Page) -> str:
    width = int(_at(args, 0)) if _at(args, 0).isdigit() else 0
    return text.rjust(min(width, 500), (_at(args, 1) or "0")[0])


@function(
    "urlencode",
    "anchorencode",
    "int",
    "nse",
    "#formatdate",
    "#dateformat",
    "dateformat",
    "#babel",
    "lang",
)
def _same(text: str, args: list[str], page: Page) -> str:
    return text


@function("#time", "#timel")
def _time(layout: str, args: list[str], page: Page) -> str | None:
    from raywiki.wikitext.calendar import format_time, parse_date

    moment = parse_date(args[0]) if args and args[0].strip() else page.now
    return None if moment is None else format_time(layout, moment, page.site.language)


@function(
    "fullurl",
    "localurl",
    "filepath",
    "canonicalurl",
    "#property",
    "#statements",
    "#invoke",
)
def _unknown(text: str, args: list[str], page: Page) -> None:
    return None


_ARITHMETIC = re.compile(r"[0-9.+\-*/() eE]{1,200}")
_ROUND = re.compile(r"(.*)\bround\s*(-?\d{1,2})\s*", re.DOTALL)


def evaluate(expression: str) -> float | None:
    """The value of `#expr`'s plain arithmetic (`+ - * / ( )`, `round`), or None.

    >>> evaluate("(2 + 3) * 4"), evaluate("10 / 4 round 0"), evaluate("cos 1")
    (20.0, 3.0, None)
    """
    import ast

    rounded = _ROUND.fullmatch(expression)
    if rounded:
        value = evaluate(rounded[1])
        scale = 10.0 ** int(rounded[2])
        return None if value is None else int(abs(value) * scale + 0.5) / scale * (1 if value >= 0 else -1)
    if not _ARITHMETIC.fullmatch(expression.strip()) or "**" in expression or "//" in expression:
        return None

    def value_of(node: ast.expr) -> float:
        if isinstance(node, ast.Constant):
            return float(node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.UnaryOp):
            return -value_of(node.operand) if isinstance(node.op, ast.USub) else value_of(node.operand)
        if isinstance(node, ast.BinOp):
            left, right = value_of(node.left), value_of(node.right)
            operations = {
                ast.Add: left + right,
                ast.Sub: left - right,
                ast.Mult: left * right,
            }
            return left / right if isinstance(node.op, ast.Div) else operations[type(node.op)]
        raise ValueError("no arithmetic")

    try:
        return value_of(ast.parse(expression.strip(), mode="eval").body)
    except (
        SyntaxError,
        ValueError,
        ZeroDivisionError,
        OverflowError,
        KeyError,
        TypeError,
        RecursionError,
        MemoryError,
    ):
        return None
