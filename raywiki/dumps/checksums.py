"""Checksums of dump files: a file's own, and what a list that Wikimedia publishes beside its dumps says that it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from raywiki.dumps.source import Source, filesystem, retry

# Best first. `SHA256SUMS` comes with content file exports, `<wiki>-<date>-sha1sums.txt` with the older dumps.
_LISTS = (
    ("sha256", "SHA256SUMS"),
    ("sha256", "*-sha256sums.txt"),
    ("sha1", "*-sha1sums.txt"),
    ("sha1", "sha1sums.txt"),
)
_PIECE_BYTES = 8 << 20


def dump_digests(path: str, algorithms: Sequence[str] = ("sha256",)) -> dict[str, str]:
    """Digests (hex) of a file at a path or URL, read once; a network's faults are waited out, as where its pages are read.

    Raises:
        FileNotFoundError: there is no such file.
        ConnectionError: a server did not answer after several attempts.
    """
    hashes = {name: hashlib.new(name) for name in algorithms}
    with Source(path) as source:
        size, at = source.size(), 0
        while at < size and (data := source.read(at, min(_PIECE_BYTES, size - at))):
            at += len(data)
            for each in hashes.values():
                each.update(data)
    return {name: each.hexdigest() for name, each in hashes.items()}


def listed_digest(path: str) -> tuple[str, str, str] | None:
    """What a checksum list in the same folder says of a file: (algorithm, hex digest, path of the list), or None.

    Lines are `<digest>  <name>`, as sha256sum and sha1sum write and check them. A folder that cannot be listed has no list.

    Raises:
        ConnectionError: there is a list, and its server did not send it after several attempts.
    """
    fs, inner = filesystem(path)
    folder, _, name = inner.rpartition("/")
    beside = _names_in(fs, folder)
    for algorithm, pattern in _LISTS:
        for listing in (f"{folder}/{each}" for each in beside if fnmatchcase(each, pattern)):
            content = retry(lambda listing=listing: fs.cat_file(listing), listing)  # type: ignore[misc]
            for line in content.decode("utf-8", "replace").splitlines():
                digest, _, listed = line.strip().partition(" ")
                if listed.lstrip(" *") == name:
                    return algorithm, digest.lower(), listing
    return None


def _names_in(fs: Any, folder: str) -> list[str]:
    """Names in a folder, sorted; none where its store or server does not list it."""
    try:
        paths = retry(lambda: fs.ls(f"{folder}/", detail=False), folder)
    except (OSError, ValueError):
        return []
    return sorted({path.rstrip("/").rpartition("/")[2] for path in paths})
