"""The argument of a template about which nothing is known: kept where it stands and reads like the sentence, else not."""

from __future__ import annotations

import pytest

from raywiki.wikitext import clean_wikitext


@pytest.mark.parametrize(
    ("language", "wikitext", "text"),
    [
        ("de", "Die {{Kursivschrift|große Stadt}} am Fluss.", "Die große Stadt am Fluss."),
        ("de", "{{Kursivschrift|Die Stadt}} am Fluss.", "Die Stadt am Fluss."),
        ("ja", "{{某飾り|葛}}飾区は{{某飾り|東京}}にある。", "葛飾区は東京にある。"),
        ("ru", "Слово {{особый шрифт|буква}}, и ещё ({{особый шрифт|другая}}).", "Слово буква, и ещё (другая)."),
        ("hi", "यह {{अज्ञात शैली|बड़ा नगर}} है।", "यह बड़ा नगर है।"),
        ("en", "It was {{puzzled passage|a large town|date=May 2015}} then.", "It was a large town then."),
    ],
)
def test_prose_in_a_sentence_is_kept(language, wikitext, text):
    cleaned = clean_wikitext(wikitext, language=language)
    assert cleaned.text == text
    assert sum(cleaned.guessed_templates.values()) == wikitext.count("{{")
    assert not cleaned.dropped_templates


@pytest.mark.parametrize(
    "wikitext",
    [
        "The town.{{odd note|It was larger before.}} It grew.",
        "The town{{odd note|It was larger before.}} grew.",
        "The town grew. {{odd note|It was larger before}}.",
        "{{odd hatnote|Other towns}}\nThe town grew.",
        "{{odd hatnote|Other towns}} The town grew.",
        "The {{odd thing|Town.jpg}} grew.",
        "The {{odd thing|//town.org}} grew.",
        "The {{odd thing|1990}} grew.",
        "The {{odd thing|tt0123456}} grew.",
        "The {{odd thing|30em}} grew.",
        "The {{odd thing|a town|b}} grew.",
        "The {{odd thing|name=a town}} grew.",
        "The {{odd thing}} grew.",
        "The {{odd thing|город}} grew.",
        "{{odd thing|a town}}",
        "| a = the {{odd thing|town}} grew",
    ],
)
def test_notes_hatnotes_and_labels_are_not(wikitext):
    cleaned = clean_wikitext(wikitext)
    assert not cleaned.guessed_templates
    assert len(cleaned.dropped_templates) == 1
