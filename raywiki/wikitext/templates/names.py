"""Links, names of things, countries, ships, identifiers and the page itself."""

from __future__ import annotations

import re

from raywiki.wikitext.cldr import countries_by_name, country_codes, country_name, language_codes
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import english_template, template
from raywiki.wikitext.variables import VARIABLES, renderer


@template("pagename base")
def title_without_remark(t: Template) -> str | None:
    return re.sub(r"\s*\([^()]*\)$", "", t.page.title) or None


_SITE_NAMES = {
    "uk": "Вікіпедія", "ru": "Википедия", "el": "Βικιπαίδεια", "fr": "Wikipédia", "pt": "Wikipédia", "ja": "ウィキペディア",
    "zh": "维基百科", "ar": "ويكيبيديا", "ko": "위키백과", "cs": "Wikipedie",
}  # fmt: skip


@template("sitename")
def site_name(t: Template) -> str:
    return _SITE_NAMES.get(t.language, "Wikipedia")


@template(*VARIABLES, "contentlang")
def as_variable(t: Template) -> str | None:
    """`{{currentyear}}`, `{{pagename}}`: templates by the names of MediaWiki's variables, which are written in capitals."""
    known = renderer(t.key.upper(), t.language)
    return known(t) if known else None


@template("format link", "format linkr")
def formatted_link(t: Template) -> str | None:
    """`{{format link|Ant#Nest}}` → Ant § Nest."""
    return t[1].replace("#", " § ").strip() or None


@template("ill", "ill2", "interlanguage link", "interlanguage link multi", "illm", "link-interwiki", "ilh",
          "red link", "redlink", "ill-wd", "wdl", "interlanguage link wikidata", "liên kết", "dịch",
          "link-en", "tsl", "le", "link-fr", "link-de", "link-ru", "link-zh", "link-ja", "нп?", "wikidata link",
          "qid link", "ill-en")  # fmt: skip
def interlanguage(t: Template) -> str | None:
    """A link to an article that only other wikis have: its label, or the title it would have."""
    shown = t.first("lt", "display", "vd", "label", "text", "title", "vi", "preserve text")
    if shown and len(shown) > 1:
        return shown
    args = t.positional()
    if t.language in ("uk", "ru") and t.key not in (
        "ill",
        "interlanguage link",
    ):
        return (args[1] if len(args) > 1 and args[1] else args[0] if args else "") or t.first("є", "треба", "текст") or None
    if t.key in ("redwd", "wdl", "ill-wd", "qid link"):
        filled = [value for value in args if value and not re.fullmatch(r"Q\d+", value)]
        return filled[-1] if filled else None
    if (
        len(args) > 1
        and re.fullmatch(r"[a-z]{2,3}(?:-[a-z]+)*", args[0])
        and args[0] in language_codes()
        and not re.fullmatch(r"[a-z]{2,3}", args[1])
    ):
        return (args[2] if len(args) > 2 and args[2] else args[1]) or None
    if t.key in ("tsl",) and len(args) > 2:
        return (args[3] if len(args) > 3 and args[3] else args[2]) or None
    if t.key in ("le", "link-en") or t.key.startswith("link-"):
        return (args[2] if len(args) > 2 and args[2] else args[0] if args else "") or None
    return args[0] if args and args[0] else None


@template("redwd", language="el")
def redwd(t: Template) -> str | None:
    args = t.positional()
    return (args[2] if len(args) > 2 and args[2] else args[0] if args else "") or None


@template(
    "section link",
    "section-link",
    "slink",
    "see section",
    "перехід",
    "anchor link",
    "section",
)
def section_link(t: Template) -> str | None:
    page, *sections = t.positional() or [""]
    if t.language == "uk":
        return ""
    return " ".join([page, *(f"§ {section}" for section in sections)]).strip() or None


@template("flag", "flagu", "flagcountry", "flag country", "country", "flagg", "flag+link", "flag athlete", "flagteam",
          "fb", "noc", "country data", "flagc", "flagright", "країна2", "flagathlete",
          "flagioccountry", "flagioc", "flagiocmedalist", "flagiocathlete", "team flag", "nft", "cr", "cricket", "ru",
          "fbw", "nwt", "flaglink", "flagname", "flagpersonal", "прапорець+", "flagmedalist")  # fmt: skip
