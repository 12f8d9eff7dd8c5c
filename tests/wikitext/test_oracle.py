"""mwparserfromhell as the oracle: on markup without templates both must find the same words."""

from __future__ import annotations

import re

import mwparserfromhell
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.dumps import read_range, split_dump
from raywiki.wikitext import clean_wikitext

WORD = re.compile(r"[^\W_]+")
PIECES = st.sampled_from(
    ["word", "[[a|label]]", "[[target]]", "'''bold'''", "''italic''", "[http://x.org text]", "<b>tag</b>", "&eacute;",
        "<nowiki>raw</nowiki>", "<!-- c -->",
     "<small>tiny</small>", "'''''both'''''", "[[File:a.jpg]]", "<ref>note</ref>", "\n\n", "\n* item\n",
     "\n== head ==\ntext\n", "1,000", "(x)"]
)  # fmt: skip


def words(text: str) -> list[str]:
    return WORD.findall(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=25))
def test_same_words_in_plain_markup(pieces):
    wikitext = "start " + " ".join(pieces) + " end"
    expected = mwparserfromhell.parse(wikitext)
    for node in expected.filter_tags(matches=lambda node: node.tag == "ref"):
        expected.remove(node)
    for link in expected.filter_wikilinks(matches=lambda node: str(node.title).startswith("File:")):
        expected.remove(link)
    assert words(clean_wikitext(wikitext).text) == words(expected.strip_code())


def test_no_prose_of_real_articles_is_lost(shared_data):
    """Words that mwparserfromhell finds in plain paragraphs of real articles are in our text, in every language."""
    for path in sorted(shared_data.glob("*articles1*.bz2")):
        language = path.name[:2]
        [batch, *_] = read_range(next(iter(split_dump(path))))
        for page in batch.to_pylist()[:400:12]:
            if page["namespace"] or page["redirect"] or not page["text"]:
                continue
            cleaned = clean_wikitext(page["text"], language=language, title=page["title"])
            assert cleaned.error is None
            ours = set(words(cleaned.text))
            prose = [
                line
                for line in page["text"].split("\n\n")
                if len(line) > 200 and not re.search(r"[{}|<>]|\[\[[^\]|]*:|^[*#:; !=]|http|__|''''", line, re.MULTILINE)
            ]
            for paragraph in prose:
                expected = words(mwparserfromhell.parse(paragraph).strip_code())
                missing = [word for word in expected if word not in ours]
                assert len(missing) <= len(expected) // 50, (page["title"], missing[:5], paragraph[:200])


@pytest.mark.parametrize("language", ["en", "vi", "uk", "el"])
def test_truncations_of_real_articles(shared_data, language):
    path = sorted(shared_data.glob(f"{language}wiki*.bz2"))[0]
    [batch, *_] = read_range(next(iter(split_dump(path))))
    articles = [page["text"] for page in batch.to_pylist() if not page["namespace"] and not page["redirect"] and page["text"]]
    for wikitext in articles[5:40:12]:
        wikitext = wikitext[:20_000]
        for end in range(0, len(wikitext), 1009):
            cleaned = clean_wikitext(wikitext[:end], language=language)
            assert cleaned.error is None
            assert not re.search(
                r"(?<![\[`$])\[\[(?!\[)|<ref[\s>]", re.sub(r"\$[^$]*\$|```.*?```|`[^`]*`", "", cleaned.text, flags=re.DOTALL)
            )
