"""Ranges of any size and streams of any number: the verb gives the same rows in the same order."""

from __future__ import annotations

import bz2
import hashlib
import random
import re
import sys
from itertools import pairwise
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "dumps"))
from made_dumps import HEAD, TAIL, cut_at, many_streams, one_stream, page_xml, wiki_xml
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.dumps import split_dump
from raywiki.engine import extract_plan

NAME = "viwiki-20260101-pages-articles1.xml-p1p80.bz2"


def extract_rows(folder: Path, data: bytes, range_bytes: int, monkeypatch) -> tuple[list[tuple], int]:
    """Rows of the articles table in its order, and the number of ranges; the driver makes these for all workers."""
    folder.mkdir()
    (folder / NAME).write_bytes(data)
    monkeypatch.setattr(extract_plan, "split_dump", lambda path: split_dump(path, range_bytes))
    rw.extract(folder / "corpus", folder / NAME)
    [manifest] = Corpus(folder / "corpus").manifests("articles").values()
    assert manifest.counts["errors"] == manifest.notes["sha1_mismatches"] == 0
    return rw.scan_articles(folder / "corpus").collect().rows(), len(split_dump(str(folder / NAME), range_bytes))


def made_xml() -> bytes:
    """80 pages; some take several blocks and, with small ranges, several ranges."""
    rng, pages = random.Random(2), ""
    for i in range(1, 81):
        text = "".join(rng.choices("abc <>&\"'\n=[]{}|ăệЖ漢", k=rng.choice([0, 50, 800, 9000])))
        pages += page_xml(i, text, namespace=6 if i % 11 == 0 else 0, redirect="Page 1" if i % 7 == 0 else None)
    return (HEAD + pages + TAIL).encode()


def test_rows_do_not_depend_on_ranges_or_streams(ray_session, tmp_path, monkeypatch):
    xml = made_xml()
    pieces = cut_at(xml, range(1500, len(xml), 3000))
    single, multi = one_stream(pieces), many_streams(pieces)
    tables, counts = [], []
    for data, range_bytes in [(single, 1 << 30), (single, 30_000), (single, 4000), (multi, 9000), (xml, len(xml) // 3)]:
        rows, n_ranges = extract_rows(tmp_path / str(len(tables)), data, range_bytes, monkeypatch)
        tables.append(rows)
        counts.append(n_ranges)
    assert all(table == tables[0] for table in tables)
    ids = [row[0] for row in tables[0]]
    assert ids == [i for i in range(1, 81) if i % 7 and i % 11]
    assert counts[0] == 1
    assert len(set(counts)) == len(counts)
    assert max(counts) > 30


def test_a_real_part_as_one_stream_and_as_one_for_each_twenty_pages(ray_session, shared_data, tmp_path, monkeypatch):
    single = next(shared_data.glob("enwiki*articles1*.bz2")).read_bytes()
    xml = bz2.decompress(single)
    begins = [match.start() for match in re.finditer(b"  <page>", xml)]
    places = [0, *begins[::20], xml.rindex(b"</mediawiki>"), len(xml)]
    multi = b"".join(bz2.compress(xml[a:b]) for a, b in pairwise(places))
    assert bz2.decompress(multi) == xml
    small, n_ranges = extract_rows(tmp_path / "small", single, 100_000, monkeypatch)
    assert n_ranges == 6
    assert len(small) == xml.count(b"<ns>0</ns>") - xml.count(b"<redirect ")
    assert extract_rows(tmp_path / "multi", multi, 150_000, monkeypatch)[0] == small
    assert extract_rows(tmp_path / "whole", single, 1 << 30, monkeypatch)[0] == small


def test_a_whole_wiki_with_its_own_templates_is_the_same_on_ray(ray_session, tmp_path, monkeypatch):
    """Two tasks for each range, each in any process, and what the first one keeps is read by the other."""
    pages = [page_xml(i, f"{{{{name {i % 9}}}}} and a word, " * 60) for i in range(1, 60)]
    pages += [page_xml(i, f"definition {i}", title=f"Bản mẫu:Name {i % 7}", namespace=10) for i in range(60, 80)]
    xml = wiki_xml(pages)
    dump = tmp_path / "viwiki-20260101-pages-articles.xml.bz2"
    dump.write_bytes(many_streams(cut_at(xml, range(2000, len(xml), 4000))))
    monkeypatch.setattr(extract_plan, "split_dump", lambda path: split_dump(path, 1024))
    assert len(split_dump(str(dump), 1024)) > 3
    rw.extract(tmp_path / "ray", dump)
    rw.collect_templates(dump, to=tmp_path / "ray.parquet")
    without_ray(monkeypatch, tmp_path / "cache")
    rw.extract(tmp_path / "here", dump)
    [ray], [here] = (Corpus(tmp_path / name).manifests("articles").values() for name in ("ray", "here"))
    assert (ray.digest, ray.templates) == (here.digest, here.templates)
    assert ray.templates[1] == hashlib.sha256((tmp_path / "ray.parquet").read_bytes()).hexdigest()
    assert not list(tmp_path.rglob("*.arrow"))
