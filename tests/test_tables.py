"""What verbs read before their work: each manifest once, whatever hangs on it; and what they say of a part that lacks one."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_corpus import ENCODING, TOKENS, commit, count_reads, make_corpus, make_run, part_ids

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.files import file_sha256
from raywiki.manifest import MANIFEST, TABLES, Manifest, Shard, tokens_table

N_PARTS = 27


@pytest.fixture(scope="module")
def large(tmp_path_factory, sample_parts) -> Path:
    """27 parts in every table, of which the first is the sample wiki's first dump part. Do not write to it."""
    dump = sample_parts[0]
    source = {"name": dump.name, "bytes": dump.stat().st_size, "sha256": file_sha256(str(dump))}
    folder = tmp_path_factory.mktemp("large") / "corpus"
    make_corpus(folder, N_PARTS, source)
    return folder


@pytest.fixture
def small(tmp_path) -> Path:
    make_corpus(tmp_path / "corpus", 3)
    return tmp_path / "corpus"


def verbs(corpus: Path, dump: Path) -> dict[str, object]:
    return {
        "status": lambda: rw.status(corpus),
        "curate": lambda: rw.curate(corpus),
        "tokenize": lambda: rw.tokenize(corpus),
        "extract": lambda: rw.extract(corpus, dump),
    }


@pytest.mark.parametrize("verb", ["status", "curate", "tokenize", "extract"])
def test_each_manifest_is_read_once(verb, large, sample_parts, monkeypatch):
    reads = count_reads(monkeypatch)
    done = verbs(large, sample_parts[0])[verb]()
    assert "nothing to do" in str(done) or {row["state"] for row in done.parts} == {"ok"}
    assert set(reads.values()) == {1}
    assert len(reads) == {"extract": 1, "curate": 5}.get(verb, 6) * N_PARTS


def test_several_verbs_on_one_corpus_read_each_manifest_once(large, sample_parts, monkeypatch):
    """As `grow` calls them; what another process commits between two of them is seen."""
    reads, corpus = count_reads(monkeypatch), Corpus(large)
    for verb in verbs(corpus, sample_parts[0]).values():
        verb()
    assert set(reads.values()) == {1}
    assert len(reads) == 6 * N_PARTS


def test_a_corpus_sees_what_another_process_commits(small):
    ours, theirs, part = Corpus(small), Corpus(small), part_ids(4)[-1]
    before = ours.manifests("articles")
    commit(theirs, "articles", part, {}, before[part_ids(1)[0]].counts, {})
    assert list(ours.manifests("articles")) == part_ids(4)
    changed = commit(theirs, "articles", part, {"language": "fr"}, before[part_ids(1)[0]].counts, {})
    assert ours.manifests("articles")[part] == changed
    shutil.rmtree(small / changed.folder)
    assert ours.manifests("articles") == before


def test_tables_are_of_one_moment_and_know_their_own_commits(small, monkeypatch):
    tables = Corpus(small).tables()
    first, second, _ = part_ids(3)
    counts = tables["articles"][first].counts
    other = commit(Corpus(small), "articles", first, {"language": "fr"}, counts, {})
    assert not tables.is_stale(tables["decisions"][first])
    monkeypatch.setattr(Corpus, "read_manifests", lambda *_: pytest.fail("read again"))
    tables.enter(other)
    assert tables.is_stale(tables["decisions"][first])
    assert not tables.is_stale(tables["signatures"][second])
    monkeypatch.undo()
    assert tables.refresh("articles")[first] == other


def test_a_manifest_that_cannot_be_read_is_no_missing_part(small, monkeypatch):
    corpus = Corpus(small)

    def fails(path, *_, **__):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(corpus.fs, "cat_file", fails)
    with pytest.raises(PermissionError, match=MANIFEST):
        corpus.manifests("articles")


