"""Magic words and parser functions with an argument: `{{#if: …}}`, `{{formatnum: …}}`, `{{lc: …}}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus, unquote_plus

from raywiki.wikitext.arithmetic import evaluate
from raywiki.wikitext.calendar import format_time, parse_date
from raywiki.wikitext.entities import decode
from raywiki.wikitext.locales import language_name, plural_form
from raywiki.wikitext.magic import magic_names
from raywiki.wikitext.numbers import integer, local_digits, local_number, parse_number, plain_number
from raywiki.wikitext.page import Page
from raywiki.wikitext.tags import NOTHING
from raywiki.wikitext.tidy import GONE, mend
from raywiki.wikitext.variables import PAGE_NAMES, namespace_name, page_name

Function = Callable[[str, list[str], Page], "str | None"]
_FUNCTIONS: dict[str, Function] = {}
_NUMERIC = re.compile(r"[-+]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?")
# Source: the extension ParserFunctions, `iferror`: an element of class "error".
_NUMBER_STARTS = frozenset("+-.0123456789")
_ERROR = re.compile(r"""<(?:strong|span|p|div)\s(?:[^\s>]*\s+)*?class=["']?(?:[^"'\s>]*\s+)*?error(?=[\s"'>])""", re.IGNORECASE)
_SHOWS_TEXT = {"#if", "#tag", "bidi", "grammar"}  # here a `<nowiki/>` goes on holding apart
_DOTTED = {"tr", "az", "crh", "gag", "kaa", "tt"}  # languages whose capital of i is İ
_ORDERS = {"dmy": "j F Y", "mdy": "F j, Y", "ymd": "Y F j", "iso 8601": "xnY-xnm-xnd"}
_YEAR = re.compile(r"\d{4}")
_OPTIONS = {"R": "rawsuffix", "NOSEP": "nocommafysuffix"}
_RIGHT_TO_LEFT = frozenset("ar arc arz azb bcc bgn ckb dv fa glk he khw ks lrc mzn nqo pnb ps sd ug ur ydd yi".split())  # noqa: SIM905
MAX_REPLACED = 100_000  # characters that `#replace` may make of a text
# Behaviour of the page, sort keys and such: they show nothing.
_SILENT = {
    "defaultsort", "defaultsortkey", "defaultcategorysort", "displaytitle", "#seo", "#vardefine", "#set",
    "noexternallanglinks", "#set_self", "#subobject", "#coordinates", "#shortdesc", "short description",
}  # fmt: skip


def function(*names: str) -> Callable[[Function], Function]:
    def register(render: Function) -> Function:
        for name in names:
            _FUNCTIONS[name] = render
        return render

    return register


def call(name: str, argument: str, rest: str | None, page: Page) -> tuple[bool, str | None]:
    """Whether there is a function of this name, English or the wiki's, and what it gives; None: it cannot be known here."""
    name = function_name(name, page)
    if name in _SILENT:
        return True, ""
    render = _FUNCTIONS.get(name)
    if GONE in argument or (rest and GONE in rest):
        argument, rest = mend(argument), rest and mend(rest)
    if NOTHING in argument and name not in _SHOWS_TEXT:
        argument = argument.replace(NOTHING, "")
    if render is not None:
        return True, render(argument.strip(), rest.split("|") if rest is not None else [], page)
    if name in PAGE_NAMES:
        return True, page_name(name, argument, page)
    if name.startswith("#"):
        return True, None
    return False, None


def function_name(name: str, page: Page) -> str:
    """The English name of a function that the wiki calls by this name, in lower case; one that is none stays."""
    return name if name in _FUNCTIONS or name in _SILENT else magic_names(page.site.language).get(name, name)


def _at(args: list[str], i: int) -> str:
    return args[i].strip() if 0 <= i < len(args) else ""


@function("#if")
def _if(test: str, args: list[str], page: Page) -> str:
    return _at(args, 0 if test else 1)


@function("#ifeq")
def _ifeq(left: str, args: list[str], page: Page) -> str:
    return _at(args, 1 if comparable(left) == comparable(_at(args, 0)) else 2)


