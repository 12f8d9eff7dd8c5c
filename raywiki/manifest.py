"""Manifests: what commits one part of one table, the ids and order of parts, and the settings that a verb runs with."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import raywiki

MANIFEST = "_manifest.json"
TEMPLATES_FOLDER = "templates"  # of a corpus: copies of the files of templates that it was given
MANIFEST_FORMAT = 1
WIKI = "wiki"  # the source of dumps
VERBS = {"articles": "extract", "tokens": "tokenize"}  # `curate` makes the other tables
TABLES = ("articles", "signatures", "bands", "pairs", "decisions")  # each made from those before it; tokens come on top

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
    >>> part_id("c4-train.00000-of-01024.json.gz", "ab" * 32)
    'c4-train.00000-of-01024-abababab'
    """
    match = _DUMP_NAME.fullmatch(name)
    if match:
        pieces = [match["wiki"], match["date"].replace("-", "")]
        if match["pages"]:
            pieces.append(match["pages"])
        elif match["number"]:
            pieces.append(match["number"])
        return "-".join(pieces)
    stem = re.sub(r"(\.(jsonl?|ndjson|parquet|txt))+$", "", re.sub(r"\.(bz2|gz|zst|xml)", "", name))
    return re.sub(r"[^\w.-]", "_", stem) + "-" + sha256[:8]


def is_whole_wiki(name: str) -> bool:
    """Whether a dump file holds all pages of its wiki: its name has neither a range of pages nor the number of a part.

    >>> is_whole_wiki("ltgwiki-20170901-pages-articles.xml.bz2"), is_whole_wiki("enwiki-latest-pages-articles1.xml-p1p9.bz2")
    (True, False)
    """
    return not re.search(r"p\d+p\d+|-pages-[a-z-]+\d", name)


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

    `source` is the file (name, bytes, sha256) that an articles part was made from, of text that is no dump with its `format`;
    in it, and in that of a tokens part, `of` is the part's source where it is not "wiki" (`source_of`). `upstream` names the
    digests of the parts this one was made from, by their folder (`articles/part=…`); `counts` must add up (`SUMS`); `notes`
    is for people and reports (gaps of a damaged dump …) and decides nothing; its `file`, if there is one, names the file beside
    the manifest that holds what is long (dropped templates, examples …), as a shard is named, and its `templates` the file
    with the templates of a wiki that came with its own. `seconds` are those of work on this part alone: its tasks' seconds
    added up, so two tasks at once count twice; waiting for other parts does not count, nor what a worker loads once.
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

    @classmethod
    def made(cls, table: str, part: str, settings: dict[str, Any], shards: Iterable[Shard | None], counts: dict[str, int], *,
             seconds: float, **more: Any) -> Manifest:  # fmt: skip
        """The manifest of a part that this raywiki has just made; `shards` in their order, None for a file without rows.

        `more` are `source`, `upstream` and `notes`.
        """
        there = tuple(shard for shard in shards if shard is not None)
        return cls(table, part, settings, there, counts, seconds=round(seconds, 3), raywiki=raywiki.__version__, **more)

    @property
    def folder(self) -> str:
        return part_folder(self.table, self.part)

    @property
    def files(self) -> dict[str, tuple[int, str]]:
        """Size and SHA-256 of each file that the manifest names, by file name."""
        named = {shard.name: (shard.bytes, shard.sha256) for shard in self.shards}
        beside = [self.notes[name] for name in ("file", "templates") if name in self.notes]
        return named | {each["name"]: (each["bytes"], each["sha256"]) for each in beside}

    @property
    def templates(self) -> tuple[str, str] | None:
        """Path below the corpus and SHA-256 of the file with the templates that a part was cleaned with; None: with none."""
        setting = self.settings.get("templates", "none")
        if setting == "own":
            own = self.notes.get("templates")
            return (f"{self.folder}/{own['name']}", own["sha256"]) if own else None
        return None if setting == "none" else (templates_copy(setting), setting)

    @property
    def verb(self) -> str:
        """The verb that makes this table; it makes a part again whose files are not all there."""
        return VERBS.get(self.table.partition("/")[0], "curate")

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)

    @cached_property
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


def templates_copy(sha256: str) -> str:
    """Where a corpus keeps a file of templates that it was given, by the file's digest."""
    return f"{TEMPLATES_FOLDER}/{sha256}.parquet"


def tokens_table(encoding: str) -> str:
    return f"tokens/encoding={encoding}"


def encoding_name(name_or_file: str) -> str:
    """The name of the encoding that a name, or the path or URL of a vocabulary file, stands for: a file's is its stem.

    >>> encoding_name("gpt2"), encoding_name("made/pydoc.json"), encoding_name("s3://bucket/greek.tiktoken")
    ('gpt2', 'pydoc', 'greek')
    """
    return PurePosixPath(name_or_file.partition("::")[0]).stem or name_or_file


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


def wiki_of(manifest: Manifest) -> str:
    """The wiki that a part of the articles table is from; "" for other text, whatever its file is called.

    >>> wiki_of(Manifest("articles", "enwiki-20251101-p1p9", {}, (), {}))
    'enwiki'
    >>> wiki_of(Manifest("articles", "enwiki-mails-abababab", {"format": "jsonl"}, (), {}))
    ''
    """
    return "" if not is_dump(manifest) else str(manifest.notes.get("wiki") or manifest.part.partition("-")[0])


def source_of(manifest: Manifest) -> str:
    """The source of a part of the articles or the tokens table: "wiki" for dumps, unless a user gave it another name.

    >>> source_of(Manifest("articles", "enwiki-20251101-p1p9", {}, (), {}))
    'wiki'
    """
    return str(manifest.source.get("of") or WIKI)


def is_dump(articles: Manifest) -> bool:
    """Whether a part of the articles table was made from a dump of a wiki, not from other text."""
    return "format" not in articles.settings


def stored_bytes(manifests: Iterable[Manifest]) -> int:
    """Bytes of the files that these manifests name."""
    return sum(size for manifest in manifests for size, _ in manifest.files.values())