def test_stale_goes_down_a_chain_of_any_length(tmp_path):
    corpus, upstream = Corpus(tmp_path / "corpus"), dict[str, str]()
    for number in range(1500):
        made = Manifest("signatures", f"p{number}", {}, (), {"articles": 0}, upstream=upstream)
        path = tmp_path / "corpus" / made.folder / MANIFEST
        path.parent.mkdir(parents=True)
        path.write_bytes(made.to_json())
        upstream = {made.folder: made.digest}
    tables = corpus.tables()
    assert not tables.is_stale(tables["signatures"]["p1499"])
    (tmp_path / "corpus/signatures/part=p0" / MANIFEST).unlink()
    assert corpus.is_stale(made)


def test_status_of_many_parts_is_quick(large):
    """The time is for people to read; only what would be a different kind of work fails."""
    started = time.monotonic()
    assert len(rw.status(large).parts) == N_PARTS
    print(f"status of {N_PARTS} parts: {time.monotonic() - started:.2f} s")


# --- a part that lacks something -------------------------------------------------------------------------------------


def test_removed_articles_are_what_every_verb_speaks_of(small, sample_parts):
    part = part_ids(3)[1]
    shutil.rmtree(small / "articles" / f"part={part}")
    told = rf"articles of part {part} are gone.*extract the part again, or .*`raywiki remove .*corpus {part}`"
    for verb in (rw.curate, rw.tokenize):
        with pytest.raises(ValueError, match=told):
            verb(small)
    status = rw.status(small)
    [row] = [row for row in status.parts if row["part"] == part]
    assert row["state"] == "articles gone"
    assert f"raywiki remove {small} {part}" in " ".join(status.problems)
    rw.remove(small, part)
    assert part not in str(rw.status(small).parts)
    assert rw.status(small).problems == ()


def test_the_state_says_what_the_next_verb_has_to_do(small):
    def states() -> list[str]:
        return [row["state"] for row in rw.status(small).parts]

    third = part_ids(3)[-1]
    assert states() == ["ok", "ok", "ok"]
    shutil.rmtree(small / tokens_table(ENCODING) / f"part={third}")
    assert states() == ["ok", "ok", "not tokenized"]
    for table in ("decisions", "pairs", "bands", "signatures"):
        shutil.rmtree(small / table / f"part={third}")
    assert states() == ["ok", "ok", "not curated"]
    shutil.rmtree(small / "tokens")
    assert states() == ["not tokenized", "not tokenized", "not curated"]
    assert str(rw.status(small)).splitlines()[0] == f"corpus at {small}"


def test_tables_of_status_fit_a_hundred_columns(small):
    for encoding in ("a_rather_long_name_of_an_encoding", "another_long_name_of_an_encoding"):
        commit(Corpus(small), tokens_table(encoding), part_ids(1)[0], {}, TOKENS, {})
    printed = str(rw.status(small)).splitlines()[1:]
    assert max(map(len, printed)) <= 100
    assert any(part_ids(3)[2] in line for line in printed)


# --- notes -----------------------------------------------------------------------------------------------------------


def test_long_notes_lie_beside_the_manifest(small):
    corpus, part = Corpus(small), part_ids(1)[0]
    old = corpus.manifests("articles")[part]
    details = {"dropped_templates": {"navbox": 3}, "template_examples": {}}
    made = corpus.commit(old, details)
    assert made.digest == old.digest
    assert b"navbox" not in (small / made.folder / MANIFEST).read_bytes()
    assert corpus.read_details(corpus.manifests("articles")[part]) == details
    assert rw.gc(small, min_age=0).paths == ()
    [file] = (small / made.folder).glob("_notes-*.json")
    corpus.commit(made, {"dropped_templates": {}})
    assert not file.exists()
    [file] = (small / made.folder).glob("_notes-*.json")
    file.unlink()
    assert not corpus.tables().is_whole(corpus.manifests("articles")[part])
    with pytest.raises(ValueError, match=r"_notes-.*json is damaged or missing: remove it and run `raywiki extract` again"):
        rw.inspect_templates(small)


