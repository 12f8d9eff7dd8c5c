"""One documented thing → one article's wikitext, in the manner of an encyclopedia."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from raywiki.samplewiki import markup
from raywiki.samplewiki.docs import Doc
from raywiki.samplewiki.markup import Linker, code, inline, link, parameter, protect

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OWN_PAGE = 260  # characters of documentation that earn a function a page, or a method a section
STUB = 400  # characters of wikitext below which an article is marked as a stub
PAGES_ELSEWHERE = {
    "PEP": "Python Enhancement Proposal",
    "RFC": "Request for Comments",
    "Unicode": "Unicode",
}
Titles = dict[str, str]  # qualified names → the titles of their articles, or for links also sections of them


@dataclass(frozen=True)
class Subject:
    """What an article is about, and the module and part that it belongs to."""

    doc: Doc
    module: Doc  # of a topic: itself
    part: int  # 0, 1 or 2
    title: str


def make_resolver(targets: Titles, scope: str) -> Callable[[str], str | None]:
    """A function from a name, as the documentation in `scope` writes it, to the title of its page.

    >>> make_resolver({"json.dumps": "json.dumps"}, "json.encoder")("dumps")
    'json.dumps'
    """

    def resolve(name: str) -> str | None:
        if name in PAGES_ELSEWHERE:
            return PAGES_ELSEWHERE[name]
        scopes = [scope[:end] + "." for end in range(len(scope), 0, -1) if scope[end : end + 1] in (".", "")]
        for prefix in (*scopes, "", "builtins."):
            if prefix + name in targets:
                return targets[prefix + name]
        owner, _, member = name.rpartition(".")
        page = resolve(owner) if owner else None
        return f"{page}#{member}" if page and not page.endswith("module)") and "#" not in page else None

    return resolve


def documented(doc: Doc) -> list[Doc]:
    """The members that say more than that they exist."""
    empty = ("", "Initialize self.  See help(type(self)) for accurate signature.")
    return [member for member in doc.members if member.text not in empty]


def has_page(doc: Doc) -> bool:
    """Whether a class or function has an article of its own."""
    if doc.kind == "class":
        return bool(doc.text or documented(doc))
    return len(doc.text) >= OWN_PAGE


def title_of(doc: Doc) -> str:
    """The title of an article."""
    if doc.kind == "module":
        return module_title(doc.name)
    if doc.kind == "topic":
        words = re.sub(r"[\"\[\]{}|#<>`]", "", doc.text.partition("\n")[0]).strip()
        return page_title(words[:1].upper() + words[1:])
    return page_title(doc.name.removeprefix("builtins.")) + (" (private)" if is_private(doc.name) else "")


def module_title(name: str) -> str:
    return f"{page_title(name)} ({'private ' if is_private(name) else ''}module)"


def is_private(name: str) -> bool:
    """Whether `_` hides a part of a qualified name, which a title does not show."""
    return any(part.startswith("_") for part in name.split("."))


def page_title(name: str) -> str:
    """`name` as MediaWiki can have it in a title, where `_` is a space and spaces neither lead, trail nor double.

    >>> page_title("csv.unix_dialect"), page_title("_pyio.open")
    ('csv.unix dialect', 'pyio.open')
    """
    return ".".join(" ".join(part.replace("_", " ").split()) for part in name.split("."))


def section_links(modules: list[Doc]) -> dict[str, str]:
    """Where functions without an article of their own are documented: a section of their module's."""
    return {
        function.name: f"{title_of(module)}#Functions"
        for module in modules
        for function in module.members
        if function.kind == "function" and function.text and not has_page(function)
    }


def related_titles(subjects: list[Subject]) -> dict[str, list[str]]:
    """For each title the articles that its "See also" names: things of the same name elsewhere, neighbours."""
    same_name: dict[str, list[str]] = defaultdict(list)
    siblings: dict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        same_name[subject.doc.short_name].append(subject.title)
        siblings[group_of(subject)].append(subject.title)
    related = {}
    for subject in subjects:
        group = siblings[group_of(subject)]
        place = group.index(subject.title)
        near = group[max(0, place - 2) : place] + group[place + 1 : place + 3]
        titles = dict.fromkeys(same_name[subject.doc.short_name][:4] + near)
        related[subject.title] = [title for title in titles if title != subject.title]
    return related


def group_of(subject: Subject) -> str:
    """What neighbours share: modules their package, the things of a module that module, topics their manual."""
    if subject.doc.kind == "topic":
        return f"topics of part {subject.part}"
    return family(subject.doc) if subject.doc.kind == "module" else subject.module.name


# Articles


def article(subject: Subject, titles: Titles, targets: Titles, related: Iterable[str]) -> str:
    """The wikitext of any article."""
    if subject.doc.kind == "module":
        return module_article(subject.doc, titles, targets, related)
    if subject.doc.kind == "class":
        return class_article(subject.doc, subject.module, titles, targets, related)
    if subject.doc.kind == "function":
        return function_article(subject.doc, subject.module, titles, targets, related)
    return topic_article(subject.title, subject.doc, titles, targets, related)