def flag(t: Template) -> str | None:
    """A country by name or code, as the wiki's language calls it; `{{flagg|usfc|Norway}}` says before it how to show it."""
    value = t.first("name", 2 if t.key == "flagg" else 1) if t.positional() or t["name"] else t.name.strip()
    if "athlete" in t.key or "medalist" in t.key:
        country = country_name(t[2], t.language)
        return f"{t[1]} ({country})" if country else t[1] or None
    return country_name(value, t.language) or None


@template("country code")
def country_code(t: Template) -> str | None:
    """`{{FRA}}` → France; German `{{FRA|#}}` is the flag alone, `{{FRA|Frankreich II}}` has another text.

    A year behind the code chooses the flag: `{{USA1912}}`.
    """
    code = t.name.strip().rstrip("0123456789")
    if code not in country_codes():
        return None
    if t.language == "de" and t[1]:
        return t[1] if t[1] != "#" else ""
    return country_name(code, t.language)


@template("named country")
def named_country(t: Template) -> str:
    """`{{Allemagne}}`: a flag and the name that the template itself has."""
    return countries_by_name(t.language).get(t.key, "")


@template("link-*", "internal link helper/*", language="zh")
def chinese_link(t: Template) -> str | None:
    """`{{link-en|甲|A|label}}`: a title here, one there, a label."""
    return t.first(3, "lt", 1) or None


_PREFIXED = (  # of ships, by navy and kind
    "uss", "hms", "ss", "ms", "mv", "rms", "hmas", "hmcs", "hmnzs", "ins", "sms", "usns", "rfa", "ps", "mts", "mt", "hmt",
    "usat",
    "uscgc", "css", "hnoms", "hdms", "hswms", "rv", "ts", "sv", "msv", "hmhs", "ussr", "hnlms", "hmsas", "hmpngs", "usc&gs",
    "noaas",
)  # fmt: skip
_SHORT_PREFIXED = (  # those of the English Wikipedia alone
    "htms",
    "orp",
    "bns",
    "krs",
    "kri",
    "bap",
    "brp",
    "roks",
    "jds",
    "tcg",
    "hmbs",
    "nns",
    "pns",
    "lė",
    "hmy",
    "usrc",
    "usav",
    "rrs",
    "gts",
    "slns",
    "hmm",
    "hmlt",
    "sas",
    "ara",
    "arm",
)


@english_template(*_SHORT_PREFIXED)
@template("ship", "warship", *_PREFIXED)
def ship(t: Template) -> str | None:
    """`{{USS|Hornet|CV-12|6}}` → USS Hornet; the last argument says what is shown: 2 the name, 3 the number, 6 prefix and name."""  # noqa: E501
    args = t.positional()
    if t.key in ("ship", "warship"):
        prefix, *args = args or [""]
        if len(args) > 1 and args[0].islower():  # {{ship|French|battleship|Jean Bart|1911}}
            prefix, args = f"{prefix} {args[0]}", args[1:]
    else:
        prefix = t.name.strip()
    name, number, style = ([*args, "", "", ""])[:3]
    style = style or t["up"]
    if not name:
        return None
    if style == "2":
        return name
    if style == "3" and number:
        return number
    shown = f"{prefix} {name}".strip()
    return f"{shown} ({number})" if number and style not in ("6", "5") else shown


@english_template("gs")
def submarine(t: Template) -> str | None:
    """`{{GS|U-47|1938|2}}` → U-47: a German one, whose year only tells two of a name apart."""
    return t[1] if t[3] == "2" else f"German submarine {t[1]}" if t[1] else None


@template("sclass", "sclass2", "sclass-", "ship class")
def ship_class(t: Template) -> str | None:
    """`{{sclass|Nimitz|aircraft carrier}}` → Nimitz-class aircraft carrier."""
    if not t[1]:
        return None
    if t.language not in ("en", "simple", "vi", "uk", "el"):
        return t[1]
    return f"{t[1]} class" if t[3] in ("4", "5") else f"{t[1]}-class {t[2]}".strip()


_OFFICIAL = {
    "en": "Official website", "simple": "Official website", "vi": "Trang web chính thức", "uk": "Офіційний сайт",
    "el": "Επίσημος ιστότοπος", "de": "Offizielle Website", "fr": "Site officiel", "es": "Sitio web oficial",
    "it": "Sito ufficiale",
    "pt": "Site oficial", "ru": "Официальный сайт", "pl": "Oficjalna strona", "nl": "Officiële website",
    "sv": "Officiell webbplats",
    "ja": "公式ウェブサイト", "zh": "官方網站", "ko": "공식 웹사이트", "ar": "الموقع الرسمي", "fa": "وبگاه رسمی",
    "he": "אתר האינטרנט הרשמי",
    "tr": "Resmî site", "cs": "Oficiální stránky", "hi": "आधिकारिक वेबसाइट", "bn": "দাপ্তরিক ওয়েবসাইট", "ca": "Lloc web oficial",
}  # fmt: skip


