"""Read the documentation of the Python standard library that is running, without running it.

Wherever a source file exists it is parsed with `ast`: importing `antigravity` opens a browser, `this` prints, `idlelib`
wants a display. Only modules written in C are imported, from a list of those that are known to do nothing when imported.
What is missing (tkinter or idlelib on Debian, distutils since 3.12) is skipped.
"""

from __future__ import annotations

import ast
import codecs
import importlib
import inspect
import pkgutil
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from importlib.machinery import ModuleSpec, PathFinder

CALL_LINE = re.compile(r"(?:\w+\.)?(\w+)(\(.*\))(?: ?[-=]+> ?.*)?\n+(?=\S)")  # "S.find(sub) -> int"
SKIPPED_SUBMODULES = {"test", "tests", "idle_test", "__main__", "_test"}


@dataclass(frozen=True)
class Doc:
    """One documented thing of the library: a module, a class, a function or a topic of the language reference."""

    kind: str  # "module", "class", "function" or "topic"
    name: str  # qualified: "json.decoder.JSONDecoder"
    text: str = ""  # the documentation string, cleaned of its indentation
    signature: str = ""  # "(s, *, cls=None)", or empty
    bases: tuple[str, ...] = ()
    members: tuple[Doc, ...] = ()
    constants: tuple[tuple[str, str], ...] = ()  # names with their values as source
    imports: tuple[tuple[str, str], ...] = ()  # qualified alias → what it stands for; "m.*" → "n.*" for all of n
    exported: tuple[str, ...] = ()  # `__all__`, where it is a literal
    author: str = ""
    n_lines: int = 0  # of the source file

    @property
    def short_name(self) -> str:
        """`JSONDecoder` of `json.decoder.JSONDecoder`."""
        return self.name.rpartition(".")[2]


def library_paths() -> list[str]:
    """Where the standard library's Python files lie: folders, or a zip."""
    paths = sysconfig.get_paths()
    zipped = f"python{sys.version_info.major}{sys.version_info.minor}.zip"
    found = [paths["stdlib"], paths["platstdlib"], *(p for p in sys.path if p.endswith(zipped))]
    return list(dict.fromkeys(found))


def find_modules(name: str, paths: list[str]) -> Iterator[tuple[str, ModuleSpec]]:
    """The module `name` and everything below it, in the order of names; nothing where it does not exist."""
    try:
        spec = PathFinder.find_spec(name, paths)
    except (ImportError, SyntaxError, ValueError):  # in a zip, a module is compiled to be found
        return
    if spec is None or spec.loader is None:
        return
    yield name, spec
    below = list(spec.submodule_search_locations or [])
    for info in sorted(pkgutil.iter_modules(below), key=lambda info: info.name):
        if info.name not in SKIPPED_SUBMODULES:
            yield from find_modules(f"{name}.{info.name}", below)


def source_of(name: str, spec: ModuleSpec) -> str | None:
    """A module's source text, read and not run; None for a module without one."""
    try:
        return spec.loader.get_source(name)  # type: ignore[union-attr]
    except (AttributeError, ImportError, OSError, SyntaxError, UnicodeError):
        return None


def read_library(names: list[str], native: dict[str, str]) -> list[Doc]:
    """The documentation of the named top-level modules and of all below them.

    `native` maps a module written in C to the name its contents are known under (`_socket` → `socket`); they are added
    to what the module of that name documents itself.
    """
    modules: dict[str, Doc] = {}
    paths = library_paths()
    for name in names:
        for full_name, spec in find_modules(name, paths):
            source = source_of(full_name, spec)
            if source is not None:
                try:
                    modules[full_name] = parse_module(full_name, source, spec.submodule_search_locations is not None)
                except (SyntaxError, ValueError):
                    continue
    for module_name, public_name in native.items():
        module = read_native(module_name, public_name)
        if module is not None and (public_name in modules or public_name == module_name):
            modules[public_name] = merge(modules.get(public_name), module)
    return [modules[name] for name in sorted(modules)]


def merge(module: Doc | None, native: Doc) -> Doc:
    """`module` with those members and constants of `native` that it has not got."""
    if module is None:
        return native
    have = {member.name for member in module.members}
    members = module.members + tuple(member for member in native.members if member.name not in have)
    constants = {**dict(native.constants), **dict(module.constants)}
    return replace(
        module,
        text=module.text or native.text,
        members=tuple(sorted(members, key=lambda member: member.name)),
        constants=tuple(sorted(constants.items())),
    )


# Modules with a source file


