"""The sample wiki's pure functions: reading the library, documentation to wikitext, pages to XML."""

from __future__ import annotations

import doctest
import hashlib
import html
import random
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import mwparserfromhell
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.samplewiki import articles, docs, dump, extras, markup, write
from raywiki.samplewiki.markup import Linker, inline, protect, to_wikitext

# From documentation to wikitext


def shown(text: str) -> str:
    """What a reader sees of entities: a wiki takes `&lt` without its semicolon as it stands, `html.unescape` would not."""
    return re.sub(r"&#?\w+;", lambda entity: html.unescape(entity[0]), text)


@given(st.text(alphabet="[]{}|'<>&;#~=:* \naNOTC_/lt", max_size=40))
@settings(max_examples=300, deadline=None)
def test_protected_text_shows_as_itself(text: str) -> None:
    protected = protect(text)
    assert shown(re.sub(r"</?nowiki>", "", protected)) == shown(html.escape(text, quote=False))
    code = mwparserfromhell.parse(f"x {protected.replace(chr(10), ' ')}")
    assert not code.filter_templates()
    assert not code.filter_wikilinks()
    assert not code.filter_comments()
    assert {str(tag.tag) for tag in code.ifilter_tags()} <= {"nowiki"}


TITLES = {"json.dumps": "json.dumps", "builtins.ValueError": "ValueError", "json": "json (module)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Raises ValueError.", "Raises [[ValueError]]."),
        ("ValueError or ValueError", "[[ValueError]] or ValueError"),
        ("Use json.dumps() now", "Use [[json.dumps|json.dumps()]] now"),
        (":func:`~json.dumps` does", "[[json.dumps|dumps]] does"),
        (":exc:`no_such` is", "<code>no_such</code> is"),
        ("[`json.dumps`]", "&#91;[[json.dumps]]&#93;"),
        ("``a[[0]]`` is", "<code><nowiki>a[[0]]</nowiki></code> is"),
        ("f(*args, **kwargs)", "f(*args, **kwargs)"),
        ("an *important* **bold** 'x'", "an ''important'' '''bold''' 'x'"),
        ("see https://a.org/b?c=1&lt=2.", "see https://a.org/b?c=1&lt=2."),
        ("b'' and [[x]] and {{y}}", "b<nowiki>''</nowiki> and <nowiki>[[</nowiki>x<nowiki>]]</nowiki> and "
         "<nowiki>{{</nowiki>y<nowiki>}}</nowiki>"),
    ],
)  # fmt: skip
def test_inline(text: str, expected: str) -> None:
    assert inline(text, Linker(articles.make_resolver(TITLES, "json.encoder"))) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One\nline.\n\nTwo.", "One line.\n\nTwo."),
        ("Title\n=====\nText.", "=== Title ===\n\nText."),
        ("- a\n  b\n- c", "* a b\n* c"),
        ("1. a\n2. b", "# a\n# b"),
        (":param x: its use", "* <code>x</code>: its use"),
        ("As in::\n\n    x = 1\n\n    y = 2", 'As in:\n\n<syntaxhighlight lang="python">\nx = 1\n\ny = 2\n</syntaxhighlight>'),
        ("a -- first\nb -- second", "* <code>a</code> – first\n* <code>b</code> – second"),
        ("name\n    What it is.", "; name\n: What it is."),
        ("* not a list", "* not a list"),
        (":1 is first", "&#58;1 is first"),
        ("= 3 or more", "&#61; 3 or more"),
        ("+---+---+\n| A | B |\n+===+===+\n| 1 | 2 |\n+---+---+", '{| class="wikitable sortable"\n! A !! B\n|-\n| 1 || 2\n|}'),
        (">>> 1\n1\n\n>>> 2\n2", '<syntaxhighlight lang="pycon">\n>>> 1\n1\n\n>>> 2\n2\n</syntaxhighlight>'),
        ("", ""),
    ],
)
def test_blocks(text: str, expected: str) -> None:
    assert to_wikitext(text, Linker(lambda _: None), level=3) == expected


def test_xml_has_no_character_that_xml_lacks() -> None:
    page = dump.Page("A & B", "a\x00b\x0cc \ud800 <&>\"'  \n", page_id=1)
    element = ET.fromstring(dump.page_xml(page))
    assert element.findtext("title") == "A & B"
    assert element.findtext("revision/text") == "a\ufffdbc \ufffd <&>\"'"
    assert int(element.findtext("revision/sha1"), 36) == int(hashlib.sha1("a\ufffdbc \ufffd <&>\"'".encode()).hexdigest(), 16)


# Reading the library

SOURCE = '''
"""A module."""
__all__ = ["C"]
import os.path as path
from .other import *
from ..top import thing as it
LIMIT = 3
try:
    import fast
except ImportError:
    def f(x, *, y=1): "Does f."
class C(Base):
    "A class."
    def m(self, a): "A method."
    @property
    def p(self): "A property."
D = C
'''


def test_parse_module() -> None:
    module = docs.parse_module("pack.sub", SOURCE, is_package=False)
    assert (module.text, module.exported, module.constants) == ("A module.", ("C",), (("LIMIT", "3"),))
    assert dict(module.imports) == {
        "pack.sub.path": "os.path",
        "pack.sub.*": "pack.other.*",
        "pack.sub.it": "top.thing",
        "pack.sub.fast": "fast",
        "pack.sub.D": "pack.sub.C",
    }
    function, cls = module.members
    assert (function.name, function.signature, function.text) == ("pack.sub.f", "(x, *, y=1)", "Does f.")
    assert (cls.bases, [(m.short_name, m.signature) for m in cls.members]) == (("Base",), [("m", "(a)"), ("p", "")])


def test_aliases_follow_imports() -> None:
    sources = {"pack": "from .sub import *\nfrom .sub import C as K", "pack.sub": SOURCE, "user": "from pack import C"}
    modules = [docs.parse_module(name, source, name == "pack") for name, source in sources.items()]
    aliases = extras.find_aliases(modules, {"pack.sub.C": "pack.sub.C"})
    assert aliases == dict.fromkeys(("pack.C", "pack.K", "pack.sub.D", "user.C"), "pack.sub.C")


def test_missing_modules_are_skipped() -> None:
    assert docs.read_library(["no_such_module"], {"_no_such_module": "no_such_module"}) == []


def test_library_in_a_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "python.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("pack/__init__.py", '"""A package."""')
        file.writestr("pack/sub.py", '"""A module."""')
        file.writestr("pack/broken.py", "def")
    monkeypatch.setattr(docs, "library_paths", lambda: [str(archive)])
    assert [module.name for module in docs.read_library(["pack"], {})] == ["pack", "pack.sub"]


def test_works_without_any_source_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "library_paths", lambda: [str(tmp_path)])
    pages = write.sample_pages(0)
    assert len(pages) == 3
    assert "math (module)" in {page.title for page in pages[0]}


@pytest.mark.parametrize("module", [articles, docs, dump, extras, markup, write])
def test_examples_in_the_documentation(module: object) -> None:
    assert doctest.testmod(module).failed == 0


def test_random_choices_do_not_touch_the_global_generator() -> None:
    state = random.getstate()
    extras.number_pages([dump.Page("A", "a")], 1, seed=0)
    assert random.getstate() == state
