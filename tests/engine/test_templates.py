"""A wiki's own templates: from its dumps into one file, into a corpus, and from there to the cleaner of every part."""

from __future__ import annotations

import bz2
import re
from pathlib import Path

import polars as pl
import pytest
from made_dumps import page_xml, wiki_xml
from verbs_here import run_here, without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.dumps import split_dump
from raywiki.engine import extract, extract_dumps, extract_plan, templates
from raywiki.manifest import MANIFEST
from raywiki.wikitext import CleanText, clean_wikitext
from raywiki.wikitext import table as wikitext_table

USE = re.compile(r"\{\{([^{}]*)\}\}")


def use_templates(text, *, templates=None, examples=None, **_):
    """A cleaner that can do one thing: put the definition in the place of a use."""
    counts = {"dropped": {}, "failed": {}, "guessed": {}}

    def put(match):
        text = templates.text(match[1]) if templates is not None else None
        kind = match[1] if match[1] in counts else "dropped" if text is None else None
        if kind:
            counts[kind][match[1]] = counts[kind].get(match[1], 0) + 1
            examples.setdefault(match[1], {"article": "some", "sentence": match[0]})
        return "" if kind else text

    clean = USE.sub(put, text)
    error = "ValueError: odd" if "odd" in clean else None
    return CleanText(clean, [], counts["dropped"], False, error, counts["failed"], counts["guessed"])


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """Verbs without Ray, dumps in many ranges, and the cleaner above."""
    without_ray(monkeypatch, tmp_path / "cache")
    monkeypatch.setitem(wikitext_table.CLEANERS, "raywiki", use_templates)
    for module in (extract_plan, templates):
        monkeypatch.setattr(module, "split_dump", lambda path: split_dump(path, 1500))


def template_page(page_id, name, text="", redirect=None):
    target = None if redirect is None else f"Bản mẫu:{redirect}"
    return page_xml(page_id, text, title=f"Bản mẫu:{name}", namespace=10, redirect=target)


ARTICLES = [
    page_xml(1, "{{nhà}} {{unknown}}"),
    page_xml(2, "{{house}} {{nhà}}" + " word" * 400),
    page_xml(3, "{{failed}} {{guessed}}"),
]
TEMPLATES = [
    template_page(4, "Nhà", "a house" + "." * 2000),
    template_page(5, "House", redirect="Nhà"),
    template_page(6, "Loop", redirect="Pool"),
    template_page(7, "Pool", redirect="Loop"),
    template_page(8, "Unknown/x", "{{#invoke: Convert |main}}"),
    page_xml(9, "return 1", title="Mô đun:Convert", namespace=828),
]


def whole_wiki(folder: Path, pages=(*ARTICLES, *TEMPLATES), name="viwiki-20260101-pages-articles.xml", wiki="viwiki") -> Path:
    path = folder / name
    path.write_bytes(wiki_xml(pages, wiki))
    return path


def two_parts(folder: Path) -> list[Path]:
    """The same wiki in two parts; templates of each are used in the other."""
    pages = [[ARTICLES[0], TEMPLATES[1]], [page_xml(11, "{{house}}"), TEMPLATES[0]]]
    names = [f"viwiki-20260101-pages-articles{i}.xml-p{i}p{i}9" for i in (1, 2)]
    return [whole_wiki(folder, pages[i], names[i]) for i in (0, 1)]


def texts(corpus: Path) -> list[str]:
    return rw.scan_articles(corpus).sort("page_id").collect()["text"].to_list()


def manifests(corpus: Path):
    return list(Corpus(corpus).manifests("articles").values())


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_wiki_brings_its_own(tmp_path):
    dump, corpus = whole_wiki(tmp_path), tmp_path / "corpus"
    assert len(extract_plan.split_dump(str(dump))) > 4
    summary = rw.extract(corpus, dump)
    house = "a house" + "." * 2000
    assert texts(corpus) == [house + " ", f"{house} {house}" + " word" * 400, " "]
    [manifest] = manifests(corpus)
    assert manifest.settings == {"language": "vi", "templates": "own"}
    assert set(manifest.files) | {MANIFEST} == {Path(name).name for name in files(corpus)}, "what was kept ahead is gone"
    assert rw.scan_templates(corpus).select("name", "redirect", "wiki").collect().rows() == [
        ("house", "nhà", "viwiki"), ("loop", "pool", "viwiki"), ("nhà", None, "viwiki"), ("pool", "loop", "viwiki"),
        ("unknown/x", None, "viwiki"),
    ]  # fmt: skip
    assert [text for text in summary.warnings if "failed ×1" in text], summary.warnings
    assert rw.extract(corpus, dump).committed == ()
    assert rw.status(corpus, verify=True).problems == ()
    assert rw.gc(corpus, min_age=0).paths == ()


