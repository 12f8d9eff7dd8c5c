"""Scars: what a template, reference or file leaves when it goes.

Each pattern begins with fixed characters and has possessive quantifiers: the search for it is one quick scan.
"""

from __future__ import annotations

import re

_BLANKS = re.compile(r"   *+")
_AFTER_BLANK = re.compile(r" [ ,.;)]")
_COMMA = re.compile(r" ,(?![,\d])")
_STOP = re.compile(r" \.(?=\s|$)")
_JOINTS = re.compile(r",(?: ?[,;)](?<!,,)| ?\.(?=\s|$))")
_SEMICOLONS = re.compile(r";(?: [;,]| ?\)| ?\.(?=\s|$))")
# Nothing but blanks and joints between parentheses; `f()` is code.
_EMPTY = re.compile(r"\((?:(?<![\w)\]>`]\()\)|[\s;,:·/…–—\x06-]++\))")
_OPENING = re.compile(r"\((?: ?[,;](?: ?[,;])*+ ?(?=[^)])| ++)")
_PAIRS = ("«»", "« »", "“”", "“ ”", "„“", "„ “", "⟨⟩")


def tidy(text: str, language: str = "en") -> str:
    """`text` without empty brackets, dangling commas and doubled blanks.

    >>> tidy("Ares (; , ) was , in the myth (or ( ) not) , a god .")
    'Ares was, in the myth (or not), a god.'
    """
    text = _BLANKS.sub(" ", text)
    if "(" in text:
        for _ in range(3):  # one in another
            text, found = _EMPTY.subn("", text)
            if not found:
                break
        text = _OPENING.sub("(", text)
    for pair in _PAIRS:
        if pair[0] in text and pair in text:
            text = text.replace(pair, "")
    for pattern in (_JOINTS, _SEMICOLONS):
        for _ in range(4):  # `, , ,`
            text, found = pattern.subn(_last_joint, text)
            if not found:
                break
    if _AFTER_BLANK.search(text):
        text = _tidy_blanks(text, language)
    return text


def _tidy_blanks(text: str, language: str) -> str:
    text = _BLANKS.sub(" ", text).replace(" )", ")")
    text = _STOP.sub(".", _COMMA.sub(",", text))
    return text if language == "fr" else text.replace(" ;", ";")


def _last_joint(match: re.Match[str]) -> str:
    """Of two marks the stronger one: `, ;` is a semicolon, `, .` a full stop, `, )` a bracket."""
    return ";" if ";" in match[0] and match[0][-1] in ",;" else match[0][-1]
