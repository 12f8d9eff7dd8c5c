"""Links, names of things, countries, ships, identifiers and the page itself."""

from __future__ import annotations

import re

from raywiki.wikitext.bundled import table
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template


@template(
    "pagename",
    "fullpagename",
    "basepagename",
    "subpagename",
    "articlepagename",
    "subjectpagename",
    "rootpagename",
    "pagenamee",
    "pagename base",
)
def page_name(t: Template) -> str | None:
    title = t.page.title
    return re.sub(r"\s*\([^()]*\)$", "", title) if t.key == "pagename base" else title or None


_SITE_NAMES = {
    "uk": "Вікіпедія", "ru": "Википедия", "el": "Βικιπαίδεια", "fr": "Wikipédia", "pt": "Wikipédia", "ja": "ウィキペディア",
    "zh": "维基百科", "ar": "ويكيبيديا", "ko": "위키백과", "cs": "Wikipedie",
}  # fmt: skip


@template("sitename")
def site_name(t: Template) -> str:
    return _SITE_NAMES.get(t.language, "Wikipedia")


@template("contentlanguage", "contentlang")
def content_language(t: Template) -> str:
    return t.language


@template("namespace", "namespacee", "subjectspace", "articlespace", "talkspace")
def namespace(t: Template) -> str:
    """That of articles has no name."""
    return ""


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
        and args[0] in table("languages")
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
    """A country by name or code, as the wiki's language calls it."""
    value = t.first("name", 1) if t.positional() or t["name"] else t.name.strip()
    if "athlete" in t.key or "medalist" in t.key:
        country = country_name(t[2], t.language)
        return f"{t[1]} ({country})" if country else t[1] or None
    return country_name(value, t.language) or None


def country_name(value: str, language: str) -> str:
    row = table("countries").get(value.strip())
    return row.get(language) or row.get("en", value) if row else value


@template("country code")
def country_code(t: Template) -> str | None:
    row = table("countries").get(t.name.strip())
    return row.get(t.language) or row.get("en") if row else None


_PREFIXED = "uss hms ss ms mv rms hmas hmcs hmnzs ins sms usns rfa ps mts mt hmt usat uscgc css hnoms hdms hswms rv ts sv msv hmhs ussr".split()  # noqa: E501, SIM905


@template("ship", "warship", *_PREFIXED)
def ship(t: Template) -> str | None:
    """`{{USS|Hornet|CV-12|6}}` → USS Hornet; the last argument says what is shown: 2 the name, 3 the number, 6 prefix and name."""  # noqa: E501
    args = t.positional()
    if t.key in ("ship", "warship"):
        prefix, *args = args or [""]
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


@template("sclass", "sclass2", "sclass-", "ship class")
def ship_class(t: Template) -> str | None:
    """`{{sclass|Nimitz|aircraft carrier}}` → Nimitz-class aircraft carrier."""
    if not t[1]:
        return None
    return f"{t[1]} class" if t[3] in ("4", "5") else f"{t[1]}-class {t[2]}".strip()


_IDENTIFIERS = {
    "isbn": "ISBN {}", "oclc": "OCLC {}", "issn": "ISSN {}", "doi": "doi:{}", "jstor": "JSTOR {}", "pmid": "PMID {}",
    "pmc": "PMC {}", "arxiv": "arXiv:{}", "bibcode": "Bibcode:{}", "lccn": "LCCN {}",
    "asin": "ASIN {}", "hdl": "hdl:{}", "us patent": "U.S. Patent {}", "ietf rfc": "RFC {}", "rfc": "RFC {}",
    "oeis": "OEIS: {}", "cas": "{}", "isbnt": "{}", "isbn-10": "ISBN {}", "cve": "CVE-{}", "oeis2c": "{}",
    "catalog number": "{}", "pct rule": "Rule {} PCT", "epc article": "Article {} EPC",
    "epc rule": "Rule {} EPC", "epc 1973 rule": "Rule {} EPC 1973", "epc 1973 article": "Article {} EPC 1973",
    "ussc": "{} U.S.",
    "pct article": "Article {} PCT", "ean": "EAN {}", "opus": "Op. {}", "bwv": "BWV {}", "ngc": "NGC {}",
    "us patent2": "U.S. Patent {}", "s2cid": "S2CID {}", "mr": "MR {}", "zbl": "Zbl {}", "pdf": "(PDF)",
    "doc": "(DOC)",
    "автошлях н": "Н{}", "автошлях м": "М{}", "автошлях р": "Р{}", "автошлях т": "Т{}", "автошлях e": "E{}",
    "автошлях е": "Е{}", "cite wikisource link": "{}", "imslp": "{}", "gutenberg": "{}",
}  # fmt: skip


@template(*_IDENTIFIERS)
def identifier(t: Template) -> str | None:
    words = _IDENTIFIERS[t.key]
    return words.format(t[1]).strip() if t[1] or "{}" not in words else None


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
        return {
            "vi": "Trang web chính thức",
            "uk": "Офіційний сайт",
            "el": "Επίσημος ιστότοπος",
        }.get(t.language, "Official website")
    return re.sub(r"^\w+://(?:www\.)?|/$", "", t[1]) or None


@template("youtube", "vimeo", "imdb title", "imdb name", "google books", "gutenberg author", "internet archive",
          "librivox author", "allmusic", "discogs artist", "musicbrainz artist", "twitter", "facebook",
          "instagram", "archive.org", "google maps", "imdb", "worldcat", "mathworld", "planetmath", "dmoz", "curlie",
          "rotten-tomatoes")  # fmt: skip
def external(t: Template) -> str | None:
    return t.first("title", "name", 2) or None


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
    return " ".join(args[:2])


@template("cite quran", "quran-usc", "qref", "quran", "koran", "koranverse", "ayah")
def quran(t: Template) -> str | None:
    return f"Quran {t[1]}:{t[2]}".rstrip(":") if t[1] else None


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


@template("sort", "sort2", "sorttext", "sortable", "mul sort")
def sort(t: Template) -> str | None:
    return t.first(2, 1)


@template("player", "fs player", "fb team", "nat fs player", "sports result")
def player(t: Template) -> str | None:
    return t.first("name", 1)


@template(
    "party shading/text",
    "party name with color",
    "polparty",
    "party color link",
    "político",
)
def party(t: Template) -> str | None:
    return t[1] or None


@template("reign dates", "office span")
def office(t: Template) -> str | None:
    return "–".join(filter(None, t.positional()[:2])) or None


@template("chess notation", "algebraic notation", "notation")
def notation(t: Template) -> str | None:
    return t.first("2", "1")


@template(
    "species",
    "taxon",
    "linnaeus",
    "lut",
    "binomial",
    "au",
    "botanist",
    "plain species",
    "extinct",
)
def taxon(t: Template) -> str | None:
    return {"linnaeus": "Linnaeus", "extinct": "†", "lut": ""}.get(t.key) or t[1] or None