def test_real_definitions_from_the_dump_to_the_text(tmp_path, monkeypatch):
    """A local name of the namespace, a redirect, a box, a module that is known by its name, and one that is refused."""
    monkeypatch.setitem(wikitext_table.CLEANERS, "raywiki", clean_wikitext)
    pages = [
        page_xml(1, "{{Hộp|x}}Dài {{dặm dài|10}}, {{Bản mẫu:chào|ai}}, {{hỏng|1|2}} và {{lạ|a=1}}.", title="Sông"),
        template_page(2, "Đo dặm", "{{#invoke:Convert|convert|{{{1}}}|mi|km|abbr=on}}<noinclude>{{Hộp}}</noinclude>"),
        template_page(3, "Dặm dài", redirect="Đo dặm"),
        template_page(4, "Hộp", '<div class="navbox">{{{1}}}</div>'),
        template_page(5, "Chào", "{{#switch:{{{1}}}|b=c|#default=xin chào {{{1|}}}}}"),
        template_page(6, "Hỏng", "{{#switch:" + "{{{" * 200 + "}}"),
        page_xml(7, "return 1", title="Mô đun:Convert", namespace=828),
    ]
    corpus = tmp_path / "corpus"
    summary = rw.extract(corpus, whole_wiki(tmp_path, pages))
    assert texts(corpus) == ["Dài 10 mi (16 km), xin chào ai, và."]
    assert [text for text in summary.warnings if "Hỏng" in text or "hỏng" in text], summary.warnings
    rows = rw.scan_articles(corpus).select("dropped_templates").collect().rows()
    assert {each["name"] for each in rows[0][0]} == {"Hộp", "hỏng", "lạ"}
    assert not [text for text in summary.notes if "--templates own" in text]


def test_a_whole_wiki_without_its_own_templates_is_told_how_to_have_them(tmp_path):
    dump, corpus = whole_wiki(tmp_path), tmp_path / "corpus"
    for summary in (rw.extract(corpus, dump, templates="none"), rw.extract(corpus, dump)):
        [note] = [text for text in summary.notes if "--templates own --overwrite" in text]
        assert len(note) < 130
    summary = rw.extract(corpus, dump, templates="own", overwrite=True)
    assert not [text for text in summary.notes if "--templates own" in text]
    one_of_two = rw.extract(tmp_path / "other", two_parts(tmp_path)[0])
    assert not [text for text in one_of_two.notes if "--templates own" in text]


def test_the_collected_file_holds_the_same_bytes_as_the_own_one(tmp_path):
    dump, corpus, file = whole_wiki(tmp_path), tmp_path / "corpus", tmp_path / "made.parquet"
    rw.extract(corpus, dump)
    summary = rw.collect_templates(dump, to=file)
    assert (summary.definitions, summary.redirects, summary.left_out, summary.repeated) == (2, 3, 0, 0)
    assert summary.sha256 == manifests(corpus)[0].templates[1]
    assert "2 definitions and 3 redirects of viwiki" in str(summary)
    assert rw.scan_templates(file).filter(pl.col("name") == "nhà").collect()["text"].str.starts_with("a house").all()


def test_parts_in_any_order_give_one_file(tmp_path):
    parts, one, two = two_parts(tmp_path), tmp_path / "one.parquet", tmp_path / "two.parquet"
    rw.collect_templates(parts, to=one)
    rw.collect_templates(parts[::-1], to=str(two))
    assert one.read_bytes() == two.read_bytes()
    packed = tmp_path / "again.xml.bz2"
    packed.write_bytes(bz2.compress(parts[0].read_bytes()))
    rw.collect_templates([parts[1], packed, parts[0]], to=two)  # a page that comes twice
    assert one.read_bytes() == two.read_bytes()


