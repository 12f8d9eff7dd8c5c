"""Checksum lists as Wikimedia publishes them beside its dumps: a downloaded part is compared with the list that lies by it."""

from __future__ import annotations

from fsspec.core import url_to_fs

# Best first. `SHA256SUMS` comes with content file exports, `<wiki>-<date>-sha1sums.txt` with the older dumps.
_LISTS = (("sha256", ("SHA256SUMS", "*-sha256sums.txt")), ("sha1", ("*-sha1sums.txt", "sha1sums.txt")))


def listed_digest(path: str) -> tuple[str, str, str] | None:
    """What a checksum list in the same folder says of a file: (algorithm, hex digest, path of the list), or None.

    Lines are `<digest>  <name>`, as sha256sum and sha1sum write and check them. Folders that cannot be listed (http) have
    no list.
    """
    fs, inner = url_to_fs(path)
    folder, _, name = inner.rpartition("/")
    for algorithm, patterns in _LISTS:
        for pattern in patterns:
            try:
                lists = sorted(fs.glob(f"{folder}/{pattern}"))
            except (OSError, NotImplementedError):
                return None
            for listing in lists:
                for line in fs.cat_file(listing).decode("utf-8", "replace").splitlines():
                    digest, _, listed = line.strip().partition(" ")
                    if listed.lstrip(" *") == name:
                        return algorithm, digest.lower(), listing
    return None
