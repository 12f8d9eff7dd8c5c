"""mwparserfromhell in the product: the second opinion on a page that the cleaner fails on, its bounds, and the hub's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bounds import FRAGMENTS, PIECES

from raywiki.dumps import SiteInfo, read_range, read_siteinfo, split_dump
from raywiki.schema import ARTICLES, PAGES
from raywiki.wikitext import clean_wikitext, mwparser, pages_to_articles
from raywiki.wikitext.sites import site

EN = site("en")
PAGE = """{{Infobox city|name=Secret|area={{convert|5|km2}}}}
'''A''' [[b|city]]<ref>{{cite|a}} footnote</ref> of [[Greece]] ({{breaks always|x}}).<ref name=a/><!-- comment -->
== History ==
{| class=wikitable
| cell || other
|}
[[File:a.jpg|thumb|A caption [[b]]]]Founded &amp; built.
<gallery>
b.jpg|picture
</gallery>
* item <math>x^2</math> __NOTOC__
[[de:Stadt]] [[Category:Cities|*]] {{disambig}}"""


@pytest.fixture
def breaks(monkeypatch):
    """A pass of the cleaner that fails on every page."""

    def fail(text):
        raise RuntimeError("no luck")

    monkeypatch.setattr("raywiki.wikitext.clean.quotes", fail)


def test_a_failing_page_is_read_by_mwparserfromhell(breaks):
    cleaned = clean_wikitext(PAGE)
    assert cleaned.error == "RuntimeError: no luck"
    assert cleaned.text == "A city of Greece.\nHistory\n\nFounded & built.\n\nitem"
    assert cleaned.categories == ["Cities"]
    assert cleaned.dropped_templates.keys() == {"Infobox city", "convert", "cite", "breaks always", "disambig"}
    assert cleaned.is_disambiguation
    rows = [{"page_id": 1, "namespace": 0, "title": "T", "text": PAGE, "model": "wikitext"}]
    [row] = pages_to_articles(pa.Table.from_pylist(rows, schema=PAGES)).to_pylist()
    assert (row["error"], row["text"]) == ("RuntimeError: no luck", cleaned.text)


def test_a_page_that_would_take_too_long_is_stripped(breaks, monkeypatch):
    page = "A {{breaks always}} [[b|city]]. " + "{{a|" * 10_000
    monkeypatch.setattr(mwparser.mwparserfromhell, "parse", lambda text: pytest.fail("was given to mwparserfromhell"))
    cleaned = clean_wikitext(page)
    assert cleaned.error == "RuntimeError: no luck"
    assert cleaned.text.startswith("A breaks always city.")


def test_a_page_that_mwparserfromhell_fails_on_is_stripped(breaks):
    page = "A {{breaks always}} [[b|city]]. " + "{{{" * 3000 + "x" + "}}}" * 3000
    assert mwparser.expected_seconds(page) < mwparser.MAX_SECONDS_OF_SECOND_OPINION
    cleaned = clean_wikitext(page)
    assert cleaned.error == "RuntimeError: no luck"
    assert cleaned.text == "A breaks always city. x"
    assert mwparser.clean_with_mwparserfromhell(page).error.startswith("RecursionError")


CHEAP = {  # what mwparserfromhell reads once, however much there is of it
    "closed nested templates", "nested links", "nested files", "external links with brackets", "one line", "table cells",
    "quotes and letters", "blanks", "blanks and commas", "empty brackets", "entities", "tags", "headings", "heading lines",
    "list marks", "list lines", "conversion", "parameters", "magic words", "superscripts", "switches", "semicolons", "quotes",
}  # fmt: skip


@pytest.mark.parametrize("name", PIECES)
def test_what_is_never_closed_is_expected_to_cost(name):
    """The estimate itself is linear for what is closed; it grows with the square of what is not."""
    before, middle, after = PIECES[name]
    short, long = (mwparser.expected_seconds(before * n + middle + after * n) for n in (200, 1600))
    assert long < 9 * short + 0.01 if name in CHEAP else long > 30 * short


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_nothing_is_raised(wikitext):
    assert mwparser.second_opinion(wikitext, EN, ValueError("first")).error == "ValueError: first"
    mwparser.clean_with_mwparserfromhell(wikitext)


HUB = [
    ("links, bold, entities", "'''A''' [[b|c]] [[d]] &amp; [http://x.org e] f", "A c d & e f"),
    ("templates leave their scars", "At {{convert|1|mi}}, the ({{lang|el|x}}) end", "At , the () end"),
    ("references and HTML tables go", "a<ref>b</ref> c <table><tr><td>d</td></tr></table>e", "a c e"),
    ("wiki tables go", "a\n{|\n| b\n|}\nc", "a\n\nc"),
    ("files and media go", "a [[File:x.jpg|thumb|b]] [[image:y.png]] [[Media:z.ogg|z]] c", "a    c"),
    ("categories show", "a\n[[Category:Big cities]] [[Category:Towns|T]]", "a\nBig cities T"),
    ("links to other wikis show", "a [[de:B]]", "a de:B"),
    ("sections", "a\n\n== b ==\nc\n\n=== d ===\n* e\n# f", "a\n\nb \nc\n\nd \n e\n f"),
    ("magic words go", "a __NOTOC__ __init__ __FooBar__", "a  __init__ __FooBar__"),
    ("formulas go", "a <math>x</math> b", "a  b"),
]


@pytest.mark.parametrize(("name", "wikitext", "text"), HUB, ids=[case[0] for case in HUB])
def test_the_rules_of_the_hub(name, wikitext, text):
    cleaned = mwparser.clean_with_mwparserfromhell(wikitext)
    assert (cleaned.text, cleaned.error) == (text, None)


def test_local_namespaces_of_the_hub_come_from_the_dump():
    page = "a [[Tập_tin:x.jpg|nhỏ|b]] [[Phương tiện:y|c]] [[Thể loại:D]]"
    cleaned = mwparser.clean_with_mwparserfromhell(page, language="vi", namespaces={-2: "Phương tiện", 6: "Tập tin"})
    assert (cleaned.text, cleaned.categories) == ("a   D", ["D"])


def test_the_cleaner_of_a_table():
    rows = [{"page_id": 1, "namespace": 0, "title": "T", "text": "At {{convert|1|mi}}, a [[Category:B]]", "model": "wikitext"}]
    pages = pa.Table.from_pylist(rows, schema=PAGES)
    table = pages_to_articles(pages, cleaner="mwparserfromhell")
    assert table.schema == ARTICLES
    [row] = table.to_pylist()
    assert (row["text"], row["categories"], row["error"]) == ("At , a B", ["B"], None)
    assert row["dropped_templates"] == [{"name": "convert", "count": 1}]
    assert pages_to_articles(pages, cleaner="raywiki").equals(pages_to_articles(pages))
    with pytest.raises(ValueError, match=r"unknown cleaner 'html': it is raywiki or mwparserfromhell"):
        pages_to_articles(pages, cleaner="html")
    with pytest.raises(ValueError, match=r"'mwparserfromhell' has no option captions"):
        pages_to_articles(pages, cleaner="mwparserfromhell", captions=True)


MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|<ref|'''|^\{\||^\|", re.MULTILINE)


def test_real_articles(shared_data):
    """No article of a sample fails by the hub's rules; second opinions have no markup."""
    slow = 0
    for i, (head, wikitext, title) in enumerate(islice(articles(shared_data), 0, None, 4)):
        seconds = mwparser.expected_seconds(wikitext)
        assert seconds < mwparser.MAX_SECONDS
        slow += seconds > mwparser.MAX_SECONDS_OF_SECOND_OPINION
        if len(wikitext) < 10_000 or not i % 12:
            cleaned = mwparser.clean_with_mwparserfromhell(wikitext, language=head.language, namespaces=head.namespaces)
            assert cleaned.error is None, title
        if not i % 15:
            opinion = mwparser.second_opinion(wikitext, site(head.language, head.namespaces), ValueError("x")).text
            ours = clean_wikitext(wikitext, language=head.language, namespaces=head.namespaces).text
            assert not MARKUP.search(opinion), title
            assert len(opinion) <= 1.3 * len(ours) + 2000, title
    assert slow <= 1


def articles(folder: Path) -> Iterator[tuple[SiteInfo, str, str]]:
    """Head of the part, wikitext and title of each article that is there."""
    for path in sorted(map(str, folder.glob("*.bz2"))):
        head = read_siteinfo(path)
        for dump_range in split_dump(path):
            for batch in read_range(dump_range):
                for page in batch.select(["title", "namespace", "redirect", "text"]).to_pylist():
                    if page["namespace"] == 0 and page["redirect"] is None and page["text"]:
                        yield head, page["text"], page["title"]
