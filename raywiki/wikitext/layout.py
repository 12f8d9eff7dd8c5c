"""Lines → blocks: headings, paragraphs and lists, one blank line between blocks."""

from __future__ import annotations

import re

from raywiki.wikitext.tags import BREAK

_HEADING = re.compile(r"(={1,6})(.+?)\1\s*")
_MARKS = "*#:;"
_SPECIAL = frozenset(_MARKS + "=|!{-,.")  # what a line that is no plain paragraph may begin with
# A mark that quotes, a link, a tag or an entity hold away from the line's start: it is text, as in """'''#MeToo''' is …""".
_TEXT_MARK = re.compile(
    r"\n(?=['\[<&])(?:'''*+|\[\[(?:[^\[\]|\n]*+\||(?!:))|<(?:b|i|u|s|em|strong|big|small|span|font|abbr|tt)\b[^<>\n]*+>)*+"
    r"(?=[*#:;]|&#(?:35|42|58|59);)"
)
_REMAINS = re.compile(r"[\s\x06.,;:|!)\]}'\"-]*+")  # of a line whose words are all gone
_HAS_WORD = re.compile(r"[^\W_]|[\x02$€£%°©♯♭∞☉†\U0001F000-\U0001FFFF]")


class _Blocks:
    """Collects lines; a heading waits until something stands under it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.kind = ""
        self.headings: list[tuple[int, str]] = []
        self.counts: dict[str, int] = {}

    def add(self, kind: str, line: str) -> None:
        if self.headings:
            for _, heading in self.headings:
                if self.lines and self.lines[-1]:
                    self.lines.append("")
                self.lines += [heading, ""]
            self.headings.clear()
        elif kind != self.kind:
            self.lines.append("")
        self.lines.append(line)
        self.kind = kind

    def blank(self) -> None:
        self.kind = ""
        if self.counts:
            self.counts.clear()

    def heading(self, level: int, text: str) -> None:
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        if text:
            self.headings.append((level, text))
        self.blank()


def mark_text(text: str) -> str:
    """`text` with a break before each mark that begins a line only once the markup before it is gone.

    >>> print(mark_text("'''#MeToo''' is a movement.").replace(BREAK, "↵"))
    '''↵#MeToo''' is a movement.
    """
    return _TEXT_MARK.sub(rf"\g<0>{BREAK}", "\n" + text)[1:]


def layout(text: str, *, keep_empty_headings: bool = False) -> str:
    """The final lines of a page: markers of lists written out, headings bare, no section without content."""
    blocks = _Blocks()
    add = blocks.add
    for line in map(str.strip, text.split("\n")):
        if not line:
            blocks.blank()
            continue
        first = line[0]
        if first not in _SPECIAL and len(line) > 3 and BREAK not in line:
            add("paragraph", line)  # most lines
        elif first in _MARKS:
            content = line[1:].lstrip()
            if first == "*" and content[:1].isalnum() and BREAK not in content and not blocks.counts:
                add("list", f"- {content}")  # what _list_item does with most of them
            else:
                _list_item(line, blocks)
        elif first == "=" and (match := _HEADING.fullmatch(line)):
            blocks.heading(len(match[1]), " ".join(match[2].replace(BREAK, " ").split()))
        elif first == "|" or (first == "!" and "!!" in line) or line.startswith("{|"):
            continue  # what is left of a table or template that was cut in two
        elif line.startswith("----"):
            blocks.blank()
            if line.strip("-"):
                add("paragraph", line.strip("- "))
        elif len(line) > 3 or not _REMAINS.fullmatch(line):
            if BREAK in line:
                _broken_line(line, blocks)
            elif first in ",." and line[1] == " " and blocks.kind == "paragraph":
                blocks.lines[-1] += line  # it ends the sentence before a reference that stood between
            else:
                add("paragraph", line)
    return "\n".join(blocks.lines).strip("\n")


def _broken_line(line: str, blocks: _Blocks) -> None:
    for piece in line.split(BREAK):
        if piece.strip():
            blocks.add("paragraph", piece.strip())


def _list_item(line: str, blocks: _Blocks) -> None:
    content = line.lstrip(_MARKS + " ")
    marks = line[: len(line) - len(content)].replace(" ", "")
    content = " ".join(content.replace(BREAK, " ").split()) if BREAK in content else content
    if not content or not _HAS_WORD.search(content):
        return
    last = marks[-1]
    if last == "*":
        _restart_below(marks, blocks)
        blocks.add("list", f"- {content}")
    elif last == "#":
        _restart_below(marks, blocks)
        blocks.counts[marks] = blocks.counts.get(marks, 0) + 1
        blocks.add("list", f"{blocks.counts[marks]}. {content}")
    elif last == ";":
        term, colon, definition = _split_definition(content)
        blocks.add("definition", term)
        if colon and definition:
            blocks.add("definition", definition)
    else:
        kind = "list" if len(marks) > 1 and blocks.kind == "list" else "definition"
        blocks.add(kind, content)


def _restart_below(marks: str, blocks: _Blocks) -> None:
    """A new item starts the numbers of the lists inside it again."""
    if blocks.counts:
        for other in [other for other in blocks.counts if len(other) > len(marks) or other[: len(marks)] != marks]:
            if len(other) >= len(marks):
                del blocks.counts[other]


def _split_definition(content: str) -> tuple[str, str, str]:
    """`; term : definition` on one line. A colon inside a word (`http://`, `12:30`) splits nothing."""
    match = re.search(r"\s:|:\s", content)
    if not match:
        return content, "", ""
    return content[: match.start()].strip(), ":", content[match.end() :].strip()
