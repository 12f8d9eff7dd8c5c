"""Wrong input: one sentence on standard error that names what is wrong, and exit status 1."""

from __future__ import annotations

import bz2
import shutil

import raywiki as rw

EMPTY_WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo><sitename>X</sitename><dbname>xwiki</dbname><base>https://x.org/wiki/Main</base>
    <namespaces><namespace key="0" case="first-letter" /></namespaces></siteinfo>
</mediawiki>
"""


def fails(done, *fragments: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("raywiki: ")]
    assert len(sentences) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "unexpected" not in sentences[0]
    for fragment in fragments:
        assert fragment in sentences[0]


def test_no_such_file(command, tmp_path):
    fails(command("extract", tmp_path / "corpus", tmp_path / "nothing.xml.bz2"), "nothing.xml.bz2")


def test_not_a_dump(command, tmp_path):
    (tmp_path / "text.xml.bz2").write_bytes(bz2.compress(b"just some text\n" * 100))
    fails(command("extract", tmp_path / "corpus", tmp_path / "text.xml.bz2"), "text.xml.bz2")
    (tmp_path / "page.xml").write_text("<html><body>no dump</body></html>")
    fails(command("extract", tmp_path / "corpus", tmp_path / "page.xml"), "page.xml")


def test_a_truncated_dump(command, tmp_path, sample_parts):
    whole = sample_parts[0].read_bytes()
    cut = tmp_path / sample_parts[0].name
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    fails(command("extract", tmp_path / "corpus", cut), cut.name, "byte")
    assert rw.Corpus(tmp_path / "corpus").manifests("articles") == {}
    done = command("extract", tmp_path / "corpus", cut, "--allow-damaged")
    assert done.returncode == 0, done.stderr
    assert "warning" in done.stdout
    [manifest] = rw.Corpus(tmp_path / "corpus").manifests("articles").values()
    assert manifest.notes["gaps"]
    assert 0 < manifest.rows < 2000


def test_an_empty_wiki(command, tmp_path):
    (tmp_path / "xwiki-20260101-pages-articles.xml.bz2").write_bytes(bz2.compress(EMPTY_WIKI.encode()))
    done = command("extract", tmp_path / "corpus", tmp_path / "xwiki-20260101-pages-articles.xml.bz2")
    fails(done, "xwiki-20260101-pages-articles.xml.bz2", "no page")


def test_other_settings_than_the_committed_ones(command, undisturbed, sample_parts):
    fails(command("extract", undisturbed, sample_parts[0], "--language", "fr"), "language='en'", "language='fr'", "--overwrite")
    fails(command("curate", undisturbed, "--min-chars", 100), "min_chars=300", "min_chars=100", "--overwrite")
    fails(command("tokenize", undisturbed, "--val-fraction", 0.2), "val_fraction=0.05", "val_fraction=0.2", "--overwrite")


def test_another_file_of_the_same_part(command, undisturbed, sample_parts, tmp_path):
    other = tmp_path / sample_parts[0].name
    other.write_bytes(bz2.compress(bz2.decompress(sample_parts[0].read_bytes()).replace(b"the", b"THE")))
    fails(command("extract", undisturbed, other), "committed from another file", "--overwrite")


def test_pages_of_another_dump_of_the_same_wiki(command, undisturbed, sample_parts, tmp_path):
    newer = tmp_path / sample_parts[0].name.replace("20260101", "20260201")
    shutil.copy(sample_parts[0], newer)
    content = bz2.decompress(newer.read_bytes()).replace(b"<format>text/x-wiki</format>", b"<format>text/x-wiki</format>\n", 1)
    newer.write_bytes(bz2.compress(content))
    fails(command("extract", undisturbed, newer), "repeats pages", "new corpus")


def test_an_encoding_that_is_not_there(command, undisturbed, tmp_path):
    fails(command("tokenize", undisturbed, "--encoding", "gpt9"), "unknown encoding 'gpt9'", "gpt2")
    fails(command("tokenize", undisturbed, "--encoding", tmp_path / "no.json"), "no.json", "tokenizer train")


def test_the_vocabulary_of_gpt2_cannot_be_had(command, undisturbed, tmp_path):
    blocked = {"TIKTOKEN_CACHE_DIR": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = command("tokenize", undisturbed, "--encoding", "gpt2", **blocked)
    fails(done, "vocabulary of 'gpt2' cannot be had", "TIKTOKEN_CACHE_DIR", "raywiki tokenizer train")


def test_a_run_of_another_size(command, undisturbed):
    fails(command("train", undisturbed, "--run", "r1", "--size", "micro"), "run r1", "size=nano", "size=micro")
    fails(command("train", undisturbed, "--run", "r2", "--size", "huge"), "'huge'", "nano")


def test_verbs_out_of_order(command, tmp_path, undisturbed):
    fails(command("curate", tmp_path / "none"), "no corpus at")
    fails(command("sample", undisturbed, "--run", "nobody", "--prompt", "x"), "no run nobody")
    fails(command("train", undisturbed, "--run", "r3", "--encoding", "gpt2"), "no tokens of encoding 'gpt2'")


def test_wrong_usage_is_exit_status_2(command):
    assert command("extract").returncode == 2
    assert command("train", "corpus", "--steps", "many").returncode == 2
    assert command("nonsense").returncode == 2


def test_the_traceback_is_there_when_asked_for(command, tmp_path):
    done = command("curate", tmp_path / "none", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
