"""No page can hurt: time grows with the length and no faster, whatever the page holds; nothing is ever raised."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
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


def seconds(wikitext: str) -> float:
    started = time.process_time()
    assert clean_wikitext(wikitext).error is None
    return time.process_time() - started


@pytest.mark.parametrize("name", PIECES)
def test_time_is_linear(name):
    """Eight times the length takes at most some 24 times the time (64 would be quadratic), small times apart."""
    before, middle, after = PIECES[name]
    count = 60_000 // len(before + after)
    short, long = (before * n + middle + after * n for n in (count, 8 * count))
    quick = min(seconds(short) for _ in range(2))
    assert seconds(long) < 24 * quick + 0.3


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