def comparable(text: str) -> str | float:
    """What PHP's `==` compares of a string: a number's value (`01` is 1), of all else the letters; entities are decoded.

    >>> comparable("02") == comparable("2.0"), comparable("1,000") == comparable("1000"), comparable("&eacute;")
    (True, False, 'é')
    """
    if "&" in text:
        text = decode(text)
    return float(text) if text[:1] in _NUMBER_STARTS and _NUMERIC.fullmatch(text) else text


@function("#ifexpr")
def _ifexpr(test: str, args: list[str], page: Page) -> str:
    value = evaluate(test)
    return _error("expression") if value is None and test else _at(args, 0 if value else 1)


@function("#ifexist")
def _ifexist(title: str, args: list[str], page: Page) -> str:
    """The first answer: which pages there are, a part does not say, and who asks mostly links to them."""
    return _at(args, 0 if title else 1)


@function("#iferror")
def _iferror(test: str, args: list[str], page: Page) -> str:
    if _ERROR.search(test):
        return _at(args, 0)
    return _at(args, 1) if len(args) > 1 else test


def _error(message: str) -> str:
    """An error as MediaWiki shows it, for `#iferror`; one that nobody asked about is taken out with the hidden tags."""
    return f'<strong class="error" style="display:none">{message}</strong>'


@function("#switch")
def _switch(value: str, args: list[str], page: Page) -> str:
    pieces = [piece.partition("=") for piece in args]
    i = chosen_case(value, ((key.strip(), bool(equals)) for key, equals, _ in pieces), page)
    if i is None:
        return ""
    key, equals, result = pieces[i]
    return (result if equals else key).strip()


def chosen_case(value: str, cases: Iterable[tuple[str, bool]], page: Page) -> int | None:
    """Which case of a `#switch` answers `value`; None: none does.

    The first that equals it, else the last that is `#default`; cases without a result fall through to the next that has one,
    and the last of all, when it has none, is itself the answer. Cases are taken from `cases` as long as they are needed.
    Source: the extension ParserFunctions, `ParserFunctions::switch`.

    Args:
        cases: what stands before the `=`, and whether there is a `=` and a result.
    """
    wanted = comparable(value)
    default: int | None = None
    matched = takes_default = False
    i, has_result = -1, True
    for i, (key, has_result) in enumerate(cases):
        if (has_result and matched) or comparable(key) == wanted:
            matched = True
            if has_result:
                return i
        elif takes_default or is_default(key, page):
            takes_default = not has_result
            if has_result:
                default = i
    return default if has_result else i


def is_default(key: str, page: Page) -> bool:
    """Whether this case of a `#switch` is the one for all others."""
    return key.lower() == "#default" or (key.startswith("#") and magic_names(page.site.language).get(key.lower()) == "#default")


@function("#expr")
def _expr(expression: str, args: list[str], page: Page) -> str | None:
    if not expression:
        return ""
    number = evaluate(expression)
    if number is None:
        return _error("expression")
    return f"{number + 0.0:.14g}".replace("e+", "E+").replace("e-", "E-")  # PHP's precision; + 0.0, so that there is no -0


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
    return _lower(text, page)


def _lower(text: str, page: Page) -> str:
    return (text.replace("İ", "i").replace("I", "ı") if page.site.language in _DOTTED else text).lower()


@function("uc")
def _uc(text: str, args: list[str], page: Page) -> str:
    return _upper(text, page)


def _upper(text: str, page: Page) -> str:
    return (text.replace("i", "İ") if page.site.language in _DOTTED else text).upper()


@function("lcfirst")
def _lcfirst(text: str, args: list[str], page: Page) -> str:
    return _lower(text[:1], page) + text[1:]


@function("ucfirst")
def _ucfirst(text: str, args: list[str], page: Page) -> str:
    return _upper(text[:1], page) + text[1:]


@function("formatnum")
def _formatnum(number: str, args: list[str], page: Page) -> str:
    options = {
        _OPTIONS.get(option.strip().upper(), magic_names(page.site.language).get(option.strip().lower())) for option in args
    }
    if "rawsuffix" in options:
        value = parse_number(number, page.site.numbers)
        return number if value is None else plain_number(value)
    language = page.site.language
    return local_digits(number, language) if "nocommafysuffix" in options else local_number(number, language)


