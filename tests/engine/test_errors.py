"""Wrong input: one sentence on standard error that names what is wrong, and exit status 1. See `test_wrong_usage` too."""

from __future__ import annotations

import bz2
import subprocess
import sys
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main

EMPTY_WIKI = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <siteinfo><sitename>X</sitename><dbname>xwiki</dbname><base>https://x.org/wiki/Main</base>
    <namespaces><namespace key="0" case="first-letter" /></namespaces></siteinfo>
</mediawiki>
"""


@pytest.fixture
def typed(monkeypatch, tmp_path, capsys):
    """Run the `raywiki` command in this process, without Ray: its exit status, standard output and standard error."""
    without_ray(monkeypatch, tmp_path / "cache")

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(each) for each in arguments])
        return (left.value.code, *capsys.readouterr())

    return run


def fails(done: tuple[int, str, str], *fragments: str) -> None:
    status, _, errors = done
    assert status == 1, errors
    sentences = [line for line in errors.splitlines() if line.startswith("raywiki: ")]
    assert len(sentences) == 1, errors
    assert "Traceback" not in errors
    assert "unexpected" not in sentences[0]
    for fragment in fragments:
        assert fragment in sentences[0]


def test_not_a_dump(typed, tmp_path):
    (tmp_path / "text.xml.bz2").write_bytes(bz2.compress(b"just some text\n" * 100))
    fails(typed("extract", tmp_path / "corpus", tmp_path / "text.xml.bz2"), "text.xml.bz2")
    (tmp_path / "page.xml").write_text("<html><body>no dump</body></html>")
    fails(typed("extract", tmp_path / "corpus", tmp_path / "page.xml"), "page.xml")


def test_a_truncated_dump(typed, tmp_path, sample_parts):
    whole = sample_parts[0].read_bytes()
    cut = tmp_path / sample_parts[0].name
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    fails(typed("extract", tmp_path / "corpus", cut), cut.name, "byte")
    assert rw.Corpus(tmp_path / "corpus").manifests("articles") == {}
    status, printed, errors = typed("extract", tmp_path / "corpus", cut, "--allow-damaged")
    assert status == 0, errors
    assert "warning" in printed
    [manifest] = rw.Corpus(tmp_path / "corpus").manifests("articles").values()
    assert manifest.notes["gaps"]
    assert 0 < manifest.rows < 2000


def test_an_empty_wiki(typed, tmp_path):
    (tmp_path / "xwiki-20260101-pages-articles.xml.bz2").write_bytes(bz2.compress(EMPTY_WIKI.encode()))
    done = typed("extract", tmp_path / "corpus", tmp_path / "xwiki-20260101-pages-articles.xml.bz2")
    fails(done, "xwiki-20260101-pages-articles.xml.bz2", "no page")


def test_pages_of_another_dump_of_the_same_wiki(typed, little, tmp_path):
    first = min((little / "dumps").iterdir())
    newer = tmp_path / first.name.replace("20260101", "20260201")
    content = bz2.decompress(first.read_bytes()).replace(b"<format>text/x-wiki</format>", b"<format>text/x-wiki</format>\n", 1)
    newer.write_bytes(bz2.compress(content))
    fails(typed("extract", little / "corpus", newer), "repeats pages", "new corpus")


def test_several_settings_that_differ(typed, little):
    done = typed("curate", little / "corpus", "--min-chars", 7, "--min-words", 3)
    fails(done, "min_chars=100", "min_chars=7", "--overwrite")


# --- real processes --------------------------------------------------------------------------------------------------


def raywiki(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The installed command, as a shell runs it."""
    command = [str(Path(sys.executable).with_name("raywiki")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_process_says_one_line_and_has_exit_status_1(tmp_path):
    done = raywiki("curate", tmp_path / "none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (f"raywiki: no corpus at {tmp_path}/none: make one with `raywiki extract {tmp_path}/none DUMP…`\n")


def test_the_traceback_is_there_when_asked_for(tmp_path):
    done = raywiki("curate", tmp_path / "none", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_wrong_usage_is_exit_status_2():
    assert raywiki("extract").returncode == 2
