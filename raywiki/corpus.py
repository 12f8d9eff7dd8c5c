"""A corpus on disk: layout, reading and commits.

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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.files import put, require_writable, write_parquet
from raywiki.manifest import (
    MANIFEST,
    SUMS,
    TABLES,
    Manifest,
    Shard,
    digest_of,
    encoding_name,
    part_folder,
    part_order,
    settle,
    tokens_table,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SUMS", "Corpus", "Manifest", "Shard", "Tables", "digest_of", "encoding_name", "part_folder", "part_order"]
__all__ += ["settle", "tokens_table"]

# What a listing says of a file that changes whenever the file does; without one of them a file is read again each time.
_MARKS = {"mtime", "LastModified", "last_modified", "ETag", "etag", "created", "updated", "modificationTime", "modify"}


class Corpus:
    """All tables of one growing data set, in a folder or at a URL that fsspec knows (`s3://…`, `gs://…`, `memory://…`).

    It remembers the manifests that it read; one is read again when a new listing says that its file changed.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        if not self.url:  # as an unset variable of a shell gives it: it would be the working folder
            raise ValueError("the corpus has no name: give its folder or URL")
        try:
            self.fs, root = url_to_fs(self.url)
        except ValueError as error:  # a scheme that fsspec does not know
            raise ValueError(
                f"no corpus can be at {self.url} ({error}): give a folder, or a URL such as s3://bucket/corpus"
            ) from None
        self.root = root.rstrip("/") or "/"
        self._known: dict[str, tuple[dict[str, Any], Manifest]] = {}

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
        """Return self, or raise FileNotFoundError when there is nothing at the URL, NotADirectoryError when it is a file."""
        if not self.exists():
            raise FileNotFoundError(f"no corpus at {self.url}: make one with `raywiki extract {self.url} DUMP…`")
        if self.fs.isfile(self.root):
            raise NotADirectoryError(f"{self.url} is a file and no corpus: give the folder of a corpus")
        return self

    def writable(self) -> Corpus:
        """Return self, or raise OSError when nothing could be written there: what a verb asks before it works for hours.

        A folder is asked; of a remote place only the first write can tell.
        """
        if self.fs.protocol == ("http", "https"):
            raise PermissionError(f"nothing can be written to {self.url}: give a folder, or a store such as s3://bucket/corpus")
        if self.is_local:
            for folder in (self.root, *(self.path(name) for name in (*TABLES, "tokens"))):
                require_writable(folder)
        return self

    # --- reading -----------------------------------------------------------------------------------------------------

    def tables(self) -> Tables:
        """The manifests of all tables as they are now."""
        return Tables(self)

    def read_manifest(self, table: str, part: str) -> Manifest | None:
        """The manifest of one part, or None when the part is not committed. Raises ValueError when it is damaged."""
        path = self.path(part_folder(table, part), MANIFEST)
        try:
            return Manifest.from_json(self.fs.cat_file(path), path)
        except FileNotFoundError:
            return None

    def read_manifests(self, files: Mapping[str, dict[str, Any]]) -> Iterator[Manifest]:
        """The manifests at these paths, given with what a listing says of each; those that did not change are not read."""
        new = [path for path, info in files.items() if path not in self._known or self._known[path][0] != info]
        contents = self.fs.cat_ranges(new, None, None, on_error="return") if new else []
        for path, content in zip(new, contents, strict=True):
            self._known.pop(path, None)
            if isinstance(content, FileNotFoundError):
                continue  # removed since it was listed
            if isinstance(content, BaseException):
                raise content
            self._known[path] = files[path], Manifest.from_json(content, path)
        for path, info in files.items():
            if path in self._known:
                yield self._known[path][1] if _MARKS & info.keys() else self._known.pop(path)[1]

    def manifests(self, table: str) -> dict[str, Manifest]:
        """Manifests of all committed parts of a table, in the order of their ids."""
        return self.tables()[table]

    def encodings(self) -> list[str]:
        """Names of the encodings that have a tokens table."""
        return self.tables().encodings()

    def read_details(self, manifest: Manifest) -> dict[str, Any]:
        """The long notes of a part, which most have no use for: see `commit`."""
        file = manifest.notes.get("file")
        if file is None:
            return manifest.notes  # of a raywiki that kept all in the manifest
        path = self.path(manifest.folder, file["name"])
        try:
            return json.loads(self.fs.cat_file(path))
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f"{path} is damaged or missing: remove it and run `raywiki {manifest.verb}` again") from error

    def shard_path(self, manifest: Manifest, shard: Shard) -> str:
        return self.path(manifest.folder, shard.name)

    def is_stale(self, manifest: Manifest) -> bool:
        """Whether a part was made from parts that are no longer the committed ones; for many, ask one `tables()`."""
        return self.tables().is_stale(manifest)

    def runs(self) -> dict[str, dict[str, Any]]:
        """The content of each run's segments.json, by the name of the run."""
        self.fs.invalidate_cache()
        paths = sorted(self.fs.glob(self.path("runs", "*", "segments.json")))
        return {PurePosixPath(path).parent.name: json.loads(self.fs.cat_file(path)) for path in paths}

    def runs_that_know(self, parts: Iterable[str]) -> dict[str, list[str]]:
        """The runs that learned from any of these parts, each with those that it learned from, in the order of their ids."""
        learned = {
            run: {part["name"] for segment in body["segments"] for part in segment["parts"]}
            for run, body in self.runs().items()
        }
        known = {run: sorted(names.intersection(parts), key=part_order) for run, names in learned.items()}
        return {run: names for run, names in known.items() if names}

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

    def commit(self, manifest: Manifest, details: Mapping[str, Any] | None = None) -> Manifest:
        """Check that counts add up, publish the manifest, and remove the files of the commit that it replaces.

        Args:
            manifest: of the part; its shards are written.
            details: notes that are long and that no verb needs (`read_details` reads them): they go into a file of their
                own, as every verb reads all manifests.

        Returns:
            The manifest as it was written.
        """
        manifest.check()
        if details is not None:
            manifest = self._put_details(manifest, details)
        try:
            replaced = self.read_manifest(manifest.table, manifest.part)
        except ValueError:  # damaged: whatever it named are orphans now
            replaced = None
        self.put(self.path(manifest.folder, MANIFEST), manifest.to_json())
        for name in sorted(set(replaced.files if replaced else ()) - set(manifest.files)):
            if self.fs.exists(self.path(manifest.folder, name)):
                self.fs.rm_file(self.path(manifest.folder, name))
        return manifest

    def _put_details(self, manifest: Manifest, details: Mapping[str, Any]) -> Manifest:
        content = json.dumps(details, ensure_ascii=False, indent=1).encode() + b"\n"
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"_notes-{sha256[:8]}.json"
        self.put(self.path(manifest.folder, name), content)
        return replace(manifest, notes={**manifest.notes, "file": {"name": name, "bytes": len(content), "sha256": sha256}})

    def write_shard(self, folder: str, name: str, tables: Iterable[Any], schema: Any, **options: Any) -> Shard | None:
        """Write Arrow tables as the row groups of one Parquet file, in bounded memory; None when they hold no row.

        See `raywiki.files.write_parquet`, which `options` go to.
        """
        written = write_parquet(self.fs, self.path(folder, name), tables, schema, **options)
        return None if written is None else Shard(name, *written)


