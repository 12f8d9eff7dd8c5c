"""Tables: left out, or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from raywiki.wikitext.page import Page, holds
from raywiki.wikitext.tags import BREAK

_EDGE = re.compile(r"\n[ \t:;*#\x01]*(?:(\{\|)|\|\}(?!\}))")
_HEADING = re.compile(r"\n==")
_ROW_LINE = re.compile(r"\n[ \t:;*#\x01]*(?:\{\||\||!)[^\n]*")
_HTML_EDGE = re.compile(r"<(/?)table\b[^<>]*>", re.IGNORECASE)
_MAX_UNCLOSED = 20


def drop_tables(text: str) -> str:
    """`text` without its tables. A table that is never closed loses its rows up to the next heading."""
    if holds(text, "{|"):
        text = _drop_wiki_tables("\n" + text)[1:]
    if holds(text, "<table") or holds(text, "<TABLE"):
        spans = list(_spans(text, _HTML_EDGE, lambda match: not match[1]))
        text = _without(text, [span for span in spans if span[1] >= 0])
    return text


def _drop_wiki_tables(text: str) -> str:
    done: list[str] = []
    for _ in range(_MAX_UNCLOSED):
        spans = list(_spans(text, _EDGE, lambda match: bool(match[1])))
        if not spans or spans[-1][1] >= 0:
            return "".join(done) + _without(text, spans)
        start = spans.pop()[0]
        heading = _HEADING.search(text, start)
        end = heading.start() if heading else len(text)
        done += [_without(text[:start], spans), _ROW_LINE.sub("", text[start:end])]
        text = text[end:]
    return "".join(done) + _ROW_LINE.sub("", text)


def _spans(text: str, edge: re.Pattern[str], opens: Callable[[re.Match[str]], bool]) -> Iterator[tuple[int, int]]:
    """Outermost stretches between an opening and its closing; the end is -1 when it is never closed."""
    depth = start = 0
    for match in edge.finditer(text):
        if opens(match):
            if not depth:
                start = match.start()
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                yield start, match.end()
    if depth:
        yield start, -1


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for start, end in spans:
        pieces += [text[position:start], "\n"]
        position = end
    return "".join([*pieces, text[position:]])


def markdown_tables(text: str, page: Page) -> str:
    """`text` with its tables written as Markdown, behind tokens. A table in a table is left out."""
    if not holds(text, "{|"):
        return text
    text = "\n" + text
    pieces, position = [], 0
    for start, end in _spans(text, _EDGE, lambda match: bool(match[1])):
        end = len(text) if end < 0 else end
        rows = _rows(text[start:end].replace(BREAK, " "))
        pieces += [
            text[position:start],
            "\n\n",
            page.keep(_markdown(rows)) if rows else "",
            "\n\n",
        ]
        position = end
    return "".join([*pieces, text[position:]])[1:]


def _rows(block: str) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    inner = block.strip().split("\n")[1:-1]
    depth = 0
    for line in map(str.strip, inner):
        depth += line.startswith("{|")
        if depth:
            depth -= line.startswith("|}")
        elif line.startswith("|-"):
            rows.append([])
        elif line.startswith("|+"):
            continue
        elif line[:1] in ("|", "!"):
            rows[-1] += [_cell(cell) for cell in re.split(r"\|\||!!" if line[0] == "!" else r"\|\|", line[1:])]
        elif rows[-1] and line:
            rows[-1][-1] = f"{rows[-1][-1]} {line}".strip()
    return [row for row in rows if any(row)]


def _cell(cell: str) -> str:
    """A cell without its attributes (`align=right | 5`); line breaks become blanks, bars are escaped."""
    before, bar, content = cell.partition("|")
    if bar and ("=" in before or not before.strip()):
        cell = content
    return " ".join(cell.replace("|", "\\|").split())


def _markdown(rows: list[list[str]]) -> str:
    width = max(map(len, rows))
    lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])
