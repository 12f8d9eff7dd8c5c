"""A wiki's own definitions, run: what MediaWiki shows, what is a box, modules by name, and that none can hurt."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_bounds import FRAGMENTS
from test_definitions import wiki

from raywiki.wikitext import Definitions, clean_wikitext, transclude
from raywiki.wikitext.page import Page
from raywiki.wikitext.sites import site

HOUSE = wiki(
    **{
        "hi": "Hello {{{1|you}}}{{#if:{{{who|}}}|, {{{who}}}}}!",
        "raw": "<{{{1}}}><{{{a}}}>".replace("<", "[").replace(">", "]"),
        "either": "{{{a|{{{b|none}}}}}}",
        "wrap": "{{hi|{{{1}}}|who={{{2|}}}}}",
        "kind": "{{#switch:{{{1}}}|a|b=first|1.0=one|#default=other|c = {{hi}}}}",
        "run kind": "{{#switch:{{{1}}}|{{{2}}}=same|other}}",
        "row": "{{{!}} class=x\n{{!}} cell\n{{!}}}",
        "list": "* one\n* two",
        "infobox": "<table class='infobox'><tr><td>{{{name}}}</td></tr></table>",
        "wrapped box": "{{#if:{{{1|}}}|{{infobox|name={{loop}}}}}}",
        "hatnote": ":''See [[{{{1}}}]].''",
        "who mark": '<sup class="noprint">[who?]</sup>',
        "categories": "[[Category:A]][[Category:B]]",
        "picture": "[[File:{{{1}}}.png|20px]]",
        "dated": "in {{{1}}}[[Category:Dated {{{1}}}]]",
        "length": "{{#invoke:Convert|convert}}",
        "length of": "{{#invoke:convert|convert|{{{n}}}|km}}",
        "first": "{{#invoke:If empty|main|{{{1|}}}|{{{2|}}}}}",
        "lua": "{{#invoke:Unheard of|main}}",
        "loop": "a{{loop}}b",
        "circle": "{{circle2}}",
        "circle2": "{{circle}}.",
        "old": "→Template:hi",
        "has": "{{#ifexist:Template:{{{1}}}|yes|no}}",
        "substituted": "{{ {{{|safesubst:}}}#if:{{{1|}}}|yes|no}}",
        "quoted": "<nowiki>{{{1}}} [[x]]</nowiki> <!-- {{{1}}} -->{{{1}}}",
        "documented": "<includeonly>text</includeonly><noinclude>{{documentation}}</noinclude>",
        "title": "{{PAGENAME}}",
        "pair": "{{{1}}}{{{1}}}",
        "bad": "{{#switch:" + "{{{" * 200 + "}}",
        "joined": " \n{{hi}}",
        "cut": "a {{hi|b",
    }
)


def known_names(known: Definitions) -> list[str]:
    return known.to_table()["name"].to_pylist()


def show(wikitext: str, **options: object) -> str:
    return clean_wikitext(f"x {wikitext} y", language="xx", templates=HOUSE, **options).text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("{{hi}}", "Hello you!"),
        ("{{Hi|}}", "Hello !"),
        ("{{hi|1=[[a|b]]|who = c }}", "Hello b, c!"),
        ("{{old|b}}", "Hello b!"),
        ("{{wrap|b|c}}", "Hello b, c!"),
        ("{{hi|{{hi|b}}}}", "Hello Hello b!!"),
        ("{{hi|a=b}}", "Hello you!"),
        ("{{either|b=2}} {{either|a=|b=2}} {{either}}", "2 none"),
        ("{{kind|a}} {{kind|b}} {{kind|1}} {{kind|z}} {{kind|c}}", "first first one other Hello you!"),
        ("{{run kind|2|2}} {{run kind|2|3}}", "same other"),
        ("{{length|5|km}}", "5 km (3.1 mi)"),
        ("{{length of|n=5}}", "5 km (3.1 mi)"),
        ("{{first||b}}", "b"),
        ("{{has|hi}} {{has|nothing}}", "yes no"),
        ("{{substituted|a}}", "yes"),
        ("{{quoted|z}}", "{{{1}}} [[x]] z"),
        ("{{documented}}", "text"),
        ("{{title}}", "Ox"),
        ("{{dated|1990}}", "in 1990"),
        ("{{cut}}", "a hi\x04b".replace("\x04", "|")),
    ],
)
def test_what_stands_in_a_sentence(wikitext, text):
    assert show(wikitext, title="Ox") == f"x {text} y".replace("  ", " ")


def test_white_space_of_unnamed_arguments_stays():
    assert show("{{raw| b | a = c }}") == "x [ b ][c] y"
    assert clean_wikitext("x{{joined}}", templates=HOUSE).text == "x\nHello you!"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("{{infobox|name=z}}", "infobox"), ("{{wrapped box|z}}", "wrapped box"), ("{{row}}", "row"),
        ("{{hatnote|z}}", "hatnote"), ("{{who mark}}", "who mark"), ("{{categories}}", "categories"),
        ("{{picture|z}}", "picture"), ("{{lua}}", "lua"),
        ("{{unknown}}", "unknown"),
    ],
)  # fmt: skip
def test_boxes_and_marks_are_dropped_and_counted(call, name):
    cleaned = clean_wikitext(f"x {call} y", language="xx", templates=HOUSE)
    assert (cleaned.text, cleaned.dropped_templates, cleaned.categories) == ("x y", {name: 1}, [])


def test_a_box_that_shows_nothing_by_name_is_not_counted():
    known = wiki(commons="<table class=infobox></table>")
    assert not clean_wikitext("x {{commons|y}}", language="ltg", templates=known).dropped_templates


def test_a_list_begins_on_a_line_of_its_own():
    assert show("{{list}}") == "x\n\n- one\n- two y"


def test_a_template_that_disambiguates_is_known_by_its_definition():
    known = wiki(
        some="{{dmbox|text=x}}", other="<div id=disambig>x</div>", none="x<noinclude>__DISAMBIG__</noinclude>", via="{{some}}"
    )
    marked = [
        clean_wikitext(f"A may be:\n* b\n{{{{{name}}}}}", templates=known).is_disambiguation for name in known_names(known)
    ]
    assert dict(zip(known_names(known), marked, strict=True)) == {"none": False, "other": True, "some": True, "via": True}


def test_only_the_branch_that_is_taken_is_run():
    page = Page(site("xx"), templates=wiki(t="{{#if:{{{1|}}}|{{{2}}}|{{{3}}}}}{{#switch:b|a={{{2}}}|b=c}}"))
    shown, known = transclude.transclude("t", "x|yes|{{never}}", page)
    assert (shown, known) == ("yesc", True)
    assert page.steps < 20


def test_without_definitions_nothing_changes():
    text = "A {{hi|b}} and {{convert|5|km}} {{infobox|name=z}}."
    known = clean_wikitext(text, templates=wiki())
    assert known == clean_wikitext(text)


def test_the_wikis_own_words_win_where_ours_are_foreign():
    own = wiki(**{"lang-en": "angliski: ''{{{1}}}''", "convert": "wrong", "pagename": "{{PAGENAME}}"})
    text = "({{lang-en|ox}}, {{convert|5|km}}, {{PAGENAME}})"
    assert clean_wikitext(text, language="ltg", title="T", templates=own).text == "(angliski: ox, wrong, T)"
    assert clean_wikitext(text, language="en", title="T", templates=own).text == "(English: ox, 5 kilometres (3.1 mi), T)"


@pytest.mark.parametrize("name", ["loop", "circle"])
def test_circles_end(name):
    cleaned = clean_wikitext(f"x {{{{{name}}}}} y", templates=HOUSE)
    assert cleaned.error is None
    assert cleaned.text.startswith("x")
    assert "{{" not in cleaned.text


def test_a_refused_definition_costs_its_template():
    cleaned = clean_wikitext("x {{bad}} y {{bad|prose}} {{hi}}", templates=HOUSE)
    assert cleaned.text == "x y prose Hello you!"
    assert cleaned.failed_templates == {"bad": 2}
    assert (cleaned.dropped_templates, cleaned.guessed_templates) == ({"bad": 1}, {"bad": 1})


def test_bombs_are_bounded():
    """Each level doubles what it is given: a billion characters, or a billion calls, without a bound."""
    levels = {f"d{i}": f"{{{{d{i + 1}|{{{{{{1}}}}}}{{{{{{1}}}}}}}}}}" for i in range(35)} | {"d35": "{{{1}}}"}
    calls = {f"c{i}": f"{{{{c{i + 1}}}}}" * 2 for i in range(35)} | {"c35": "{{#if:a|b}}"}
    known = wiki(**levels, **calls)
    page = Page(site("xx"), templates=known)
    for name in ("d0", "c0"):
        with pytest.raises(ValueError, match="templates"):
            transclude.transclude(name, "x" * 10, page)
    assert page.steps < 2 * transclude.MAX_STEPS
    assert page.grown < 2 * transclude.MAX_GROWTH
    cleaned = clean_wikitext("{{d0|xxxxxxxxxx}}{{c0}} ox", templates=known)
    assert (cleaned.text, cleaned.failed_templates) == ("ox", {"d0": 1, "c0": 1})


def test_a_long_switch_is_read_once():
    """Ten thousand cases are one look into a dict, for each of a thousand calls."""
    cases = "|".join(f"k{i}=v{i}" for i in range(10_000))
    page = Page(site("xx"), templates=wiki(s="{{#switch:{{{1}}}|" + cases + "|none}}"))
    shown = [transclude.transclude("s", f"k{i}", page)[0] for i in (0, 9_999, 10_000)]
    assert shown == ["v0", "v9999", "none"]
    assert page.steps < 50


@pytest.mark.parametrize("key", ["a", "{{lc:A}}"], ids=["literal", "run"])
@pytest.mark.parametrize(
    ("cases", "shown"),
    [
        ("02 = two | other", {"2.0": "two", "2": "two", "3": "other"}),
        ("1000 = k | 1,000 = text", {"1000": "k", "1e3": "k", "1,000": "text"}),
        ("#default = D | b = B", {"b": "B", "c": "D"}),
        ("x | #default | y = D | b = B", {"x": "D", "c": "D", "b": "B"}),
        ("#default = 1 | #default = 2", {"c": "2", "#default": "1"}),
        ("b | c", {"b": "c", "z": "c"}),
        ("b = B", {"b": "B", "z": "", "": ""}),
        ("é = E", {"&eacute;": "E"}),
    ],
)
def test_a_switch_is_the_same_on_a_page_and_in_a_definition(cases, shown, key):
    """ParserFunctions' rules: numbers by value, `#default` falls through too, a last case without a result is the default."""
    source = f"| {key} = A | {cases} }}}}"
    known = wiki(s="{{#switch: {{{1|}}} " + source)
    for value, expected in shown.items() | {"a": "A"}.items():
        assert clean_wikitext(f"(x{{{{#switch: {value} {source})").text == f"(x{expected})"
        assert clean_wikitext(f"(x{{{{s|{value}}}}})", templates=known).text == f"(x{expected})"


