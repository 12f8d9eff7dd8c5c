"""Documentation strings → wikitext, as an editor of a wiki would write it. Pure functions of strings.

A documentation string is loosely reStructuredText: paragraphs, lists, doctests, indented examples, underlined headings,
``code`` and :role:`name`. Everything that is not markup of ours is protected, so that a `[[` or `{{` of the
documentation never becomes markup by accident.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

Resolve = Callable[[str], str | None]  # a name in the documentation → the title of its page, or None

DANGEROUS = re.compile(r"\[{2,}|\]{2,}|\{{2,}|\}{2,}|'{2,}|~{3,}|\{\||\|\}|__[A-Z]+__|\[(?=\w+:|//)")
ENTITY = re.compile(r"&(?=#?\w+;)")
LINE_START = re.compile(r"^(?=[*#:;=|!\s]|-{4})|^(?=#REDIRECT)", re.IGNORECASE)

INLINE = re.compile(
    r"``(?P<code>[^`\n]+(?:\n[^`\n]+)?)``"
    r"|:(?P<role>[a-z:+]+):`(?P<roletext>[^`]+)`"
    r"|`(?P<tick>[^`'\n]+)[`'](?:__?\b)?"
    r"|(?P<url>(?:https?|ftp)://[^\s<>\"'`\[\]{}|)]*[^\s<>\"'`\[\]{}|).,;:!?])"
    r"|(?<![\w*'])\*\*(?P<strong>[A-Za-z][\w -]*\w)\*\*(?![\w*'])"
    r"|(?<![\w*'])\*(?P<emphasis>[A-Za-z](?:[\w -]*\w)?)\*(?![\w*'])"
    r"|\b(?P<standard>(?:PEP|RFC)[ -]?\d+)\b"
    r"|(?<![\w.])(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|\w+(?=\(\))|[A-Za-z]*[a-z][A-Z]\w*\b)(?P<call>\(\))?"
)
QUOTED_CODE = re.compile(r'"([^"\s]{1,40}|[\w.]+\([^"\n]{0,40}\))"(?![\w"])')

HEADING_RULE = re.compile(r"^([=\-~*^#+\"'])\1{2,}\s*$")
BULLET = re.compile(r"^(\s*)(?:[-*+•o]|--)\s+(?=\S)")
NUMBERED = re.compile(r"^(\s*)(?:\(?\d{1,2}[.)])\s+(?=\S)")
FIELD = re.compile(
    r"^\s*[:@](?:param|parameter|arg|argument|type|keyword|raises?|returns?|rtype|ivar)\b(?P<field>[^:]*):\s*(?P<about>.*)$"
)
ITEM_START = re.compile("|".join(f"(?:{pattern.pattern})" for pattern in (BULLET, NUMBERED, FIELD)))
TERM = re.compile(r"^(\s*)([\w.*/\"'<>=|\[\](),\- ]{1,40}?)(?: --? |\s{2,}--?\s+|\t+)(?=\S)")
SIGNATURE_LINE = re.compile(r"^[\w.]+\([^)]*\)?.*?(?:->|\)$|=)")
STATEMENT = re.compile(
    r"^\s*(?:import \w|from [\w.]+ import|(?:async )?def |class \w+.*:$|return\b|raise \w+|pass$|\.\.\.$|try:|else:|finally:"
    r"|(?:if|elif|for|while|except|(?:async )?with)\b.*:(?:$| \.\.\.)"
    r"|with [\w() ]+ as \w+$|await |print\(|#|\$ |%|@\w|python -)"
)
DIAGRAM = re.compile(r"^[\s|+/\\=_v^-]+$|^\s*\||\s\|\s*$")
ALIGNED = re.compile(r"^[\s|+/\\=_v^-]+$|\S {3,}\S|^\s*\|")
PROSE = re.compile(r"[A-Z][a-z ][^()=<>|{}\[\]_\t/\\+*%&^$#@~>]*[.,:!?]")
GRID_ROW = re.compile(r"^\|(.*)\|$")
NOTES = [["Note:"], ["Warning:"], ["Caution:"], ["Example:"]]  # that the reference sets on a line of their own
SYMBOLS = re.compile(r"[=(){}\[\]<>_|\\/+*%&^$#@~]|::|->")


def protect(text: str) -> str:
    """`text` with everything that wikitext would read as markup written so that it shows as itself.

    >>> protect("a [[b]] <c> &lt; ''d''")
    "a <nowiki>[[</nowiki>b<nowiki>]]</nowiki> &lt;c&gt; &amp;lt; <nowiki>''</nowiki>d<nowiki>''</nowiki>"
    """
    pieces, position = [], 0
    for match in DANGEROUS.finditer(text):
        pieces += [escape_tags(text[position : match.start()]), f"<nowiki>{match[0]}</nowiki>"]
        position = match.end()
    return "".join([*pieces, escape_tags(text[position:])])


def escape_tags(text: str) -> str:
    return ENTITY.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """`text` as inline code; `<nowiki>` only where the text needs it."""
    text = " ".join(text.split())
    inner = escape_tags(text)
    return f"<code><nowiki>{inner}</nowiki></code>" if DANGEROUS.search(text) else f"<code>{inner}</code>"


def listing(text: str, language: str) -> str:
    """A block of source code, shown as it is."""
    return f'<syntaxhighlight lang="{language}">\n{text.replace("</syntaxhighlight", "<syntaxhighlight")}\n</syntaxhighlight>'


def parameter(text: str) -> str:
    """`text` as the value of a template's parameter or a table's cell, where `|` and `=` have a meaning."""
    return protect(" ".join(text.split())).replace("|", "&#124;").replace("=", "&#61;")


def link(title: str, label: str) -> str:
    """A link to the page `title` that reads `label`; label and title may hold no brackets of links."""
    return f"[[{title}]]" if title == label else f"[[{title}|{label}]]"


class Linker:
    """Links the first mention of each page in an article, as editors do, and never the article to itself."""

    def __init__(self, resolve: Resolve, own_title: str = "") -> None:
        self.resolve = resolve
        self.own_title = own_title
        self.linked = {own_title}

    def __call__(self, name: str, label: str) -> str | None:
        """A link to the page of `name`, or None: no such page, or linked already."""
        title = self.resolve(name)
        if title is None or title in self.linked or title.partition("#")[0] == self.own_title:
            return None
        self.linked.add(title)
        return link(title, label)


def inline(text: str, linker: Linker, quoted_code: bool = False) -> str:
    """A run of prose as wikitext: code, emphasis, links, everything else protected.

    >>> inline("Use ``x < 1`` or *this* one.", Linker(lambda name: None))
    "Use <code>x &lt; 1</code> or ''this'' one."
    """
    if quoted_code:  # the language reference is plain text in which "x" stands for ``x``
        text = QUOTED_CODE.sub(r"``\1``", text)
    pieces, position = [], 0
    for match in INLINE.finditer(text):
        replacement = inline_markup(match, linker)
        if replacement is not None:
            before = protect(text[position : match.start()])
            if replacement.startswith("[[") and before.endswith("["):
                before = before[:-1] + "&#91;"
            pieces += [before, replacement]
            position = match.end()
    if pieces and pieces[-1].endswith("]]") and text[position : position + 1] == "]":
        pieces.append("&#93;")
        position += 1
    return "".join([*pieces, protect(text[position:])])


def inline_markup(match: re.Match[str], linker: Linker) -> str | None:
    """The wikitext for one match of INLINE; None: leave it as it is."""
    if match["code"]:
        return code_or_link(match["code"], linker)
    if match["roletext"]:
        label, _, target = match["roletext"].rstrip("<>").partition(" <")
        target = (target or label).lstrip("~!")
        label = label.rpartition(".")[2] if label.startswith("~") else label.lstrip("!")
        return linker(target.removesuffix("()"), protect(label)) or code(label)
    if match["tick"]:
        return code_or_link(match["tick"], linker)
    if match["url"]:
        return match["url"].replace("&", "&amp;") if ENTITY.search(match["url"]) else match["url"]
    if match["strong"]:
        return f"'''{match['strong']}'''"
    if match["emphasis"]:
        return f"''{match['emphasis']}''"
    if match["standard"]:
        return linker(match["standard"][:3], match["standard"])
    return linker(match["name"], match["name"] + (match["call"] or ""))


def code_or_link(text: str, linker: Linker) -> str:
    """A name in backticks: a link where it has a page, else code."""
    plain = text.strip().removesuffix("()")
    found = linker(plain, text.strip()) if re.fullmatch(r"[\w.]+", plain) else None
    return found or code(text)


# Blocks


@dataclass
class Block:
    """A stretch of a documentation string: "heading", "paragraph", "list", "terms", "grid", "python", "pycon" or "text"."""

    kind: str
    lines: list[str]  # of a list: one item each


def to_wikitext(text: str, linker: Linker, level: int = 2, quoted_code: bool = False) -> str:
    """A cleaned documentation string as wikitext; its underlined headings become headings of `level`.

    >>> to_wikitext("Title\\n=====\\n\\n- a\\n- b", Linker(lambda name: None))
    '== Title ==\\n\\n* a\\n* b'
    """
    return "\n\n".join(render(block, linker, level, quoted_code) for block in split_blocks(text))


def render(block: Block, linker: Linker, level: int, quoted_code: bool) -> str:
    """One block as wikitext."""
    if block.kind == "heading":
        return heading(protect(block.lines[0]), level)
    if block.kind in ("python", "pycon", "text"):
        return listing("\n".join(block.lines), block.kind)
    if block.kind == "list":
        return "\n".join(f"{item[0]} {inline(item[1:], linker, quoted_code)}" for item in block.lines)
    if block.kind == "terms":
        term, *description = block.lines
        body = inline(" ".join(description), linker, quoted_code)
        return f"; {protect(term.replace('**', '')).replace(':', '&#58;')}\n: {body}"
    if block.kind == "grid":
        header, *rows = grid_cells(block.lines)
        return table([protect(cell) for cell in header], [[cell_text(cell) for cell in row] for row in rows])
    return guard_start(inline(" ".join(" ".join(block.lines).split()), linker, quoted_code))


def grid_cells(lines: list[str]) -> list[list[str]]:
    """The cells of a table that is drawn with `+---+` and `|`."""
    rows = [match[1] for match in map(GRID_ROW.match, lines) if match]
    return [[" ".join(cell.split()) for cell in row.split("|")] for row in rows] or [[""]]


def cell_text(text: str) -> str:
    return protect(text).replace("|", "&#124;") or "&nbsp;"


def heading(text: str, level: int) -> str:
    return f"{'=' * level} {text} {'=' * level}"


def guard_start(text: str) -> str:
    """`text`, with its first character as an entity where it would start a list, a table, a heading or a redirect."""
    return f"&#{ord(text[0])};{text[1:]}" if LINE_START.match(text) else text


def split_blocks(text: str) -> list[Block]:
    """The blocks of a documentation string, in order."""
    blocks: list[Block] = []
    after_colons = False  # the paragraph before announced an example by "::"
    for lines in chunks(text):
        for block in chunk_blocks(lines, after_colons):
            last = blocks[-1] if blocks else None
            if last and block.kind == last.kind and block.kind in ("python", "pycon", "text"):
                last.lines += ["", *block.lines]
            elif last and (block.kind == last.kind == "list" or (last.lines in NOTES and block.kind == "paragraph")):
                last.lines += block.lines
            else:
                blocks.append(block)
        last = blocks[-1]
        after_colons = last.kind in ("paragraph", "list") and last.lines[-1].endswith("::")
        if after_colons:
            last.lines[-1] = last.lines[-1].removesuffix(":").removesuffix(" :")
    return [block for block in blocks if any(line.strip(" :.") for line in block.lines)]


def chunks(text: str) -> list[list[str]]:
    """The lines of `text` in groups between blank lines, cut also before a doctest, a list and after a heading."""
    groups: list[list[str]] = [[]]
    lines = text.expandtabs(4).splitlines()
    for number, line in enumerate(lines):
        current = groups[-1]
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not line.strip():
            groups.append([])
        elif line.lstrip().startswith(">>>") and current and not current[0].lstrip().startswith(">>>"):
            groups.append([line])
        elif HEADING_RULE.match(line) and len(current) == 1 and len(line.strip()) >= len(current[0].strip()) // 2:
            current.append(line)
            groups.append([])
        elif HEADING_RULE.match(line):
            groups.append([])  # a line across, or the one above a heading
        elif starts_list(line, following) and current and not item_start(current[0]):
            groups.append([line])
        else:
            current.append(line)
    return [group for group in groups if group]


def starts_list(line: str, following: str) -> bool:
    """Whether a list starts here, and not just a line of prose with a dash in front."""
    match = ITEM_START.match(line)
    return match is not None and (match["about"] is not None or not following.strip() or item_start(following))


def item_start(line: str) -> bool:
    return ITEM_START.match(line) is not None


def chunk_blocks(lines: list[str], after_colons: bool) -> list[Block]:
    """The blocks of lines between two blank ones."""
    if is_prose("\n".join(lines)):
        return [Block("paragraph", lines)]
    dedented = textwrap.dedent("\n".join(lines)).splitlines()
    first, rest = dedented[0], dedented[1:]
    if len(lines) == 2 and HEADING_RULE.match(rest[0]):
        return [Block("heading", [first.strip()])]
    if first.lstrip().startswith(">>>"):
        return [Block("pycon", dedented)]
    is_indented = lines[0].startswith("  ")
    if after_colons and is_indented:
        return [Block("python" if looks_like_code(dedented, 0.2) else "text", dedented)]
    if first.startswith("+-") and first.endswith("-+"):
        return [Block("grid", dedented)]
    if item_start(first):
        return [Block("list", list_items(dedented))]
    if sum(bool(DIAGRAM.search(line)) for line in dedented) * 2 > len(dedented) > 2:
        return [Block("text", dedented)]
    if looks_like_code(dedented, 0.34 if is_indented else 0.99):
        return [Block("python", dedented)]
    num_terms = sum(bool(TERM.match(line)) for line in dedented if not line.startswith("   "))
    if num_terms > 1 and num_terms * 3 > len(dedented):
        return [Block("list", term_items(dedented))]
    if sum(bool(ALIGNED.search(line)) for line in dedented) * 2 > len(dedented) > 1:
        return [Block("text", dedented)]
    if rest and len(first) <= 60 and first[-1:] not in ".,;" and all(line.startswith("  ") for line in rest):
        body = textwrap.dedent("\n".join(rest)).splitlines()
        if looks_like_code(body, 0.5):
            return [Block("paragraph", [first]), Block("python", body)]
        return [Block("terms", [first.removesuffix(":"), *(line.strip() for line in body)])]
    return [Block("paragraph", [line.strip() for line in dedented])]


def is_prose(text: str) -> bool:
    """Whether the lines are a paragraph beyond doubt: most are, and need no closer look."""
    return bool(PROSE.fullmatch(text)) and not any(sign in text for sign in ("   ", "\n  ", " -- ", "\n- ")) and "\n" in text


def looks_like_code(lines: list[str], share: float) -> bool:
    """Whether at least `share` of the lines are statements, signatures or mostly symbols."""
    found = 0
    for line in lines:
        stripped = line.strip().rstrip(":")
        symbols = len(SYMBOLS.findall(stripped.replace("``", "")))
        found += bool(STATEMENT.match(line) or SIGNATURE_LINE.match(stripped) or symbols * 9 > len(stripped))
    return found >= share * len(lines)


def list_items(lines: list[str]) -> list[str]:
    """The items of a list, each with its wikitext marker in front of its text."""
    items: list[str] = []
    for line in lines:
        field = FIELD.match(line)
        if field:
            name = line.strip(" :@").split(":")[0].split()[-1]
            items.append(f"*``{name}``: {field['about'].strip()}")
        elif BULLET.match(line):
            items.append("*" + BULLET.sub("", line).strip())
        elif NUMBERED.match(line):
            items.append("#" + NUMBERED.sub("", line).strip())
        else:
            items[-1] += " " + line.strip()
    return items


def term_items(lines: list[str]) -> list[str]:
    """Lines of "name -- what it is" as items of a list."""
    items: list[str] = []
    for line in lines:
        match = TERM.match(line)
        if match and not line.startswith("      "):
            items.append(f"*``{match[2].strip()}`` – {line[match.end() :].strip()}")
        elif items:
            items[-1] += " " + line.strip()
        else:
            items.append("*" + line.strip())
    return items


def first_sentence(text: str) -> str:
    """The first sentence of a documentation string's first paragraph of prose, or nothing."""
    for block in split_blocks(text):
        if block.kind == "paragraph":
            paragraph = " ".join(block.lines)
            end = re.search(r"(?<![A-Z.])(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z`\"]|$)", paragraph)
            return paragraph[: end.end()] if end else paragraph
    return ""


def table(header: list[str], rows: list[list[str]], caption: str = "") -> str:
    """A wikitable; the cells are wikitext already."""
    lines = ['{| class="wikitable sortable"', *([f"|+ {caption}"] if caption else []), "! " + " !! ".join(header)]
    for row in rows:
        lines += ["|-", "| " + " || ".join(row)]
    return "\n".join([*lines, "|}"])
