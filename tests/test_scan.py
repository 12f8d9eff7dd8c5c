"""Scans of a store that fsspec was told how to open: the same place, as the same user."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from raywiki import scan
from raywiki.corpus import Corpus, Manifest, Shard
from raywiki.scan import polars_options

SCHEMA = pa.schema([("page_id", pa.int64())])


class Store:
    def __init__(self, protocol, **options) -> None:
        self.protocol, self.storage_options = protocol, options

    def unstrip_protocol(self, path: str) -> str:
        return f"{self.protocol[0]}://{path}"


@pytest.mark.parametrize(
    ("store", "options"),
    [
        (Store(("s3", "s3a")), {}),
        (Store(("s3", "s3a"), anon=True, use_ssl=True), {"aws_skip_signature": "true"}),
        (Store(("s3", "s3a"), key="me", secret="x", token="t", anon=False, client_kwargs={"region_name": "eu"}),
         {"aws_access_key_id": "me", "aws_secret_access_key": "x", "aws_session_token": "t", "aws_region": "eu"}),
        (Store(("s3", "s3a"), endpoint_url="http://here:9000"),
         {"aws_endpoint_url": "http://here:9000", "aws_allow_http": "true"}),
        (Store(("s3", "s3a"), profile="work"), None),
        (Store(("s3", "s3a"), config_kwargs={"signature_version": "s3"}), None),
        (Store(("gs", "gcs"), project="p", token="/keys/me.json"), {"google_service_account": "/keys/me.json"}),
        (Store(("gs", "gcs"), token="anon"), None),
        (Store(("abfs", "az"), account_name="a", account_key="k"),
         {"azure_storage_account_name": "a", "azure_storage_account_key": "k"}),
        (Store(("abfs", "az"), connection_string="…"), None),
        (Store("sftp", host="h"), None),
    ],
)  # fmt: skip
def test_options_are_said_in_polars_own_words_or_not_at_all(store, options):
    assert polars_options(store) == options


def test_polars_is_given_the_options_of_the_store(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(
        pl, "scan_parquet", lambda paths, **options: given.update(paths=paths, **options) or pl.LazyFrame({"page_id": []})
    )
    corpus = Corpus(tmp_path)
    corpus.fs = Store(("s3", "s3a"), endpoint_url="https://here")
    made = Manifest("signatures", "p1", {}, (Shard("s.parquet", 1, 1, ""),), {})
    scan.scan_manifests(corpus, [made], SCHEMA)
    assert given["storage_options"] == {"aws_endpoint_url": "https://here"}
    assert given["paths"] == [f"s3://{tmp_path}/signatures/part=p1/s.parquet"]


def test_what_polars_cannot_be_told_goes_through_fsspec(tmp_path):
    corpus = Corpus(f"memory://{tmp_path.name}")
    table = pa.table({"page_id": [1, 2]}, schema=SCHEMA)
    made = Manifest("signatures", "p1", {}, (corpus.write_shard("signatures/part=p1", "s.parquet", [table], SCHEMA),), {})
    assert scan.scan_manifests(corpus, [made], SCHEMA).collect()["page_id"].to_list() == [1, 2]
