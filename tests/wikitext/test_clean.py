"""What a page gives besides its text: categories, dropped templates, disambiguation, options, errors."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from raywiki.schema import ARTICLES, PAGES
from raywiki.wikitext import clean_wikitext, pages_to_articles, registry, template


def test_categories_in_order_and_once():
    cleaned = clean_wikitext("a [[Category:Big cities|X]] [[category:small_cities]] [[Kategorie:Big cities]]", language="de")
    assert cleaned.categories == ["Big cities", "Small cities"]
    assert cleaned.text == "a"


def test_names_of_the_dump_count():
    text = "[[Bildo:x.png|eta|y]] [[Grupo:Z]] a"
    cleaned = clean_wikitext(text, language="xx", namespaces={6: "Bildo", 14: "Grupo", 10: "Modelo"})
    assert (cleaned.text, cleaned.categories) == ("a", ["Z"])


def test_dropped_templates_are_counted():
    cleaned = clean_wikitext("{{Infobox x|a={{lang|fr|b}}}} {{cite_web|u}} {{cite web|v}} {{convert|1|km}} {{clear}}")
    assert cleaned.dropped_templates == {"cite web": 2, "Infobox x": 1}


def test_the_first_sentence_of_each_dropped_template_is_an_example():
    examples = {}
    clean_wikitext("One. Ares ({{thing|x}}) was{{cn|date=May\n2015}} a god. Two.", title="Ares", examples=examples)
    clean_wikitext("| a = Zeus {{thing}}\n{{foo|" + "x" * 500 + "}}" + " y" * 200, title="Zeus", examples=examples)
    assert examples == {
        "thing": {"article": "Ares", "sentence": "Ares ({{thing|x}}) was{{cn|date=May"},
        "cn": {"article": "Ares", "sentence": "Ares ({{thing|x}}) was{{cn|date=May 2015}} a god."},
        "foo": {"article": "Zeus", "sentence": "{{foo|" + "x" * 51 + "…}}" + " y" * 24 + " …"},
    }


@pytest.mark.parametrize(
    ("wikitext", "language"), [("'''A''' may be:{{disambiguation}}", "en"), ("{{Begriffsklärung}}", "de"),
        ("{{Homonymie}}", "fr"),
                               ("{{неоднозначність}}", "uk"), ("{{αποσαφήνιση}}", "el"), ("{{Định hướng}}", "vi"),
                                   ("{{disambigua}}", "it")]
)  # fmt: skip
def test_disambiguation(wikitext, language):
    assert clean_wikitext(wikitext, language=language).is_disambiguation
    assert not clean_wikitext("A city.", language=language).is_disambiguation


@pytest.mark.parametrize(
    "wikitext", ["#REDIRECT [[X]]", "#ПЕРЕНАПРАВЛЕННЯ [[X]]", "#đổi [[X]]", "#WEITERLEITUNG [[X]]", "#ΑΝΑΚΑΤΕΥΘΥΝΣΗ [[X]]"]
)
def test_a_redirect_says_nothing(wikitext):
    assert clean_wikitext(wikitext).text == ""


def test_time_and_title_of_the_page():
    when = datetime(2016, 5, 1, tzinfo=UTC)
    cleaned = clean_wikitext("{{PAGENAME}} in {{CURRENTYEAR}}: {{birth date and age|1990|1|7}}", title="Ant", timestamp=when)
    assert cleaned.text == "Ant in 2016: January 7, 1990 (age 26)"


def test_tables_as_markdown():
    table = (
        "Before\n{| class=wikitable\n|+ Sizes\n! A !! B\n|-\n| align=left | [[x|1]] || {{convert|2|km|abbr=on}}\n"
        "|-\n| 3\n| four<br>five\n|}\nAfter"
    )
    assert clean_wikitext(table).text == "Before\n\nAfter"
    assert clean_wikitext(table, tables="markdown").text == (
        "Before\n\n| A | B |\n| --- | --- |\n| 1 | 2 km (1.2 mi) |\n| 3 | four five |\n\nAfter"
    )
    with pytest.raises(ValueError, match="markdown"):
        clean_wikitext("", tables="html")  # type: ignore[arg-type]


def test_captions():
    page = "[[File:a.jpg|thumb|upright=1.2|200px|alt=No|A [[cat]]]] Text. <gallery>\nB.jpg|Two\n</gallery>"
    assert clean_wikitext(page).text == "Text."
    assert clean_wikitext(page, captions=True).text == "A cat\n\nText.\n\n- Two"


def test_variants_of_chinese():
    assert clean_wikitext("-{zh-hans:计算机; zh-hant:電腦}-和-{A|zh-cn:a;zh-tw:b}-", language="zh").text == "计算机和a"


def test_own_renderer_wins_and_may_be_local():
    try:

        @template("convert", language="xx")
        def convert(t):
            return f"<{t[1]} {t['unit']}>".replace("<", "(").replace(">", ")")

        assert clean_wikitext("{{convert|5|unit=x}}", language="xx").text == "(5 x)"
        assert clean_wikitext("{{convert|5|km}}").text == "5 kilometres (3.1 mi)"
    finally:
        registry._RENDERERS.pop(("xx", "convert"))
    with pytest.raises(ValueError, match="name"):
        template()


def test_what_is_registered_late_counts_at_once():
    assert clean_wikitext("{{seen before|x}}").dropped_templates == {"seen before": 1}
    try:
        template("seen before")(lambda t: t[1])
        assert clean_wikitext("{{seen before|x}}").text == "x"
    finally:
        registry._RENDERERS.pop(("", "seen before"))


def test_own_renderer_stays_when_the_built_in_ones_are_loaded_after_it():
    code = """if True:
        import sys
        from raywiki.wikitext import template
        template("convert", "script/*")(lambda t: "mine")
        assert "raywiki.wikitext.templates.units" not in sys.modules
        from raywiki.wikitext import clean_wikitext
        print(clean_wikitext("{{convert|5|km}} {{script/Greek|x}}").text)"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "mine mine\n"


