"""A part of a corpus as training knows it, from the manifest of its tokens."""

from __future__ import annotations

from raywiki.corpus import Corpus, Manifest
from raywiki.manifest import source_of
from raywiki.training.cache import shards_digest
from raywiki.training.order import PartTokens


def part_tokens(manifest: Manifest) -> PartTokens:
    """Identity and numbers of the part's tokens."""
    digest = shards_digest([shard.sha256 for shard in manifest.shards])
    return PartTokens(
        manifest.part, digest, manifest.counts["train_tokens"], manifest.counts["val_tokens"], source=source_of(manifest)
    )


def shard_files(corpus: Corpus, manifest: Manifest) -> list[tuple[str, str]]:
    """Path and SHA-256 (hex) of each shard, as `cache.open_cache` takes them."""
    return [(corpus.shard_path(manifest, shard), shard.sha256) for shard in manifest.shards]
