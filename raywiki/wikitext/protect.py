"""First pass: comments, and elements whose content is no wikitext (`<nowiki>`, `<math>`, `<syntaxhighlight>`, …)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from raywiki.wikitext.entities import decode
from raywiki.wikitext.page import Page
from raywiki.wikitext.tags import NOTHING
from raywiki.wikitext.tidy import GONE, OPENING_BRACKETS

DROPPED = {
    "gallery", "timeline", "imagemap", "score", "graph", "hiero", "mapframe", "maplink", "templatedata",
    "templatestyles",
    "inputbox", "categorytree", "dynamicpagelist", "includeonly", "chart", "style", "script", "section", "indicator",
    "phonos", "languages",
}  # fmt: skip
LITERAL = {"nowiki", "math", "chem", "ce", "pre", "syntaxhighlight", "source"}

# No name begins with the letters after `<` that most tags have: closing ones, <ref> and <br>.
_OPENING = re.compile(rf"<(?![/rb])(?:!--|({'|'.join(sorted(DROPPED | LITERAL))})(?=[\s/>])([^<>]*+)>)", re.IGNORECASE)
_CLOSING = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in DROPPED | LITERAL}
_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*["']?([\w+#-]+)""")
_REFERENCE = re.compile(
    r"<ref(?=[\s/>])(?:[^<>]*+(?<=/)>|(?:[^<>\"]++|\"(?:[^\"<>\n]*+<[^\">\n]*+\")?+)*+>[^<]*+(?:<(?!/?ref\b)[^<]*+)*+</ref\s*+>)",
    re.IGNORECASE,
)
_MAX_NESTED_REFERENCES = 4
_NEEDS_TRACE = frozenset(f"{OPENING_BRACKETS}{GONE} \t\n\xa0\u3000") | {""}  # a reference that stands behind one of these
_OPENING_BRACKETS, _CLOSING_BRACKETS = ("(", "（"), (")", "）")


def protect(text: str, page: Page) -> str:
    """Take out comments, references and the elements above; what is kept of them stands behind tokens.

    One walk from left to right, as the first to open wins. An element that is never closed is no element: only its tag
    goes, and its name is not looked for again, so the walk stays linear.
    """
    pieces: list[str] = []
    unclosed: set[str] = set()
    position = 0
    while (match := _OPENING.search(text, position)) is not None:
        pieces.append(text[position : match.start()])
        if match[1] is None:
            position = _after_comment(text, match.start(), pieces, unclosed)
            continue
        position = match.end()
        name = match[1].lower()
        if match[2].endswith("/"):
            pieces.append(NOTHING if name == "nowiki" else "")
            continue
        if name in unclosed:
            continue
        closing = _CLOSING[name].search(text, position)
        if closing is None:
            unclosed.add(name)
            continue
        pieces.append(_keep(name, match[2], text[position : closing.start()], page))
        position = closing.end()
    pieces.append(text[position:])
    text = "".join(pieces)
    for _ in range(_MAX_NESTED_REFERENCES):
        pieces = _REFERENCE.split(text)
        if len(pieces) == 1:
            break
        text = "".join(_with_traces(pieces))
        if not _has_reference_end(text):
            break
    return text


def _has_reference_end(text: str) -> bool:
    """`"</ref" in text`, from one `<` to the next: few are left."""
    start = text.find("<")
    while start >= 0 and not text.startswith("/ref", start + 1):
        start = text.find("<", start + 1)
    return start >= 0


def _with_traces(pieces: list[str]) -> Iterator[str]:
    """What stands between references, with a trace for each, but for those between words or at a line's end: nine of ten."""
    last, n_gone = "", 0
    for piece in pieces:
        if piece:
            first = piece[0]
            if n_gone and first != "\n" and (last in _NEEDS_TRACE or not (piece[1:2] if first == " " else first).isalnum()):
                yield GONE * n_gone
            yield piece
            last, n_gone = piece[-1], 0
        n_gone += 1
    if n_gone > 1 and last in _NEEDS_TRACE:
        yield GONE * (n_gone - 1)


def _after_comment(text: str, start: int, pieces: list[str], unclosed: set[str]) -> int:
    """Where the text goes on after a comment; a comment that has a line for itself takes the line with it.

    A trace stays only in brackets: comments also stand in names and inside markup, where a trace would be in the way.
    """
    end = -1 if "-->" in unclosed else text.find("-->", start + len("<!--"))
    if end < 0:
        unclosed.add("-->")
        return _end_of_reference(text, start)
    end += len("-->")
    line_start = pieces[-1].rstrip(" \t")
    if line_start.endswith("\n"):
        rest = end
        while rest < len(text) and text[rest] in " \t":
            rest += 1
        if text.startswith("\n", rest):
            pieces[-1] = line_start
            return rest + 1
    if line_start.endswith(_OPENING_BRACKETS) or text[end : end + 2].lstrip().startswith(_CLOSING_BRACKETS):
        pieces.append(GONE)
    return end


def _end_of_reference(text: str, start: int) -> int:
    """Where a comment that is never closed ends: with the reference that it stands in, else with the page."""
    opened = text.rfind("<ref", max(start - 2000, 0), start)
    if opened < 0 or text.find("</ref", opened, start) >= 0:
        return len(text)
    closing = text.find("</ref", start)
    return closing if closing >= 0 else len(text)


def _keep(name: str, attributes: str, content: str, page: Page) -> str:
    if name in DROPPED:
        return _gallery_captions(content) if name == "gallery" and page.captions else GONE
    if name == "nowiki":
        inside = content.strip(" ")  # blanks at the ends may meet others
        kept = page.keep(decode(inside)) if inside else NOTHING
        return " " * content.startswith(" ") + kept + " " * (content.endswith(" ") and bool(inside))
    if name == "math":
        return page.keep(f"${' '.join(content.split())}$") if content.strip() else ""
    if name in ("chem", "ce"):
        return page.keep(rf"$\ce{{{' '.join(content.split())}}}$")
    options = dict(_ATTRIBUTE.findall(attributes))
    code = content if name != "pre" else decode(re.sub(r"</?nowiki\s*/?>", "", content))
    if "inline" in attributes or ("enclose" in options and options["enclose"] == "none"):
        return page.keep(f"`{' '.join(code.split())}`")
    return fence(code, options.get("lang", ""), page)


def fence(code: str, language: str, page: Page) -> str:
    """A block of code between two lines of backticks."""
    code = textwrap.dedent(code.expandtabs(4)).strip("\n").rstrip()
    return "\n\n" + page.keep(f"```{language}\n{code}\n```") + "\n\n" if code else ""


def _gallery_captions(content: str) -> str:
    captions = [line.partition("|")[2].strip() for line in content.split("\n")]
    return "\n\n" + "".join(f"* {caption}\n" for caption in captions if caption) + "\n"
