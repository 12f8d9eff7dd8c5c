"""Magic words and parser functions with an argument: `{{#if: …}}`, `{{formatnum: …}}`, `{{lc: …}}`."""

from __future__ import annotations

from collections.abc import Callable

from raywiki.wikitext.arithmetic import evaluate
from raywiki.wikitext.calendar import format_time, parse_date
from raywiki.wikitext.numbers import format_number, integer, parse_number, plain_number
from raywiki.wikitext.page import Page
from raywiki.wikitext.tidy import GONE, mend

Function = Callable[[str, list[str], Page], "str | None"]
_FUNCTIONS: dict[str, Function] = {}
MAX_REPLACED = 100_000  # characters that `#replace` may make of a text
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
    if GONE in argument or (rest and GONE in rest):
        argument, rest = mend(argument), rest and mend(rest)
    if render is not None:
        return True, render(argument.strip(), rest.split("|") if rest is not None else [], page)
    if name.startswith("#"):
        return True, None
    return False, None


def _at(args: list[str], i: int) -> str:
    return args[i].strip() if 0 <= i < len(args) else ""


@function("#if")
def _if(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0 if test else 1)


@function("#ifeq")
def _ifeq(left: str, args: list[str], page: Page) -> str:
    right = _at(args, 0)
    numbers = parse_number(left), parse_number(right)
    equal = numbers[0] == numbers[1] if None not in numbers else left == right
    return _at(args, 1 if equal else 2)


@function("#ifexpr")
def _ifexpr(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0 if evaluate(test) else 1)


@function("#ifexist")
def _ifexist(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0)  # which pages there are, a part does not say; who asks links to them


@function("#iferror")
def _iferror(test: str, args: list[str], page: Page) -> str:
    return _at(args, 1) if len(args) > 1 else test


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
    if not expression:
        return ""
    number = evaluate(expression)
    return None if number is None else f"{number + 0.0:.14g}"  # PHP's precision; + 0.0, so that there is no -0


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
    form = 0 if number == "1" else len(args) - 1
    if len(args) == 3 and number.isdecimal() and page.site.language in ("uk", "ru", "be"):
        ones, teens = int(number) % 10, int(number) % 100 in range(11, 15)
        form = 2 if teens or ones not in range(1, 5) else 0 if ones == 1 else 1
    return _at(args, form)


@function("gender")
def _gender(user: str, args: list[str], page: Page) -> str:
    return _at(args, min(2, len(args) - 1))


@function("grammar")
def _grammar(case: str, args: list[str], page: Page) -> str:
    return _at(args, 0)


@function("padleft")
def _padleft(text: str, args: list[str], page: Page) -> str:
    return text.rjust(min(_integer(args, 0) or 0, 500), (_at(args, 1) or "0")[0])


@function("padright")
def _padright(text: str, args: list[str], page: Page) -> str:
    return text.ljust(min(_integer(args, 0) or 0, 500), (_at(args, 1) or "0")[0])


def _integer(args: list[str], i: int) -> int | None:
    return integer(_at(args, i))


@function("#len")
def _len(text: str, args: list[str], page: Page) -> str:
    return str(len(text))


@function("#pos")
def _pos(text: str, args: list[str], page: Page) -> str:
    found = text.find(_at(args, 0) or " ", max(_integer(args, 1) or 0, 0))
    return str(found) if found >= 0 else ""


@function("#rpos")
def _rpos(text: str, args: list[str], page: Page) -> str:
    return str(text.rfind(_at(args, 0) or " "))


@function("#sub")
def _sub(text: str, args: list[str], page: Page) -> str:
    """Start and length as in PHP's `substr`: a negative length leaves so many characters at the end."""
    start, length = _integer(args, 0) or 0, _integer(args, 1)
    rest = text[start:]
    return rest if not length else rest[:length]


@function("#count")
def _count(text: str, args: list[str], page: Page) -> str:
    return str(text.count(_at(args, 0) or " "))


@function("#replace")
def _replace(text: str, args: list[str], page: Page) -> str:
    limit = _integer(args, 2)
    replaced = text.replace(_at(args, 0) or " ", _at(args, 1), -1 if limit is None else limit)
    return replaced if len(replaced) <= MAX_REPLACED else text


@function("#explode")
def _explode(text: str, args: list[str], page: Page) -> str:
    limit = _integer(args, 2)
    pieces = text.split(_at(args, 0) or " ", limit - 1 if limit and limit > 0 else -1)
    i = _integer(args, 1) or 0
    return pieces[i].strip() if -len(pieces) <= i < len(pieces) else ""


@function("#titleparts")
def _titleparts(title: str, args: list[str], page: Page) -> str:
    """`{{#titleparts: A/B/C | number | first}}`; a negative number leaves out so many at the end."""
    number, first = _integer(args, 0) or 0, _integer(args, 1) or 1
    pieces = title.split("/")[first - 1 if first > 0 else first :]
    return "/".join(pieces[:number] if number else pieces)


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