def page(number: int, text: str | None, **more: object) -> dict[str, object]:
    return {"page_id": number, "namespace": 0, "title": f"T {number}", "text": text, "model": "wikitext", **more}


def test_table_of_pages():
    rows = [
        page(1, "An '''ox'''. [[Category:Cattle]]", revision_id=7, sha1_ok=True),
        page(2, "x", namespace=1),
        page(3, "x", redirect="Y"),
        page(4, "x", model="json"),
        page(5, None),
        page(6, "{{foo}}{{disambig}}", title="Ox & é? (a/b)", model=None),
    ]
    table = pages_to_articles(
        pa.Table.from_pylist(rows, schema=PAGES), language="en", base_url="https://en.wikipedia.org/wiki/Main_Page"
    )
    assert table.schema == ARTICLES
    first, second = table.to_pylist()
    assert (first["page_id"], first["text"], first["n_chars"], first["categories"], first["sha1_ok"]) == (
        1,
        "An ox.",
        6,
        ["Cattle"],
        True,
    )
    assert second["url"] == "https://en.wikipedia.org/wiki/Ox_%26_%C3%A9%3F_(a/b)"
    assert second["is_disambiguation"]
    assert second["dropped_templates"] == [{"name": "foo", "count": 1}, {"name": "disambig", "count": 1}]
    assert pages_to_articles(PAGES.empty_table()).schema == ARTICLES
    assert pages_to_articles(PAGES.empty_table()).num_rows == 0


def test_a_failing_renderer_costs_one_template():
    @template("breaks always")
    def _(t):
        raise RuntimeError("no luck")

    try:
        cleaned = clean_wikitext(
            "A {{breaks always|12}}{{Breaks_always}} city of {{convert|5|km}}. {{small|{{breaks always|a}}}}"
        )
    finally:
        registry._RENDERERS.pop(("", "breaks always"))
    assert cleaned.text == "A city of 5 kilometres (3.1 mi)."
    assert cleaned.failed_templates == {"breaks always": 2, "Breaks always": 1}
    assert cleaned.dropped_templates == {"breaks always": 2, "Breaks always": 1, "small": 1}
    assert cleaned.error is None


def test_what_goes_is_mended_far_from_its_neighbours_too():
    """Only what stands near a trace is looked at: what lies between two comes back in its place."""
    far = "word (:), word " * 200
    source = f"Ares ({{{{unknown}}}}; x<ref>a</ref>), {far}and <ref>b</ref>. {far}(<ref>c</ref>) ''y''<ref>d</ref>."
    assert clean_wikitext(source).text == f"Ares (x), {far}and. {far}y."


def test_a_full_stop_in_a_link_and_one_behind_the_reference_are_one():
    assert clean_wikitext("On [[x|4 May, o. s.]]<ref>a</ref>. ''So etc.''<ref>b</ref>.").text == "On 4 May, o. s. So etc."