def test_a_file_of_templates_stays_with_the_corpus(tmp_path):
    parts, file, corpus = two_parts(tmp_path), tmp_path / "vi.parquet", tmp_path / "corpus"
    rw.collect_templates(parts, to=file)
    rw.extract(corpus, parts[0], templates=file)
    file.unlink()
    rw.extract(corpus, parts)
    assert [text[:7] for text in texts(corpus)] == ["a house"] * 2
    one, two = manifests(corpus)
    assert one.settings == two.settings
    assert files(corpus)[one.templates[0]]
    at_once = tmp_path / "at once"
    rw.collect_templates(parts, to=file)
    rw.extract(at_once, parts[::-1], templates=file)
    assert [each.digest for each in manifests(at_once)] == [one.digest, two.digest]
    assert rw.gc(corpus, min_age=0).paths == ()
    rw.remove(corpus, [one.part, two.part])
    assert len(rw.gc(corpus, min_age=0).paths) == 1


def test_a_part_has_none_unless_the_wikis_other_parts_have(tmp_path):
    parts, corpus = two_parts(tmp_path), tmp_path / "corpus"
    rw.extract(corpus, parts[0])
    assert [each.settings for each in manifests(corpus)] == [{"language": "vi"}]
    other = whole_wiki(tmp_path, [page_xml(31, "{{house}}")], "xwiki-20260101-pages-articles1.xml-p31p39", "xwiki")
    file = tmp_path / "x.parquet"
    rw.collect_templates(whole_wiki(tmp_path, TEMPLATES, "xwiki-20260101-pages-articles.xml", "xwiki"), to=file)
    rw.extract(corpus, other, templates=file)
    rw.extract(corpus, parts)
    assert ["templates" in each.settings for each in manifests(corpus)] == [False, False, True]


def test_another_file_is_another_setting(tmp_path):
    parts, one, two, corpus = two_parts(tmp_path), tmp_path / "1.parquet", tmp_path / "2.parquet", tmp_path / "corpus"
    rw.collect_templates(parts, to=one)
    rw.collect_templates(parts[:1], to=two)
    rw.extract(corpus, parts[0], templates=one)
    before = files(corpus)
    for given in (two, "none", "own"):
        with pytest.raises(ValueError, match=r"committed with templates='\w{64}', not templates='\w+': .*--overwrite"):
            rw.extract(corpus, parts[0], templates=given)
        with pytest.raises(ValueError, match=r"articles of this corpus are committed with templates='\w{64}'"):
            rw.extract(corpus, parts[1], templates=given)
    assert files(corpus) == before
    rw.extract(corpus, parts[0], templates=two, overwrite=True)
    assert texts(corpus) == [" "]
    assert [Path(path).stem for path in rw.gc(corpus, min_age=0).paths] == [
        Path(one_of).stem for one_of in before if "templates/" in one_of
    ]


def test_a_wiki_that_was_extracted_without_templates_stays_so(tmp_path):
    dump, corpus = whole_wiki(tmp_path), tmp_path / "corpus"
    rw.extract(corpus, dump, templates="none")
    [manifest] = manifests(corpus)
    assert (manifest.settings, manifest.templates) == ({"language": "vi"}, None)
    assert rw.extract(corpus, dump).committed == ()
    assert rw.scan_templates(corpus).collect().height == 0
    assert {row["defined"] for row in rw.inspect_templates(corpus).rows} == {None}
    rw.extract(corpus, dump, templates="own", overwrite=True)
    assert texts(corpus)[0].startswith("a house")


def test_a_wiki_without_templates_has_the_shards_that_it_has_anyway(tmp_path):
    dump = whole_wiki(tmp_path, ARTICLES)
    rw.extract(tmp_path / "own", dump)
    rw.extract(tmp_path / "none", dump, templates="none")
    [own], [none] = manifests(tmp_path / "own"), manifests(tmp_path / "none")
    assert [shard.sha256 for shard in own.shards] == [shard.sha256 for shard in none.shards]
    assert own.counts == none.counts
    assert (own.settings["templates"], own.templates) == ("own", None)


