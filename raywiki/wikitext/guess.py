"""What a template shows about which nothing is known: its one argument, where it stands and reads like the sentence around it.

Notes, hatnotes and labels have one argument too. They are told by where they stand: a note is glued to the word or mark that it
belongs to, a hatnote begins a line and what follows begins a sentence. Measured in benchmarks/clean.md.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from raywiki.wikitext.page import parse_arguments
from raywiki.wikitext.tidy import LINE_MARKS

_LONGEST = 600  # characters of the arguments
_REACH = 80  # characters around a call that tell where it stands
_NO_PROSE = re.compile(
    r"//|www\.|\w/\w+/\w|\.[A-Za-z]\w{1,3}$|[{}<>=#|_@\x02]|\n|^[:\W\d]*$|\.\d|^\w*\d\w*$|^(?:[ivxlc]+|\d+em)$"
)
_ONE_UNNAMED = re.compile(r"(?:[^|=]*+=[^|]*+\|)*+[^|=]*+(?:\|[^|=]*+=[^|]*+)*+")  # of all arguments
_WORD = re.compile(r"[^\W\d_]{2,}")
_OTHER_CALLS = re.compile(r"\{\{[^{}]*\}\}|\x02\d+\x03|[\x01\x06\x08]|</?\w[^<>]*>")
_GLUED = re.compile(r"[\w.,;:!?%)\]\"'”»’。、，．）」』؟،।]$")
_IN_A_WORD = re.compile(r"[^\W\d_]")
_EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"}
_SENTENCE_END = re.compile(r"[.。！？!?]\s*(?:$|(?=\s))")


def guess(rest: str, text: str, start: int, end: int) -> str | None:
    """The one unnamed argument of a call (`text[start:end]`) inside a sentence, when it reads like prose; else None.

    The call does not fill its line.

    >>> text = "Die {{Kursivschrift|große Stadt}} am Fluss"
    >>> guess("große Stadt", text, 4, 33), guess("Foto.jpg", text, 4, 33), guess("12", text, 4, 33)
    ('große Stadt', None, None)
    """
    if len(rest) > _LONGEST or "\n" in rest:
        return None  # most of the rest: infoboxes and citations
    following = text[end : end + 2]
    line = text.rfind("\n", max(start - _REACH, 0), start) + 1 or max(start - _REACH, 0)
    if following == "}}" or text[start - 1 : start] in ("|", "=", "}", ">"):
        return None
    if not _ONE_UNNAMED.fullmatch(rest) and "[[" not in rest and not _may_be_numbered(rest):
        return None  # citations: no need to look at each argument
    args = parse_arguments(rest)
    value = args.get("1", "")
    if "2" in args or not value or _NO_PROSE.search(value):
        return None
    before, behind = text[line:start], text[end : end + _REACH].partition("\n")[0]
    if before.lstrip()[:1] in ("|", "!"):
        return None
    before, behind = _OTHER_CALLS.sub("", before).lstrip(LINE_MARKS), _OTHER_CALLS.sub("", behind)
    around = set(map(_script, {*before, *behind}))
    own = [script for script in map(_script, value) if script]
    if not own or sum(script in around for script in own) * 2 <= len(own):
        return None
    if own[0] != "CJK" and not _WORD.search(value):
        return None
    return value if _stands_in_a_sentence(before, behind, value, own[0]) else None


def _may_be_numbered(rest: str) -> bool:
    """Whether one of these arguments may be `1=…`."""
    return rest.lstrip()[:1] == "1" or "|1" in rest or "| 1" in rest


def _stands_in_a_sentence(before: str, behind: str, value: str, script: str) -> bool:
    if not before:
        return _goes_on(behind)
    if _GLUED.search(before):
        return _IN_A_WORD.match(behind) is not None or (script == "CJK" and not _SENTENCE_END.search(before))
    return not (_SENTENCE_END.search(before) and _SENTENCE_END.match(behind))


def _goes_on(behind: str) -> bool:
    """Whether what follows a call at a line's start goes on with its sentence, as nothing does that follows a hatnote."""
    following = behind.lstrip("' ")[:1]
    return following in (",", ";", ")") or (following.isalpha() and following == following.lower() and behind[:1] != "\n")


@lru_cache(maxsize=10_000)
def _script(character: str) -> str:
    """The script of a letter, "" of anything else: the first word of its name, as Unicode names letters by script."""
    if not character.isalpha():
        return ""
    script = unicodedata.name(character, "").partition(" ")[0]
    return "CJK" if script in _EAST_ASIAN else script
