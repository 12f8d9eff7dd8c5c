"""HTML tags, bold and italics, magic words between underscores, and `-{…}-`."""

from __future__ import annotations

import re

from raywiki.wikitext.magic import behaviour_words
from raywiki.wikitext.numbers import superscript
from raywiki.wikitext.page import holds
from raywiki.wikitext.tidy import GONE

NOTHING = "\x08"  # a `<nowiki/>`: it holds apart what stands around it, so that `'<nowiki/>''a''` is 'a in italics
BREAK = "\x06"  # a `<br>`: a line's end in a paragraph, a blank in a heading or list item

_INLINE = (
    "abbr b bdi bdo big cite data del dfn em font i ins kbd mark q rb rp rtc ruby s samp small span strike strong "
    "sub sup time tt u var wbr ref references noinclude onlyinclude includeonly nowiki a link meta translate tvar img "
    "poem code math chem pre syntaxhighlight source gallery timeline table caption thead tbody tfoot colgroup col includeonly "
    "nobr noparse section indicator templatestyles ce blink basefont acronym strlong samll smal pagequality"
)
_BLOCK = "p div center blockquote dl dd dt h1 h2 h3 h4 h5 h6 tr td th address article aside figure figcaption"
_TAGS = dict.fromkeys(_INLINE.split(), "") | dict.fromkeys(_BLOCK.split(), "\n") | {
    "br": BREAK, "hr": "\n\n", "poem": "\n\n", "blockquote": "\n\n", "p": "\n\n", "code": "`", "q": '"', "rp": "",
}  # fmt: skip
_TAG = re.compile(r"<(/?)\s*([A-Za-z][A-Za-z0-9]*)(?:[\s/][^<>]*+)?>")
_HIDDEN = re.compile(
    r"<(span|div|small|sup|p|strong)\s[^<>]*\bdisplay:\s*+none[^<>]*+>[^<]*+(?:<(?!/?\1\b)[^<]*+)*+</\1\s*+>", re.IGNORECASE
)
_BLOCK_TAG = re.compile(rf"</?(?:{'|'.join(_BLOCK.split())})\b[^<>]*+>", re.IGNORECASE)
_HEADING_WITH_TAG = re.compile(rf"\n=[^\n<]*+{_BLOCK_TAG.pattern}[^\n]*+", re.IGNORECASE)
_START = re.compile(r"\bstart\s*=\s*[\"']?(\d{1,4})")
_BROKEN_REFERENCE = re.compile(r"</?ref(?![A-Za-z])[^<>\n]*+>?", re.IGNORECASE)
_SUP = re.compile(r"<sup(?:\s[^<>]*+)?>([^<>\n]*+)</sup>", re.IGNORECASE)
_RAISED = re.compile(r"(?:[-+−]?[0-9n]+[+−-]?|[-+−])")
_APOSTROPHE = "\x07"  # one that is shown; `_MARKS` keeps it out of the input
_QUOTES = re.compile(r"'''*+")  # two fixed characters first: quicker to search for than '{2,}
_ELISION = re.compile(r"(?<!\w)([^\W\d_]{1,5})''''(?=\w)")
_WORD = re.compile(r"__([^\W\d_]+(?:_[^\W\d_]+)*)__")
_FORMER_MAGIC_WORDS = frozenset({"start", "end", "noglobal", "disambig", "archivedtalk", "notalk", "expectedunconnectedpage"})
_CONVERSION = re.compile(r"-\{((?:(?!-\{|\}-).)*+)\}-", re.DOTALL)
_MAX_NESTED_VARIANTS = 10
_FLAGS = re.compile(r"\s*(?:[A-Z-](?:;[A-Z])*|[a-z]{2,3}(?:-\w+)*(?:;\s*[a-z]{2,3}(?:-\w+)*)*)?\s*\|")
# Which variant of `-{zh-hans:…; zh-hant:…}-` is read: the one that the wiki's sources prefer.
_VARIANTS = {
    "zh": ("zh-hans", "zh-cn", "zh", "zh-hant", "zh-tw", "zh-hk"), "sr": ("sr-ec", "sr-cyrl", "sr-el"),
    "kk": ("kk-cyrl", "kk-kz"), "uz": ("uz-latn",), "ku": ("ku-latn",), "sh": ("sh-latn",), "iu": ("ike-latn",),
}  # fmt: skip


def tags(text: str) -> str:
    """Known tags become what they mean for lines; unknown ones are text, as in MediaWiki."""
    if "<" not in text:
        return text
    if "display:" in text:
        text = _HIDDEN.sub(GONE, text)
    if "<sup" in text:
        text = _SUP.sub(_superscript, text)
    text = _HEADING_WITH_TAG.sub(lambda match: _BLOCK_TAG.sub(" ", match[0]), text)
    numbers: list[int] = []  # of the next item in each HTML list that is open; 0 in one without numbers

    def tag(match: re.Match[str]) -> str:
        name = match[2].lower()
        shown = _TAGS.get(name)
        return _list_or_reading(name, bool(match[1]), numbers, match) if shown is None else shown

    text = _TAG.sub(tag, text)
    return _BROKEN_REFERENCE.sub("", text) if "<" in text else text


