"""Scars: what a template, reference or file leaves when it goes."""

from __future__ import annotations

import re

# All quantifiers over blanks are possessive, and all patterns begin with a fixed character: linear, and fast.
_EMPTY_BRACKETS = re.compile(
    r"\((?:[\s;,:·/…–—-]|\x06)++\)|(?<![\w)\]>`])\(\)|(?<![\w)\]])\[ *+\](?!\()|«\s*+»|“\s*+”|„\s*+“"
)
_OPENING = re.compile(r"\(\s*+(?:[;,]\s*+)++(?=[^)])")
_OPENING_BLANK = re.compile(r"(?<=[(\[]) +(?=[^\W_])")
_CLOSING = re.compile(r"[;,](?:\s*+[;,])*+ *+\)")
_REPEATED = re.compile(r",(?: ++,)++|;(?: ++;)++|,(?: ++;)++|;(?: ++,)++")
_BLANKS = re.compile(r"  ++")
_COMMA = re.compile(r" ++(?=,(?![,\d]))")
_STOP = re.compile(r" \.(?=\s|$)")
_COMMA_STOP = re.compile(r"[,;] ?\.(?=\s|$)")


def tidy(text: str, language: str = "en") -> str:
    """`text` without empty brackets, dangling commas and doubled blanks.

    >>> tidy("Ares (; , ) was , in the myth (or ( ) not) , a god .")
    'Ares was, in the myth (or not), a god.'
    """
    if "  " in text:
        text = _BLANKS.sub(" ", text)
    if "(" in text or "[" in text or "«" in text or "“" in text:
        for _ in range(2):
            text, found = _EMPTY_BRACKETS.subn("", text)
            if not found:
                break
        if "(" in text:
            text = _CLOSING.sub(")", _OPENING.sub("(", text))
            text = text.replace("( ", "(").replace(" )", ")")
    text = _REPEATED.sub(lambda match: match[0][0], text)
    if "  " in text:
        text = _BLANKS.sub(" ", text)
    if " ," in text:
        text = _COMMA.sub("", text)
    if " ." in text:
        text = _STOP.sub(".", text)
    if ", ." in text or ",." in text:
        text = _COMMA_STOP.sub(".", text)
    if " ;" in text and language != "fr":
        text = text.replace(" ;", ";")
    return text
