"""Every name under which a renderer can be found: registered, family or alias. Each is normal, leads somewhere, and renders."""

from __future__ import annotations

import pytest

from raywiki.wikitext import clean_wikitext, lookup, registry
from raywiki.wikitext.bundled import normalise, words_of

SECTIONS = words_of("aliases.txt")
ALIASES = [(wiki, target, alias) for wiki, names in SECTIONS.items() for target, local in names.items() for alias in local]
BUILT_IN = [key for key, render in registry._RENDERERS.items() if registry.is_builtin(render)]
FAMILIES = [key for key, render in registry._FAMILIES.items() if registry.is_builtin(render)]
ARGUMENTS = [
    "", "|", "|1", "|x", "|x|y|z", "|1|2|3|4", "|1990|1|7|1995|2|8", "|name=x|text=y", "|1=|2=b", "|[[a|b]]|<br>", "|١|²|½",
    "|²|²|²|²", "|x|²", "|1|x|²", "|a=²|year=²|month=²|1=²", "|-1|-2", "|0|0|0", "|2000|13|45", "|1.5.5|.", "|1e999|x",
    "|99999999999999999999|9999999999999", "|" + "9" * 5000, "|" * 20, "|" + "x|" * 50,
]  # fmt: skip


def is_normal(name: str) -> bool:
    """As names are compared, and not two pieces of what a line's end or a comma once tore apart."""
    return name == normalise(name) and bool(name) and "- " not in name and name == name.strip(",\n ")


def test_there_are_names():
    assert len(BUILT_IN) > 1000
    assert len(FAMILIES) > 1
    assert len(ALIASES) > 200


def test_registered_names_are_normal():
    assert [key for key in [*BUILT_IN, *FAMILIES] if not is_normal(key[1])] == []


def test_aliases_are_normal_and_lead_to_a_renderer():
    assert [alias for alias in ALIASES if not is_normal(normalise(alias[2])) or not is_normal(alias[1])] == []
    assert [alias for alias in ALIASES if "- " in alias[2]] == []
    names = {name for _, name in BUILT_IN}
    assert sorted({target for _, target, _ in ALIASES} - names) == []


def test_an_alias_finds_the_renderer_of_its_name():
    for wiki, target, alias in ALIASES:
        assert lookup.renderers(wiki)[alias] is not None, (wiki, target, alias)


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", [name for _, name in BUILT_IN]),
        *((wiki, [alias for there, _, alias in ALIASES if there == wiki]) for wiki in SECTIONS),
    ],
)
def test_every_name_renders_as_authors_write_it(language, names):
    """With blanks or underscores, in small or capital letters, with all sorts of arguments or none: no renderer fails."""
    for name in names:
        for written in (name, name.replace(" ", "_"), name[:1].upper() + name[1:], name.upper()):
            page = "\n\n".join(f"a {{{{{written}{arguments}}}}} b" for arguments in ARGUMENTS)
            assert clean_wikitext(page, language=language).error is None, written


def test_a_broken_name_is_seen():
    with pytest.raises(AssertionError, match="two lines"):
        registry.names_in("col-begin, col-\nbreak, col-end")


@pytest.mark.parametrize("name", ["col-break", "col-begin", "Col-end", "hidden begin", "hide in print"])
def test_layout_leaves_nothing(name):
    cleaned = clean_wikitext(f"a\n\n{{{{{name}}}}}\n\nb")
    assert (cleaned.text, cleaned.dropped_templates) == ("a\n\nb", {})


def test_a_paragraph_break():
    assert clean_wikitext("One.{{pb}}Two.").text == "One.\n\nTwo."
