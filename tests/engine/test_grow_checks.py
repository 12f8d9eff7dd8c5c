"""What `grow` looks at before it works: each manifest once, the run's own encoding, all settings before the first dump."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_corpus import ENCODING, count_reads, make_corpus
from made_dumps import dump_xml

import raywiki as rw
from raywiki.corpus import Corpus, tokens_table
from raywiki.engine import cluster
from raywiki.engine import grow as grow_module
from raywiki.tokens import train_bpe
from raywiki.training import open_run, plan_segment
from raywiki.training.checkpoint import save_checkpoint
from raywiki.training.parts import part_tokens
from raywiki.training.runs import write_run


@pytest.fixture
def dump(tmp_path) -> Path:
    path = tmp_path / "xwiki-20260101-pages-articles1.xml-p1p19"
    path.write_bytes(dump_xml(["a text"] * 3))
    return path


@pytest.fixture
def no_ray(monkeypatch) -> None:
    def start() -> None:
        raise AssertionError("Ray was started")

    monkeypatch.setattr(cluster, "start", start)


def made_run(corpus: Corpus, name: str = "r1") -> None:
    """A run that has learned from all parts to the end of its segment."""
    manifests = corpus.manifests(tokens_table(ENCODING))
    settings = next(iter(manifests.values())).settings
    made_with = {key: settings[key] for key in ("encoding", "vocabulary", "vocab_size")}
    run = open_run(Path(corpus.path("runs", name)), **made_with, seq_len=8)
    plan = plan_segment(run, [part_tokens(manifest) for manifest in manifests.values()], steps=5)
    write_run(plan.run)
    save_checkpoint(run.folder / "checkpoints", 5, {}, {})


def test_a_grow_of_27_parts_that_has_nothing_to_do_reads_each_manifest_once(tmp_path, dump, no_ray, monkeypatch):
    data = dump.read_bytes()
    source = {"name": dump.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    made_run(make_corpus(tmp_path / "corpus", 27, source=source))
    reads = count_reads(monkeypatch)
    summary = rw.grow(tmp_path / "corpus", dump, "r1")
    assert summary.committed == ()
    assert summary.train.state == "unchanged"
    assert len(reads) == 27 * 6
    assert set(reads.values()) == {1}


def test_a_run_knows_its_encoding(tmp_path, dump, no_ray):
    """With two encodings in a corpus, nobody must name the one that the run has."""
    corpus = make_corpus(tmp_path / "corpus", 2)
    made_run(corpus)
    manifest = corpus.manifests(tokens_table(ENCODING))["xwiki-20260101-p1p19"]
    corpus.commit(replace(manifest, table=tokens_table("other"), settings={**manifest.settings, "encoding": "other"}))
    with pytest.raises(ValueError, match="committed from another file"):  # of the dump, which comes after the encoding
        rw.grow(corpus, dump, "r1")
    with pytest.raises(ValueError, match="has several encodings"):
        rw.grow(corpus, dump, "r2")
    corpus.put(corpus.path(tokens_table("other"), "vocabulary.json"), train_bpe(["some words to learn"] * 9, 260))
    with pytest.raises(ValueError, match="run r1 has encoding=made, not encoding=other"):
        rw.grow(corpus, dump, "r1", encoding="other")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"size": "gpt2"}, "run r1 has size=nano, not size=gpt2"),
        ({"lr": 3e4}, "lr=30000 is no learning rate"),
        ({"device": "gpu"}, "there is no device 'gpu'"),
        ({"num_workers": 0}, "num_workers=0 makes no sense"),
        ({"min_chars": 7}, "min_chars=500, not min_chars=7"),
        ({"rules": ["gopherr"]}, "gopherr"),
        ({"threshold": 5}, "threshold is 5"),
        ({"val_fraction": 2}, "val_fraction is 2"),
        ({"encoding": "no.json"}, "no vocabulary file no.json"),
        ({"format": "csv"}, "there is no format 'csv'"),
        ({"format": "text", "wiki": "xwiki:1"}, "format='text' would be that of the parts of xwiki:1 too, which are dumps"),
        ({"source": "a=b"}, "source='a=b' is no name of a source"),
        ({"keep_errors": True}, "keep_errors=False, not keep_errors=True"),
    ],
)
def test_what_is_wrong_is_said_before_a_dump_is_read(tmp_path, no_ray, settings, sentence):
    corpus = make_corpus(tmp_path / "corpus", 2)
    made_run(corpus)
    with pytest.raises(ValueError, match=sentence):
        rw.grow(corpus, tmp_path / "there is no such dump.bz2", "r1", **settings)


def test_templates_for_text_that_is_no_dump_are_refused_before_the_work(tmp_path, no_ray):
    made_run(make_corpus(tmp_path / "corpus", 2))
    text = tmp_path / "mails.jsonl"
    text.write_text('{"text": "An ox."}\n')
    with pytest.raises(ValueError, match="templates is for dumps, and none of these files is one"):
        rw.grow(tmp_path / "corpus", text, "r1", templates="own")


def test_every_setting_of_extract_and_curate_reaches_it(tmp_path, dump, no_ray, monkeypatch):
    made_run(make_corpus(tmp_path / "corpus", 2))
    given: dict[str, Any] = {}

    def stopped(*_, **options):
        given.update(options)
        raise InterruptedError

    monkeypatch.setattr(grow_module, "extract", stopped)
    settings = dict(language="xx", templates="own", format="dump", source="moss", allow_damaged=True, overwrite=True)
    with pytest.raises(InterruptedError):
        rw.grow(tmp_path / "corpus", dump, "r1", **settings)
    assert given == settings
    monkeypatch.setattr(grow_module, "extract", lambda *_, **__: None)
    monkeypatch.setattr(grow_module, "curate", stopped)
    with pytest.raises(InterruptedError):
        rw.grow(tmp_path / "corpus", dump, "r1", keep_errors=True, min_words=5, overwrite=True)
    assert (given["keep_errors"], given["min_words"]) == (True, 5)


def test_a_folder_of_texts_is_counted_as_one_file_with_all_its_bytes(tmp_path, no_ray, monkeypatch, capsys):
    made_run(make_corpus(tmp_path / "corpus", 2))
    (tmp_path / "books" / "old").mkdir(parents=True)
    for name, text in (("a.txt", "a" * 700), ("old/b.txt", "b" * 300), ("notes.md", "c" * 5000)):
        (tmp_path / "books" / name).write_text(text)
    new = []
    monkeypatch.setattr(grow_module, "needs", lambda *given: new.append(given[5]) or [])

    def stopped(*_, **__):
        raise InterruptedError

    monkeypatch.setattr(grow_module, "extract", stopped)
    with pytest.raises(InterruptedError):
        rw.grow(tmp_path / "corpus", tmp_path / "books", "r1")
    assert f"grow {tmp_path / 'corpus'}: extract, 1 file\n" in capsys.readouterr().err
    assert new[:2] == [1000, 1000]


def test_a_misspelt_option_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match="train has no option 'stepps': it has accept_new_tokens, "):
        rw.grow(tmp_path / "corpus", "x.bz2", "r1", stepps=3)