def parse_module(name: str, source: str, is_package: bool) -> Doc:
    """A module's documentation from its source text.

    >>> module = parse_module("m", '"A module."\\ndef f(x=1): "Does f."', False)
    >>> module.text, module.members[0].name, module.members[0].signature
    ('A module.', 'm.f', '(x=1)')
    """
    tree = ast.parse(source)
    members: dict[str, Doc] = {}
    constants: dict[str, str] = {}
    imports: dict[str, str] = {}
    for node in statements(tree.body):
        if isinstance(node, ast.ClassDef):
            members.setdefault(node.name, parse_class(node, name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            members.setdefault(node.name, parse_function(node, name))
        elif isinstance(node, ast.Import):
            bound = [(alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2 for alias in node.names]
            imports.update({f"{name}.{local}": origin for local, origin in bound})
        elif isinstance(node, ast.ImportFrom):
            origin = origin_of(node, name, is_package)
            imports.update({f"{name}.{alias.asname or alias.name}": f"{origin}.{alias.name}" for alias in node.names})
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            target = node.targets[0].id
            if isinstance(node.value, ast.Name):
                imports.setdefault(f"{name}.{target}", f"{name}.{node.value.id}")
            else:
                constants.setdefault(target, ast.unparse(node.value))
    return Doc(
        kind="module",
        name=name,
        text=doc_text(tree),
        members=tuple(members.values()),
        constants=tuple((key, value) for key, value in constants.items() if is_constant(key, value)),
        imports=tuple(imports.items()),
        exported=string_list(constants.get("__all__", "")),
        author=one_string(constants.get("__author__", "")),
        n_lines=source.count("\n"),
    )


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module or class, with those inside `if` and `try`, in the order of the source."""
    for node in body:
        if isinstance(node, ast.If):
            yield from statements(node.body + node.orelse)
        elif isinstance(node, ast.Try):
            yield from statements(node.body + [s for handler in node.handlers for s in handler.body] + node.orelse)
        else:
            yield node


def parse_class(node: ast.ClassDef, scope: str) -> Doc:
    """A class's documentation, with its methods and the classes inside it as members."""
    name = f"{scope}.{node.name}"
    members: dict[str, Doc] = {}
    for child in statements(node.body):
        if isinstance(child, ast.ClassDef):
            members.setdefault(child.name, parse_class(child, name))
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            members.setdefault(child.name, parse_function(child, name))
    init = members.get("__init__")
    bases = tuple(ast.unparse(base) for base in node.bases)
    return Doc("class", name, doc_text(node), init.signature if init else "", bases, tuple(members.values()))


def parse_function(node: ast.FunctionDef | ast.AsyncFunctionDef, scope: str) -> Doc:
    """A function's documentation and signature, without `self`; a property has none."""
    arguments = ast.unparse(node.args)
    first, _, rest = arguments.partition(", ")
    signature = f"({rest if first in ('self', 'cls') else arguments})"
    is_property = any(ast.unparse(decorator).endswith("property") for decorator in node.decorator_list)
    return Doc("function", f"{scope}.{node.name}", doc_text(node), "" if is_property else signature)


def doc_text(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(node) or ""


def origin_of(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The absolute name of the module that a `from … import` names."""
    if not node.level:
        return node.module or ""
    parents = module.split(".")
    parents = parents[: len(parents) - node.level + (1 if is_package else 0)]
    return ".".join([*parents, *([node.module] if node.module else [])])


def is_constant(name: str, value: str) -> bool:
    """Whether an assignment is one that a table of constants shows: upper case, a short value on one line."""
    return name.isupper() and len(name) > 1 and not name.startswith("_") and len(value) <= 60 and "\n" not in value


def string_list(source: str) -> tuple[str, ...]:
    try:
        value = ast.literal_eval(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list | tuple) else ()


def one_string(source: str) -> str:
    try:
        value = ast.literal_eval(source)
    except (SyntaxError, ValueError):
        return ""
    return value if isinstance(value, str) else ""


# Modules written in C


def read_native(module_name: str, public_name: str) -> Doc | None:
    """The documentation of a module written in C, under its public name; None where this Python lacks it."""
    try:
        module = importlib.import_module(module_name)
    except Exception:  # whatever goes wrong in an optional module, the sample does without it
        return None
    members: list[Doc] = []
    constants: list[tuple[str, str]] = []
    own = {module_name, public_name, "builtins", "io", "os"}  # not what a program has put there
    contents = vars(module)
    for name in sorted(name for name in contents if name.strip("_") == name or name.strip("_") not in contents):
        full_name = f"{public_name}.{name}"
        value = contents.get(f"__{name}__", contents[name])  # sys keeps the hooks that a program may replace
        if (inspect.isclass(value) or inspect.isroutine(value)) and getattr(value, "__module__", None) not in {*own, None}:
            continue
        if inspect.isclass(value):
            if value.__name__.rpartition(".")[2] == name:  # not an alias, as IOError is of OSError
                members.append(native_class(value, full_name))
        elif inspect.isroutine(value):
            members.append(native_function(value, full_name))
        elif isinstance(value, int | float) and is_constant(name, repr(value)):
            constants.append((name, repr(value)))
    return Doc("module", public_name, native_text(module), members=tuple(members), constants=tuple(constants))


def native_class(cls: type, name: str) -> Doc:
    members = [
        native_function(value, f"{name}.{key}")
        for key, value in sorted(vars(cls).items())
        if native_text(value) and not key.startswith("__") and not inspect.isclass(value)
    ]
    bases = tuple(base.__name__ for base in cls.__bases__ if base is not object)
    return Doc("class", name, native_text(cls), native_signature(cls), bases, tuple(members))


def native_function(value: object, name: str) -> Doc:
    """A function's documentation; where its first line is its call, that is the signature."""
    text, signature = native_text(value), native_signature(value)
    call = CALL_LINE.match(text)
    if call and call[1] == name.rpartition(".")[2] and not signature:
        return Doc("function", name, text[call.end() :], call[2])
    return Doc("function", name, text, signature)


def native_text(value: object) -> str:
    text = getattr(value, "__doc__", None)
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def native_signature(value: object) -> str:
    text = getattr(value, "__text_signature__", None)
    if not isinstance(text, str):
        return ""
    text = text.replace("$self, /, ", "").replace("$self, /", "").replace("$self, ", "").replace("$self", "")
    return text.replace("$module, /, ", "").replace("$module, /", "").replace("$module, ", "").replace("$module", "")


# Texts that are no documentation strings


def read_topics() -> list[Doc]:
    """The language reference that `help()` shows, from pydoc_data: one topic each."""
    for node in parse_tree("pydoc_data.topics"):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            topics = ast.literal_eval(node.value)
            return [Doc("topic", f"topic:{key}", inspect.cleandoc(topics[key])) for key in sorted(topics)]
    return []


def read_zen() -> list[Doc]:
    """The Zen of Python, which the module `this` keeps in rot13 and prints when imported."""
    for node in parse_tree("this"):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            title, _, lines = codecs.decode(node.value.value, "rot13").partition("\n")
            title = title.partition(",")[0].removeprefix("The ")
            return [
                Doc(
                    "topic",
                    "topic:this",
                    f"{title}\n****\n" + "".join(f"* {line}\n" for line in lines.split("\n") if line),
                )
            ]
    return []


def parse_tree(name: str) -> list[ast.stmt]:
    """The statements of a module; none where it is missing."""
    paths = library_paths()
    for full_name, spec in find_modules(name.partition(".")[0], paths):
        if full_name == name:
            return ast.parse(source_of(name, spec) or "").body
    return []


def read_idle_help() -> list[Doc]:
    """The manual of IDLE, from the web page that lies beside it: one topic for each of its sections."""
    parser = HelpParser()
    parser.feed(read_data_file("idlelib", "help.html"))
    topics = []
    for title, paragraphs in parser.sections:
        text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())
        if title and text:
            topics.append(Doc("topic", f"idle:{title}", f"{title}\n****\n{text}"))
    return topics


class HelpParser(HTMLParser):
    """Collects the headings of a manual page with the paragraphs under them."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[tuple[str, list[str]]] = []
        self.heading = ""
        self.inside: str = ""  # the element whose text is being collected

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("h1", "h2", "h3"):
            self.inside, self.heading = tag, ""
        elif tag in ("p", "dt", "pre") and self.sections:
            self.inside = tag
            self.sections[-1][1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self.inside and tag.startswith("h"):
            self.sections.append((self.heading.strip().rstrip("\u00b6").strip(), []))
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside.startswith("h"):
            self.heading += data
        elif self.inside:
            self.sections[-1][1][-1] += data


def read_data_file(module: str, file_name: str) -> str:
    """A text file that lies beside a package of the library (`idlelib/help.html`); empty where there is none."""
    for name, spec in find_modules(module, library_paths()):
        if name == module and spec.submodule_search_locations:
            try:
                data = spec.loader.get_data(f"{spec.submodule_search_locations[0]}/{file_name}")  # type: ignore[union-attr]
            except (AttributeError, OSError):
                return ""
            return data.decode("utf-8", errors="replace")
        break
    return ""
