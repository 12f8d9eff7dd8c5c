"""French templates that have no counterpart elsewhere: centuries, units and ordinals."""

from __future__ import annotations

import re

from raywiki.wikitext.numbers import format_number
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template
from raywiki.wikitext.templates.quantities import english_ordinal

_CENTURY = {
    "es": "siglo {}", "pt": "século {}", "ca": "segle {}", "it": "{} secolo", "de": "{}. Jahrhundert", "pl": "{} wiek",
    "uk": "{} століття", "ru": "{} век", "vi": "thế kỷ {}", "en": "{} century", "simple": "{} century",
    "nl": "{}e eeuw", "cs": "{}. století", "tr": "{}. yüzyıl", "ja": "{}世紀", "zh": "{}世紀", "ko": "{}세기",
    "ar": "القرن {}", "fa": "سدهٔ {}",
    "he": "המאה ה-{}", "hi": "{}वीं शताब्दी", "bn": "{} শতাব্দী",
}  # fmt: skip
_ENDINGS = {
    "er": "er",
    "ère": "re",
    "re": "re",
    "e": "e",
    "ème": "e",
    "nd": "nd",
    "nde": "de",
    "1er": "1er",
    "1re": "1re",
}


@template("siecle", "century", "ст", "siglo", "sec", "secolo", "wiek")
def century(t: Template) -> str | None:
    """`{{s-|XV}}` → XVe siècle, `{{s|XV|e}}` too; `{{sp|XV|e|au|XVI|e}}` → XVe au XVIe siècle."""
    args = [value for value in t.positional() if value]
    if not args:
        return None
    if t.language in _CENTURY:
        return _CENTURY[t.language].format(english_ordinal(args[0]) if "century" in _CENTURY[t.language] else args[0])
    if t.language != "fr":
        return args[0]
    name = t.key
    before = " av. J.-C." if name.startswith("-s") else ""
    rest = args[2:] if args[1:2] in (["e"], ["er"]) else args[1:]  # {{sp-|XI|e|au|XIII|e}}, {{sp-|XI|au|XIII}}
    if name.startswith("sp") and len(rest) > 1:
        return f"{_ordinal(args[0])} {rest[0]} {_ordinal(rest[1])} siècle{before}"
    return f"{_ordinal(args[0])}{' siècle' if not name.startswith('mini') else ''}{before}"


def _ordinal(value: str) -> str:
    return value + ("er" if value in ("I", "1") else "e")


@template(
    "unite",
    "unité",
    "unité/2",
    "units",
    "unit",
    "m",
    "eenheid",
    "unitats",
    "unidade",
    "unidad",
)
def unite(t: Template) -> str | None:
    """`{{unité|1234,5|km/h}}` → 1 234,5 km/h; `{{unité|3|m|2}}` → 3 m²; `e=6` is a power of ten."""
    value = t[1].replace(" ", "").replace("&nbsp;", "").replace(" ", "")
    if not value:
        return None
    style = t.page.site.numbers
    number = format_number(value.replace(",", "."), style) if re.fullmatch(r"[-+−]?[\d.,]+", value) else t[1]
    power = t.first("e", "x10")
    shown = number + (f"×10<sup>{power}</sup>" if power else "")
    units = []
    args = t.positional()[1:] or [t.first("u", "ul", "up", "unidade", "unidad")]
    while args:
        unit, *args = args
        exponent = args.pop(0) if args and re.fullmatch(r"[-−]?\d", args[0]) else ""
        if unit:
            units.append(f"{unit}<sup>{exponent}</sup>" if exponent else unit)
    joint = "" if t.language == "it" else "⋅"  # Italian gives prefix and unit apart: {{M|10|k|m}}
    return f"{shown} {joint.join(units)}".strip()


@template(
    "number ordinal",
    "er",
    "ère",
    "re",
    "ème",
    "nd",
    "nde",
    "1er",
    "1re",
    "2e",
    "3e",
    "ordinal fr",
)
def ordinal(t: Template) -> str | None:
    """`{{er}}` → er, `{{1er|janvier}}` → 1er janvier."""
    ending = _ENDINGS.get(t.key, t.key)
    return f"{ending} {t[1]}".strip() if ending[:1].isdecimal() else t[1] + ending


@template(
    "initials",
    "mme",
    "mlle",
    "mgr",
    "me",
    "dr",
    "pr",
    "st",
    "ste",
    "n°",
    "numéro",
    "mm.",
    language="fr",
)
def title(t: Template) -> str:
    words = {
        "mme": "Mme",
        "mlle": "Mlle",
        "mgr": "Mgr",
        "me": "Me",
        "n°": "n°",
        "numéro": "no",
        "st": "St",
        "ste": "Ste",
    }
    name = t.name.strip()
    return f"{words.get(name.lower(), name)} {t[1]}".strip()


@template("m.", "p.", "vol.", language="fr")
def short_title(t: Template) -> str:
    return f"{t.name.strip()} {t[1]}".strip()


@template(
    "heure",
    "time-fr",
)
def hour(t: Template) -> str | None:
    hours, minutes, seconds = ([*t.positional(), "", "", ""])[:3]
    return (
        " ".join(
            filter(
                None,
                (
                    f"{hours} h" if hours else "",
                    minutes,
                    f"min {seconds} s" if seconds else "",
                ),
            )
        )
        or None
    )


def named_century(t: Template) -> str:
    """`{{XVe siècle}}`, `{{IIe siècle av. J.-C.}}`: the name says it all."""
    return t.name.strip()


_ROMAN = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI".split()  # noqa: SIM905
template(*(f"{_ordinal(number)} siècle{era}" for number in _ROMAN for era in ("", " av. J.-C.")), language="fr")(named_century)


# Names that show themselves: {{Louis XIV}}, {{XVe}}, {{IIIe millénaire av. J.-C.}}, {{années 1990}}.
SHOWS_ITSELF = re.compile(
    r"(?:[ivxl]+er?|années \d{4})(?: (?:siècle|millénaire))?(?: av\. j\.-c\.)?"
    r"|[^\W\d_]+(?:[ '-][^\W\d_]+){0,3} (?:ier|[ivx]+)(?: d[eu'] ?[^\W\d_]+)?"
)
template("named century")(named_century)


@template("citation étrangère", "citation étrangère courte", language="fr")
def foreign_quotation(t: Template) -> str | None:
    """`{{citation étrangère|langue=en|all right}}` → « all right », `{{citation étrangère|en|all right}}` too."""
    text = t[1] if t.first("langue", "lang") or not t[2] else t[2]
    return f"« {text} »" if text else None
