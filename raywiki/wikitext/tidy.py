"""Scars: what a template, reference or file leaves beside it when it goes.

What the author wrote stays as it is. So each pass that drops something leaves `GONE` in its place, and only what stands
beside such a trace is mended: an empty bracket goes, of two commas one, and the blank before a full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, zip_longest

GONE = "\x01"  # something stood here that is dropped

_BRACKETS = {"(": ")", "[": "]", "（": "）", "［": "］", "〔": "〕", "【": "】", "〈": "〉", "《": "》", "⟨": "⟩"}
# Quotation marks by the one that opens. Many close in one language what they open in another, so blanks decide.
_QUOTATIONS = {"«": "»", "»": "«", "“": "”", "„": "“", "‚": "‘", "‘": "’", "‹": "›", '"': '"'}
_CJK_QUOTATIONS = {"「": "」", "『": "』"}
_PAIRS = _BRACKETS | _QUOTATIONS | _CJK_QUOTATIONS
OPENING_BRACKETS = "".join(_BRACKETS)
_OPENING, _CLOSING = re.escape(OPENING_BRACKETS), "".join(_BRACKETS.values())
_RANKS = dict.fromkeys(",、，،﹐", 1) | dict.fromkeys(";；؛", 2) | dict.fromkeys(":：", 3)  # of two joints the higher stays
_JOINTS = "".join(_RANKS)
_ENDS = ".。．｡۔।॥"
_NO_BLANK_BEFORE = frozenset(",;.…:!?" + _CLOSING + _JOINTS + _ENDS)
_FRENCH_BLANK_BEFORE = frozenset(";:!?»")
_STARTS = frozenset(_PAIRS) | frozenset(_JOINTS + GONE + "*#")  # what a trace may need mending behind
_FOLLOWS = frozenset(_PAIRS.values()) | frozenset(_JOINTS + _ENDS)  # … and before

_BEFORE, _BEHIND = re.escape("".join(sorted(_STARTS))), re.escape("".join(sorted(_FOLLOWS - {"."})))
# Traces that need no mending: at a line's end; behind a word or a full stop, and before no mark; behind any other mark that
# opens nothing, and before no mark either, nor markup that may hide one. Most are such, and go without a look.
_HARMLESS = re.compile(
    rf"{GONE}(?:"
    rf"(?:(?<=[^\s.{_BEFORE}]{GONE}){GONE}*+|(?<=\.{GONE}){GONE}*+(?!\.)|(?<=[\w.] {GONE}){GONE}*+(?![.!?]))"
    rf"(?! *+[{_BEHIND}{GONE}]| ++\.)"
    rf"|{GONE}*+(?=[ \t]*+\n)"
    rf"|(?:(?<=[^\s{_OPENING}]{GONE})|(?<=[^\s{_OPENING}] {GONE})){GONE}*+(?![ \t]*+[{_BEHIND}{GONE}.!?…–—<'\[{{-]))"
)
_RUN = re.compile(rf"{GONE}(?: *+{GONE})++")
_LOOK = 24  # characters beside a trace that tell whether a line or bracket begins or ends there
LINE_MARKS = " *#:;'"  # of lists, and the quotes that open bold and italics
_FILLERS = " \t\n\xa0\u3000,;:·/…–—-、，；：・\x06" + GONE  # what may stand in a bracket that is empty
_TO_CLOSING = re.compile(rf"{GONE}[{re.escape(_FILLERS)}]{{0,{_LOOK}}}+([)）])")
_LIST_START = re.compile(r"(?:^|\n)[*#:;]+ *\Z")
_LEADING_JOINT = re.compile(rf"(?:[{_JOINTS}.](?![{_JOINTS}.])|[–—-]++(?! ++\d)) ++")
_COMMA_AFTER_BLANK = re.compile(r" ,(?<=\w ,)(?![\d,])")
_BLANKS = re.compile(r"  ++")
_MAX_NESTED = 8  # brackets around one trace
_MIDDLE = "\x07"  # stands for what is far from any trace
_MARGIN = 100  # characters beside a trace that may matter
_TAIL = 1024  # characters that are looked at before a trace, so that a page is not copied for each


def fills_line(text: str, start: int, end: int) -> bool:
    """Whether beside `text[start:end]` its line has nothing but marks of a list: what goes there leaves nothing to mend."""
    if text[end : end + 1] not in ("", "\n"):
        return False
    before = text[max(start - _LOOK, 0) : start].rpartition("\n")[2]
    return not before.strip(LINE_MARKS)


def trace(text: str, start: int, end: int) -> str:
    """What stands for `text[start:end]` when it is dropped: `GONE`, or "" where no mark beside it can need mending."""
    if text.startswith("\n", end) and text[start - 1 : start] == "\n":
        return ""  # most: boxes and categories, each on a line of its own
    while start and text[start - 1] == " ":
        start -= 1
    if start and text[start - 1] in _STARTS:
        return GONE
    while text.startswith(" ", end):
        end += 1
    return GONE if text[end : end + 1] in _FOLLOWS else ""


def tidy(text: str, language: str = "en") -> str:
    """`text` mended where something was dropped, and with single blanks.

    >>> tidy("Ares (; \\x01, \\x01) was\\x01 , in the myth (or (\\x01) not), a god \\x01.")
    'Ares was, in the myth (or not), a god.'
    >>> tidy("»Ja.« »Nein.« (:) and (;) and (…) stay.")
    '»Ja.« »Nein.« (:) and (;) and (…) stay.'
    """
    if GONE in text:
        text = mend(text, language)
    if "  " in text:
        text = _BLANKS.sub(" ", text)
    return _COMMA_AFTER_BLANK.sub(",", text) if " ," in text else text


def mend(text: str, language: str = "en") -> str:
    """`text` without its traces, and without the marks beside them that make no sense any more.

    >>> mend("甲（\\x01、1950年 - ）は「\\x01」乙（\\x01）。"), mend("* \\x01 – a town, \\x01; once (from \\x01)")
    ('甲（1950年 - ）は乙。', '* a town; once (from)')
    """
    middles: list[str] = []
    text = _HARMLESS.sub("", GONE.join(_shortened(text.split(GONE), middles)))
    if GONE in text:
        text = _without_traces(text, language)
    pieces = text.split(_MIDDLE)
    return "".join(chain.from_iterable(zip_longest(pieces, middles, fillvalue=""))) if middles else text


def _shortened(pieces: list[str], middles: list[str]) -> Iterator[str]:
    """The pieces between traces with a mark for what is too far from both to matter: nothing looks at the whole page again."""
    for piece in pieces:
        if len(piece) > 4 * _MARGIN:
            middles.append(piece[_MARGIN:-_MARGIN])
            yield piece[:_MARGIN] + _MIDDLE + piece[-_MARGIN:]
        else:
            yield piece


def _without_traces(text: str, language: str) -> str:
    text = _RUN.sub(lambda match: " " * (" " in match[0]) + GONE, text)
    for _ in range(3):  # one in another
        emptied = _without_empty_brackets(text)
        if emptied is text:
            break
        text = emptied
    first, *rest = text.split(GONE)
    done = [first]
    for right in rest:
        _join(done, right, language)
    return "".join(done)


def _without_empty_brackets(text: str) -> str:
    """`text` with a trace for each bracket that holds a trace, blanks and joints, and no word; itself where none does.

    Looked for from its first trace on: traces are rare, brackets are not.
    """
    pieces: list[str] = []
    position = 0
    for match in _TO_CLOSING.finditer(text):
        before = text[max(match.start() - _LOOK, position) : match.start()]
        opened = before.rstrip(_FILLERS)
        if _BRACKETS.get(opened[-1:]) == match[1]:
            pieces += [text[position : match.start() - len(before) + len(opened) - 1], GONE]
            position = match.end()
    return "".join([*pieces, text[position:]]) if pieces else text


def _join(done: list[str], right: str, language: str) -> None:
    """Append `right` to what is done, mended where a trace stood between them."""
    blank = False
    left = ""
    while done and len(left) < _LOOK:
        piece = done.pop() + left
        left = piece.rstrip(" ")
        blank = blank or len(left) < len(piece)
    if len(left) > 2 * _TAIL:
        done.append(left[:-_TAIL])
        left = left[-_TAIL:]
    start, end = 0, len(left)
    for _ in range(_MAX_NESTED):
        n_blanks = len(right) - start - len(right[start:].lstrip(" ")) if right.startswith(" ", start) else 0
        taken, dropped = _mend(left[:end], right, start + n_blanks, blank or n_blanks > 0)
        blank = blank or n_blanks > 0
        start += n_blanks + dropped
        if taken:
            kept = left[: end - taken].rstrip(" ")
            blank = blank or len(kept) < end - taken
            end = len(kept)
        if not taken and not dropped:
            break
    left, right = left[:end], right[start:]
    if blank and _wants_blank(left[-1:], right, language):
        right = " " + right
    done += [left, right]


def _mend(left: str, right: str, start: int, blank: bool) -> tuple[int, int]:
    """How many characters go at the end of `left`, and how many of `right` from `start` on."""
    last, first = left[-1:], right[start : start + 1]
    if not first:
        return 0, 0
    if _PAIRS.get(last) == first and (last not in _QUOTATIONS or _quotes_nothing(left, right, start, blank)):
        return 1, 1
    if first in _JOINTS or first in "–—-.":
        if last in _JOINTS and last and first in _JOINTS:
            return (1, 0) if _RANKS[first] > _RANKS[last] else (0, 1)
        if last in _BRACKETS and first in _JOINTS:
            return 0, 1
        if (last in _BRACKETS or _LIST_START.search(left[-_LOOK:])) and (joint := _LEADING_JOINT.match(right, start)):
            return 0, joint.end() - start
    if last and last in _JOINTS and (first in _CLOSING or first in _ENDS):
        return 1, 0
    if last == first == "." and left[-2:] != ".." and right[start : start + 2] != "..":
        return 0, 1
    return 0, 0


def _quotes_nothing(left: str, right: str, start: int, blank: bool) -> bool:
    """Whether the marks around the trace open and close one quotation; `»Ja.« … »Nein.«` are two."""
    before, behind = left[-2:-1], right[start + 1 : start + 2]
    return not blank and (before in _BRACKETS or not before.strip()) and not behind.isalnum()


def _wants_blank(last: str, right: str, language: str) -> bool:
    """Whether the blank beside a trace stays between these two."""
    first, second = right[:1], right[1:2]
    if last in _BRACKETS or last in ("", "\n"):
        return last == ""  # the beginning of a piece, not of the page
    if first in ".," and second.isalnum():
        return True  # .NET, and a number without its 0
    return first not in _NO_BLANK_BEFORE or (language == "fr" and first in _FRENCH_BLANK_BEFORE)
