"""Links: what they show stays, where they go is forgotten. Files and categories leave the text."""

from __future__ import annotations

import re
from functools import cache

from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.cldr import language_codes
from raywiki.wikitext.page import Page, holds
from raywiki.wikitext.sites import words
from raywiki.wikitext.tags import NOTHING
from raywiki.wikitext.tidy import GONE, trace

# [[target|label]] and [[target]] without a colon in the target: nine of ten. What the groups hold is what is shown.
_PLAIN = re.compile(r"\[\[(?:[^\[\]{}|:\n]++\|([^\[\]{}|]++)|([^\[\]{}|:\n]++))\]\]")
_ANY = re.compile(r"\[\[([^\[\]]*+(?:(?:\[[^\[\]\n]*+\]|\[(?!\[)|\](?!\]))[^\[\]]*+)*+)\]\]")
_SCHEME = r"(?:(?:https?|ftps?|sftp|news|irc|ircs|git|svn|gopher|telnet|worldwind)://|//|mailto:|tel:|geo:)"
_EXTERNAL = re.compile(
    rf"\[(?:\[{_SCHEME}[^\s\[\]<>\x02]*+[^\S\n]*+([^\[\]\n]*+)\]\]"
    rf"|(?<!\[\[){_SCHEME}(?:[^\s\[\]<>\"'\x02]++|'(?!'))*+[^\S\n]*+((?:[^\[\]\n]++|\[[^\[\]\n]*+\])*+)\])",
    re.IGNORECASE,
)
_JUNK_START = "[" * 12  # nobody nests six links at one place: somebody leant on the key
_JUNK = re.compile(r"\[{12}\[*+")
_DOUBLED = re.compile(r"\[{4}\[*+")  # no link begins where another does
_PIPE_TRICK = re.compile(r"^:?(?:[^:|]*:)?\s*|\s*\([^()]*\)$|,[^,]*$")
_LEFT_OVER = re.compile(r"\[\[+(?:[^\[\]|\n]*+\|)?|\]\]+")
_SIZE = re.compile(
    r"\d*\s*x?\s*\d+\s*(?:px|пкс|пкс\.|п|εσ|بك|پیکسل|פיקסלים|像素|ピクセル|piksel)?",
    re.IGNORECASE,
)

MAX_DEPTH = 30


def plain_links(text: str) -> str:
    """Links that need no thought. Splitting at them and joining again keeps the loop in C."""
    if _JUNK_START in text:
        text = _JUNK.sub("[[", text)
    return "".join(filter(None, _PLAIN.split(text))) if "[[" in text else text


def links(text: str, page: Page) -> str:
    """All other links: external ones, files with captions, categories, other wikis."""
    if "[" in text:
        text = _external(text)
    if "[[" in text:
        if "[[[[" in text:
            text = _DOUBLED.sub("[[", text)
        for _ in range(MAX_DEPTH):
            text, found = _ANY.subn(lambda match: _show(match[1], page) or trace(match.string, *match.span()), text)
            if not found or not holds(text, "[["):
                break
        if holds(text, "[http") or holds(text, "[//"):  # a file or a link in the label hid it
            text = _external(text)
        if holds(text, "[["):
            text = page.site.unclosed_file.sub("", text)
    return _LEFT_OVER.sub("", text) if holds(text, "[[") or holds(text, "]]") else text


def _external(text: str) -> str:
    """External links as their labels; one without a label is only a number."""
    pieces = _EXTERNAL.split(text)
    for label in (1, 2):
        if "" in pieces[label::3]:
            pieces[label::3] = [GONE if piece == "" else piece for piece in pieces[label::3]]
    return "".join(filter(None, pieces))


def _show(inside: str, page: Page) -> str:
    target, bar, label = inside.partition("|")
    prefix, colon, name = target.partition(":")
    if colon:
        namespace = normalise(prefix)
        if namespace in page.site.file_names:
            return _caption(label) if page.captions else ""
        if namespace in page.site.category_names:
            add_category(name, page)
            return ""
        if namespace in interlanguage() and not target.startswith(":"):
            return ""
    if bar and label.strip():
        return label
    shown = target.strip().removeprefix(":")
    if bar:
        return _PIPE_TRICK.sub("", target.strip())
    return shown.replace("_", " ") if "_" in shown else shown


def add_category(name: str, page: Page) -> None:
    """Note a category, once, as the wiki writes its name."""
    name = " ".join(name.replace(NOTHING, "").replace(GONE, "").replace("_", " ").split())
    name = name[:1].upper() + name[1:]
    if name and name not in page.categories:
        page.categories.append(name)


def _caption(label: str) -> str:
    """The last part of a file link that is no option, as a paragraph of its own."""
    for part in reversed(label.split("|")):
        if part.strip() and not _is_option(part):
            return f"\n\n{part.strip()}\n\n"
    return ""


def _is_option(part: str) -> bool:
    key, equals, _ = part.partition("=")
    word = normalise(key)
    if equals:
        return word.isalpha() and len(word) < 20
    return word in words("image") or _SIZE.fullmatch(word) is not None


@cache
def interlanguage() -> frozenset[str]:
    """Prefixes that make a link to the same article in another language: shown at the side, not in the text."""
    more = "als bat-smg be-tarask be-x-old bcl bjn cbk-zam cdo cho diq eml ext fiu-vro gag glk gom ksh kaa kab kbd koi krj lbe"
    more += " lez lrc ltg map-bms mdf mhr min mrj mus myv mzn nah nds-nl new olo pag pap pfl pih pnb rmy roa-rup roa-tara"
    more += " simple srn szl tcy tyv vep vls wa xmf zea zh-classical zh-min-nan zh-yue azb bxr ce atj dty inh kbp lfn nqo shn"
    return language_codes() | frozenset(more.split())
