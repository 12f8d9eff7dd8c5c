"""Parser functions and variables: what MediaWiki shows for them, by language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from raywiki.wikitext import clean_wikitext
from raywiki.wikitext.calendar import names_of, parse_date
from raywiki.wikitext.magic import chain, magic_names

WHEN = datetime(2024, 3, 8, 9, 7, 5, tzinfo=UTC)  # a Friday
CASES = [
    ("en", "{{#switch: 02 | 2.0 = two | other }}", "two"),
    ("en", "{{#switch: c | a | #default = D | b = B }}", "D"),
    ("en", "{{#switch: a | a | b = B | c = C }}", "B"),
    ("en", "{{#switch: A | a = lower | = empty }}", ""),
    ("de", "{{#wechsle: x | #standard = S | y = Y }}", "S"),
    ("en", "{{#ifeq: 1e3 | 1000 | same | other }} {{#ifeq: 01x | 1x | same | other }}", "same other"),
    ("en", "{{#iferror: {{#expr: 2 / 0 }} | bad | good }} {{#iferror: {{#expr: 2 / 1 }} | bad }}", "bad 2"),
    ("en", "{{#iferror: {{#time: Y | no date at all }} | bad }}", "bad"),
    ("en", "So {{#expr: 1 + x }}.", "So."),
    ("en", "{{padleft: 7 | 4 | ab }} {{padright: 7 | 4 | ab }} {{padleft: 7 | 3 }}", "aba7 7aba 007"),
    ("en", "{{#titleparts: A/B/C | 1 | 2 }} {{#titleparts: A/B/C | -1 }}", "B A/B"),
    ("en", "{{plural: 1 | page | pages }} {{plural: 2 | page | pages }} {{plural: 3 | p | ps | 3=trio }}", "page pages trio"),
    ("pl", "{{plural: 1|plik|pliki|plików}} {{plural: 22|a|pliki|c}} {{plural: 12|a|b|plików}}", "plik pliki plików"),
    ("ja", "{{plural: 1|a|b}}", "a"),
    ("hi", "{{formatnum: 1234567.5 }}", "12,34,567.5"),
    ("bn", "{{formatnum: 1234567 }}", "১২,৩৪,৫৬৭"),
    ("fa", "{{formatnum: 1234567 }}", "۱٬۲۳۴٬۵۶۷"),
    ("de", "{{formatnum: 1234567.5 }} {{formatnum: 1.234,5 | R }}", "1.234.567,5 1234.5"),
    ("es", "{{formatnum: 1234 }} {{formatnum: 12345 }}", "1234 12 345"),
    ("en", "{{formatnum: 1234567 | NOSEP }}", "1234567"),
    ("en", "{{#time: H:i | 2011-11-12 23:45 }}, {{#time: g:i A | 3:05 pm }}", "23:45, 3:05 PM"),
    ("en", "{{#time: Y-m-d H:i | 2011-11-12 23:00 +02:00 }}", "2011-11-12 21:00"),
    ("en", "{{#time: j F Y | 31 January 2023 +1 week }}", "7 February 2023"),
    ("de", "{{#time: l, j. F Y | 2011-11-12 }}", "Samstag, 12. November 2011"),
    ("uk", "{{#time: j xg; F | 2011-11-12 }}", "12 листопада; листопад"),
    ("vi", "{{#time: F | 2011-11-12 }}", "tháng 11"),
    ("en", "{{#time: j F | 2011-11-12 | fr }}", "12 novembre"),
    ("en", "{{#time: xrY, xkY | 2011-11-12 }}", "MMXI, 2554"),
    ("en", "{{#language: de }} {{#language: de | fr }} {{#dir: he }}", "Deutsch allemand rtl"),
    ("en", "{{urlencode: a b&c }} {{urlencode: a b | WIKI }} {{bidi: x }}", "a+b%26c a_b x"),
    ("en", "{{#rel2abs: ../x | A/B }}", "A/x"),
    ("en", "{{PAGENAME}} {{PAGENAME: file: a b.png }} {{NAMESPACE: Category:X }}", "Ant (insect) A b.png Category"),
    ("fr", "{{NOMPAGE}} {{JOURACTUEL}} {{NOMMOISACTUEL}} {{ANNEELOCALE}}", "Ant (insect) 8 mars 2024"),
    ("en", "{{CURRENTDAYNAME}} {{CURRENTTIME}} {{CURRENTTIMESTAMP}}", "Friday 09:07 20240308090705"),
    ("ru", "{{grammar: genitive | Москва }} {{GRAMMAR: genitive}}.", "Москва."),
    ("tr", "{{ucfirst: iş }} {{lc: ISI }}", "İş ısı"),
    ("en", "{{CURRENTWEEK}} {{anchorencode: a b }} {{#formatdate: 2009-03-24 | mdy }}", "10 a_b March 24, 2009"),
    ("fr", "{{INITMAJUS: abc }} {{MINUS: ABC }}", "Abc abc"),
    ("de", "{{ns: 6 }} {{ns: Category }}", "Datei Kategorie"),
    ("zh", "-{zh-hans;zh-hant|甲}-乙-{zh-cn:丙-{丁}-; zh-tw:戊}-", "甲乙丙丁"),
]  # fmt: skip


@pytest.mark.parametrize(("language", "wikitext", "text"), CASES, ids=[f"{case[0]} {case[1][:40]}" for case in CASES])
def test_function(language, wikitext, text):
    cleaned = clean_wikitext(wikitext, language=language, title="Ant (insect)", timestamp=WHEN)
    assert (cleaned.text, cleaned.error) == (text, None)


@pytest.mark.parametrize("text", ["2011-02-30", "31:00", "13 Foo 2000", "the", "+99999999 years", "9" * 5000, "1 Jan 99999"])
def test_what_is_no_date(text):
    assert parse_date(text, WHEN) is None


def test_names_of_every_language_are_twelve_and_seven():
    for language in ("en", "de", "ltg", "zh", "ar", "he", "be-tarask", "als", "no", "simple", "xx", "sh", "zh-classical"):
        assert [len(names_of(kind, language)) for kind in ("months", "genitive", "short", "days", "short days")] == [
            12,
            12,
            12,
            7,
            7,
        ]


def test_languages_fall_back_once_each():
    assert chain("nah") == ("nah", "es", "en")
    assert magic_names("nah")["nombredepágina"] == "pagename"
    assert all(len(set(chain(code))) == len(chain(code)) for code in ("sh", "zh", "zh-my", "cdo", "xx"))
