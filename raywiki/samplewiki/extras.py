"""What a wiki has besides its articles: redirects, disambiguations, copies, other namespaces; and the pages' numbers."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from raywiki.samplewiki.articles import Subject, Titles, disambiguation_article, module_title, page_title
from raywiki.samplewiki.docs import Doc
from raywiki.samplewiki.dump import Page
from raywiki.samplewiki.markup import link, protect

PartOf = Callable[[str], int]

NUM_COPIES = 40  # articles of earlier parts that a later part repeats, half of them word for word
COPY_CHARS = 1200  # an article must be this long to be worth a copy
EDITORS: tuple[tuple[str, int | None], ...] = (
    ("Docstring", 12),
    ("Ada L.", 36),
    ("Cheeseshop", 41),
    ("PydocBot", 77),
    ("Zen & Co", 105),
)
# Addresses reserved for documentation (RFC 5737, RFC 3849); an editor without an account has no id.
ADDRESSES = (("192.0.2.17", None), ("198.51.100.4", None), ("203.0.113.250", None), ("2001:DB8:0:0:0:0:0:1F", None))


# Names that lead elsewhere


def find_aliases(modules: list[Doc], titles: Titles) -> dict[str, str]:
    """Qualified names that stand for something that has an article under another name, by `from … import` or `=`."""
    imports = dict(expand_imports(modules))
    aliases = {}
    for alias in imports:
        name, seen = alias, {alias}
        while name in imports and name not in titles and imports[name] not in seen:
            name = imports[name]
            seen.add(name)
        if name != alias and name in titles and alias not in titles:
            aliases[alias] = name
    return aliases


def expand_imports(modules: list[Doc]) -> Iterator[tuple[str, str]]:
    """Every import of a name, those by `from … import *` among them."""
    by_name = {module.name: module for module in modules}
    for module in modules:
        for alias, origin in module.imports:
            if not alias.endswith(".*"):
                yield alias, origin
            elif origin.removesuffix(".*") in by_name:
                source = by_name[origin.removesuffix(".*")]
                public = source.exported or tuple(doc.short_name for doc in source.members if doc.name[:1] != "_")
                yield from ((f"{module.name}.{name}", f"{source.name}.{name}") for name in public)


def copies(pages: list[list[Page]], aliases: dict[str, str], titles: Titles, part_of: PartOf, seed: int) -> list[list[Page]]:
    """For each part the articles that it repeats from earlier ones, under the name by which a module re-exports them.

    Half of them are copied word for word, half with a new lead, as two editors who do not know of each other do.
    """
    earlier = {page.title: (part, page) for part, part_pages in enumerate(pages) for page in part_pages}
    choice = random.Random(f"copies {seed}")
    copied: list[list[Page]] = []
    used: set[str] = set()
    for part in range(len(pages)):
        candidates = []
        for alias in sorted(aliases):
            origin, page = earlier[titles[aliases[alias]]]
            is_new = page.title not in used and page_title(alias) not in earlier
            if part_of(alias) == part > origin and len(page.text or "") >= COPY_CHARS and is_new:
                candidates.append((alias, page))
                used.add(page.title)
        chosen = choice.sample(candidates, min(NUM_COPIES, len(candidates)))
        copied.append(
            [
                Page(page_title(alias), page.text if place % 2 else near_copy(alias, page.text or ""))
                for place, (alias, page) in enumerate(chosen)
            ]
        )
    return copied


def near_copy(alias: str, text: str) -> str:
    """`text` with another lead and without its "See also": the same article to a reader, other bytes to a machine."""
    module = alias.rpartition(".")[0]
    lead = f"The {link(module_title(module), module)} module re-exports it as '''{protect(alias)}'''."
    head, separator, rest = text.partition("\n\n'''")
    text = f"{head}\n\n{lead}{separator}{rest}" if separator else f"{lead}\n\n{text}"
    return re.sub(r"\n\n== See also ==\n(?:\*.*\n?)+", "", text)


def name_pages(
    subjects: list[Subject], aliases: dict[str, str], titles: Titles, part_of: PartOf, taken: set[str]
) -> list[list[Page]]:
    """For each part its redirects (a name that stands for one thing) and disambiguations (for several)."""
    pages: list[list[Page]] = [[], [], []]
    by_name: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        if subject.doc.kind in ("class", "function") and not subject.doc.short_name.startswith("_"):
            by_name[subject.doc.short_name].append(subject)
    for alias, name in sorted(aliases.items()):
        owner, _, short_name = alias.rpartition(".")
        title = page_title(alias)
        if name.startswith(f"{owner}.") and not short_name.startswith("_") and title not in taken:
            pages[part_of(alias)].append(redirect(title, titles[name]))  # a package's name for what a module of it has
            taken.add(title)
    for name, group in sorted(by_name.items()):
        part = min(subject.part for subject in group)
        title = page_title(name)
        if len(group) > 1:
            text = disambiguation_article(name, [subject.doc for subject in group], titles)
            pages[part].append(Page(f"{title} (disambiguation)" if title in taken else title, text))
        elif title not in taken and not name.islower():
            pages[part].append(redirect(title, group[0].title))
        taken.add(title)
    return pages


def redirect(title: str, target: str) -> Page:
    return Page(title, f"#REDIRECT [[{target}]]\n\n{{{{R from alternative name}}}}", redirect=target)


# Other namespaces, and pages with nothing in them


def extra_pages(part: int, pages: list[list[Page]]) -> list[Page]:
    """The pages of a part that are no articles; `pages` are the articles of every part."""
    earlier = {name for part_pages in pages[:part] for name in categories_of(part_pages)}
    new = sorted(set(categories_of(pages[part])) - earlier)
    extra = [Page(f"Category:{name}", f"Pages on {name}.\n\n[[Category:Contents]]", 14) for name in new]
    discussed = pages[part][:: max(1, len(pages[part]) // 8)][:8]
    return extra + [Page(f"Talk:{page.title}", TALK, 1) for page in discussed] + SPECIAL[part]


def categories_of(pages: list[Page]) -> Iterator[str]:
    for page in pages:
        yield from re.findall(r"\[\[Category:([^\]]+)\]\]", page.text or "")


TALK = """== Sources ==
The text of this page comes from the documentation of Python. [[User:Ada L.|Ada L.]] 12:00, 1 January 2026 (UTC)
:Then it can stay. --[[Special:Contributions/192.0.2.17|192.0.2.17]] 09:30, 2 January 2026 (UTC)"""

LUA = """-- Writes the name of a module as code.
local p = {}

