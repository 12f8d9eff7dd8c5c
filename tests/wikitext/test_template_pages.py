"""Template pages → one row for each name; definitions found through redirects."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from raywiki.schema import PAGES, TEMPLATES
from raywiki.wikitext.definitions import Definitions
from raywiki.wikitext.template_pages import merge_templates, pages_to_templates


def pages(*rows: dict) -> pa.Table:
    common = {"namespace": 10, "model": "wikitext"}
    return pa.Table.from_pylist(
        [{"page_id": number, "revision_id": number, **common, **row} for number, row in enumerate(rows, 1)], schema=PAGES
    )


def templates(*rows: tuple[int, int, str, str | None, str | None]) -> pa.Table:
    names = ("page_id", "revision_id", "name", "text", "redirect")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=TEMPLATES)


def test_the_namespace_of_the_wiki_is_no_part_of_a_name():
    table = pages(
        dict(title="Шаблон:Нп_2: два", text="{{{1}}}"),
        dict(title="Шаблон:НП2", redirect="Шаблон:Нп 2: два", text="#redirect"),
        dict(title="Шаблон:Часть", redirect="шаблон:Нп 2: два#раздел"),
    )
    rows = pages_to_templates(table).select(["name", "text", "redirect"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("нп 2: два", "{{{1}}}", None),
        ("нп2", None, "нп 2: два"),
        ("часть", None, "нп 2: два"),
    ]


@pytest.mark.parametrize(
    "page",
    [
        dict(title="Template:A", text=None),
        dict(title="Template:A", text="x", error="cut off"),
        dict(title="Template:A/styles.css", text="x", model="sanitized-css"),
        dict(title="Template:A", redirect="User:Somebody/A"),
        dict(title="Template:A", redirect="A"),
        dict(title="Module:A", text="x", namespace=828),
        dict(title="Template:A", text="x", namespace=0),
    ],
)
def test_what_defines_nothing_is_left_out(page):
    assert pages_to_templates(pages(page)).num_rows == 0


def test_a_page_that_comes_twice_has_its_newest_revision():
    older, newer = templates((1, 5, "a", "old", None)), templates((1, 6, "b", "new", None))
    for order in ([older, newer], [newer, older]):
        assert merge_templates(order).to_pylist() == newer.to_pylist()


def test_of_two_pages_of_one_name_a_definition_goes_before_a_redirect_then_the_lower_id():
    rows = [(1, 1, "a", None, "a"), (3, 2, "a", "third", None), (2, 9, "a", "second", None), (4, 1, "0", "x", None)]
    for seed in range(5):
        random.Random(seed).shuffle(rows)
        merged = merge_templates([templates(*rows[:2]), templates(*rows[2:])])
        assert merged["name"].to_pylist() == ["0", "a"]
        assert merged["text"].to_pylist() == ["x", "second"]
    assert merge_templates([]).schema == TEMPLATES


def test_names_are_in_the_order_in_which_they_are_searched():
    names = ["é", "z", "z a", "漢", "\U0001f600", "\uffee", "a", "Z"]  # the last two but one differ as UTF-16 and as UTF-8
    merged = merge_templates([templates(*((i, i, name, name, None) for i, name in enumerate(names)))])
    found = Definitions.from_table(merged)
    assert [found.get(name) for name in names] == names
    assert found.get("y") is None is found.get("")


def test_redirects_end():
    loop = [(1, 1, "a", None, "b"), (2, 1, "b", None, "a"), (3, 1, "c", None, "d"), (4, 1, "d", "text", None)]
    found = Definitions.from_table(merge_templates([templates(*loop, (5, 1, "e", None, "nowhere"))]))
    assert [found.get(name) for name in "abcde"] == [None, None, "text", "text", None]