def test_what_is_no_file_of_the_wikis_templates_is_refused_before_any_work(tmp_path):
    parts, corpus, bad = two_parts(tmp_path), tmp_path / "corpus", tmp_path / "bad.parquet"
    good = tmp_path / "good.parquet"
    rw.collect_templates(parts, to=good)

    def refuse(file, sentence, error=ValueError, **options):
        with pytest.raises(error, match=sentence):
            rw.extract(corpus, parts[0], templates=file, **options)
        assert not corpus.exists()

    refuse(
        tmp_path / "no.parquet", r"no file of templates at .*no.parquet: make one with `raywiki templates", FileNotFoundError
    )
    refuse(parts[0], "is no file of templates")
    rows = pl.read_parquet(good)
    rows.drop("redirect").write_parquet(bad)
    refuse(bad, "has no column 'redirect' of text")
    rows.reverse().write_parquet(bad)
    refuse(bad, "its names are not sorted, or one comes twice: 'house' stands behind 'nhà'")
    pl.concat([rows, rows]).sort("name").write_parquet(bad)
    refuse(bad, "one comes twice: 'house'")
    refuse(good, "the cleaner 'mwparserfromhell' knows no templates", cleaner="mwparserfromhell")
    rw.collect_templates(whole_wiki(tmp_path, TEMPLATES, "x.xml", "xwiki"), to=bad)
    refuse(bad, "bad.parquet holds the templates of xwiki, but .* is a dump of viwiki")
    with pytest.raises(ValueError, match=r"x.xml is a dump of xwiki, not of viwiki"):
        rw.collect_templates([parts[0], tmp_path / "x.xml"], to=bad)
    with pytest.raises(ValueError, match="holds no template"):
        rw.collect_templates(whole_wiki(tmp_path, ARTICLES), to=tmp_path / "none.parquet")
    assert not (tmp_path / "none.parquet").exists()
    rows.write_parquet(bad)  # one's own, which does not say of which wiki it is
    rw.extract(corpus, parts[0], templates=bad)
    assert texts(corpus)[0].startswith("a house")


def test_a_lost_copy_is_told_and_can_be_given_again(tmp_path):
    parts, file, corpus = two_parts(tmp_path), tmp_path / "vi.parquet", tmp_path / "corpus"
    rw.collect_templates(parts, to=file)
    rw.extract(corpus, parts[0], templates=file)
    copy = corpus / manifests(corpus)[0].templates[0]
    copy.write_bytes(copy.read_bytes()[:-1] + b"x")
    assert [text for text in rw.status(corpus, verify=True).problems if "is not what its name says" in text]
    copy.unlink()
    assert [text for text in rw.status(corpus).problems if "is missing, with which parts were cleaned" in text]
    with pytest.raises(ValueError, match="is gone, with which the corpus was cleaned: give its file again"):
        rw.extract(corpus, parts)
    assert len(manifests(corpus)) == 1
    rw.extract(corpus, parts[0], templates=file)  # nothing to do but that
    assert copy.read_bytes() == file.read_bytes()


def test_a_part_whose_own_templates_are_lost_is_made_again(tmp_path):
    dump, corpus = whole_wiki(tmp_path), tmp_path / "corpus"
    rw.extract(corpus, dump)
    before = files(corpus)
    (corpus / manifests(corpus)[0].templates[0]).unlink()
    assert rw.extract(corpus, dump).committed == ("viwiki-20260101",)
    assert files(corpus).keys() == before.keys()


def test_pages_that_were_kept_and_are_gone_are_read_again(tmp_path, monkeypatch):
    """A task may be done again after it has removed them: its machine fell silent before its answer was there."""
    dump = whole_wiki(tmp_path)
    rw.extract(tmp_path / "corpus", dump)
    monkeypatch.setattr(extract_dumps, "keep_pages", lambda fs, path, tables: list(tables) and None)
    rw.extract(tmp_path / "again", dump)
    assert [each.digest for each in manifests(tmp_path / "again")] == [each.digest for each in manifests(tmp_path / "corpus")]


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("task", ["_read_range_ahead", "_extract_range"])
def test_a_call_that_ends_in_the_middle_leaves_no_part_and_the_next_one_does_it(task, killed, tmp_path, monkeypatch):
    """Interrupted it removes the pages that it kept; killed it cannot, and the next call does."""
    dump, corpus = whole_wiki(tmp_path), tmp_path / "corpus"

    def interrupted(function, items, **told):
        for i, result in run_here(function, items):
            if i == 2 and function.__name__ == task:
                raise KeyboardInterrupt
            yield i, result

    with monkeypatch.context() as patch:
        patch.setattr(extract, "run", interrupted)
        if killed:
            patch.setattr(extract, "_remove", lambda url: None)
        with pytest.raises(KeyboardInterrupt):
            rw.extract(corpus, dump)
    assert any(name.endswith(".arrow") for name in files(corpus)) == killed
    assert manifests(corpus) == []
    rw.extract(corpus, dump)
    rw.extract(tmp_path / "undisturbed", dump)
    assert files(corpus).keys() == files(tmp_path / "undisturbed").keys()
    assert manifests(corpus)[0].digest == manifests(tmp_path / "undisturbed")[0].digest


