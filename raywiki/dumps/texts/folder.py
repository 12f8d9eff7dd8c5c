"""A folder of plain texts, which is one part: its files in the order of their names, one behind the other."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from raywiki.dumps.source import filesystem, is_url, retry


@dataclass(frozen=True)
class TextFile:
    """One file of a folder: where it lies, its name below the folder, and its bytes [start, end) among all of them."""

    path: str
    name: str
    start: int
    end: int


def text_files(path: str) -> list[TextFile]:
    """The `.txt` files in and below a folder, in the order of their names; none when it is no folder, or has none."""
    if is_url(path) and path.startswith(("http://", "https://")):
        return []
    fs, inner = filesystem(path)
    if not retry(lambda: fs.isdir(inner), path):
        return []
    root = inner.rstrip("/") + "/"
    found = retry(lambda: fs.find(inner, detail=True), path)
    there = sorted((name.removeprefix(root), info["size"]) for name, info in found.items() if name.lower().endswith(".txt"))
    ends = list(accumulate((size for _, size in there), initial=0))
    return [
        TextFile(f"{path.rstrip('/')}/{name}", name, start, end)
        for (name, _), start, end in zip(there, ends, ends[1:], strict=False)
    ]
