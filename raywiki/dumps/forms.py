"""Forms that a dump file comes in: told by its first bytes, decoded from its beginning."""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from typing import Any

from raywiki.dumps.source import Source, SourceFile

WANTED = "give a pages-articles dump: <wiki>-<date>-pages-articles….xml.bz2 (or .xml, .xml.gz, .xml.zst)"
_FORMS = {b"BZh": "bz2", b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}


def find_form(path: str, source: Source) -> str:
    """ "bz2", "gz", "zst" or "xml", by the file's first bytes; ValueError for what cannot be read."""
    name = path.rsplit("/", 1)[-1].lower()
    start = source.read(0, min(8, source.size()))
    if not start:
        raise ValueError(f"{path} is empty: download it again")
    if start.startswith(b"7z\xbc\xaf") or name.endswith(".7z"):
        raise ValueError(f"{path} is a .7z archive, which cannot be read in parts: download the .bz2 of the same dump")
    if ".sql" in name:
        raise ValueError(f"{path} is a database table in SQL, not pages: {WANTED}")
    if "multistream-index" in name:
        raise ValueError(f"{path} is the index of a multistream dump: give the .xml.bz2 file that lies beside it")
    for magic, form in _FORMS.items():
        if start.startswith(magic):
            return form
    return "xml"


def open_decoded(source: Source, form: str) -> Any:
    """The file's XML from its beginning, decoded as it is read, in bounded memory."""
    file = io.BufferedReader(SourceFile(source), 1 << 18)
    if form == "bz2":
        return bz2.BZ2File(file)
    if form == "gz":
        return gzip.GzipFile(fileobj=file)
    if form == "zst":
        try:
            import zstandard
        except ImportError:
            raise ValueError(f"reading {source.path} needs zstandard: pip install 'raywiki[zstd]'") from None
        # 2 GiB is the largest window that `zstd --long=31` writes.
        return zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(file, read_across_frames=True)
    return file


def is_decode_error(error: Exception) -> bool:
    """Whether an error says that the bytes are wrong, rather than that they could not be had."""
    if isinstance(error, OSError):  # bz2 and gzip raise bare ones
        return error.errno is None and not isinstance(error, ConnectionError)
    return isinstance(error, EOFError | zlib.error) or type(error).__name__ == "ZstdError"
