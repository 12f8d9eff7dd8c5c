"""The arithmetic of `{{#expr: …}}` and `{{#ifexpr: …}}`: MediaWiki's operators, words and precedence.

Source: the ParserFunctions extension, class ExprParser; every operator groups to the left there, `^` and unary minus too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

_TOKEN = re.compile(r"\s*+(?:(\d+(?:\.\d*)?|\.\d+)|([a-z]+)|(<=|>=|<>|!=|[-+*/^()=<>]))")
_MAX_LENGTH = 400  # characters: brackets nest by recursion
_BINARY: dict[str, tuple[int, Callable[[float, float], float]]] = {
    "e": (10, lambda a, b: a * 10.0**b),
    "^": (8, lambda a, b: a**b),
    "*": (7, lambda a, b: a * b),
    "/": (7, lambda a, b: a / b),
    "div": (7, lambda a, b: a / b),
    "mod": (7, lambda a, b: math.fmod(int(a), int(b))),
    "fmod": (7, math.fmod),
    "+": (6, lambda a, b: a + b),
    "-": (6, lambda a, b: a - b),
    "round": (5, lambda a, b: _round(a, int(b))),
    "=": (4, lambda a, b: float(a == b)),
    "!=": (4, lambda a, b: float(a != b)),
    "<>": (4, lambda a, b: float(a != b)),
    "<": (4, lambda a, b: float(a < b)),
    ">": (4, lambda a, b: float(a > b)),
    "<=": (4, lambda a, b: float(a <= b)),
    ">=": (4, lambda a, b: float(a >= b)),
    "and": (3, lambda a, b: float(bool(a) and bool(b))),
    "or": (2, lambda a, b: float(bool(a) or bool(b))),
}
_PREFIX: dict[str, tuple[int, Callable[[float], float]]] = {
    "-": (10, lambda a: -a),
    "+": (10, lambda a: a),
    "not": (9, lambda a: float(not a)),
    "sin": (9, math.sin),
    "cos": (9, math.cos),
    "tan": (9, math.tan),
    "asin": (9, math.asin),
    "acos": (9, math.acos),
    "atan": (9, math.atan),
    "exp": (9, math.exp),
    "ln": (9, math.log),
    "abs": (9, abs),
    "floor": (9, math.floor),
    "ceil": (9, math.ceil),
    "trunc": (9, math.trunc),
    "sqrt": (9, math.sqrt),
}
_CONSTANTS = {"pi": math.pi, "e": math.e}


def evaluate(expression: str) -> float | None:
    """The value of an expression, comparisons as 1 or 0; None: it is empty, wrong, or divides by zero.

    >>> evaluate("(2 + 3) * 4"), evaluate("10 / 4 round 0"), evaluate("7793600/9720800*100round2"), evaluate("1 +")
    (20.0, 3.0, 80.17, None)
    >>> evaluate("-2 ^ 2"), evaluate("1.5e3 > 1000 and not 0"), evaluate("7 mod 3")
    (4.0, 1.0, 1.0)
    """
    expression = expression.replace("−", "-").replace("&minus;", "-").replace("&lt;", "<").replace("&gt;", ">").lower()
    tokens = _tokens(expression) if len(expression) <= _MAX_LENGTH else None
    if not tokens:
        return None
    try:
        value = _parse(tokens, 0)
    except (ValueError, IndexError, KeyError, ZeroDivisionError, OverflowError, TypeError, RecursionError):
        return None
    return None if tokens or isinstance(value, complex) or not math.isfinite(value) else float(value)


def _tokens(expression: str) -> list[str] | None:
    """Last first, so that taking one is `pop()`; None: something in it is no token."""
    found, position, end = [], 0, len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            return None
        found.append(match[match.lastindex or 0])
        position = match.end()
    return found[::-1]


def _parse(tokens: list[str], precedence: int) -> float:
    """Take an operand, and the operators after it that bind more tightly than `precedence`."""
    value = _operand(tokens)
    while tokens and tokens[-1] in _BINARY and _BINARY[tokens[-1]][0] > precedence:
        level, operation = _BINARY[tokens.pop()]
        value = operation(value, _parse(tokens, level))
    return value


def _operand(tokens: list[str]) -> float:
    token = tokens.pop()
    if token == "(":
        value = _parse(tokens, 0)
        if tokens.pop() != ")":
            raise ValueError("a bracket is not closed")
        return value
    if token in _PREFIX:
        level, operation = _PREFIX[token]
        return operation(_parse(tokens, level))
    return _CONSTANTS[token] if token in _CONSTANTS else float(token)


def _round(value: float, digits: int) -> float:
    """Half away from zero, as PHP does."""
    scale = 10.0**digits
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)