def _list_or_reading(name: str, closes: bool, numbers: list[int], match: re.Match[str]) -> str:
    """`<li>` is a list item as in wikitext; a reading above a word stands in brackets, unless `<rp>` brings its own."""
    text = match.string
    if name in ("ol", "ul"):
        if closes:
            del numbers[-1:]
        else:
            start = _START.search(match[0])
            numbers.append(0 if name == "ul" else int(start[1]) if start else 1)
        return "\n"
    if name == "li":
        if closes:
            return ""
        mark = "* "
        if numbers and numbers[-1]:
            mark = f"{numbers[-1]}. "
            numbers[-1] += 1
        return mark if text[max(match.start() - 20, 0) : match.start()].rstrip(" \t").endswith("\n") else "\n" + mark
    if name == "rt":
        brings_own = text.startswith("<rp", match.end()) if closes else text.endswith("</rp>", 0, match.start())
        return "" if brings_own else ")" if closes else "("
    return match[0]


def _superscript(match: re.Match[str]) -> str:
    """Digits and signs are raised, as 10<sup>6</sup> is not 106; an ordinal's letters are not."""
    content = match[1].replace("''", "").replace("&minus;", "−").strip()
    return superscript(content) if _RAISED.fullmatch(content) else content


def quotes(text: str) -> str:
    """Bold and italics go; apostrophes that MediaWiki shows stay (`L'''amour''` is L' and italics)."""
    pieces, position = [], 0
    while (bold := text.find("'''", position)) >= 0:  # few lines have one
        start = max(text.rfind("\n", position, bold) + 1, position)
        end = text.find("\n", bold)
        end = len(text) if end < 0 else end
        pieces += [text[position:start], _apostrophes(text[start:end])]
        position = end
    if not pieces:
        return text.replace("''", "")
    return "".join(_QUOTES.split("".join([*pieces, text[position:]]))).replace(_APOSTROPHE, "'")


def _apostrophes(line: str) -> str:
    """One line with those apostrophes marked that are no quote marks, by MediaWiki's rules (`Parser::doQuotes`).

    Where both bold and italics stay open, the first mark of a bold is an apostrophe and the rest italics. Of four the first
    is an apostrophe after a short word (`l''''amour'''`); elsewhere MediaWiki shows one too, but nobody has meant it.
    """
    if "''''" not in line and line.count("'''") % 2 == 0:
        return line  # each bold is closed: most lines
    runs = [len(run) for run in _QUOTES.findall(line)]
    if 4 in runs:
        line = _ELISION.sub(rf"\1{_APOSTROPHE}'''", line)
    n_bold = sum(run > 2 for run in runs)
    n_italic = sum(run == 2 or run > 4 for run in runs)
    return _first_bold_after_letter(line) if n_bold % 2 and n_italic % 2 else line


def _first_bold_after_letter(line: str) -> str:
    """The first bold mark after a one-letter word, else after a longer word, is an apostrophe and italics."""
    marks = [match.start() for match in _QUOTES.finditer(line) if len(match[0]) == 3]
    if not marks:
        return line
    start = min(marks, key=lambda start: (_rank(line, start), start))
    return line[:start] + _APOSTROPHE + line[start + 1 :]


def _rank(line: str, start: int) -> int:
    before, before2 = line[max(start - 1, 0) : start], line[max(start - 2, 0) : max(start - 1, 0)]
    if before in ("", " "):
        return 2
    return 0 if before2 in ("", " ") else 1


def drop_nothing(text: str) -> str:
    """Take out what `<nowiki/>` left; a mark behind it at the line's start stays text."""
    if NOTHING not in text:
        return text
    return f"\n{text}".replace(f"\n{NOTHING}", f"\n{BREAK}").replace(NOTHING, "")[1:]


def magic_words(text: str) -> str:
    """`__NOTOC__` and its kin, in English and in other scripts; `__init__` is text."""
    return _WORD.sub(_magic_word, text) if holds(text, "__") else text


def _magic_word(match: re.Match[str]) -> str:
    word = match[1]
    lowered = word.lower()
    known = lowered in behaviour_words() or lowered in _FORMER_MAGIC_WORDS or (word.isupper() and not word.isascii())
    return "" if known else match[0]


def conversion(text: str, language: str) -> str:
    """`-{…}-`: the text of one variant; rules that only steer the conversion show nothing."""
    if "{" not in text or "-{" not in text:
        return text
    for _ in range(_MAX_NESTED_VARIANTS):  # one in another, innermost first
        text, found = _CONVERSION.subn(lambda match: _variant(match[1], language), text)
        if not found or "-{" not in text:
            break
    return text


def _variant(inside: str, language: str) -> str:
    flag = _FLAGS.match(inside)
    if flag:
        if {"H", "T", "-"} & set(flag[0].strip(" |\n").split(";")):
            return ""
        inside = inside[flag.end() :]
    variants = {}
    for rule in inside.split(";"):
        code, colon, shown = rule.partition(":")
        if colon and re.fullmatch(r"\s*[a-z]{2,3}(?:-\w+)*\s*", code):
            variants[code.strip()] = shown.strip()
    if not variants:
        return inside
    for code in _VARIANTS.get(language.split("-")[0], ()):
        if code in variants:
            return variants[code]
    return next(iter(variants.values()))
