"""The table of a wiki's templates: names, redirects, what is kept parsed."""

from __future__ import annotations

import pickle

import pyarrow as pa
import pytest

from raywiki.wikitext import Definitions, definitions
from raywiki.wikitext.program import parse_definition


def wiki(**templates: str) -> Definitions:
    """Definitions by name; `→ name` redirects."""
    rows = [
        {"name": name, "text": None if text[:1] == "→" else text, "redirect": text[1:].strip() if text[:1] == "→" else None}
        for name, text in sorted(templates.items())
    ]
    schema = pa.schema({"name": pa.string(), "text": pa.string(), "redirect": pa.string()})
    return Definitions.from_table(pa.Table.from_pylist(rows, schema=schema))


def test_names_are_found_as_wikis_write_them():
    known = wiki(**{"a b": "first", "ä": "second"})
    assert [known.text(name) for name in ("A_b", " a  B", "Ä", "ab", "", "z")] == ["first", "first", "second", None, None, None]
    assert "A b" in known
    assert "c" not in known
    assert len(known) == 2


def test_redirects_are_followed_and_circles_end():
    known = wiki(a="→Taiss:B_c", **{"b c": "text"}, d="→E", e="→D", f="→missing", g="→G")
    assert (known.target("A"), known.text("a")) == ("b c", "text")
    assert [known.target(name) for name in "defgh"] == [None] * 5


def test_a_chunked_table_is_one_wiki():
    table = pa.concat_tables([wiki(a="1").to_table(), wiki(b="2", c="3").to_table()])
    known = Definitions.from_table(table)
    assert [known.text(name) for name in "abc"] == ["1", "2", "3"]
    again = pickle.loads(pickle.dumps(known))
    assert again.to_table() == known.to_table()


def test_wrong_tables_are_refused():
    good = wiki(a="1", b="2").to_table()
    with pytest.raises(ValueError, match="redirect missing"):
        Definitions.from_table(good.drop_columns("redirect"))
    for rows in ([1, 0], [0, 0]):
        with pytest.raises(ValueError, match="in order, each once"):
            Definitions.from_table(good.take(rows))
    assert len(Definitions.from_table(good.slice(0, 0))) == 0


def test_a_bounded_number_stays_parsed(monkeypatch):
    monkeypatch.setattr(definitions, "MAX_CACHED", 5_000)
    known = wiki(**{f"t{i:02}": "x" * 1_000 for i in range(20)})
    first = known.program("t00")
    assert known.program("t00") is first
    for i in range(20):
        known.program(f"t{i:02}")
    assert len(known._parsed) == 4
    assert known.program("t00") is not first


@pytest.mark.parametrize(
    ("source", "nodes"),
    [
        ("a<noinclude>b</noinclude>c", ("ac",)),
        ("a<noinclude>b", ("a",)),
        ("a<noinclude/>b<includeonly>c</includeonly>", ("abc",)),
        ("a<onlyinclude>b</onlyinclude>c<onlyinclude>d</onlyinclude>", ("bd",)),
        ("a<!-- {{b --> c<ref>{{{d}}}</ref>", ("a c",)),
        ("[[a|b]] | c = d", ("[[a\x04b]] \x04 c = d",)),
        ("{{a|[[b|c}} d", ("{{a\x04[[b\x04c}} d",)),
        ("{{{a}} }} b", ("{{{a}} }} b",)),
    ],
)
def test_text_of_a_definition(source, nodes):
    if "{{{a}}" in source:  # a call inside a single brace, as tables in templates are written: `{{{!}}`
        literal, call, rest = parse_definition(source).nodes
        assert (literal, call.title, rest) == ("{", ("a",), " }} b")
    else:
        assert parse_definition(source).nodes == nodes


def test_a_page_too_long_or_too_deep_is_refused_each_time():
    with pytest.raises(ValueError, match="longer"):
        parse_definition("x" * 2_097_153)
    braces = {
        "one run": "{{{" * 100_000 + "}}}" * 100_000,
        "many": "{{a|" * 100_000 + "}}" * 100_000,
        "open": "{{{a|" * 100_000,
    }
    known = wiki(**braces)
    for name in (*braces, "open"):
        with pytest.raises(ValueError, match="nested deeper"):
            known.program(name)