function p.main(frame)
    return '<code>' .. frame.args[1] .. '</code>'
end

return p"""

SPECIAL: list[list[Page]] = [
    [
        Page("Template:Python-stub", "''This article is a [[stub]].''<noinclude>[[Category:Templates]]</noinclude>", 10),
        Page("Template:Disambiguation", "''This page lists things of one name.''\n[[Category:Disambiguation pages]]", 10),
        Page("Module:Code", LUA, 828, model="Scribunto"),
        Page("Project:About", "'''{{SITENAME}}''' is made from documentation.", 4),
    ],
    [
        Page("Template:Infobox programming class", '{| class="infobox"\n! {{{name}}}\n|-\n| {{{module|}}}\n|}', 10),
        Page("Empty page", ""),
        Page("User:Ada L.", "Reads documentation.", 2),
    ],
    [
        Page("Template:Infobox software", '{| class="infobox"\n! {{{name}}}\n|-\n| {{{author|}}}\n|}', 10),
        Page("Deleted page", None),
        Page("MediaWiki:Sidebar", "* navigation\n** Main_Page|mainpage", 8),
    ],
]


# Numbers


def number_pages(pages: list[Page], first_id: int, seed: int) -> list[Page]:
    """The pages in a random order with ascending ids from `first_id` on, and everything about their last revisions.

    Ids have gaps, as where pages were deleted.
    """
    choice = random.Random(f"numbers {first_id} {seed}")
    pages = sorted(pages, key=lambda page: page.title)
    choice.shuffle(pages)
    numbered = []
    page_id = first_id - 1
    for page in pages:
        page_id += choice.choice((1, 1, 2, 3))
        numbered.append(with_revision(page, page_id, choice))
    return numbered


def with_revision(page: Page, page_id: int, choice: random.Random) -> Page:
    """`page` with its id, and with an id, an editor, a time and a comment of its last revision."""
    revision_id = 100_000 + 40 * page_id + choice.randrange(40)
    edited = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=choice.randrange(365 * 86_400))
    editors = ADDRESSES if choice.random() < 0.1 else EDITORS
    return replace(
        page,
        page_id=page_id,
        revision_id=revision_id,
        parent_id=revision_id - choice.randrange(1, 40) if choice.random() < 0.7 else None,
        timestamp=edited.strftime("%Y-%m-%dT%H:%M:%SZ"),
        contributor=choice.choice(editors),
        comment=choice.choice(("", "/* See also */", "new page", "typo", "links & categories")),
        minor=choice.random() < 0.2,
    )
