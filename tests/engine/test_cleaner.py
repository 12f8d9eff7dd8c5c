"""The cleaner of a corpus is a setting: written down when it is not raywiki's own, and kept."""

from __future__ import annotations

import bz2
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "dumps"))
from made_dumps import dump_xml

import raywiki as rw
from raywiki.corpus import Corpus

PAGE = "Cao {{convert|5|m}}, [[Tập_tin:a.jpg|nhỏ|b]] [[Thể loại:C]]"


def settings_and_texts(corpus: Path) -> tuple[list[dict], list[str]]:
    manifests = Corpus(corpus).manifests("articles").values()
    return [each.settings for each in manifests], rw.scan_articles(corpus).collect()["text"].to_list()


def test_the_cleaner_travels_with_the_corpus(ray_session, tmp_path):
    corpus = tmp_path / "corpus"
    parts = [tmp_path / f"viwiki-20260101-pages-articles{i}.xml-p{10 * i}p{10 * i + 1}.bz2" for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        part.write_bytes(bz2.compress(dump_xml([PAGE, PAGE], first_id=10 * i)))
    rw.extract(corpus, parts[0])
    settings, [text, _] = settings_and_texts(corpus)
    assert settings == [{"language": "vi"}]
    ours, theirs = text, "Cao ,  C"
    assert ours.startswith("Cao 5 ")
    rw.extract(corpus, parts[0], cleaner="raywiki")  # what it is anyway
    with pytest.raises(ValueError, match=r"cleaner='raywiki', not cleaner='mwparserfromhell'.*--overwrite"):
        rw.extract(corpus, parts[0], cleaner="mwparserfromhell")
    with pytest.raises(ValueError, match=r"of this corpus .*cleaner='raywiki', not cleaner='mwparserfromhell'"):
        rw.extract(corpus, parts[1], cleaner="mwparserfromhell")
    assert settings_and_texts(corpus) == (settings, [ours] * 2)

    rw.extract(corpus, parts[0], cleaner="mwparserfromhell", overwrite=True)
    chosen = {"language": "vi", "cleaner": "mwparserfromhell"}
    assert settings_and_texts(corpus) == ([chosen], [theirs] * 2)
    assert rw.extract(corpus, parts[0]).committed == ()
    rw.extract(corpus, parts)  # a new part is cleaned as the first one
    assert settings_and_texts(corpus) == ([chosen] * 2, [theirs] * 4)
    assert rw.inspect_templates(corpus).to_dict()["rows"][0]["template"] == "convert"

    rw.extract(corpus, parts, cleaner="raywiki", overwrite=True)
    assert settings_and_texts(corpus) == ([{"language": "vi"}] * 2, [ours] * 4)


def test_an_unknown_cleaner_is_found_before_any_work(tmp_path, command):
    with pytest.raises(ValueError, match=r"unknown cleaner 'html': it is raywiki or mwparserfromhell"):
        rw.extract(tmp_path / "corpus", tmp_path / "nothing.xml.bz2", cleaner="html")
    assert not (tmp_path / "corpus").exists()
    done = command("extract", tmp_path / "corpus", tmp_path / "nothing.xml.bz2", "--cleaner", "html")
    assert done.returncode == 1
    assert done.stderr.strip() == "raywiki: unknown cleaner 'html': it is raywiki or mwparserfromhell"