def test_nested_calls_on_a_page_are_bounded():
    text = "{{hi|" * 20_000 + "x" + "}}" * 20_000
    assert clean_wikitext(text, templates=HOUSE).error is None


PARTS = [
    *FRAGMENTS, "{{{1}}}", "{{{1|", "{{{a|b}}}", "{{a|", "{{b}}", "{{#switch:{{{1|}}}|", "#default=", "{{#invoke:",
    "String|sub|", "<noinclude>", "</noinclude>", "<onlyinclude>", "<includeonly>", "{{!}}", "{{=}}", "safesubst:",
    "{{#ifexpr:", "{{#iferror:",
]  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(PARTS), max_size=30).map("".join),
    st.lists(st.sampled_from(PARTS), max_size=30).map("".join),
    st.sampled_from(["en", "ltg", "uk", "ja"]),
)
def test_any_definitions(first, second, language):
    known = wiki(a=first.lstrip("→"), b=second.lstrip("→"))
    cleaned = clean_wikitext("x {{a|1|a=b}} y {{b|word}} {{a|{{b}}}}", language=language, title="T", templates=known)
    assert cleaned.error is None
    page = Page(site(language), templates=known)
    with suppress(ValueError):  # nothing else: what fails by accident must not hide behind `failed_templates`
        transclude.transclude("a", "1|a=b", page)
    assert not any(mark in cleaned.text for mark in "\x00\x01\x04\x06\x07\x08")


def test_functions_by_the_names_of_the_wiki():
    known = wiki(art="{{#wechsle:{{{1}}}|a=erste|#standard={{#aufrufen:If empty|main|andere}}}}")
    text = clean_wikitext("Die {{art|a}}, die {{art|b}}.", language="de", templates=known).text
    assert text == "Die erste, die andere."
