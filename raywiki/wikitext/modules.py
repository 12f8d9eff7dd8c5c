"""Lua modules by name: `{{#invoke:Convert|convert|…}}` is `convert`, whatever the wiki calls its template.

A dump holds modules as Lua, which is not run. But wikis copy them with their English names, so the renderers that are known by
a template's name serve for the module behind it. Modules that only handle text are small functions here.
"""

from __future__ import annotations

from collections.abc import Callable

from raywiki.wikitext.boxes import BOX
from raywiki.wikitext.bundled import normalise
from raywiki.wikitext.numbers import integer

Args = dict[str, str]

# Module → the template whose renderer shows the same; `*`: the function (or its `template=`) is the template's name.
_TEMPLATES = {
    "convert": "convert", "val": "val", "age": "*", "coordinates": "*", "footnotes": "*", "zh": "zh", "nihongo": "nihongo",
    "ill": "ill", "interlanguage link": "ill", "ordinal": "ordinal", "gapnum": "gaps", "ipac-en": "ipac-en", "su": "su",
    "date": "date", "roman": "roman", "nts": "nts", "number table sorting": "nts", "track gauge": "track gauge",
    "birth date and age": "birth date and age", "death date and age": "death date and age", "duration": "duration",
    "frac": "frac", "fraction": "frac", "abbr": "abbr", "chem2": "chem2", "flagg": "flagg", "format link": "format link",
    "formatnum": "formatnum", "sortname": "sortname", "ship": "*", "wikilisp": "*", "isbn": "isbn", "as of": "as of",
    "quote": "quote", "lang-zh": "zh", "ipa": "ipa", "currency": "currency", "year": "*", "circa": "circa", "rp": "rp",
}  # fmt: skip
# Modules of boxes, notes and references: what they show is left out wherever it stands.
_BOXES = frozenset({
    "infobox", "navbox", "navbox with columns", "navbar", "sidebar", "message box", "hatnote", "hatnote list", "about",
    "labelled list hatnote", "main", "redirect hatnote", "see also", "side box", "sister project links", "sister project",
    "portal", "portal bar", "authority control", "italic title", "category handler", "citation", "citation/cs1", "webarchive",
    "dead link", "documentation", "listen", "location map", "multiple image", "protection banner", "reflist", "taxobox",
    "automated taxobox", "succession box", "clade", "graph", "chart", "weather box", "tnt", "userbox", "stub", "cat main",
    "infoboximage", "check for unknown parameters", "sensitive ip addresses", "short description", "templatestyles",
    "navboxv2", "routemap", "adjacent stations", "rail", "episode list", "track listing", "medical cases chart", "mapframe",
    "vītys zemislopa", "official website", "external links", "in lang list", "unreferenced", "dmbox", "ambox",
})  # fmt: skip
_LANG = {"lang": "lang", "transl": "transl", "langx": "langx"}


def template_of(module: str, function: str, args: Args) -> str | None:
    """The name of the template that shows what this module's function does; None: none is known.

    >>> template_of("Convert", "convert", {}), template_of("Lang", "lang_xx_italic", {"code": "fr"})
    ('convert', 'lang-fr')
    """
    module, function = normalise(module), normalise(function)
    if module == "lang":
        return f"lang-{args['code']}" if function.startswith("lang xx") and args.get("code") else _LANG.get(function)
    name = _TEMPLATES.get(module)
    return normalise(args.get("template", function)) if name == "*" else name


def text_of(module: str, function: str, own: Args, args: Args) -> str | None:
    """What a module of boxes or of plain text work shows; None: it is not known.

    Args:
        own: the arguments of the call.
        args: those with the template's own beneath them.

    >>> text_of("If empty", "main", {"1": "", "2": "b"}, {"1": "", "2": "b"})
    'b'
    """
    module = normalise(module)
    if module in _BOXES:
        return BOX
    known = _FUNCTIONS.get((module, normalise(function))) or _FUNCTIONS.get((module, ""))
    return known(own if module in ("string", "math") else args) if known else None


def _unnamed(args: Args) -> list[str]:
    """Values of numbered arguments, in the order of their numbers, those that are empty left out."""
    return [args[key] for key in sorted(filter(str.isdecimal, args), key=int) if args[key].strip()]


def _first_filled(args: Args) -> str:
    return next(iter(_unnamed(args)), "")


def _joined(separator: str, conjunction: str = "") -> Callable[[Args], str]:
    def join(args: Args) -> str:
        values = [value.strip() for value in _unnamed(args)]
        between = args.get("separator", separator)
        last = args.get("conjunction", conjunction or between)
        return between.join(values[:-1]) + last + values[-1] if len(values) > 1 else "".join(values)

    return join


def _sub(args: Args) -> str:
    """`String.sub`: characters from `i` to `j`, counted from 1, from the end where negative."""
    text, first, last = args.get("s", args.get("1", "")), _number(args, "i", "2", 1), _number(args, "j", "3", -1)
    start = first - 1 if first > 0 else max(len(text) + first, 0)
    end = last if last >= 0 else len(text) + last + 1
    return text[start:end]


def _number(args: Args, name: str, position: str, default: int) -> int:
    found = integer(args.get(name, args.get(position, "")).strip())
    return default if found is None else found


def _length(args: Args) -> str:
    return str(len(args.get("s", args.get("1", ""))))


def _replace(args: Args) -> str | None:
    """`String.replace` of plain text; a Lua pattern is not known."""
    text, pattern = args.get("source", args.get("1", "")), args.get("pattern", args.get("2", ""))
    if args.get("plain", args.get("5", "true")).strip() in ("false", "no", "0") or not pattern:
        return None
    shown = text.replace(pattern, args.get("replace", args.get("3", "")))
    return shown if len(shown) <= 100_000 else text


def _yesno(args: Args) -> str:
    value = args.get("1", "").strip().lower()
    if value in ("", "¬"):
        return args.get(value or "blank", "")
    return args.get("no", "") if value in ("no", "n", "false", "0", "off", "f") else args.get("yes", "yes")


def _list(args: Args) -> str:
    return "".join(f"\n* {value.strip()}" for value in _unnamed(args)) + "\n"


def _url(args: Args) -> str:
    return args.get("2", "").strip() or args.get("1", "").strip().removeprefix("https://").removeprefix("http://").rstrip("/")


def _main_page(args: Args) -> str:
    """`Namespace detect`: an article is in the main namespace."""
    return args.get("main", args.get("1", args.get("other", "")))


_FUNCTIONS: dict[tuple[str, str], Callable[[Args], str | None]] = {
    ("if empty", ""): _first_filled,
    ("separated entries", "comma"): _joined(", "),
    ("separated entries", "br"): _joined("<br>"),
    ("separated entries", ""): _joined(""),
    ("comma separated entries", ""): _joined(", "),
    ("br separated entries", ""): _joined("<br>"),
    ("unbulleted list", ""): _list,
    ("list", ""): _list,
    ("yesno", ""): _yesno,
    ("url", ""): _url,
    ("namespace detect", ""): _main_page,
    ("string", "len"): _length,
    ("string", "sub"): _sub,
    ("string", "replace"): _replace,
    ("string", "rep"): lambda args: args.get("1", "") * min(max(_number(args, "", "2", 0), 0), 500),
    ("string", "join"): lambda args: args.get("1", "").join(_unnamed(args)[1:]),
    ("unsubst", ""): lambda args: args.get("$B", ""),
}