class Tables:
    """The tables of a corpus as they are at one moment: a table is listed and read once, when it is first asked for.

    What the verb itself commits enters (`commit`); what other processes commit is seen after `refresh`.
    """

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._files: dict[str, dict[str, dict[str, Any]]] = {}
        self._manifests: dict[str, dict[str, Manifest]] = {}
        self._stale: dict[str, bool] = {}  # by the digest of a manifest
        corpus.fs.invalidate_cache()

    def __getitem__(self, table: str) -> dict[str, Manifest]:
        """Manifests of all committed parts of a table, in the order of their ids. Raises ValueError when one is damaged."""
        if table not in self._manifests:
            found = self.files(table)
            paths = {path: found[path] for part in self.parts(table) if (path := self._manifest_path(table, part)) in found}
            self._manifests[table] = {each.part: each for each in self.corpus.read_manifests(paths)}
        return self._manifests[table]

    def files(self, table: str) -> dict[str, dict[str, Any]]:
        """What a listing says of each file of a table, by its path."""
        if table not in self._files:
            self._files[table] = self.corpus.fs.find(self.corpus.path(table), detail=True)
        return self._files[table]

    def parts(self, table: str, committed: bool = True) -> list[str]:
        """Ids of the committed parts of a table, from its listing alone; else of all of which any file is there."""
        pieces = [path[len(self.corpus.path(table)) + 1 :].split("/") for path in self.files(table)]
        folders = {p[0] for p in pieces if len(p) > 1 and p[0].startswith("part=") and (p[1:] == [MANIFEST] or not committed)}
        return sorted((folder.removeprefix("part=") for folder in folders), key=part_order)

    def encodings(self) -> list[str]:
        """Names of the encodings that have a tokens table with a committed part."""
        return [name for name in self._encoding_folders() if self.parts(tokens_table(name))]

    def encoding(self, wanted: str | None) -> str | None:
        """The name of the encoding that a user means, the same for every verb.

        A name that the corpus has is that encoding; anything else is a name that it does not have yet, or the path or URL of a
        vocabulary file, whose stem is the name. None is the only encoding of the corpus; None is returned when it has none.

        Raises:
            ValueError: nothing is given and the corpus has several.
        """
        if wanted is not None:
            return wanted if wanted in self._encoding_folders() else encoding_name(wanted)
        names = self.encodings()
        if len(names) > 1:
            raise ValueError(f"{self.corpus.url} has several encodings ({', '.join(names)}): name one with --encoding")
        return names[0] if names else None

    def require_encoding(self, wanted: str | None) -> str:
        """`encoding`, of which there must be tokens. Raises ValueError when there are none, and names those there are."""
        names, url = self.encodings(), self.corpus.url
        if not names:
            raise ValueError(f"{url} has no tokens yet: run `raywiki tokenize {url}` first")
        name = self.encoding(wanted)
        if name is None or name not in names:
            raise ValueError(f"{url} has no tokens of encoding {name!r}, only of {', '.join(names)}: tokenize it first")
        return name

    def names(self) -> list[str]:
        """All tables that there may be, each after those that it is made from."""
        return [*TABLES, *map(tokens_table, self._encoding_folders())]

    def refresh(self, table: str) -> dict[str, Manifest]:
        """List a table again, read what was committed since, and return its manifests."""
        self.corpus.fs.invalidate_cache()
        self._files.pop(table, None)
        self._manifests.pop(table, None)
        self._stale.clear()
        return self[table]

    def commit(self, manifest: Manifest, details: Mapping[str, Any] | None = None) -> Manifest:
        """`Corpus.commit`, and the part is in its table here."""
        committed = self.corpus.commit(manifest, details)
        self.enter(committed)
        return committed

    def enter(self, manifest: Manifest) -> None:
        """Take note of a part that was committed, here or in a task of this verb."""
        known = self[manifest.table] | {manifest.part: manifest}
        self._manifests[manifest.table] = {part: known[part] for part in sorted(known, key=part_order)}
        self._files.pop(manifest.table, None)
        self._stale.clear()

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether the files that a manifest names are there with the sizes that it gives: a part that is not is made again."""
        found = self.files(manifest.table)
        paths = {self.corpus.path(manifest.folder, name): size for name, (size, _) in manifest.files.items()}
        return all(path in found and found[path]["size"] == size for path, size in paths.items())

    def is_stale(self, manifest: Manifest) -> bool:
        """Whether a part was made from parts that are no longer the committed ones."""
        waiting = [manifest]  # not by recursion: the decisions of each part hang on those of the part before
        while waiting:
            upstream = list(self._upstream(waiting[-1]))
            unknown = [each for each in upstream if each is not None and each.digest not in self._stale]
            if unknown and None not in upstream:
                waiting += unknown
            else:
                stale = None in upstream or any(self._stale[each.digest] for each in upstream if each is not None)
                self._stale[waiting.pop().digest] = stale
        return self._stale[manifest.digest]

    def without_articles(self) -> dict[str, list[str]]:
        """Parts whose articles are gone, each with the tables that still hold what was made from them."""
        extracted = set(self.parts("articles"))
        tables: dict[str, list[str]] = {}
        for table in self.names()[1:]:
            for part in self.parts(table):
                if part not in extracted:
                    tables.setdefault(part, []).append(table)
        return dict(sorted(tables.items(), key=lambda item: part_order(item[0])))

    def require_articles(self) -> None:
        """Raise ValueError when parts have decisions or tokens, but their articles are gone: nothing can be made from those."""
        for part, tables in self.without_articles().items():
            raise ValueError(articles_gone(self.corpus, part, tables))

    def _upstream(self, manifest: Manifest) -> Iterator[Manifest | None]:
        """The committed manifests of what a part was made from; None for one that is gone or another now."""
        for folder, digest in manifest.upstream.items():
            table, _, part = folder.rpartition("/part=")
            found = self[table].get(part)
            yield found if found is not None and found.digest == digest else None

    def _manifest_path(self, table: str, part: str) -> str:
        return self.corpus.path(part_folder(table, part), MANIFEST)

    def _encoding_folders(self) -> list[str]:
        try:
            paths = self.corpus.fs.ls(self.corpus.path("tokens"), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        names = (PurePosixPath(path).name for path in paths)
        return sorted(name.removeprefix("encoding=") for name in names if name.startswith("encoding="))


def articles_gone(corpus: Corpus, part: str, tables: Iterable[str]) -> str:
    """What is wrong with a part that is left in these tables without its articles, and what to do."""
    made = ", ".join(f"{name.rpartition('=')[2]} tokens" if "=" in name else name for name in tables)
    return (
        f"the articles of part {part} are gone, but what was made from them is there ({made}): "
        f"extract the part again, or take it out with `raywiki remove {corpus.url} {part}`"
    )
