"""remove takes parts out whole, whatever interrupts it; gc says what it leaves."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from made_corpus import make_corpus, make_run, part_ids

import raywiki as rw
from raywiki.corpus import Corpus


@pytest.fixture
def corpus(tmp_path) -> Path:
    make_run(make_corpus(tmp_path / "corpus", 3), "r1", part_ids(2))
    return tmp_path / "corpus"


def files(corpus: Path) -> set[str]:
    return {str(path.relative_to(corpus)) for path in corpus.rglob("*") if path.is_file()}


def test_a_part_is_taken_out_of_all_tables(corpus):
    first, second, third = part_ids(3)
    before = files(corpus)
    planned = rw.remove(corpus, [second], dry_run=True)
    assert files(corpus) == before
    done = rw.remove(corpus, second)
    assert files(corpus) == {path for path in before if second not in path}
    assert done.parts == planned.parts
    assert (done.runs, done.redo) == (planned.runs, planned.redo) == ({"r1": [second]}, (third,))
    assert "1 part would be removed" in str(planned)
    assert "run r1 learned from part" in str(done)
    states = {row["part"]: row["state"] for row in rw.status(corpus).parts}
    assert states[first] == "ok"
    assert "stale" in states[third]


def test_unknown_parts_remove_nothing(corpus):
    before = files(corpus)
    with pytest.raises(ValueError, match=rf"has no part p9: its parts are {', '.join(part_ids(3))}"):
        rw.remove(corpus, [part_ids(1)[0], "p9"])
    with pytest.raises(ValueError, match="no part to remove is named"):
        rw.remove(corpus, [])
    assert files(corpus) == before


def test_an_interrupted_remove_is_completed_by_the_next(tmp_path, monkeypatch):
    """Interrupted before each of its steps in turn: no reader meets a manifest without files, and the rest is removed."""
    part = part_ids(3)[1]
    make_corpus(tmp_path / "whole", 3)
    for step in range(100):
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "whole", folder)
        with monkeypatch.context() as patch:
            opened = Corpus(folder)
            left = [step]
            for name in ("rm_file", "rm"):
                patch.setattr(opened.fs, name, _raise_after(left, getattr(opened.fs, name)))
            try:
                rw.remove(opened, part)
                break
            except KeyboardInterrupt:
                pass
        tables = Corpus(folder).tables()
        held = [name for name in tables.names() if part in tables.parts(name)]
        assert held == tables.names()[: len(held)], "downstream tables go first"
        assert all(tables.is_whole(tables[name][part]) for name in held)
        assert rw.remove(folder, part).parts[0]["part"] == part
        assert not [path for path in files(folder) if part in path]
    assert step == 12, "six manifests, six folders"


def _raise_after(left: list[int], real):
    def remove(*arguments, **options):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(*arguments, **options)

    return remove


def test_gc_says_why_it_leaves_files(corpus):
    for name, age in {"old": 7200, "young": 60}.items():
        path = corpus / "articles" / f"part={name}" / "00000-aa.parquet"
        path.parent.mkdir()
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    planned = rw.gc(corpus, dry_run=True)
    done = rw.gc(corpus)
    assert [Path(path).parent.name for path in done] == ["part=old"]
    assert (len(done), done.young) == (len(planned), planned.young) == (1, 1)
    printed = " ".join(str(done).split())
    assert "left 1 file younger than an hour" in printed
    assert "--min-age 0 removes them too" in printed
    assert str(rw.gc(corpus, min_age=0)).endswith("1 file removed, 0.0 MB")
    with pytest.raises(ValueError, match="min_age is -1"):
        rw.gc(corpus, min_age=-1)
