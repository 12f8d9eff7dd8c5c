"""A corpus on disk: part ids, layout, manifests and commits.

A corpus is a folder (or any fsspec URL) of tables; a table is a folder of parts; a part of a table is a folder of Parquet
shards and one `_manifest.json`:

    corpus/articles/part=enwiki-20251101-p1p41242/00000-3f9a1c07.parquet … _manifest.json

The manifest is written last and in one step, and readers read only the files that it names. So a crash at any moment
leaves either the old part, the new part, or no part; whatever else lies in the folder is an orphan that no reader sees.
Shard names carry a key of everything they were made from, so a new commit never writes over a file of the old one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.files import HashingFile, put, replacing, sync

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "_manifest.json"
MANIFEST_FORMAT = 1
VERBS = {"articles": "extract", "tokens": "tokenize"}  # `curate` makes the other tables

# The sums that must hold before a part is committed: the first count is the sum of the others.
SUMS = {
    "articles": ("pages", ("articles", "redirects", "other_namespaces", "other_models", "deleted", "errors")),
    "decisions": ("articles", ("kept", "filtered", "duplicates")),
    "tokens": ("documents", ("train_documents", "val_documents")),
}

_DUMP_NAME = re.compile(
    r"(?P<wiki>[a-z][a-z0-9_]*)-(?P<date>\d{4}-?\d\d-?\d\d)"  # enwiki-20251101, enwiki-2025-11-01
    r"(?:-pages-(?:articles|meta-current|meta-history)(?:-multistream)?(?P<number>\d*)(?:\.xml)?)?"
    r"(?:-(?P<pages>p\d+p\d+))?"
    r"(?:\.xml)?(?:\.(?:bz2|gz|zst))?"
)


def part_id(name: str, sha256: str) -> str:
    """The id of a dump part, from its file name where that follows Wikimedia's pattern, else from name and content.

    >>> part_id("enwiki-20251101-pages-articles1.xml-p1p41242.bz2", "ab" * 32)
    'enwiki-20251101-p1p41242'
    >>> part_id("simplewiki-2025-11-01-p1p99.xml.bz2", "ab" * 32)
    'simplewiki-20251101-p1p99'
    >>> part_id("simplewiki-20251101-pages-articles.xml.bz2", "ab" * 32)
    'simplewiki-20251101'
    >>> part_id("my pages.xml", "ab" * 32)
    'my_pages-abababab'
    """
    match = _DUMP_NAME.fullmatch(name)
    if match:
        pieces = [match["wiki"], match["date"].replace("-", "")]
        if match["pages"]:
            pieces.append(match["pages"])
        elif match["number"]:
            pieces.append(match["number"])
        return "-".join(pieces)
    stem = re.sub(r"\.(bz2|gz|zst|xml)", "", name)
    return re.sub(r"[^\w.-]", "_", stem) + "-" + sha256[:8]


def part_order(part: str) -> list[tuple[int, int | str]]:
    """Sort key that puts `…-p2p10` before `…-p11p20`: numbers inside an id compare as numbers."""
    return [(0, int(piece)) if piece.isdigit() else (1, piece) for piece in re.split(r"(\d+)", part) if piece]


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a table as its manifest names it: rows, bytes and SHA-256 of the file."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What commits one part of one table.

    `source` is the dump file (name, bytes, sha256) of an articles part and empty elsewhere; `upstream` names the digests of
    the parts this one was made from, by their folder (`articles/part=…`); `counts` must add up (`SUMS`); `notes` is for
    people and reports (gaps of a damaged dump, dropped templates …) and decides nothing.
    """

    table: str
    part: str
    settings: dict[str, Any]
    shards: tuple[Shard, ...]
    counts: dict[str, int]
    source: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    raywiki: str = ""

    @property
    def folder(self) -> str:
        return part_folder(self.table, self.part)

    @property
    def verb(self) -> str:
        """The verb that makes this table; it makes a part again whose files are not all there."""
        return VERBS.get(self.table.partition("/")[0], "curate")

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    @property
    def digest(self) -> str:
        """SHA-256 of what the part is: equal for equal content, whatever the time, the machine or the file's name."""
        source = {key: self.source[key] for key in ("bytes", "sha256") if key in self.source}
        shards = [asdict(shard) for shard in self.shards]
        return digest_of([self.table, self.part, source, self.upstream, self.settings, shards, self.counts])

    def check(self) -> None:
        """Raise ValueError unless the counts add up and equal the rows of the shards."""
        total, terms = SUMS.get(self.table.partition("/")[0], ("", ()))
        if total and self.counts[total] != sum(self.counts[term] for term in terms):
            sums = " + ".join(f"{self.counts[term]} {term}" for term in terms)
            raise ValueError(f"{self.folder} is not committed: {self.counts[total]} {total} are not {sums}")
        rows = self.counts.get("documents", self.counts.get("articles", self.rows))
        if self.rows != rows:
            raise ValueError(f"{self.folder} is not committed: its shards hold {self.rows} rows instead of {rows}")

    def to_json(self) -> bytes:
        body = {"format": MANIFEST_FORMAT, **asdict(self), "digest": self.digest}
        return json.dumps(body, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, path: str) -> Manifest:
        try:
            body = json.loads(data)
            written, digest = body.pop("format"), body.pop("digest")
            manifest = cls(**{**body, "shards": tuple(Shard(**shard) for shard in body["shards"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no manifest of raywiki ({error!r}): remove it and run the verb again") from error
        if written != MANIFEST_FORMAT:
            raise ValueError(f"{path} has manifest format {written}, this raywiki reads {MANIFEST_FORMAT}: upgrade raywiki")
        if digest != manifest.digest:
            raise ValueError(f"{path} does not match its own digest: it was damaged or edited. Remove it, run the verb again")
        return manifest


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of a JSON value, independent of the order of keys."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def part_folder(table: str, part: str) -> str:
    return f"{table}/part={part}"


def tokens_table(encoding: str) -> str:
    return f"tokens/encoding={encoding}"


class Corpus:
    """All tables of one growing data set, in a folder or at a URL that fsspec knows (`s3://…`, `gs://…`, `memory://…`)."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        self.fs, root = url_to_fs(self.url)
        self.root = root.rstrip("/") or "/"

    @classmethod
    def open(cls, corpus: str | os.PathLike[str] | Corpus) -> Corpus:
        """The corpus itself, or the one at a path or URL: what every verb takes."""
        return corpus if isinstance(corpus, cls) else cls(corpus)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"Corpus({self.url!r})"

    @property
    def is_local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    def path(self, *pieces: str) -> str:
        """Path below the root as `self.fs` wants it."""
        return "/".join((self.root, *pieces))

    def url_of(self, *pieces: str) -> str:
        """The same place as an absolute path or URL: for other libraries, and for processes with another working folder."""
        return self.path(*pieces) if self.is_local else self.fs.unstrip_protocol(self.path(*pieces))

    def exists(self) -> bool:
        return bool(self.fs.exists(self.root))

    def require(self) -> Corpus:
        """Return self, or raise FileNotFoundError when there is nothing at the URL."""
        if not self.exists():
            raise FileNotFoundError(f"no corpus at {self.url}: make one with `raywiki extract {self.url} DUMP…`")
        return self

    # --- reading -----------------------------------------------------------------------------------------------------

    def read_manifest(self, table: str, part: str) -> Manifest | None:
        """The manifest of one part, or None when the part is not committed. Raises ValueError when it is damaged."""
        path = self.path(part_folder(table, part), MANIFEST)
        try:
            return Manifest.from_json(self.fs.cat_file(path), path)
        except FileNotFoundError:
            return None

    def manifests(self, table: str) -> dict[str, Manifest]:
        """Manifests of all committed parts of a table, in the order of their ids."""
        self.fs.invalidate_cache()
        paths = self.fs.glob(self.path(table, "part=*", MANIFEST))
        parts = sorted((PurePosixPath(path).parent.name.removeprefix("part=") for path in paths), key=part_order)
        found = {part: self.read_manifest(table, part) for part in parts}
        return {part: manifest for part, manifest in found.items() if manifest is not None}

    def encodings(self) -> list[str]:
        """Names of the encodings that have a tokens table."""
        self.fs.invalidate_cache()
        paths = self.fs.glob(self.path("tokens", "encoding=*", "part=*", MANIFEST))
        return sorted({PurePosixPath(path).parts[-3].removeprefix("encoding=") for path in paths})

    def shard_path(self, manifest: Manifest, shard: Shard) -> str:
        return self.path(manifest.folder, shard.name)

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether the files that a manifest names are there with the sizes that it gives: a part that is not is made again."""
        try:
            files = self.fs.ls(self.path(manifest.folder), detail=True)
        except FileNotFoundError:
            files = []
        sizes = {PurePosixPath(file["name"]).name: file["size"] for file in files}
        return all(sizes.get(shard.name) == shard.bytes for shard in manifest.shards)

    def is_stale(self, manifest: Manifest) -> bool:
        """Whether a part was made from parts that are no longer the committed ones."""
        for folder, digest in manifest.upstream.items():
            table, _, part = folder.rpartition("/part=")
            upstream = self.read_manifest(table, part)
            if upstream is None or upstream.digest != digest or self.is_stale(upstream):
                return True
        return False

    def iter_shard(
        self, manifest: Manifest, shard: Shard, columns: list[str] | None = None, batch_size: int = 1024
    ) -> Iterator[pa.Table]:
        """Rows of one shard in order, in tables of at most `batch_size` rows, with the checksum of each page verified.

        Raises:
            ValueError: the file is missing or damaged; the sentence names it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.shard_path(manifest, shard)
        try:
            with self.fs.open(path, "rb") as file:
                # Without reading ahead: that keeps the whole compressed file in memory.
                parquet = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
                for batch in parquet.iter_batches(batch_size=batch_size, columns=columns):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise ValueError(
                f"{path} is damaged or missing, though the manifest of {manifest.folder} names it ({error}): "
                f"remove what is left of it and run `raywiki {manifest.verb}` again"
            ) from error

    # --- writing -----------------------------------------------------------------------------------------------------

    def put(self, path: str, data: bytes) -> None:
        """Write a small file in one step: afterwards the path holds the old or the new content, never a mixture."""
        put(path, data, self.fs)

    def commit(self, manifest: Manifest) -> Manifest:
        """Check that counts add up, publish the manifest, and remove the shards of the commit that it replaces."""
        manifest.check()
        try:
            replaced = self.read_manifest(manifest.table, manifest.part)
        except ValueError:  # damaged: whatever it named are orphans now
            replaced = None
        self.put(self.path(manifest.folder, MANIFEST), manifest.to_json())
        for shard in set(replaced.shards if replaced else ()) - set(manifest.shards):
            path = self.path(manifest.folder, shard.name)
            if shard.name not in {kept.name for kept in manifest.shards} and self.fs.exists(path):
                self.fs.rm_file(path)
        return manifest

    def write_shard(self, folder: str, name: str, tables: Iterable[Any], schema: Any, **options: Any) -> Shard | None:
        """Write Arrow tables as the row groups of one Parquet file, in bounded memory; None when they hold no row.

        `tables` is consumed one by one. Each becomes one row group, so the file's bytes depend on how the rows are cut and
        on nothing else. `options` go to `pyarrow.parquet.ParquetWriter`.
        """
        import pyarrow.parquet as pq

        options = {"compression": "zstd", "write_page_checksum": True, **options}
        rows = 0
        with replacing(self.fs, self.path(folder, name)) as temporary:
            with self.fs.open(temporary, "wb") as file:
                sink = HashingFile(file)
                with pq.ParquetWriter(sink, schema, **options) as writer:
                    for table in tables:
                        if table.num_rows:
                            writer.write_table(table, row_group_size=table.num_rows)
                            rows += table.num_rows
                sync(file)
            if not rows:
                self.fs.rm_file(temporary)
                return None
        return Shard(name, rows, sink.size, sink.sha256.hexdigest())


def shard_key(*made_from: Any) -> str:
    """Eight hex digits that stand for all that a shard is made from; part of its name."""
    return digest_of(made_from)[:8]


def settle(what: str, committed: Iterable[Mapping[str, Any]], given: Mapping[str, Any], defaults: Mapping[str, Any],
           overwrite: bool = False) -> dict[str, Any]:  # fmt: skip
    """The settings a verb runs with: the given ones, else the committed ones, else the defaults.

    A given value that differs from a committed one is a ValueError that names both, unless `overwrite` is set.
    None means "not given".

    >>> settle("decisions", [{"min_chars": 800}], {"min_chars": None}, {"min_chars": 500})
    {'min_chars': 800}
    """
    committed = list(committed)
    chosen = dict(defaults)
    for name in defaults:
        values = [settings[name] for settings in committed if name in settings]
        wanted = given.get(name)
        if wanted is None and values:
            wanted = values[0]
        if wanted is not None:
            chosen[name] = wanted
        others = [value for value in values if value != chosen[name]]
        if others and not overwrite:
            raise ValueError(
                f"the {what} are committed with {name}={others[0]!r}, not {name}={chosen[name]!r}: "
                f"leave {name} as it is, or redo them with --overwrite"
            )
    return chosen


def orphans(corpus: Corpus, min_age: float = 3600.0) -> Iterator[str]:
    """Paths of files in the tables that no manifest names and that are older than `min_age` seconds.

    Younger ones may belong to a verb that is running.
    """
    corpus.fs.invalidate_cache()
    files = corpus.fs.find(corpus.root, detail=True)
    manifests = [Manifest.from_json(corpus.fs.cat_file(path), path) for path in files if path.endswith(f"/{MANIFEST}")]
    named = {corpus.shard_path(manifest, shard) for manifest in manifests for shard in manifest.shards}
    for path, info in files.items():
        pieces = path[len(corpus.root) :].strip("/").split("/")
        in_part = any(piece.startswith("part=") for piece in pieces)
        if in_part and pieces[-1] != MANIFEST and path not in named:
            modified = info.get("mtime") or info.get("LastModified") or info.get("created") or 0
            modified = modified.timestamp() if hasattr(modified, "timestamp") else float(modified)
            if time.time() - modified >= min_age:
                yield path
