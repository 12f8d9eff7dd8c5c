"""Variables of MediaWiki: `{{PAGENAME}}`, `{{CURRENTMONTHNAME}}`, … under their English and their local names.

Names are written as MediaWiki has them, in capitals mostly: `{{pagename}}` is a template.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from urllib.parse import quote_plus

from raywiki.wikitext.calendar import format_time
from raywiki.wikitext.magic import chain, magic_names
from raywiki.wikitext.page import Page, Template
from raywiki.wikitext.sites import wikis

# What `{{#time:}}` calls them. MediaWiki's own rule; the local time is taken for UTC, as a dump does not tell the wiki's zone.
_TIMES = {
    "day": "j", "day2": "d", "dayname": "l", "dow": "w", "hour": "H", "month": "m", "month1": "n", "monthabbrev": "M",
    "monthname": "F", "monthnamegen": "xg", "time": "H:i", "timestamp": "xnYxnmxndxnHxnixns", "week": "W", "year": "Y",
    "isoyear": "o",
}  # fmt: skip
# At the time of the last edit, which a dump tells, and no other is known.
_MOMENTS = {which + name: code for which in ("current", "local", "revision") for name, code in _TIMES.items()}
_TITLES = (
    "pagename", "fullpagename", "basepagename", "rootpagename", "subpagename", "subjectpagename", "articlepagename",
    "talkpagename", "namespace", "namespacenumber", "subjectspace", "articlespace", "talkspace",
)  # fmt: skip
PAGE_NAMES = frozenset(_TITLES) | {f"{name}e" for name in _TITLES}
VARIABLES = PAGE_NAMES | _MOMENTS.keys() | {"directionmark", "contentlanguage"}
_NAMESPACES = {"file": 6, "category": 14, "template": 10}


def renderer(written: str, language: str) -> Callable[[Template], str | None] | None:
    """What renders a variable of this name on a wiki, or None: there is none."""
    name = written.strip()
    canonical = _variables(language).get(name)
    return None if canonical is None else lambda t: variable(canonical, t.page)


@cache
def _variables(language: str) -> dict[str, str]:
    """Name as written → English name in lower case."""
    found = {name.upper(): name for name in VARIABLES}
    found |= {"CURRENTMONTH2": "currentmonth", "LOCALMONTH2": "localmonth", "CONTENTLANG": "contentlanguage",
              "DIRMARK": "directionmark", "PAGELANGUAGE": "contentlanguage"}  # fmt: skip
    for local, name in magic_names(language).items():
        if name in VARIABLES:
            found.setdefault(local.upper(), name)
    return found


def variable(name: str, page: Page) -> str | None:
    """The value of a variable, by its English name in lower case."""
    if code := _MOMENTS.get(name):
        shown = format_time(code, page.now, page.site.language)
        return shown.lstrip("0") if code == "W" else shown
    if name == "directionmark":
        return ""
    if name == "contentlanguage":
        return page.site.language
    return page_name(name, page.title, page)


def page_name(name: str, title: str, page: Page) -> str | None:
    """`{{PAGENAME: title}}` and its kin.

    A namespace is one that the wiki has for files, categories or templates: no other is known here.
    """
    if not title.strip():
        return None
    if name not in PAGE_NAMES:
        return None
    base = name if name in _TITLES else name[:-1]
    value = _part(base, title.strip().replace("_", " ").lstrip(":"), page)
    return value if base == name or value is None else quote_plus(value.replace(" ", "_"), safe=":/~;@$!*(),")


def _part(name: str, title: str, page: Page) -> str | None:
    space, colon, rest = title.partition(":")
    number = _namespace(space, page) if colon else 0
    prefix, bare = (space.strip(), rest.strip()) if number else ("", title)
    bare = bare[:1].upper() + bare[1:]
    full = f"{prefix}:{bare}" if prefix else bare
    pieces = bare.split("/") if prefix else [bare]
    return {
        "pagename": bare, "fullpagename": full, "subjectpagename": full, "articlepagename": full, "talkpagename": None,
        "basepagename": "/".join(pieces[:-1]) or bare, "rootpagename": pieces[0], "subpagename": pieces[-1],
        "namespace": prefix, "subjectspace": prefix, "articlespace": prefix, "namespacenumber": str(number), "talkspace": None,
    }[name]  # fmt: skip


def _namespace(name: str, page: Page) -> int:
    lowered = " ".join(name.lower().split())
    known = {6: page.site.file_names, 14: page.site.category_names, 10: page.site.template_names}
    return next((number for number, names in known.items() if lowered in names), 0)


def namespace_name(key: str, page: Page) -> str | None:
    """`{{ns:6}}` and `{{ns:File}}`: the wiki's own name of a namespace; None: it is not known here."""
    key = key.strip().lower()
    if key in ("0", ""):
        return ""
    number = int(key) if re.fullmatch(r"\d{1,4}", key) else _namespace(key, page)
    for word, own in _NAMESPACES.items():
        if own == number:
            for code in chain(page.site.language):
                if names := wikis().get(code, {}).get(word):
                    return names[0]
    return None