@function("plural")
def _plural(number: str, args: list[str], page: Page) -> str:
    """`{{plural: 2 | page | pages | 12=dozen}}`, by the language's own rules."""
    value = parse_number(number) or 0.0
    forms = []
    for piece in args:
        exact, equals, form = piece.partition("=")
        if equals and exact.strip().isdecimal():
            if comparable(exact.strip()) == comparable(number):
                return form.strip()
        else:
            forms.append(piece)
    return _at(forms, plural_form(value, page.site.language, len(forms))) if forms else ""


@function("gender")
def _gender(user: str, args: list[str], page: Page) -> str:
    return _at(args, min(2, len(args) - 1))


@function("grammar")
def _grammar(case: str, args: list[str], page: Page) -> str:
    return _at(args, 0)


@function("padleft")
def _padleft(text: str, args: list[str], page: Page) -> str:
    return _padding(text, args) + text


@function("padright")
def _padright(text: str, args: list[str], page: Page) -> str:
    return text + _padding(text, args)


def _padding(text: str, args: list[str]) -> str:
    """What fills a text up to so many characters (500 at most): the third argument, again and again."""
    missing = max(min(_integer(args, 0) or 0, 500) - len(text), 0)
    pad = _at(args, 1) if len(args) > 1 else "0"
    return (pad * (missing // len(pad) + 1))[:missing] if pad else ""


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
    """`{{#titleparts: A/B/C | number | first}}`; a negative number leaves out so many at the end. 25 parts at most."""
    number, first = _integer(args, 0) or 0, _integer(args, 1) or 1
    pieces = title.split("/", 24)[first - 1 if first > 0 else first :]
    return "/".join(pieces[:number] if number else pieces)


@function("urlencode")
def _urlencode(text: str, args: list[str], page: Page) -> str:
    option = _at(args, 0).upper()
    if option == "PATH":
        return quote(text, safe="")
    return quote_plus(text.replace(" ", "_"), safe=":/~;@$!*(),") if option == "WIKI" else quote_plus(text)


@function("anchorencode")
def _anchorencode(text: str, args: list[str], page: Page) -> str:
    return "_".join(text.replace("_", " ").split())


@function("#formatdate", "#dateformat")
def _formatdate(text: str, args: list[str], page: Page) -> str:
    """A whole date in the order that is asked for: dmy, mdy, ymd or `ISO 8601`; anything else stays."""
    order = _ORDERS.get(_at(args, 0).lower())
    moment = parse_date(text, page.now) if order and _YEAR.search(text) else None
    return format_time(order, moment, page.site.language) if order and moment else text


@function("#urldecode")
def _urldecode(text: str, args: list[str], page: Page) -> str:
    return unquote_plus(text)


@function("#language")
def _language(code: str, args: list[str], page: Page) -> str:
    return language_name(code.lower(), _at(args, 0))


@function("#dir")
def _dir(code: str, args: list[str], page: Page) -> str:
    return "rtl" if (code or page.site.language).split("-")[0].lower() in _RIGHT_TO_LEFT else "ltr"


@function("bidi")
def _bidi(text: str, args: list[str], page: Page) -> str:
    return text


@function("ns", "nse")
def _ns(key: str, args: list[str], page: Page) -> str | None:
    return namespace_name(key, page)


@function("#rel2abs")
def _rel2abs(path: str, args: list[str], page: Page) -> str | None:
    """`{{#rel2abs: ../x | A/B}}` → A/x."""
    base = _at(args, 0) or page.title
    whole = path if not path.startswith((".", "/")) else f"{base}/{path}"
    kept: list[str] = []
    for piece in whole.split("/"):
        if piece == "..":
            if not kept:
                return _error("depth")
            kept.pop()
        elif piece not in ("", "."):
            kept.append(piece)
    return "/".join(kept)


@function(
    "int",
    "#babel",
    "lang",
)
def _same(text: str, args: list[str], page: Page) -> str:
    return text


@function("#time", "#timel")
def _time(layout: str, args: list[str], page: Page) -> str | None:
    """`{{#time: format | time | language}}`; the local time is taken for UTC, as a dump does not tell the wiki's zone."""
    moment = parse_date(args[0], page.now) if args and args[0].strip() else page.now
    return _error("time") if moment is None else format_time(layout, moment, _at(args, 1) or page.site.language)


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
