"""report: one HTML file that says what the corpus says, asks nothing of anybody, and holds whatever a wiki's texts are."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_corpus import make_corpus, part_ids
from made_run import Stretch, change, windows_of, write
from test_written_before import MADE
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main
from raywiki.corpus import Manifest
from raywiki.report import report as report_module
from raywiki.training.evals import add_evals
from raywiki.training.metrics import append_metrics
from raywiki.training.runs import EVALS, METRICS

VOID = {"meta", "br", "link", "img", "hr", "input", "rect", "line", "path", "circle", "polyline"}
CHANCE = np.random.default_rng(0)
SCRIPT = "<script>alert('wiki')</script>"


class Page(HTMLParser):
    """A page as a browser takes it: its tags, attributes that lead somewhere, texts, and the cells of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.leads: list[tuple[str, str, str]] = []
        self.handlers: list[str] = []
        self.text, self.tables = "", list[list[list[str]]]()
        self.feed(html)
        self.close()
        assert self.open == [], "tags that are not closed"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.leads += [(tag, name, value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data

    def table(self, *heads: str) -> dict[str, dict[str, str]]:
        """The table that has these heads: of each row, by its first cell, the cells by their heads."""
        [found] = [rows for rows in self.tables if set(heads) <= set(rows[0])]
        return {row[0]: dict(zip(found[0], row, strict=True)) for row in found[1:]}


def page_of(corpus: object, **options) -> Page:
    return Page(Path(rw.report(corpus, **options).file).read_text())


@pytest.fixture(scope="module")
def copied(little, tmp_path_factory) -> Path:
    """A copy of the little corpus, with the run r1 of six steps over two parts."""
    return Path(shutil.copytree(little / "corpus", tmp_path_factory.mktemp("report") / "corpus"))


@pytest.fixture(scope="module")
def page(copied) -> Page:
    return page_of(copied, max_tokens=8)


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_funnel_is_that_of_the_manifests(copied, page):
    tables = rw.Corpus(copied).tables()
    rows = page.table("pages", "articles", "kept")
    for part, articles in tables["articles"].items():
        kept, tokens = tables["decisions"][part].counts["kept"], tables["tokens/encoding=small"][part].counts
        for head, number in (("pages", articles.counts["pages"]), ("kept", kept), ("tokens (small)", tokens["tokens"])):
            assert rows[part][head] == f"{number:,}"
    total = sum(each.counts["tokens"] for each in tables["tokens/encoding=small"].values())
    assert rows["all parts"]["tokens (small)"] == f"{total:,}"
    assert f"{total:,} tokens (small)" in page.text


def test_bytes_and_seconds_are_those_of_the_manifests(copied, page):
    [part, *_] = rw.Corpus(copied).manifests("articles")
    tables = rw.Corpus(copied).tables()
    size = sum(bytes_ for name in tables.names() for bytes_, _ in tables[name][part].files.values())
    [in_bytes, in_seconds] = [rows for rows in page.tables if "dedup index" in rows[0]]
    [row] = [row for row in in_bytes if row[0] == part]
    assert float(row[-1]) == pytest.approx(size / 1000, rel=0.01)  # kB
    [row] = [row for row in in_seconds if row[0] == part]
    assert float(row[1]) == pytest.approx(tables["articles"][part].seconds, rel=0.01)


def test_losses_are_those_of_the_metrics_and_of_the_stored_windows(copied, page):
    rows = page.table("loss (nats a token)", "bits per byte")
    newest = rw.scan_metrics(copied, "r1").collect().row(-1, named=True)["val_loss"]
    assert len(newest) == 2
    for each in newest:
        assert rows[each["part"]]["loss (nats a token)"] == f"{each['loss']:.3f}"
        assert rows[each["part"]]["bits per byte"] == f"{each['bpb']:.3f}"
    for row in rw.forgetting(copied, "r1").to_dicts():
        assert rows[row["part"]]["from"] == f"{row['low']:.3f}"
        assert f"{row['loss']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in page.text


def test_settings_versions_and_samples_are_there(copied, page):
    settings = [row for rows in page.tables if rows[0][:3] == ["table", "setting", "value"] for row in rows]
    assert ["decisions", "min_chars", "100", "2"] in settings
    assert page.table("what", "version")["raywiki that wrote this page"]["version"] == rw.__version__
    assert "torch" in page.table("what", "version")
    samples = page.table("after", "text")
    assert list(samples) == ["segment 1, step 6"]
    assert page.text.count("segment 1, step 6") == 3, "two texts, and the head of the matrix"


def test_samples_are_what_the_checkpoint_writes(copied, tmp_path):
    found = page_of(copied, to=tmp_path / "r.html", prompts=["Aa"], max_tokens=8)
    written = rw.sample(copied, "r1", "Aa", max_tokens=8, device="cpu").rstrip()
    assert found.table("after", "text")["segment 1, step 6"]["text"] == written
    silent = page_of(copied, to=tmp_path / "r.html", max_tokens=0)
    assert "There are no sample texts: none were asked for." in silent.text


def test_a_checkpoint_that_is_gone_is_told(copied, tmp_path):
    corpus = shutil.copytree(copied, tmp_path / "corpus")
    shutil.rmtree(corpus / "runs/r1/checkpoints")
    assert "none: its last checkpoint, of step 6, is gone" in page_of(corpus, max_tokens=8).text


# --- a file that needs nothing and holds anything --------------------------------------------------------------------


def test_it_asks_nothing_of_anybody(copied, page):
    assert {(tag, name) for tag, name, _ in page.leads} == {("a", "href")}
    assert all(value.startswith("https://creativecommons.org/licenses/") for *_, value in page.leads)
    assert page.handlers == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "form"} & set(page.tags)
    html = (copied / "report.html").read_text()
    assert "default-src 'none'" in html
    assert re.findall(r"url\((?!#)|@import|http-equiv=.refresh", html) == []


def test_a_drawing_has_words_for_who_does_not_see_it(page):
    assert page.tags.count("svg") >= 3
    assert page.tags.count("desc") == 2
    assert page.tags.count("figcaption") == page.tags.count("figure")


def test_the_same_corpus_gives_the_same_file(copied, page, tmp_path):
    before = (copied / "report.html").read_bytes()
    assert rw.report(copied, max_tokens=8).bytes == len(before)
    assert (copied / "report.html").read_bytes() == before
    assert list(copied.glob(".*")) == []
    assert rw.gc(copied, min_age=0).paths == ()


def test_what_a_wiki_writes_is_no_markup(tmp_path):
    corpus = rw.Corpus(tmp_path / SCRIPT.replace("/", "|"))
    notes = {"dropped_templates": {SCRIPT: 3}, "template_examples": {SCRIPT: {"article": SCRIPT, "sentence": f"{SCRIPT}&amp;"}}}
    pages = dict(pages=0, articles=0, redirects=0, other_namespaces=0, other_models=0, deleted=0, errors=0)
    corpus.commit(Manifest("articles", "p1", {"language": SCRIPT}, (), pages, notes={**notes, "wiki": SCRIPT}))
    found = page_of(corpus)
    assert "script" not in found.tags
    row = found.table("template", "first in")[SCRIPT]
    assert (row["dropped"], row["first in"], row["wikitext around it"]) == ("3", SCRIPT, f"{SCRIPT}&amp;")


def test_the_source_of_each_part_where_they_differ(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", 2)
    [one, two] = corpus.manifests("articles").values()
    assert "source" not in next(iter(page_of(corpus).table("part", "pages", "kept").values()))
    assert all("source" not in row for row in rw.status(corpus).parts)
    text = {"settings": {"language": "en", "format": "c4", "source": "c4"}, "source": {**two.source, "of": "c4"}}
    corpus.commit(replace(two, **text))
    funnel = page_of(corpus).table("part", "source", "pages", "kept")
    assert {part: row["source"] for part, row in funnel.items()} == {one.part: "wiki", two.part: "c4", "all parts": ""}
    assert funnel["all parts"]["pages"] == "20"
    assert {row["part"]: row["source"] for row in rw.status(corpus).parts} == {one.part: "wiki", two.part: "c4"}


def test_a_template_that_was_guessed_alone_is_none_that_was_dropped(tmp_path):
    corpus = rw.Corpus(tmp_path / "corpus")
    pages = dict(pages=0, articles=0, redirects=0, other_namespaces=0, other_models=0, deleted=0, errors=0)
    corpus.commit(Manifest("articles", "p1", {}, (), pages, notes={"dropped_templates": {}, "guessed_templates": {"phông": 2}}))
    assert "phông" not in page_of(corpus).text


def test_a_prompt_is_no_markup(copied, tmp_path):
    found = page_of(copied, to=tmp_path / "r.html", prompts=[SCRIPT], max_tokens=1)
    assert "script" not in found.tags
    assert SCRIPT in found.text


def test_a_report_that_fails_leaves_the_old_file(copied, page, monkeypatch):
    before = (copied / "report.html").read_bytes()
    monkeypatch.setattr(report_module, "render", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rw.report(copied, max_tokens=0)
    assert (copied / "report.html").read_bytes() == before
    assert list(copied.glob(".*")) == []


# --- corpora and runs of all kinds -----------------------------------------------------------------------------------


def test_no_run_and_no_part(tmp_path):
    (tmp_path / "empty").mkdir()
    found = page_of(tmp_path / "empty")
    assert "The corpus holds no part yet." in found.text
    assert "No run is told of here" in found.text
    made = page_of(make_corpus(tmp_path / "corpus"))
    assert "The corpus holds 3 parts: 30 pages, 30 articles, 30 kept (100 %), 300 tokens (made)." in made.text
    assert "No article was rejected." in made.text


def test_27_parts_in_four_segments(tmp_path):
    corpus = make_corpus(tmp_path / "corpus", 27)
    parts = part_ids(27)
    stretches, ends = [], {part: CHANCE.gamma(25, 4 / 25, 3) for part in parts}
    for number, known in enumerate((9, 15, 21, 27)):
        new = parts[(stretches and len(stretches[-1].end)) or 0 : known]
        begin = {part: ends[part] + 1 for part in new}
        stretches.append(Stretch(10, {part: ends[part] - 0.1 * number for part in parts[:known]}, 10 * number, begin))
    write(tmp_path / "corpus" / "runs" / "r1", stretches)
    summary = rw.report(corpus)
    assert (summary.parts, summary.runs, summary.samples) == (27, 1, 0)
    found = Page(Path(summary.file).read_text())
    assert len(found.table("pages", "kept")) == 28
    matrix = found.table("segment 4, step 40")
    assert len(matrix) == 27
    assert matrix[parts[-1]]["segment 1, step 10"] == "not learned from yet"
    assert "The last growth, segment 4, added 6 parts" in found.text
    assert "Fewer than 30 validation windows" in found.text
    assert found.tags.count("li") == 28, "the legend: each part, and training"


def test_a_long_run_is_thinned(tmp_path):
    """Of 100,000 steps the lowest and the highest point are still there, and the file is small."""
    run = write(tmp_path / "runs" / "r1", [Stretch(1, None, begin={"a": np.full(40, 9.0)}, parts=["a"])])
    change(run, 0, steps=100_000)
    add_evals(run.folder / EVALS, 0, "end", 100_000, windows_of({"a": np.full(40, 4.0)}))
    (run.folder / METRICS).unlink()
    losses = 4 + CHANCE.normal(0, 0.1, 100_000)
    losses[[77_777, 55_555]] = 7.5, 2.5
    lines = [
        {"step": step, "segment": 0, "tokens": 64 * step, "train_loss": float(loss), "tok_per_sec": 64.0}
        | ({"val_loss": {"a": float(loss)}} if step % 1000 == 0 else {})
        for step, loss in enumerate(losses, start=1)
    ]
    append_metrics(run.folder / METRICS, *lines)
    summary = rw.report(tmp_path)
    assert summary.bytes < 300_000
    html = Path(summary.file).read_text()
    [grey] = re.findall(r'<polyline class="line grey" points="([^"]*)"', html)
    points = [tuple(map(float, point.split(","))) for point in grey.split()]
    assert 900 < len(points) <= 1000
    assert len({x for x, y in points if y in (min(y for _, y in points), max(y for _, y in points))}) == 2
    assert "stands at step 100,000 of 100,000" in html
    assert "27.8 hours of training" in html


def test_several_runs_or_one_of_them(tmp_path):
    for name, lower in (("r1", 0.0), ("r2", 0.5)):
        write(tmp_path / "runs" / name, [Stretch(10, {"a": np.full(40, 4.0 - lower)}, begin={"a": np.full(40, 9.0)})])
    both, one = page_of(tmp_path), page_of(tmp_path, run="r2")
    assert {"Run r1", "Run r2"} <= set(re.findall(r"Run r\d", both.text))
    assert "now 4.000 nats a token on part a" in both.text
    assert "now 3.500 nats a token on part a" in one.text
    assert "run r1" not in one.text.lower()
    assert one.text.count("Run r2 ") == 1, "a single run needs no headings"
    assert both.table("run r1", "run r2")["a"]["difference"] == "-0.500"
    assert "run r2 won by 0.500 nats a token" in both.text
    assert "won by" not in one.text


def test_runs_that_cannot_be_compared_are_told(tmp_path):
    for name, seq_len in (("r1", 16), ("r2", 32)):
        write(tmp_path / "runs" / name, [Stretch(10, {"a": np.full(40, 4.0)}, begin={"a": np.full(40, 9.0)})], seq_len=seq_len)
    assert "runs r1 and r2 are not compared: run r1 has seq_len=16 and run r2 32" in page_of(tmp_path).text
    for number in range(5):
        write(tmp_path / "runs" / f"s{number}", [Stretch(10, {"a": np.full(40, 4.0)}, begin={"a": np.full(40, 9.0)})])
    found = page_of(tmp_path)
    assert "only 6 pairs of runs are compared here" in found.text
    assert len([rows for rows in found.tables if "difference" in rows[0]]) == 6


def test_what_growth_brought_and_what_was_forgotten(tmp_path):
    """Numbers that can be checked by head: 10 steps of 64 tokens and a second each; parts of 5,000 new tokens."""
    a, b = np.full(40, 4.0), np.full(40, 5.0)
    stretches = [
        Stretch(10, {"a": a}, begin={"a": a + 5}),
        Stretch(10, {"a": a + 0.25, "b": b - 1}, start=8, begin={"b": b}),
    ]
    write(tmp_path / "runs" / "r1", stretches)
    found = page_of(tmp_path)
    rows = found.table("role", "change per million new tokens")
    assert (rows["a"]["change"], rows["a"]["role"]) == ("+0.250", "again")
    assert (rows["b"]["change"], rows["b"]["role"]) == ("-1.000", "new")
    assert rows["b"]["change per million new tokens"] == "-200.000"
    assert "▲ +0.250 (+0.250 to +0.250)" in found.table("segment 2, step 18")["a"]["segment 2, step 18"]
    assert "Forgotten: part a" in found.text
    returns = found.table("fell per hour", "fell by")
    assert returns["b"]["fell by"] == "+1.000"
    assert float(returns["b"]["hours of training"]) == pytest.approx(5 / 3600, rel=0.01), "half of the second segment"
    assert float(returns["b"]["fell per hour"]) == pytest.approx(720, rel=0.01)
    assert "hours of training (with the decays that were left aside)" in found.text
    html = (tmp_path / "report.html").read_text()
    assert len(re.findall(r'class="line grey aside"', html)) == 1, "steps 8 to 10 of the first segment"


def test_a_part_with_other_tokens_is_not_compared_with_what_it_was(tmp_path):
    a, b = np.full(40, 4.0), np.full(40, 5.0)
    stretches = [Stretch(10, {"a": a}, begin={"a": a + 5}), Stretch(10, {"a": a, "b": b}, 10, begin={"a": a + 1, "b": b + 2})]
    run = write(tmp_path / "runs" / "r1", stretches)
    first, second = run.segments[1].parts
    change(run, 1, parts=(replace(first, digest="f" * 64), second))
    found = page_of(tmp_path)
    assert found.table("role", "change")["a"]["change"] == "-1.000", "with its new tokens, before and after"
    returns = found.table("fell per hour", "fell by")
    assert (returns["a"]["fell by"], returns["b"]["fell by"]) == ("–", "+2.000")


def test_a_run_that_has_just_begun_and_one_of_an_older_raywiki(tmp_path, monkeypatch):
    import tarfile

    write(tmp_path / "runs" / "r1", [Stretch(10, None, parts=["a"])])
    (tmp_path / "runs" / "r1" / METRICS).unlink()
    assert "there are no metrics of a run 'r1'" in page_of(tmp_path).text
    with tarfile.open(MADE) as tar:
        tar.extractall(tmp_path / "before", filter="data")
    without_ray(monkeypatch, tmp_path / "cache")
    found = page_of(tmp_path / "before" / "corpus", max_tokens=4)
    assert "has no stored evaluation yet" in found.text
    assert "Run r1 (nano, classic" in found.text
    assert "none: the segment has not come to its end, step 12" in found.text


# --- as a command ----------------------------------------------------------------------------------------------------


def test_the_command_prints_a_table_or_json(copied, tmp_path, capsys):
    for options, check in ((["--json"], json.loads), ([], str.splitlines)):
        with pytest.raises(SystemExit) as left:
            main(["report", str(copied), "--to", str(tmp_path / "new" / "r.html"), "--max-tokens", "0", *options])
        assert left.value.code == 0
        printed = check(capsys.readouterr().out)
        if options:
            assert printed["bytes"] == (tmp_path / "new" / "r.html").stat().st_size
            assert (printed["parts"], printed["runs"], printed["samples"]) == (2, 1, 0)
        else:
            assert printed[1].split() == ["bytes", "parts", "runs", "samples"]
            assert max(map(len, printed[1:])) <= 100


def test_it_writes_to_any_store(copied):
    import fsspec

    assert rw.report(copied, "memory://reports/r.html", max_tokens=0).file == "memory://reports/r.html"
    assert fsspec.filesystem("memory").cat_file("/reports/r.html").startswith(b"<!DOCTYPE html>")


def test_a_corpus_in_a_store_with_its_runs(tmp_path, monkeypatch):
    import fsspec

    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "cache"))
    write(Path(make_corpus(tmp_path / "corpus").root) / "runs" / "r1", [Stretch(5, {"a": np.ones(3)})])
    store = fsspec.filesystem("memory")
    store.put(str(tmp_path / "corpus"), "/of_report", recursive=True)
    summary = rw.report("memory://of_report")
    assert (summary.runs, summary.notes) == (1, ())
    found = Page(store.cat_file("/of_report/report.html").decode())
    assert len(found.table("pages", "kept")) == 4
    assert "Run r1" in found.text
