"""No page can hurt: work grows with the length and no faster, whatever the page holds; nothing is ever raised."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import FrameType

import counted
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from raywiki.wikitext import clean_wikitext

PIECES = {
    "nested templates": ("{{", "", ""),
    "closed nested templates": ("{{a|", "x", "}}"),
    "brackets": ("[", "", ""),
    "nested links": ("[[a|", "x", "]]"),
    "nested files": ("[[File:a|thumb|", "x", "]]"),
    "unclosed references": ("<ref name=x>", "text", ""),
    "references that close themselves": ("<ref><ref name=a/>", "", ""),
    "unclosed math": ("<math>", "", ""),
    "unclosed mixed": ("<math><nowiki><ref><pre>", "", ""),
    "comments": ("<!--", "", ""),
    "one line": ("word ", "", ""),
    "table openings": ("\n{|", "", ""),
    "table openings and headings": ("\n{|\n==x==", "", ""),
    "table cells": ("|| a ", "", ""),
    "quotes": ("'", "", ""),
    "quotes and letters": ("''' a ", "", ""),
    "blanks": (" ", "x", ""),
    "blanks and commas": (" , ", "", ""),
    "empty brackets": ("( ; ", "", ")"),
    "entities": ("&amp", "", ""),
    "external links": ("[http://a ", "", ""),
    "external links with brackets": ("[//a [b] ", "", ""),
    "tags": ("<", "", ""),
    "tag names": ("<a ", "", ""),
    "headings": ("=", "x", "="),
    "heading lines": ("\n== a ==", "", ""),
    "list marks": ("*", "x", ""),
    "list lines": ("\n#*:# a", "", ""),
    "conversion": ("-{", "", "}-"),
    "parameters": ("{{{", "x", "}}}"),
    "magic words": ("__", "", ""),
    "half templates": ("{{a|{b}", "", ""),
    "template lines": ("\n{{a\n|", "", ""),
    "superscripts": ("<sup>1", "", "</sup>"),
    "switches": ("{{#switch:a|", "b", "}}"),
    "semicolons": ("; ", "x", ""),
}


@pytest.mark.parametrize("name", PIECES)
def test_work_is_linear(name, monkeypatch):
    """Four times the length takes about four times the work; sixteen would be quadratic.

    Work is what regular expressions compare and try, every pass and every new try counted (`counted.py`), and the number of
    calls: no clock, so the verdict is the same on every machine. Not seen are strings that `str.find`, `replace` and slices
    read again; the count of their calls bounds how often.
    """
    before, middle, after = PIECES[name]
    clean_wikitext("{{convert|1|km}}")  # the first template loads what it needs
    total = counted.replace_all(monkeypatch)
    steps = []
    least = max(45, 400 // len(before + after))  # more than the levels that the passes follow
    for count in (least, 4 * least):
        total[0] = 0
        calls = calls_of(lambda n=count: clean_wikitext(before * n + middle + after * n))
        steps.append((total[0], calls))
    (short, few), (long, many) = steps
    assert long < 9 * short  # 6.4 at most; a pass that is quadratic takes more than 14
    assert many < 6 * few


def calls_of(action: Callable[[], object]) -> int:
    """Calls of functions of `raywiki.wikitext`, and of functions of C made by them, while `action` runs."""
    number = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal number
        number += event in ("call", "c_call") and "/raywiki/wikitext/" in frame.f_code.co_filename

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return number


@pytest.mark.parametrize(("pattern", "piece"), [(r"a+b", "a"), (r"\[[^\]]*\]", "[a"), (r"\w+\s*=", "a"), (r"<(.+?)>", "<x")])
def test_a_pattern_that_tries_again_is_seen(pattern, piece):
    """The count itself: these take the square of the length on what nearly matches."""
    matcher = counted.Matcher(re.compile(pattern))
    steps = []
    for count in (50, 200):
        before = matcher.steps
        assert list(matcher.spans(piece * count)) == []
        steps.append(matcher.steps - before)
    assert steps[1] > 10 * steps[0]


@pytest.mark.parametrize("name", PIECES)
def test_long_pages_are_done(name):
    before, middle, after = PIECES[name]
    count = 240_000 // len(before + after)
    assert clean_wikitext(before * count + middle + after * count).error is None


def test_deep_nesting_leaves_no_markup():
    text = clean_wikitext("{{" * 100_000 + " word " + "}}" * 100_000).text
    assert "{{" not in text
    assert "}}" not in text
    assert "word" in text or not text


def test_templates_cannot_blow_up():
    bomb = "x" * 10
    for _ in range(30):
        bomb = f"{{{{quote|{bomb}{bomb}}}}}" if len(bomb) < 200_000 else bomb
    assert len(clean_wikitext(bomb).text) < 30 * len(bomb)


FRAGMENTS = [
    "{{", "}}", "[[", "]]", "[", "]", "{|", "|}", "|-", "|", "||", "!", "{{{", "}}}", "'''", "''", "'", "<ref>",
    "</ref>", "<ref name=a/>",
    "<nowiki>", "</nowiki>", "<math>", "</math>", "<!--", "-->", "<br>", "<sup>2</sup>", "<div>", "</div>",
    "<gallery>", "</gallery>",
    "==", "=", "\n", "\n\n", "* ", "# ", ": ", "; ", "File:a.jpg|thumb|", "Category:X", "http://x.org ",
    "[http://x.org a]", "&nbsp;", "&amp;",
    "&#91;", "-{", "}-", "convert|5|km|mi", "lang|fr|", "#if:", "#switch:a|b=c", "birth date and age|1990|1|1",
    "val|1|e=2", "word", " ", "(", ")",
    ",", ";", ".", "é", "中", "\x02", "\x03", "\x06", "0", "1⁄2", "__TOC__", "—", "|-\n| a", "frac|1|2", "ill|a|b",
    "nts|x", "convert|1/0|m", "age|x|y|z", "unichar|D800", "ayd|2000|2|30|1999|1|1", "roman|99999", "goal|1", "mpl-|1",
    "#expr:1/0+(", "#ifexpr:2^9^9|a", "#replace:aa|a|aaaa", "#sub:a|-9|9", "#explode:a|a|-5", "#time:Y|20240231", "plural:",
    "gender:", "<li>", "</li>", "<ol>", "</ol>", "<rt>", "<span style='display:none'>", "</span>", "start=2",
]  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example("-{}}{|{{", "en")
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), st.sampled_from(["en", "vi", "uk", "el", "fr", "zh", "xx"])
)
def test_fragments(wikitext, language):
    cleaned = clean_wikitext(wikitext, language=language, title="T", captions=True)
    assert cleaned.error is None, cleaned.error
    shown = [cleaned.text, *cleaned.categories, *cleaned.dropped_templates]
    assert not any(mark in each for each in shown for mark in "\x00\x01\x04\x06\x07\x08")
    assert cleaned.text == cleaned.text.strip("\n")
    if not re.search(r"nowiki|math|&|\[['<]", wikitext):  # `['''[` shows two brackets in MediaWiki too
        assert "[[" not in cleaned.text
        assert "{{" not in cleaned.text
    assert clean_wikitext(wikitext, language=language, title="T", tables="markdown").error is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_any_text(wikitext):
    assert clean_wikitext(wikitext).error is None


ARTICLE = """{{Infobox city|name=X|area={{convert|5|km2}}}} '''X''' ({{lang-fr|Y}}; {{IPA|/z/}}) is
a [[city|big city]]<ref>{{cite|a}}</ref>.
== History ==
{| class=wikitable
| a || b
|}
[[File:a.jpg|thumb|A [[b]] {{convert|3|m}}]]
Founded {{circa|1900}} at {{convert|5|to|10|mi|km|abbr=on}}.
<math>a^{b_{c}}</math> <nowiki>{{x}}</nowiki>
* item &amp; [http://x.org link]<!-- c -->
[[Category:Cities]]"""


def test_every_truncation():
    for end in range(len(ARTICLE)):
        cleaned = clean_wikitext(ARTICLE[:end])
        assert cleaned.error is None
        assert "[[" not in cleaned.text
