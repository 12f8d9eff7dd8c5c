"""Files in one step: the old content or the new, never a mixture and nothing beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from raywiki import files


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "part.bz2"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.put(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["part.bz2"]
    assert path.read_bytes() == b"old"


class Drive(MemoryFileSystem):
    """A file system like sftp or smb: a file is seen while it grows, and a name that is taken is not given again."""

    protocol = "sftp"
    store: ClassVar[dict] = {}
    pseudo_dirs: ClassVar[list] = [""]
    how_it_refuses: ClassVar[str] = "with an error"

    def mv(self, path1: str, path2: str, *_: object, **__: object) -> None:
        if self.exists(path2):
            if self.how_it_refuses == "with an error":
                raise RuntimeError("550 name is taken")
            return
        self.pipe_file(path2, self.cat_file(path1))
        self.rm_file(path1)


@pytest.mark.parametrize("how", ["with an error", "in silence"])
def test_a_file_that_would_be_seen_while_it_grows_is_written_beside(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Drive, "how_it_refuses", how)
    drive = Drive(skip_instance_cache=True)
    drive.store.clear()
    for content in (b"old", b"new"):
        with files.replacing(drive, "/folder/part") as temporary:
            assert temporary != "/folder/part"
            drive.pipe_file(temporary, content)
            assert not drive.exists("/folder/part") or drive.cat_file("/folder/part") == b"old"
        assert drive.cat_file("/folder/part") == content
    assert drive.find("/folder") == ["/folder/part"]


@pytest.mark.parametrize(
    ("protocol", "whole"),
    [(("s3", "s3a"), True), (("gs", "gcs"), True), ("abfs", True), ("memory", False), ("file", False), (("sftp", "ssh"), False),
     ("smb", False), ("ftp", False), ("webhdfs", False), ("hdfs", False), ("github", False), ("jupyter", False)],
)  # fmt: skip
def test_only_object_stores_publish_a_file_when_it_is_closed(protocol: object, whole: bool) -> None:
    store = type("Store", (), {"protocol": protocol})()
    assert files.publishes_at_close(store) is whole
