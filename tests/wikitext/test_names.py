"""Every name under which a renderer can be found: registered, listed, family or alias. Each leads somewhere and renders."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from raywiki.curation.articles import STUB_TEMPLATES
from raywiki.wikitext import clean_wikitext, lookup, registry
from raywiki.wikitext.bundled import normalise, template_aliases, template_lists
from raywiki.wikitext.page import Page, Template
from raywiki.wikitext.sites import site, words
from raywiki.wikitext.templates import listed

LISTS = template_lists()
ALIASES = [
    (wiki, target, alias) for wiki, names in template_aliases().items() for target, local in names.items() for alias in local
]
BUILT_IN = [key for key, render in registry._RENDERERS.items() if registry.is_builtin(render)]
FAMILIES = [key for key, render in registry._FAMILIES.items() if registry.is_builtin(render)]
WIKIS = sorted({wiki for wiki in LISTS if wiki not in ("all", "english")} | {"en", "simple", "ltg"})
SHAPES = [
    None, "", "|", "1", "x", "x|y|z", "1|2|3|4", "1990|1|7|1995|2|8", "7|1|1990|8|2|1995", "name=x|text=y", "1=|2=b",
    "[[a|b]]|<br>", "١|²|½", "²|²|²|²", "x|²", "a=²|year=²|month=²|1=²", "-1|-2", "0|0|0", "2000|13|45", "1.5.5|.", "1e999|x",
    "99999999999999999999|9999999999999", "9" * 5000, "|" * 20, "x|" * 50, "5|km|mi|sigfig=0", "5|km|mi|round=0|abbr=on",
    "lang=fr|fr|Paris", "text=a long sentence, with a comma.|author=Somebody|source=''Work''", "1990|10|31|df=y|age=oui",
    "&nbsp;|–|−5", "a}b{c|d=e=f",
]  # fmt: skip
NOW = datetime(2024, 3, 8, tzinfo=UTC)
MARKUP = re.compile(r"\{\{|\}\}|\[\[|\]\]|'''|</?(?:sup|sub|br|span|nowiki)\b|[\x00-\x08\x0b-\x1f]")


def names_of(language: str) -> list[str]:
    """All names that lead somewhere in this wiki, families with something in the place of their `*`."""
    aliases = [alias for wiki, _, alias in ALIASES if wiki in ("all", language) or len(alias) > 4]
    names = [name for where, name in BUILT_IN if where in ("", registry.ANY_WIKI, language)] + aliases
    return sorted({*names, *(name.replace("*", "x") for where, name in FAMILIES if where in ("", language))})


def is_normal(name: str) -> bool:
    """As names are compared, and not two pieces of what a line's end or a comma once tore apart."""
    return name == normalise(name) and bool(name) and "- " not in name and (name == name.strip(",\n ") or name == ",")


def test_there_are_names():
    assert len(BUILT_IN) > 3000
    assert len(FAMILIES) > 5
    assert len(ALIASES) > 500
    assert len(WIKIS) > 22


def test_registered_names_are_normal():
    assert [key for key in BUILT_IN if not is_normal(key[1])] == []
    assert [key for key in FAMILIES if not is_normal(key[1].strip("*").strip())] == []


def test_aliases_are_normal_and_lead_to_a_renderer():
    assert [alias for alias in ALIASES if not is_normal(alias[2]) or not is_normal(alias[1])] == []
    for wiki, target, alias in ALIASES:
        own = "" if wiki in ("all", "english") else wiki
        assert registry.registered(target, own) or registry.registered(target), (wiki, target, alias)


def test_an_alias_finds_the_renderer_of_its_name():
    for wiki, target, alias in ALIASES:
        assert lookup.renderers(wiki)[alias] is not None, (wiki, target, alias)


@pytest.mark.parametrize("language", WIKIS)
def test_every_name_renders_whatever_it_is_given(language):
    """No renderer fails, and nothing of the markup or of the cleaner's own marks is left of what it shows.

    The English wiki sees each name with all shapes of arguments, each other one each name with a seventh of them.
    """
    page = Page(site(language), "Title (x)", NOW)
    known, shown = lookup.renderers(language), {}
    for i, name in enumerate(names_of(language)):
        renderer = known[name]
        assert renderer is not None, name
        for shape in SHAPES if language == "en" else SHAPES[i % 7 :: 7]:
            value = renderer(Template(name, shape, page))
            assert value is None or isinstance(value, str), (name, shape)
            if value:
                shown.setdefault(value, (name, shape))
    for value, (name, shape) in shown.items():
        if MARKUP.search(value):  # wikitext, which the page's other passes clean
            call = name if shape is None else f"{name}|{shape}"
            cleaned = clean_wikitext(f"a {{{{{call}}}}} b", language=language, title="Title (x)", timestamp=NOW)
            assert cleaned.error is None, (name, shape)
            assert not MARKUP.search(cleaned.text), (name, shape, cleaned.text)


def test_names_are_found_as_authors_write_them():
    """With blanks or underscores, in small or capital letters."""
    for name in names_of("en")[::5]:
        for written in (name.replace(" ", "_"), name[:1].upper() + name[1:], f" {name}\n"):
            assert lookup.renderers("en")[written] is not None, written


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"xx": {"first": ["one", "two", "one"]}}, "'one' stands in first and in first"),
        ({"xx": {"first": ["one"], "shows": {"one": "1"}}}, "'one' stands in first and in shows"),
        ({"xx": {"first": ["One_two"]}}, "write 'One_two' as 'one two'"),
        ({"xx": {"forst": ["one"]}}, "'forst' is no kind"),
        ({"xx": {"alias": {"nowrap": ["one", "one"]}}}, "'one' stands in alias and in alias"),
    ],
)
def test_a_list_with_a_mistake_is_refused(lists, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        listed.register(lists)
    assert registry.registered("one", "xx") is None


@pytest.mark.parametrize("name", ["col-break", "col-begin", "Col-end", "hidden begin", "hide in print"])
def test_layout_leaves_nothing(name):
    cleaned = clean_wikitext(f"a\n\n{{{{{name}}}}}\n\nb")
    assert (cleaned.text, cleaned.dropped_templates) == ("a\n\nb", {})


def test_a_paragraph_break():
    assert clean_wikitext("One.{{pb}}Two.").text == "One.\n\nTwo."


def test_what_rules_look_for_among_dropped_templates_is_not_listed():
    """A stub and a disambiguation page are told by the name of a template that nothing is known about."""
    told = re.compile("|".join(STUB_TEMPLATES), re.IGNORECASE)
    listed_names = {name for section in LISTS.values() for name in section.get("nothing", ())}
    assert {name for name in listed_names if told.fullmatch(name) or name in words("disambiguation")} == set()
