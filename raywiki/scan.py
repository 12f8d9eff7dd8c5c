"""Committed tables as Polars frames: lazy, and only of what manifests name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from raywiki.corpus import Corpus
from raywiki.manifest import VERBS, Manifest, tokens_table, wiki_of
from raywiki.schema import ARTICLES, DECISIONS, EVALS, SIGNATURES, TEMPLATES, tokens_schema

if TYPE_CHECKING:
    import polars as pl
    from fsspec import AbstractFileSystem

# What Polars calls the options with which fsspec opened a store (s3fs, gcsfs, adlfs). Everything else that fsspec knows, and a
# store opened with an option that is not here, goes through a pyarrow dataset.
_S3 = {
    "key": "aws_access_key_id",
    "secret": "aws_secret_access_key",
    "token": "aws_session_token",
    "endpoint_url": "aws_endpoint_url",
    "region_name": "aws_region",
    "aws_access_key_id": "aws_access_key_id",
    "aws_secret_access_key": "aws_secret_access_key",
    "aws_session_token": "aws_session_token",
    "anon": "aws_skip_signature",
}
_GCS = {"token": "google_service_account"}
_AZURE = {
    "account_name": "azure_storage_account_name",
    "account_key": "azure_storage_account_key",
    "sas_token": "azure_storage_sas_key",
    "tenant_id": "azure_storage_tenant_id",
    "client_id": "azure_storage_client_id",
    "client_secret": "azure_storage_client_secret",
    "anon": "azure_skip_signature",
}
_POLARS_NAMES = {
    **dict.fromkeys(("s3", "s3a"), _S3),
    **dict.fromkeys(("gs", "gcs"), _GCS),
    **dict.fromkeys(("az", "abfs", "abfss"), _AZURE),
    "hf": {},
    "http": {},
    "https": {},
}
# Options of fsspec that say how it reads, not where or as whom.
_FOR_FSSPEC_ALONE = {"asynchronous", "loop", "batch_size", "project", "use_ssl", "max_concurrency", "cache_regions"}
_FOR_FSSPEC_ALONE |= {"skip_instance_cache", "use_listings_cache", "listings_expiry_time", "max_paths"}
_FOR_FSSPEC_ALONE |= {"default_block_size", "default_cache_type", "default_fill_cache", "fixed_upload_size"}


def scan_articles(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """Every committed article: the columns of the articles table and `part`.

    Args:
        corpus: folder or URL of the corpus.
        parts: ids of the parts to read; all when None.

    Raises:
        FileNotFoundError: there is no corpus at that place.
        ValueError: a part of `parts` is not committed, or a manifest is damaged.
    """
    return scan_table(corpus, "articles", ARTICLES, parts)


def scan_decisions(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """One row for each article: whether it is kept, and if not, why (`reason`, `dup_of`, `similarity`). See `scan_articles`."""
    return scan_table(corpus, "decisions", DECISIONS, parts)


def scan_signatures(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """The dedup index: one signature for each article. See `scan_articles`."""
    return scan_table(corpus, "signatures", SIGNATURES, parts)


def scan_documents(corpus: str | os.PathLike[str] | Corpus, parts: Sequence[str] | None = None) -> pl.LazyFrame:
    """The articles that curation keeps, with the columns of the articles table. See `scan_articles`.

    A part without decisions has no documents yet.
    """
    import polars as pl

    corpus = Corpus.open(corpus)
    decided = list(corpus.require().manifests("decisions")) if parts is None else list(parts)
    kept = scan_decisions(corpus, decided).filter(pl.col("keep")).select("part", "page_id")
    return scan_articles(corpus, decided).join(kept, on=["part", "page_id"], how="semi", maintain_order="left")


def scan_tokens(
    corpus: str | os.PathLike[str] | Corpus, encoding: str | None = None, parts: Sequence[str] | None = None
) -> pl.LazyFrame:
    """Token ids of every document under one encoding, each ended by the end-of-text id. See `scan_articles`.

    Args:
        encoding: its name, or the vocabulary file that it was made with; the only one of the corpus when None.

    Raises:
        ValueError: the corpus has no tokens of that encoding; the sentence names those that it has.
    """
    corpus = Corpus.open(corpus)
    tables = corpus.require().tables()
    name = tables.require_encoding(encoding)
    manifests = tables[tokens_table(name)]
    vocab_size = max(int(manifest.settings["vocab_size"]) for manifest in manifests.values())
    return scan_table(corpus, tokens_table(name), tokens_schema(vocab_size), parts)


def scan_templates(place: str | os.PathLike[str] | Corpus) -> pl.LazyFrame:
    """A wiki's templates: columns `name`, `text` (its definition), `redirect` (to another name), `page_id`, `revision_id`.

    Args:
        place: a file of `rw.collect_templates`; or a corpus, for all that its parts were cleaned with, each file once, with a
            column `wiki`.

    Raises:
        FileNotFoundError: there is nothing at that place.
        ValueError: a manifest is damaged.
    """
    import polars as pl

    corpus = Corpus.open(place)
    if corpus.fs.isfile(corpus.root):
        return _scan_shards(corpus, [corpus.root]).select(TEMPLATES.names)
    manifests = corpus.require().manifests("articles").values()
    files = {each.templates[0]: wiki_of(each) for each in manifests if each.templates is not None}
    empty = pl.DataFrame(pl.from_arrow(TEMPLATES.empty_table())).lazy().with_columns(wiki=pl.lit(None, pl.String))
    frames = [
        _scan_shards(corpus, [corpus.path(path)]).select(TEMPLATES.names).with_columns(wiki=pl.lit(wiki))
        for path, wiki in files.items()
    ]
    return pl.concat(frames) if frames else empty


def scan_table(
    corpus: str | os.PathLike[str] | Corpus, table: str, schema: pa.Schema, parts: Sequence[str] | None
) -> pl.LazyFrame:
    """Lazy frame over the committed shards of a table; a frame without rows when there are none."""
    corpus = Corpus.open(corpus)
    manifests = corpus.require().manifests(table)
    unknown = sorted(set(parts or ()) - set(manifests))
    if unknown:
        verb, known = VERBS.get(table.partition("/")[0], "curate"), ", ".join(manifests) or "none"
        raise ValueError(
            f"part {unknown[0]} has no committed {table} in {corpus.url}: run `raywiki {verb}`, or take one of those there are "
            f"({known})"
        )
    return scan_manifests(corpus, [manifests[part] for part in (manifests if parts is None else parts)], schema)


def scan_manifests(corpus: Corpus, manifests: Iterable[Manifest], schema: pa.Schema) -> pl.LazyFrame:
    """Lazy frame over the shards that these manifests of one table name; nothing but the shards is read."""
    import polars as pl

    frames = [
        _scan_shards(corpus, [corpus.shard_path(manifest, shard) for shard in manifest.shards])
        .select(schema.names)
        .with_columns(part=pl.lit(manifest.part))
        for manifest in manifests
        if manifest.shards
    ]
    if not frames:
        empty = pl.DataFrame(pl.from_arrow(schema.empty_table()))
        return empty.lazy().with_columns(part=pl.lit(None, pl.String))
    return pl.concat(frames)


def _scan_shards(corpus: Corpus, paths: list[str]) -> pl.LazyFrame:
    import polars as pl

    if corpus.is_local:
        return pl.scan_parquet(paths, hive_partitioning=False, glob=False)
    options = polars_options(corpus.fs)
    if options is not None:
        urls = [corpus.fs.unstrip_protocol(path) for path in paths]
        return pl.scan_parquet(urls, hive_partitioning=False, glob=False, storage_options=options or None)
    import pyarrow.dataset as ds
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    dataset = ds.dataset(paths, format="parquet", filesystem=PyFileSystem(FSSpecHandler(corpus.fs)))
    return pl.scan_pyarrow_dataset(dataset)


def polars_options(fs: AbstractFileSystem) -> dict[str, str] | None:
    """The options of a store as Polars calls them, so that it opens the same place as the same user; None: it cannot.

    Nothing given is nothing to say: both then look for keys in the environment.

    >>> class Store:
    ...     protocol, storage_options = ("s3", "s3a"), {"key": "me", "client_kwargs": {"endpoint_url": "http://localhost:9000"}}
    >>> polars_options(Store())
    {'aws_access_key_id': 'me', 'aws_endpoint_url': 'http://localhost:9000', 'aws_allow_http': 'true'}
    """
    names = _POLARS_NAMES.get(fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0])
    if names is None:
        return None
    given = {name: value for name, value in fs.storage_options.items() if name != "client_kwargs"}
    given |= fs.storage_options.get("client_kwargs") or {}
    options: dict[str, str] = {}
    for name, value in given.items():
        if value is None or value is False or name in _FOR_FSSPEC_ALONE:
            continue
        if name not in names or not isinstance(value, str | bool) or (names is _GCS and not str(value).endswith(".json")):
            return None  # such as a profile, a credential object, gcsfs's token="anon"
        options[names[name]] = value if isinstance(value, str) else "true"
    if options.get("aws_endpoint_url", "").startswith("http://"):
        options["aws_allow_http"] = "true"
    return options


def scan_metrics(corpus: str | os.PathLike[str] | Corpus, run: str) -> pl.LazyFrame:
    """One row for each step of a training run: the curve of its loss.

    Columns: `step`, `segment`, `tokens` (read so far), `train_loss` (nats a token, of the step's own batch), `lr`, `grad_norm`,
    `tok_per_sec`, `mfu`, `seconds`, and `val_loss`, a list of structs with `part`, `loss` (nats a token) and `bpb` (bits per
    byte, null where that is not known) where the step was evaluated.

    Rows are in the order of (segment, step). A segment that goes on from before the decay of the one before begins at a smaller
    step than that one's last; what led to the newest weights are the rows with no smaller step behind them, and of two of the
    same step the later: `.filter(pl.col("step") <= pl.col("step").cum_min(reverse=True)).unique("step", keep="last")`.

    Raises:
        FileNotFoundError: there is no corpus at that place.
        ValueError: there is no such run, or it has not begun.

    >>> curve = "scan_metrics(corpus, 'r1').explode('val_loss').unnest('val_loss').drop_nulls('loss')"
    """
    import polars as pl

    corpus = Corpus.open(corpus).require()
    path = corpus.path("runs", run, "metrics.jsonl")
    if not corpus.fs.exists(path):
        runs = ", ".join(corpus.runs()) or "none"
        raise ValueError(f"there are no metrics of a run {run!r} in {corpus.url}: its runs are {runs}")
    whole = corpus.fs.cat_file(path).rpartition(b"\n")[0]  # what follows the last newline was not finished
    lines = [json.loads(line) for line in whole.splitlines() if line]
    rows = [{**line, "val_loss": _by_part(line.get("val_loss"), line.get("val_bpb", {}))} for line in lines]
    numbers = ("train_loss", "lr", "grad_norm", "tok_per_sec", "mfu", "seconds")
    val_loss = pl.List(pl.Struct({"part": pl.String, "loss": pl.Float64, "bpb": pl.Float64}))
    counts = dict.fromkeys(("step", "segment", "tokens"), pl.Int64)
    return pl.DataFrame(rows, schema={**counts, **dict.fromkeys(numbers, pl.Float64), "val_loss": val_loss}).lazy()


def scan_evals(corpus: str | os.PathLike[str] | Corpus, run: str) -> pl.LazyFrame:
    """One row for each validation window of each part, as a segment of a run begins and as it ends.

    Columns: `segment` (for which it was evaluated), `moment` ("begin" or "end" of it), `step` (that the weights have learned
    from), `part`, `window` (its first token), `n_targets`, `n_bytes` (of the text behind the targets; null where that is not
    known), and `loss` (nats, the sum over the targets). Windows never change, so rows pair by `part` and `window`. What a
    segment begins with, and is to be compared with, are the last weights of the one before, decayed where that had a decay:
    its rows at "end" are not repeated, and parts that are new have theirs at the "begin" of the later one.

    Raises:
        FileNotFoundError: there is no corpus at that place.
        ValueError: there is no such run, or it was trained by a raywiki that kept none of this.

    >>> by_part = "scan_evals(corpus, 'r1').group_by('step', 'part').agg(pl.sum('loss') / pl.sum('n_targets'))"
    """
    corpus = Corpus.open(corpus).require()
    path = corpus.path("runs", run, "evals.parquet")
    if not corpus.fs.exists(path):
        runs = corpus.runs()
        if run in runs:
            raise ValueError(f"run {run} has no stored evaluation yet: its next segment stores them as it begins and ends")
        raise ValueError(f"there are no evaluations of a run {run!r} in {corpus.url}: its runs are {', '.join(runs) or 'none'}")
    return _scan_shards(corpus, [path]).select(EVALS.names)


def _by_part(
    val_loss: dict[str, float | None] | None, val_bpb: dict[str, float | None]
) -> list[dict[str, str | float | None]] | None:
    if val_loss is None:
        return None
    return [{"part": part, "loss": loss, "bpb": val_bpb.get(part)} for part, loss in val_loss.items()]