def test_texts_that_differ_from_their_sha1_are_a_note_and_no_problem(small):
    """Also in a manifest of the raywiki that called it a warning."""
    corpus, part = Corpus(small), part_ids(1)[0]
    old = corpus.manifests("articles")[part]
    warning = f"part {part}: the text of 655 pages does not match its SHA-1 (column sha1_ok)"
    body = json.loads((small / old.folder / MANIFEST).read_text())
    body["notes"] |= {
        "sha1_mismatches": 655,
        "warnings": [warning, f"part {part}: 1 articles were only stripped (column error)"],
    }
    (small / old.folder / MANIFEST).write_text(json.dumps(body))
    status = rw.status(small)
    assert status.problems == ()
    assert any(
        "655 pages of part" in note and "differs from the SHA-1" in note and 'filter(pl.col("sha1_ok"))' in note
        for note in status.notes
    )
    assert any("only stripped" in note for note in status.notes)


def test_several_wikis_in_one_corpus_are_remarked(small):
    counts = Corpus(small).manifests("articles")[part_ids(1)[0]].counts
    commit(Corpus(small), "articles", "viwiki-20260101", {}, counts, {}, notes={"wiki": "viwiki"})
    assert rw.status(small).notes[0].startswith("this corpus holds parts of 2 wikis: viwiki (1 part), xwiki (3 parts)")


def test_tokenize_warns_of_parts_that_cannot_be_judged(tmp_path):
    """None at all, of so large a part that more can be had, and too few of one that is too small for more."""
    none = {**TOKENS, "train_documents": 10, "val_documents": 0, "tokens": 10**6, "train_tokens": 10**6, "val_tokens": 0}
    make_corpus(tmp_path / "corpus", 2, tokens=none)
    small, large = part_ids(2)
    summary = rw.tokenize(tmp_path / "corpus")
    assert summary.warnings == (
        f"too little validation text in part {large} to judge a run by: 0 windows of 256 tokens, where the interval of a loss "
        "needs about 30; --val-fraction 0.013 with --overwrite would do; what a run has learned from by then cannot judge it",
        f"too little validation text in part {small} to judge a run by: 1 window of 256 tokens, where the interval of a loss "
        "needs about 30; there is too little text for so many: judge by all parts together",
    )
    assert "warning: too little validation text" in str(summary)


def test_the_val_fraction_that_would_do():
    """By the hash that chooses the pages: so many windows come out, give or take, and none where they are enough already."""
    from raywiki.engine.tokens import SEQ_LEN, _few_windows, _share_for
    from raywiki.intervals import ENOUGH
    from raywiki.tokens.table import splits

    pages = np.arange(1, 4001)

    def tokens(share: float) -> Manifest:
        val = 100 * splits(pages, share).count("val")
        counts = {**TOKENS, "documents": len(pages), "val_tokens": val, "train_tokens": 100 * len(pages) - val}
        return Manifest("tokens", "p1", {"val_fraction": share}, (), counts)

    for share in (0.0, 0.002, 0.01):
        enough = _share_for(ENOUGH * SEQ_LEN, tokens(share))
        assert enough > share
        assert tokens(enough).counts["val_tokens"] == pytest.approx(ENOUGH * SEQ_LEN, rel=0.25)
        assert len(_few_windows([tokens(share)])) == 1
    assert _few_windows([tokens(0.05)]) == []


def test_tokenize_notes_an_encoding_made_for_another_language(small):
    from raywiki.engine.tokens import _notes

    corpus = Corpus(small)
    badly = TOKENS | {"characters": 130}
    done = [commit(corpus, tokens_table(ENCODING), part_ids(1)[0], {"val_fraction": 0.1}, badly, {})]
    [note] = _notes(corpus, done, "gpt2")
    assert "gpt2 makes a token of every 1.3 characters" in note
    assert f"raywiki tokenizer train {small} --to FILE" in note
    assert _notes(corpus, done, None) == []