def module_article(module: Doc, titles: Titles, targets: Titles, related: Iterable[str]) -> str:
    """The article of a module: what it is, what is in it, its constants."""
    title = title_of(module)
    linker = Linker(make_resolver(targets, module.name), title)
    classes = [doc for doc in module.members if doc.kind == "class" and doc.name in titles]
    functions = [doc for doc in module.members if doc.kind == "function" and doc.text]
    facts = {"name": module.name, "author": module.author, "classes": str(len(classes) or "")}
    facts["functions"] = str(len(functions) or "")
    parent = module.name.rpartition(".")[0]
    where = f"the {link(titles[parent], parent)} package" if parent in titles else "the [[Python standard library]]"
    lead = f"'''{protect(module.name)}''' is a [[module (Python)|module]] of {where}.{reference(module)}"
    if module.n_lines > 200:
        lead += f" {{{{As of|2026|1}}}}, it has {{{{nowrap|{{{{formatnum:{module.n_lines}}}}} lines}}}} of source code."
    rows = [[code(name), code(value).replace("|", "&#124;")] for name, value in module.constants[:60]]
    sections = [
        section("Classes", "\n".join(summary(doc, titles, linker) for doc in classes)),
        members_section("Functions", functions, titles, linker),
        section("Constants", markup.table(["Name", "Value"], rows, f"Constants of {code(module.name)}") if rows else ""),
    ]
    public = [doc.short_name for doc in classes if not doc.short_name.startswith("_")]
    figure = (
        f"[[File:Classes of {page_title(module.name)}.svg|thumb|{public[0]} and other classes of {module.name}]]"
        if public[4:]
        else ""
    )
    body = [
        "<!-- The text comes from the module's documentation string: improve it there. -->",
        infobox("Infobox software", facts) + (f"\n{figure}" if figure else ""),
        lead,
        markup.to_wikitext(module.text, linker, level=3),
        *sections,
    ]
    return assemble(body, related, [f"Modules of Python {PYTHON}", family(module)], module, module.name)


def class_article(cls: Doc, module: Doc, titles: Titles, targets: Titles, related: Iterable[str]) -> str:
    """The article of a class: its bases, its documentation, its methods."""
    linker = Linker(make_resolver(targets, cls.name), title_of(cls))
    bases = [base for base in cls.bases if re.fullmatch(r"[\w.]+", base)]
    is_exception = any(base.endswith(("Error", "Exception", "Warning")) for base in bases)
    kind = "an [[exception handling|exception]]" if is_exception else "a [[class (computer programming)|class]]"
    base_links = [linker(base, base) or code(base) for base in bases]
    lead = f"'''{protect(cls.short_name)}''' is {kind} of the {link(module_title(module.name), module.name)} module"
    lead += f", derived from {enumerate_words(base_links)}." if base_links else "."
    facts = {"name": cls.short_name, "module": module.name, "bases": ", ".join(bases)}
    facts["methods"] = str(sum(member.kind == "function" for member in cls.members) or "")
    signatures = [doc for doc in cls.members if len(doc.signature) > 2 and not doc.short_name.startswith("_")]
    rows = [[code(doc.short_name), code(doc.signature).replace("|", "&#124;")] for doc in signatures[:40]]
    body = [
        infobox("Infobox programming class", facts),
        lead,
        markup.to_wikitext(cls.text, linker, level=3),
        section("Parameters", markup.listing(cls.short_name + cls.signature, "python") if len(cls.signature) > 30 else ""),
        members_section("Methods", documented(cls), titles, linker),
        section("Signatures", markup.table(["Method", "Parameters"], rows) if len(rows) > 5 else ""),
    ]
    category = "Exceptions" if is_exception else "Classes"
    return assemble(body, related, [f"{category} of Python {PYTHON}", family(module)], module, cls.name)


def function_article(function: Doc, module: Doc, titles: Titles, targets: Titles, related: Iterable[str]) -> str:
    """The article of a function."""
    linker = Linker(make_resolver(targets, function.name), title_of(function))
    lead = f"'''{protect(function.short_name)}''' is a [[function (computer programming)|function]] of the "
    lead += f"{link(module_title(module.name), module.name)} module."
    usage = function.short_name + function.signature
    body = [
        lead,
        markup.listing(usage, "python") if function.signature else "",
        markup.to_wikitext(function.text, linker, level=3),
    ]
    return assemble(body, related, [f"Functions of Python {PYTHON}", family(module)], module, function.name)


def topic_article(title: str, topic: Doc, titles: Titles, targets: Titles, related: Iterable[str]) -> str:
    """An article on the language itself, from the reference that `help()` shows."""
    linker = Linker(make_resolver(targets, "builtins"), title)
    lines = topic.text.splitlines()
    text = "\n".join(lines[2:] if lines[1:] and set(lines[1].strip()) <= set("*=-") else lines)
    is_idle = topic.name.startswith("idle:")
    subject = "manual of [[IDLE]]" if is_idle else "[[Python (programming language)|Python]] language reference"
    body = [
        f"'''{protect(title)}''' is a topic of the {subject}.",
        markup.to_wikitext(text, linker, level=2, quoted_code=True),
    ]
    category = "IDLE" if is_idle else f"Python {PYTHON} language reference"
    return assemble(body, related, [category])


