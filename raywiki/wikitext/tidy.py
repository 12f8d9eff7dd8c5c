"""Scars: what a template, reference or file leaves when it goes.

Each pattern begins with fixed characters and has possessive quantifiers: the search for it is one quick scan.
"""

from __future__ import annotations

import re

# The lookahead fails early at most blanks: five times as fast as without it.
_BLANKS = re.compile(r" (?=[ ,.);])(?: *+(?:,(?![,\d])|\.(?=\s|$)|[);])| ++)")
_JOINTS = re.compile(r",(?: *+[,;)](?<!,,)| *+\.(?=\s|$))")
_SEMICOLONS = re.compile(r";(?: ++[;,]| *+\)| *+\.(?=\s|$))")
# Nothing but blanks and joints between parentheses; `f()` is code.
_EMPTY = re.compile(r"\((?:(?<![\w)\]>`]\()\)|[\s;,:·/…–—\x06-]++\))")
_OPENING = re.compile(r"\((?: *+[,;](?: *+[,;])*+ *+(?=[^)])| ++)")
_EMPTY_QUOTES = {"«": re.compile(r"« *+»"), "“": re.compile(r"“ *+”"), "„": re.compile(r"„ *+“"), "⟨": re.compile(r"⟨⟩")}


def tidy(text: str, language: str = "en") -> str:
    """`text` without empty brackets, dangling commas and doubled blanks.

    >>> tidy("Ares (; , ) was , in the myth (or ( ) not) , a god .")
    'Ares was, in the myth (or not), a god.'
    """
    if "(" in text:
        for _ in range(3):  # one in another
            text, found = _EMPTY.subn("", text)
            if not found:
                break
        text = _OPENING.sub("(", text)
    for mark, empty in _EMPTY_QUOTES.items():
        if mark in text:
            text = empty.sub("", text)
    for pattern in (_JOINTS, _SEMICOLONS):
        for _ in range(4):  # `, , ,`
            text, found = pattern.subn(_last_joint, text)
            if not found:
                break
    return _BLANKS.sub(_keep_space_of_french if language == "fr" else _last_character, text)


def _last_character(match: re.Match[str]) -> str:
    """The mark without the blanks before it; of blanks alone, one."""
    return match[0][-1]


def _keep_space_of_french(match: re.Match[str]) -> str:
    return " ;" if match[0][-1] == ";" else match[0][-1]


def _last_joint(match: re.Match[str]) -> str:
    """Of two marks the stronger one: `, ;` is a semicolon, `, .` a full stop, `, )` a bracket."""
    return ";" if ";" in match[0] and match[0][-1] in ",;" else match[0][-1]
