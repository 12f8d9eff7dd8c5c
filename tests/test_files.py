"""Files in one step: the old content or the new, never a mixture and nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from raywiki import files


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "part.bz2"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.put(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["part.bz2"]
    assert path.read_bytes() == b"old"