def test_a_damaged_wiki_stops_no_other_one(tmp_path):
    good, corpus = whole_wiki(tmp_path), tmp_path / "corpus"
    bad = whole_wiki(tmp_path, [*TEMPLATES, page_xml(91, "{{nhà}}")], "xwiki-20260101-pages-articles.xml", "xwiki")
    whole = bad.read_bytes()
    bad.write_bytes(whole[: whole.index(b"{{#invoke")])
    with pytest.raises(ValueError, match=r"xwiki-20260101-pages-articles\.xml is damaged"):
        rw.extract(corpus, [bad, good])
    assert [each.part for each in manifests(corpus)] == ["viwiki-20260101"]
    assert not any(name.endswith(".arrow") for name in files(corpus))
    rw.extract(corpus, bad, allow_damaged=True)
    assert rw.scan_templates(corpus).filter(pl.col("wiki") == "xwiki").collect()["name"].to_list() == [
        "house",
        "loop",
        "nhà",
        "pool",
    ]
    with pytest.raises(ValueError, match="is damaged"):
        rw.collect_templates(bad, to=tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()
    assert rw.collect_templates(bad, to=tmp_path / "x.parquet", allow_damaged=True).definitions == 1


def test_inspect_tells_what_the_dump_defines(tmp_path):
    uses = "{{failed}} {{guessed}} {{guessed}} {{dropped}} {{loop}}"
    pages = [page_xml(1, uses), template_page(2, "Dropped", redirect="To"), template_page(3, "To", "{{ #invoke:Số liệu|a}}")]
    pages += [template_page(4, "Failed", "text"), template_page(5, "Loop", redirect="Loop")]
    corpus = tmp_path / "corpus"
    rw.extract(corpus, whole_wiki(tmp_path, pages))
    found = rw.inspect_templates(corpus)
    rows = {row.pop("template"): row for row in map(dict, found.rows)}
    told = {
        name: tuple(row[key] for key in ("dropped", "guessed", "failed", "defined", "module")) for name, row in rows.items()
    }
    assert told == {
        "guessed": (0, 2, 0, False, None),
        "failed": (0, 0, 1, True, None),
        "dropped": (1, 0, 0, True, "Số liệu"),
        "loop": (1, 0, 0, False, None),
    }
    assert all(row["sentence"] for row in rows.values())
    assert (found.total, found.guessed, found.failed) == (2, 2, 1)
    assert found.to_dict()["rows"] == found.rows
    lines = str(found).splitlines()
    assert lines[0] == "2 template uses dropped, 2 guessed, 1 failed"
    assert lines[1].split() == ["template", "dropped", "guessed", "failed", "defined", "module", "first", "in"]
    assert max(map(len, lines)) <= 100


def test_a_page_that_could_not_be_cleaned_is_left_out(tmp_path):
    dump, corpus = whole_wiki(tmp_path, [page_xml(1, "odd"), page_xml(2, "even")]), tmp_path / "corpus"
    rw.extract(corpus, dump)
    rw.curate(corpus, min_chars=0)
    decided = rw.scan_decisions(corpus).sort("page_id").select("keep", "reason").collect().rows()
    assert decided == [(False, "error"), (True, None)]
    with pytest.raises(ValueError, match="keep_errors=False, not keep_errors=True"):
        rw.curate(corpus, keep_errors=True)
    assert rw.curate(corpus, keep_errors=True, overwrite=True).notes == ()
    [decisions] = Corpus(corpus).manifests("decisions").values()
    assert "keep_errors" not in decisions.settings, "as decisions have it that were made before there was the rule"
    assert decisions.counts["kept"] == 2
    later = rw.curate(corpus)
    assert later.committed == ()
    assert any("1 article of part viwiki-20260101 could not be cleaned and may be kept" in note for note in later.notes)
    rw.curate(corpus, keep_errors=False, overwrite=True)
    assert rw.scan_documents(corpus).collect()["page_id"].to_list() == [2]