# --- wrong values and places -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rules": ["gopherr"]}, r"no rule is called 'gopherr': there are .*gopher_quality"),
        ({"threshold": 5}, "threshold is 5, it must lie between 0.5 and 1"),
        ({"fraction": 0}, "fraction is 0, it must be above 0 and at most 1"),
        ({"fraction": float("nan")}, "fraction is nan, it must be above 0"),
        ({"min_chars": -1}, "min_chars is -1, it must not be negative"),
        ({"min_words": -1}, "min_words is -1, it must not be negative"),
        ({"ngram_size": 0}, "ngram_size is 0, it must be at least 1"),
        ({"num_bands": 0}, "num_bands is 0, it must be at least 1"),
        ({"rows_per_band": -3}, "rows_per_band is -3, it must be at least 1"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_wrong_values_are_named_before_settings_are_compared(given, sentence, overwrite, small):
    with pytest.raises(ValueError, match=sentence):
        rw.curate(small, **given, overwrite=overwrite)


@pytest.mark.parametrize("val_fraction", [-0.1, 1, 5, float("nan")])
def test_a_wrong_val_fraction_is_named_before_settings_are_compared(val_fraction, small):
    with pytest.raises(ValueError, match=rf"val_fraction is {val_fraction}, it must be at least 0 and below 1"):
        rw.tokenize(small, val_fraction=val_fraction)


def test_a_wrong_language_is_named_before_the_dump_is_read(tmp_path):
    with pytest.raises(ValueError, match="language='English' is no language code"):
        rw.extract(tmp_path / "corpus", tmp_path / "no.bz2", language="English")


def test_a_corpus_that_is_a_file_or_below_one_is_found_before_the_dump_is_read(tmp_path, sample_parts, monkeypatch):
    from raywiki.engine import extract_plan

    monkeypatch.setattr(extract_plan, "read_siteinfo", lambda *_: pytest.fail("the dump was read"))
    (tmp_path / "file").write_text("no corpus")
    for place in (tmp_path / "file", tmp_path / "file" / "corpus"):
        with pytest.raises(NotADirectoryError, match=rf"nothing can be written to {place}, as {tmp_path / 'file'} is a file"):
            rw.extract(place, sample_parts[0])
    for verb in (rw.curate, rw.tokenize, rw.status, rw.gc):
        with pytest.raises(OSError, match="file is a file and no corpus"):
            verb(tmp_path / "file")


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(small, tmp_path, sample_parts, monkeypatch):
    import os

    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and real(path, mode))
    told = "cannot be written to: choose another place"
    for verb in (rw.curate, rw.tokenize, rw.gc, lambda corpus: rw.remove(corpus, part_ids(1))):
        with pytest.raises(PermissionError, match=told):
            verb(small)
    for place in (small, tmp_path / "new" / "corpus"):
        with pytest.raises(PermissionError, match=told):
            rw.extract(place, sample_parts[0])
    with pytest.raises(PermissionError, match=told):
        rw.train_tokenizer(small, to=str(tmp_path / "new.json"))
    assert {row["state"] for row in rw.status(small).parts} == {"ok"}
    assert rw.gc(small, dry_run=True).paths == ()