def disambiguation_article(name: str, docs: list[Doc], titles: Titles) -> str:
    """The page of a name that several modules give to something of theirs."""
    items = []
    for doc in docs:
        sentence = markup.first_sentence(doc.text)
        unlinked = inline(sentence, Linker(lambda _: None)) if sentence else ""
        items.append(f"* {link(titles[doc.name], titles[doc.name])}, a {doc.kind}" + (f": {unlinked}" if unlinked else ""))
    return f"'''{protect(name)}''' may refer to:\n\n" + "\n".join(items) + "\n\n{{Disambiguation}}"


# Parts of articles


def assemble(body: list[str], related: Iterable[str], categories: list[str], module: Doc | None = None, name: str = "") -> str:
    """The parts of an article in their order, with what stands at the start and the end of every article.

    `name` is what the article is on, if it is a name: one with `_` cannot be a title.
    """
    displayed = f"{{{{DISPLAYTITLE:{name}}}}}" if "_" in name else ""
    parts = [part for part in [displayed, *body] if part]
    length = sum(map(len, parts))
    see_also = "\n".join(f"* [[{title}]]" for title in related)
    parts.append(section("See also", see_also))
    if any("<ref" in part for part in parts):
        parts.append(section("References", "{{Reflist}}"))
    if module is not None and length >= STUB:
        parts.append(section("External links", external_links(module)))
    if length < STUB:
        parts.append("{{Python-stub}}")
    parts.append("\n".join(f"[[Category:{category}]]" for category in categories))
    return "\n\n".join(part for part in parts if part)


def section(name: str, text: str) -> str:
    """A section, or nothing where there is nothing to put under its heading."""
    return f"{markup.heading(name, 2)}\n{text}" if text else ""


def members_section(name: str, members: list[Doc], titles: Titles, linker: Linker) -> str:
    """Functions or methods: a list of the short ones and of those with a page, then a section for each long one."""
    long: list[Doc] = []
    short: list[Doc] = []
    for doc in members:
        (long if doc.name not in titles and needs_section(doc) else short).append(doc)
    items = [summary(doc, titles, linker) if doc.name in titles else member_item(doc, linker) for doc in short]
    parts = ["\n".join(items)] if items else []
    for doc in long:
        usage = markup.listing(doc.short_name + doc.signature, "python") + "\n\n" if len(doc.signature) > 2 else ""
        text = markup.to_wikitext(doc.text, linker, level=4)
        parts.append(f"{markup.heading(protect(doc.short_name), 3)}\n{usage}{text}")
    return section(name, "\n\n".join(parts))


def needs_section(doc: Doc) -> bool:
    """Whether a function's documentation is too much for an item of a list."""
    return len(doc.text) >= OWN_PAGE or any(block.kind != "paragraph" for block in markup.split_blocks(doc.text))


def member_item(doc: Doc, linker: Linker) -> str:
    """A short function as an item of a list: its call, then its documentation on one line."""
    call = doc.short_name + (doc.signature if len(doc.signature) < 60 else "(…)")
    return f"* {code(call)}: {inline(' '.join(doc.text.split()), linker)}"


def summary(doc: Doc, titles: Titles, linker: Linker) -> str:
    """A class or function in its module's list: a link and the first sentence."""
    sentence = markup.first_sentence(doc.text)
    linker.linked.add(titles[doc.name])
    return f"* {link(titles[doc.name], doc.short_name)}" + (f" – {inline(sentence, linker)}" if sentence else "")


def infobox(name: str, facts: dict[str, str]) -> str:
    lines = [f"| {key} = {parameter(value)}" for key, value in facts.items() if value]
    return "\n".join([f"{{{{{name}", *lines, "}}"])


def enumerate_words(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def family(module: Doc) -> str:
    """The category of everything in one top-level module or package."""
    return f"{page_title(module.name.partition('.')[0])} (Python package)"


def manual_url(module: Doc) -> str:
    return f"https://docs.python.org/{PYTHON}/library/{module.name.partition('.')[0]}.html"


def reference(module: Doc) -> str:
    if module.name.startswith("_"):
        return ""
    facts = {"url": manual_url(module), "title": parameter(module.name), "website": f"Python {PYTHON} documentation"}
    return (
        "<ref>{{cite web " + "".join(f"|{key}={value} " for key, value in facts.items()) + "|access-date=1 January 2026}}</ref>"
    )


def external_links(module: Doc) -> str:
    if module.name.startswith("_"):
        return f"* [https://github.com/python/cpython/tree/{PYTHON} Source code of Python {PYTHON}]"
    return f"* {{{{Official website|{manual_url(module)}}}}}\n* [https://github.com/python/cpython/tree/{PYTHON} Source code]"