@template(
    "url",
    "official website",
    "official",
    "website",
    "official site",
    "web",
    "uri",
    "офіційний сайт",
    "trang chủ",
    "site web",
    "επίσημη ιστοσελίδα",
    "offizielle website",
)
def url(t: Template) -> str | None:
    """A label if there is one, else the address without its scheme."""
    label = t.first(2, "name", "title", "label")
    if label:
        return label
    if "off" in t.key or "trang" in t.key:
        return _OFFICIAL.get(t.language, "")
    return re.sub(r"^\w+://(?:www\.)?|/$", "", t[1]) or None


@template(
    "bibleverse",
    "bibleref",
    "bibleref2",
    "bibleverse-nb",
    "bible",
    "біблія",
    "sourcetext",
    "bv",
)
def bible(t: Template) -> str | None:
    args = [value for value in t.positional() if value]
    if not args:
        return None
    if args[0].isdecimal() and len(args) > 1:
        args = [f"{args[0]} {args[1]}", *args[2:]]
    verse = f":{args[2]}" if len(args) > 2 and args[1].isdecimal() and args[2][:1].isdecimal() else ""
    return " ".join(args[:2]) + verse


_QURAN = {
    "en": "Quran", "simple": "Quran", "vi": "Quran", "uk": "Quran", "el": "Quran", "de": "Koran", "fr": "Coran", "es": "Corán",
    "it": "Corano", "pt": "Alcorão", "ru": "Коран", "pl": "Koran", "nl": "Koran", "sv": "Koranen", "tr": "Kur'an",
    "cs": "Korán",
    "ar": "القرآن", "fa": "قرآن", "bn": "কুরআন", "hi": "क़ुरआन", "he": "הקוראן", "ja": "クルアーン", "zh": "古蘭經", "ko": "쿠란",
}  # fmt: skip


@template("cite quran", "quran-usc", "qref", "quran", "koran", "koranverse", "ayah")
def quran(t: Template) -> str | None:
    book = _QURAN.get(t.language, "")
    return f"{book} {t[1]}:{t[2]}".strip(" :") if t[1] else None


def _authors(t: Template) -> tuple[str, str]:
    args = [value for value in t.positional() if value]
    year = args.pop() if len(args) > 1 else ""
    names = args[0] if len(args) < 2 else f"{args[0]} & {args[1]}" if len(args) == 2 else f"{', '.join(args[:-1])} & {args[-1]}"
    if len(args) > 3:
        names = f"{args[0]} et al."
    page = t.first("p", "pp", "loc")
    mark = "" if not page else f", {page}" if t["loc"] else f", p. {page}" if t["p"] else f", pp. {page}"
    return names, year + mark


@template("harvtxt", "harvcoltxt", "citet")
def harvard_text(t: Template) -> str | None:
    names, year = _authors(t) if t[1] else ("", "")
    return f"{names} ({year})" if names and year else names or None


@template("harv", "harvcol", "harvard citation", "citep")
def harvard(t: Template) -> str | None:
    names, year = _authors(t) if t[1] else ("", "")
    return f"({names} {year})" if names and year else None


@template("harvnb", "harvcolnb", "harvard citation no brackets", "harvp", "harvid text")
def harvard_bare(t: Template) -> str | None:
    names, year = _authors(t) if t[1] else ("", "")
    return f"{names} {year}" if names and year else None


@template("dentalformula", "dental formula")
def dental(t: Template) -> str | None:
    return f"{t['upper']}/{t['lower']}" if t["upper"] else None


@template(
    "lang-see",
    "see below",
    "see above",
    "crossref",
    "crossreference",
    "cf",
    "see",
    "xref",
)
def cross_reference(t: Template) -> str | None:
    return t[1] or {"see below": "(see below)", "see above": "(see above)"}.get(t.key)


@template("sortname", "sort name")
def sort_name(t: Template) -> str | None:
    return f"{t[1]} {t[2]}".strip() or None


@template("reign dates", "office span")
def office(t: Template) -> str | None:
    return "–".join(filter(None, t.positional()[:2])) or None