def test_a_vocabulary_that_cannot_be_written_is_not_trained(small, tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder: give the name of a file"):
        rw.train_tokenizer(small, to=str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is a file: choose another place"):
        rw.train_tokenizer(small, to=str(tmp_path / "file" / "new.json"))


# --- runs ------------------------------------------------------------------------------------------------------------


def test_curate_says_before_the_work_which_runs_it_cuts_off(small, capsys, monkeypatch):
    from raywiki.engine import curate

    first, second, third = part_ids(3)
    for run, parts in {"r1": [first, third], "r2": ["elsewhere"]}.items():
        make_run(Corpus(small), run, parts)
    assert Corpus(small).runs_that_know([third, second]) == {"r1": [third]}
    monkeypatch.setattr(curate, "sign", lambda *_: pytest.fail("at work"))
    with pytest.raises(pytest.fail.Exception):
        rw.curate(small, min_chars=9, overwrite=True)
    told = capsys.readouterr().err
    assert f"raywiki: warning: run r1 learned from parts {first}, {third}, whose decisions are made anew" in told
    assert "r2" not in told
    with pytest.raises(pytest.fail.Exception):
        rw.curate(small, overwrite=True)
    assert capsys.readouterr().err == ""


def test_table_names_are_in_the_order_in_which_they_are_made(small):
    assert Corpus(small).tables().names() == [*TABLES, tokens_table(ENCODING)]


def test_a_refresh_reads_only_what_is_new(small, monkeypatch):
    tables = Corpus(small).tables()
    assert len(tables["articles"]) == 3
    commit(Corpus(small), "articles", "p9", {}, tables["articles"][part_ids(1)[0]].counts, {})
    reads = count_reads(monkeypatch)
    assert len(tables.refresh("articles")) == 4
    assert [path.split("/")[-2] for path in reads.elements()] == ["part=p9"]


def test_seconds_are_those_of_the_part_alone(small, monkeypatch):
    """Whatever parts are made beside it in the same call."""
    from raywiki.engine import tokens

    first, second, _ = part_ids(3)
    for part in (first, second):
        shutil.rmtree(small / tokens_table(ENCODING) / f"part={part}")
    took = {first: 20.0, second: 3.0}

    def run(function, items, **told):
        for i, (part, _) in enumerate(items):
            content = b"encoded"
            Corpus(small).put(str(small / part.folder / "s.parquet"), content)
            shard = Shard("s.parquet", 10, len(content), "")
            yield i, tokens._Encoded(shard, Counter(TOKENS), took[part.articles.part], "tokenizers")

    monkeypatch.setattr(tokens, "run", run)
    assert rw.tokenize(small).committed == (first, second)
    made = Corpus(small).manifests(tokens_table(ENCODING))
    assert {part: made[part].seconds for part in took} == took


@pytest.mark.parametrize("command", [["gc"], ["remove", "--dry-run", part_ids(1)[0]], ["status"]])
def test_the_commands_print_lines_or_json(command, small, capsys):
    from raywiki.cli import main

    verb, *rest = command
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main([verb, str(small), *rest, *more])
        assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["corpus"] == str(small)


def test_settings_are_checked_for_a_corpus_that_is_not_there_yet(tmp_path, small):
    """What `grow` asks before it extracts for an hour."""
    from raywiki.engine.curate import curate_settings
    from raywiki.engine.tokens import tokens_settings

    new = Corpus(tmp_path / "new").tables()
    assert curate_settings(new, ["c4"], threshold=0.9, min_chars=9)[0]["min_chars"] == 9
    with pytest.raises(ValueError, match="threshold is 5"):
        curate_settings(new, threshold=5)
    with pytest.raises(ValueError, match=r"no vocabulary file .*no\.json"):
        tokens_settings(new, str(tmp_path / "no.json"))
    with pytest.raises(ValueError, match="min_chars=500, not min_chars=9"):
        curate_settings(Corpus(small).tables(), min_chars=9)
    name, _, settings = tokens_settings(Corpus(small).tables())
    assert (name, settings["val_fraction"]) == (ENCODING, 0.005)
    assert not (tmp_path / "new").exists()


def test_a_manifest_with_its_notes_inside_is_read(tmp_path):
    """As raywiki wrote it at a3e6777, but for most of its templates."""
    content = Path(__file__).with_name("manifest_of_a3e6777.json").read_bytes()
    made = Manifest.from_json(content, "old")
    path = tmp_path / "corpus" / made.folder / MANIFEST
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert made.to_json() == content
    [first, second] = rw.inspect_templates(tmp_path / "corpus").rows
    assert (first["template"], first["dropped"], first["article"]) == ("Infobox programming class", 399, "typing.Annotated")
    assert second["sentence"]
    [row] = rw.status(tmp_path / "corpus").parts
    assert (row["articles"], row["state"]) == (864, "not curated")
