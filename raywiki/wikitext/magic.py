"""Names of magic words: what `{{NOMPAGE}}`, `{{#si:…}}` and `__AUCUNSOMMAIRE__` are called in each language.

The names are those of MediaWiki's message files, in `data/magic_words.txt`; English ones count in every wiki.
"""

from __future__ import annotations

from functools import cache

from raywiki.wikitext.bundled import words_of

_FILE = "magic_words.txt"
# Codes of wikis that MediaWiki spells otherwise. Source: its `LanguageCode::getDeprecatedCodeMapping`; the Norwegian is Bokmål.
_MESSAGES = {
    "no": "nb", "als": "gsw", "bat-smg": "sgs", "be-x-old": "be-tarask", "fiu-vro": "vro", "roa-rup": "rup",
    "zh-classical": "lzh", "zh-min-nan": "nan", "zh-yue": "yue",
}  # fmt: skip


@cache
def chain(language: str) -> tuple[str, ...]:
    """A language and those that MediaWiki falls back on, English last.

    >>> chain("ltg")
    ('ltg', 'lv', 'en')
    >>> chain("no")
    ('no', 'nb', 'nn', 'en')
    """
    found = [language, *filter(None, [_MESSAGES.get(language)])]
    for code in found:
        found += [other for other in words_of(_FILE).get(code, {}).get("fallback", []) if other not in found]
    return (*(code for code in found if code != "en"), "en")


@cache
def magic_names(language: str) -> dict[str, str]:
    """Local name in lower case → English name in lower case, functions with their `#`.

    >>> magic_names("fr")["nompage"], magic_names("de")["#wechsle"]
    ('pagename', '#switch')
    """
    found: dict[str, str] = {}
    for code in chain(language):
        for name, local in words_of(_FILE).get(code, {}).items():
            if name in ("fallback", "behaviour"):
                continue
            canonical = name.replace("%", "#") if name not in ("tag", "formatdate", "language") else f"#{name}"
            for alias in local:
                lowered = alias.lower()
                found.setdefault(f"#{lowered}" if canonical.startswith("#") else lowered, canonical)
                if canonical == "#formatdate":
                    found.setdefault(lowered, canonical)
    return found


@cache
def behaviour_words() -> frozenset[str]:
    """Words between double underscores, of all languages, in lower case: authors copy between wikis."""
    return frozenset(word.lower() for words in words_of(_FILE).values() for word in words.get("behaviour", ()))
