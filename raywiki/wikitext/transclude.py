"""A wiki's own definition of a template, run: arguments, parser functions, templates in templates, modules by name.

Only the branch of an `#if` or `#switch` that is taken is run, and an argument when it is asked for, at most once.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from raywiki.wikitext.boxes import BOX, starts_a_box, without_boxes
from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.functions import call, chosen_case, comparable, function_name, is_default
from raywiki.wikitext.lookup import renderers
from raywiki.wikitext.modules import template_of, text_of
from raywiki.wikitext.page import PIPE, Page, Template, parse_arguments
from raywiki.wikitext.program import Arg, Call, Nodes, Param

MAX_STEPS = 1_000_000  # nodes that the definitions on one page may run, as in MediaWiki ($wgMaxPPNodeCount)
MAX_GROWTH = 20_000_000  # characters that they may make on one page, those on the way to the last text too
MAX_DEPTH = 100  # levels of nodes in nodes ($wgMaxPPExpandDepth); each takes some five frames of Python
MAX_TEMPLATES = 40  # levels of templates ($wgMaxTemplateDepth)

_SUBST = re.compile(r"\s*(?:safesubst|subst|msg|msgnw|raw)\s*:", re.IGNORECASE)
_BRACES = re.compile(r"\{\{+|\}\}+")
_BLOCK = (":", ";", "#", "*", "{|", "{" + PIPE)
_UNDECIDED = re.compile(r"\s*+(?:\{|:+\s*+)?(?:<[^<>]*+)?")  # what may still become the start of a box
_Value = str | tuple[Nodes, "Frame", bool]  # of an argument: shown, or not yet (what, where, whether stripped)


def transclude(name: str, rest: str | None, page: Page) -> tuple[str | None, bool]:
    """What the wiki's own definition of `{{name|rest}}` shows, and whether that is known.

    (None, True): a box, or nothing that stands in a sentence; (None, False): the wiki does not define it, or by Lua alone.
    Categories that a template adds are not the page's: most tell which template was used, or what its page lacks.

    Raises:
        ValueError: the definitions on this page run or make more than MediaWiki allows.
    """
    program = page.templates.program(name)
    if program is None:
        return None, False
    page.disambiguates |= program.disambiguates
    if program.is_box:
        return None, True
    args: dict[str, _Value] = {} if rest is None else dict(parse_arguments(rest, strip=False))
    frame = Frame(page, program.name, args, None)
    page.depth = 0
    try:
        text = without_boxes(frame.run(program.nodes, leads=True), page.site)
    except IsBox:
        return None, True
    if text is None:
        return None, not frame.has_unknown
    if "{{" in text or "}}" in text:
        text = _BRACES.sub("", text)
    return as_block(text).replace("|", PIPE).replace("=", "\x05"), True


def as_block(text: str) -> str:
    """A list or table that a template gives begins on a line of its own, as in MediaWiki."""
    return "\n" + text if text.startswith(_BLOCK) else text


def _literal(nodes: Nodes) -> str | None:
    """The text of nodes that need not be run, None for others."""
    if not nodes:
        return ""
    return nodes[0] if len(nodes) == 1 and isinstance(nodes[0], str) else None


class IsBox(Exception):
    """The text that is being made begins as a box does: the rest of it need not be made."""


class Frame:
    """One definition while it is run, with the arguments that it was called with."""

    __slots__ = ("args", "has_unknown", "name", "page", "parent")

    def __init__(self, page: Page, name: str, args: dict[str, _Value], parent: Frame | None) -> None:
        self.page, self.name, self.args, self.parent = page, name, args, parent
        self.has_unknown = False

    def run(self, nodes: Nodes, *, leads: bool = False) -> str:
        """The text of these nodes.

        Raises:
            IsBox: it begins as a box does; only where the whole expansion begins with it (`leads`).
            ValueError: there is too much to run, or it makes too long a text.
        """
        if not leads and (literal := _literal(nodes)) is not None:
            return literal
        page = self.page
        page.steps += len(nodes)
        page.depth += 1
        if page.steps > MAX_STEPS or page.depth > MAX_DEPTH:
            raise ValueError("the definitions of a page's templates run too long or too deep")
        pieces: list[str] = []
        is_blank = True
        for node in nodes:
            if isinstance(node, str):
                pieces.append(node)
            elif isinstance(node, Param):
                pieces.append(self._param(node))
            elif isinstance(node, Call):
                pieces.append(self._call(node, leads and is_blank))
            else:
                pieces.append(page.keep(node.text))
            if leads and pieces[-1]:
                begun = "".join(pieces)
                if starts_a_box(begun):
                    raise IsBox
                is_blank = not begun.strip()
                leads = _UNDECIDED.fullmatch(begun) is not None
        page.depth -= 1
        text = "".join(pieces)
        page.grown += len(text)
        if page.grown > MAX_GROWTH:
            raise ValueError("the definitions of a page's templates make too long a text")
        return text

    def arg(self, name: str) -> str | None:
        """The argument of this name; None: it was not given."""
        value = self.args.get(name)
        if isinstance(value, tuple):
            nodes, frame, strip = value
            self.args[name] = ""  # an argument does not ask for itself
            text = frame.run(nodes)
            self.args[name] = value = text.strip() if strip else text
        return value

    def _param(self, node: Param) -> str:
        name = _literal(node.name)
        value = self.arg(self.run(node.name).strip() if name is None else name)
        if value is not None:
            return value
        return "" if node.default is None else self.run(node.default)

    def _call(self, node: Call, leads: bool) -> str:
        literal = _literal(node.title)
        title = self.run(node.title) if literal is None else literal
        while subst := _SUBST.match(title):
            title = title[subst.end() :]
        head, colon, argument = title.partition(":")
        if not colon:
            return self._template(title.strip(), node.args, leads)
        name = function_name(head.strip().lower(), self.page)
        if lazy := _LAZY.get(name):
            return lazy(self, node, argument.strip(), leads)
        if name == "#invoke":
            return self._invoke(argument, node.args)
        if name in self.page.site.template_names:
            return self._template(argument.strip(), node.args, leads)
        rest = "|".join(self.run(arg.whole) for arg in node.args) if node.args else None
        known, value = call(name, argument, rest, self.page)
        if not known:
            return self._template(title.strip(), node.args, leads)
        self.has_unknown |= value is None
        return (value or "").replace("|", PIPE)

    def _template(self, name: str, args: tuple[Arg, ...], leads: bool) -> str:
        page = self.page
        known = renderers(page.site.language)
        renderer = known[name]
        if renderer and known.prefers(name):
            value = renderer(Template(name, None, page, self._shown(self._args(args))))
            if value is not None:
                return value.replace("|", PIPE)
        program = page.templates.program(name)
        if program is None:
            value = renderer(Template(name, None, page, self._shown(self._args(args)))) if renderer else None
            self.has_unknown |= value is None
            return (value or "").replace("|", PIPE)
        page.disambiguates |= program.disambiguates
        if program.is_box:
            return BOX
        if self._is_too_deep(program.name):
            return ""
        child = Frame(page, program.name, self._args(args), self)
        text = child.run(program.nodes, leads=leads)
        self.has_unknown |= child.has_unknown
        return as_block(text)

    def _is_too_deep(self, name: str) -> bool:
        """Whether a template calls itself, or is called from too far within."""
        frame: Frame | None = self
        for _ in range(MAX_TEMPLATES):
            if frame is None:
                return False
            if frame.name == name:
                return True
            frame = frame.parent
        return True

    def _args(self, args: tuple[Arg, ...]) -> dict[str, _Value]:
        """Arguments by name, not run yet; the unnamed keep their white space."""
        found: dict[str, _Value] = {}
        position = 0
        for arg in args:
            literal = _literal(arg.value)
            if arg.name is None:
                position += 1
                found[str(position)] = (arg.value, self, False) if literal is None else literal
            else:
                name = _literal(arg.name)
                found[self.run(arg.name).strip() if name is None else name] = (
                    (arg.value, self, True) if literal is None else literal
                )
        return found

    def _shown(self, args: dict[str, _Value]) -> dict[str, str]:
        """Arguments as a renderer wants them: all run, without white space around them."""
        return {name: (value if isinstance(value, str) else value[1].run(value[0])).strip() for name, value in args.items()}

    def _invoke(self, module: str, args: tuple[Arg, ...]) -> str:
        """A module's function, with the template's own arguments beneath those of the call, as most modules take them."""
        function = self.run(args[0].whole).strip() if args else ""
        own = self._shown(self._args(args[1:]))
        beneath = {name: (self.arg(name) or "").strip() for name in list(self.args)}
        both = beneath | {name: value for name, value in own.items() if value or name not in beneath}
        value = text_of(module, function, own, both)
        name = template_of(module, function, both) if value is None else None
        renderer = renderers(self.page.site.language)[name] if name else None
        if renderer:
            value = renderer(Template(name or "", None, self.page, both))
        self.has_unknown |= value is None
        return (value or "").replace("|", PIPE)

    def branch(self, args: tuple[Arg, ...], i: int, leads: bool = False) -> str:
        """What an `#if` shows: one of its arguments, without white space around it."""
        return self.run(args[i].whole, leads=leads).strip() if i < len(args) else ""


def _if(frame: Frame, node: Call, test: str, leads: bool) -> str:
    return frame.branch(node.args, 0 if test else 1, leads)


def _ifeq(frame: Frame, node: Call, left: str, leads: bool) -> str:
    right = frame.branch(node.args, 0)
    return frame.branch(node.args, 1 if comparable(left) == comparable(right) else 2, leads)


def _ifexpr(frame: Frame, node: Call, test: str, leads: bool) -> str:
    value = call("#ifexpr", test, "1|0", frame.page)[1]
    return frame.branch(node.args, 0 if value == "1" else 1, leads) if value in ("0", "1") else ""


def _ifexist(frame: Frame, node: Call, title: str, leads: bool) -> str:
    """Which templates there are is known; of other pages as the parser function has it."""
    prefix, colon, name = title.partition(":")
    if colon and normalise(prefix) in frame.page.site.template_names:
        return frame.branch(node.args, 0 if name in frame.page.templates else 1, leads)
    return frame.branch(node.args, 0 if call("#ifexist", title, "1|0", frame.page)[1] == "1" else 1, leads)


def _iferror(frame: Frame, node: Call, test: str, leads: bool) -> str:
    if call("#iferror", test, "1|0", frame.page)[1] == "1":
        return frame.branch(node.args, 0, leads)
    return frame.branch(node.args, 1, leads) if len(node.args) > 1 else test


def _switch(frame: Frame, node: Call, value: str, leads: bool) -> str:
    if node.cases is None:
        node.cases = _literal_cases(node.args, frame.page)
    if node.cases:
        chosen = node.cases.get(comparable(value), node.cases.get(None))
    else:
        keys = ((frame.run(arg.value if arg.name is None else arg.name).strip(), arg.name is not None) for arg in node.args)
        chosen = chosen_case(value, keys, frame.page)
    return "" if chosen is None else frame.run(node.args[chosen].value, leads=leads).strip()


def _literal_cases(args: tuple[Arg, ...], page: Page) -> dict[str | float | None, int]:
    """What `chosen_case` says of each case, None for all others; empty where a case must be run to be known."""
    cases: dict[str | float | None, int] = {}
    waiting: list[str] = []
    for i, arg in enumerate(args):
        if arg.name is None and i == len(args) - 1:
            cases[None] = i
            break
        nodes = arg.value if arg.name is None else arg.name
        if len(nodes) > 1 or not all(isinstance(node, str) for node in nodes):
            return {}
        waiting.append("".join(node for node in nodes if isinstance(node, str)).strip())
        if arg.name is not None:
            for key in waiting:
                cases.setdefault(comparable(key), i)
                if is_default(key, page):
                    cases[None] = i
            waiting.clear()
    return cases


_LAZY: dict[str, Callable[[Frame, Call, str, bool], str]] = {
    "#if": _if, "#ifeq": _ifeq, "#ifexpr": _ifexpr, "#ifexist": _ifexist, "#iferror": _iferror, "#switch": _switch,
}  # fmt: skip
