"""Exports of token ids: the .bin files of nanoGPT, and those with a header that llm.c and modded-nanogpt read.

nanoGPT's train.py maps `train.bin` and `val.bin` as little-endian uint16 and takes the size of the vocabulary from `meta.pkl`,
where there is one; without, 50,304, which is GPT-2's rounded up. Its sample.py takes GPT-2's encoding without a `meta.pkl`,
and else a table of texts (`itos`) and one of characters (`stoi`). Documents end with the end-of-text id, as its prepare.py has
them.

llm.c's data files begin with 256 int32: a magic number, a version, and how many ids follow, uint16 for GPT-2, uint32 for the
larger vocabulary of Llama 3 (llm.c, dev/data/data_common.py). There, and in modded-nanogpt, a document begins with the
end-of-text id (dev/data/fineweb.py), so each document's last id is written before it. A shard ends where it is full.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from raywiki.corpus import Corpus
from raywiki.files import HashingFile
from raywiki.local.export_target import Advance, Counts, Export, PlannedFile
from raywiki.manifest import Manifest, Shard, digest_of
from raywiki.tokens import Encoding

SPLITS = ("train", "val")
SHARD_TOKENS = 100_000_000  # as llm.c's and modded-nanogpt's fineweb.py
HEADERS = {2: (20240520, 1), 4: (20240801, 7)}  # magic number and version, by bytes of an id
MODDED_BOS = 50256  # the id by which modded-nanogpt's train_gpt.py finds documents
FORMAT = 1  # of what is written: other bytes from the same tokens need another number


@dataclass(frozen=True)
class Tokens:
    """The tokens of the parts to export, in their order; `leading`: the end-of-text id stands before its document."""

    corpus: Corpus
    encoding: Encoding
    manifests: Mapping[str, Manifest]
    leading: bool = False
    _sums: dict[tuple[str, str], int] = field(default_factory=dict)  # tokens of a shard and split, once they were asked for

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("<u2" if self.encoding.vocab_size <= 1 << 16 else "<u4")

    def total(self, split: str) -> int:
        return sum(manifest.counts[f"{split}_tokens"] for manifest in self.manifests.values())

    def made_from(self, split: str, start: int, stop: int) -> list[Any]:
        """The digests of the parts that hold the ids from `start` to `stop` of a split, each with where it begins."""
        found, position = [], 0
        for manifest in self.manifests.values():
            end = position + manifest.counts[f"{split}_tokens"]
            if position < stop and end > start:
                found.append([manifest.digest, position])
            position = end
        return [self.leading, self.encoding.digest, split, start, stop, found]

    def read(self, split: str, start: int, stop: int) -> Iterator[tuple[str, np.ndarray, int]]:
        """The ids from `start` to `stop` of all ids of a split: part, ids, and how many documents begin among them."""
        position = 0
        for part, manifest in self.manifests.items():
            end = position + manifest.counts[f"{split}_tokens"]
            if position < stop and end > start:
                for ids, documents in self._read_part(manifest, split, start - position, stop - position):
                    yield part, ids, documents
            position = end

    def _read_part(self, manifest: Manifest, split: str, start: int, stop: int) -> Iterator[tuple[np.ndarray, int]]:
        position = 0
        for shard in manifest.shards:
            if position >= stop:
                return
            if position < start and position + (held := self._sum(manifest, shard, split)) <= start:
                position += held
                continue
            for table in self.corpus.iter_shard(manifest, shard, ["split", "n_tokens", "tokens"]):
                rows = table.filter(pc.equal(table["split"], split))
                if not rows.num_rows:
                    continue
                ids, lengths = self._ids(rows), rows["n_tokens"].to_numpy().astype(np.int64)
                begins = position + np.cumsum(lengths) - lengths
                documents = int(np.count_nonzero((begins >= start) & (begins < stop)))
                yield ids[max(start - position, 0) : max(stop - position, 0)], documents
                position += len(ids)

    def _ids(self, rows: pa.Table) -> np.ndarray:
        ids = pa.concat_arrays([chunk.flatten() for chunk in rows["tokens"].chunks]).to_numpy(zero_copy_only=False)
        if self.leading:
            assert ids[-1] == self.encoding.end_of_text, "a row of the tokens table ends its document"
            ids = np.concatenate([ids[-1:], ids[:-1]])
        return ids.astype(self.dtype, copy=False)

    def _sum(self, manifest: Manifest, shard: Shard, split: str) -> int:
        """How many ids of a split a shard holds; reads two small columns."""
        key = self.corpus.shard_path(manifest, shard), split
        if key not in self._sums:
            tables = self.corpus.iter_shard(manifest, shard, ["split", "n_tokens"], batch_size=1 << 16)
            sums = (pc.sum(table.filter(pc.equal(table["split"], split))["n_tokens"]).as_py() or 0 for table in tables)
            self._sums[key] = sum(sums)
        return self._sums[key]


def expected_counts(manifests: Mapping[str, Manifest]) -> dict[str, dict[str, int]]:
    names = [f"{split}_{what}" for split in SPLITS for what in ("documents", "tokens")]
    return {part: {name: manifest.counts[name] for name in names} for part, manifest in manifests.items()}


def plan_nanogpt(tokens: Tokens, settings: dict[str, Any], is_gpt2: bool) -> Export:
    """`train.bin`, `val.bin`, and `meta.pkl` unless the encoding is GPT-2's, which nanoGPT takes where there is none."""
    files = [_bin_file(tokens, f"{split}.bin", split, 0, tokens.total(split), header=b"") for split in SPLITS]
    notes = []
    if not is_gpt2:
        key = digest_of([FORMAT, "meta.pkl", tokens.encoding.digest])
        files.append(PlannedFile("meta.pkl", key, partial(write_meta, tokens.encoding)))
        notes.append(
            "meta.pkl has the text of each id and the id of each character that is one: sample.py takes a prompt of those "
            "characters, and a letter of several ids comes out as \ufffd"
        )
    if tokens.dtype.itemsize > 2:
        size = tokens.encoding.vocab_size
        notes.append(f"the ids are uint32, as the vocabulary has {size:,}; nanoGPT's train.py as it is reads uint16 only")
    if not tokens.total("val"):
        notes.append("val.bin is empty, with which nanoGPT's train.py cannot begin: no page of these parts is for validation")
    return Export("nanogpt", settings, files, expected_counts(tokens.manifests), "M tokens", tuple(notes))


def plan_llmc(tokens: Tokens, settings: dict[str, Any]) -> Export:
    """`wiki_train_000001.bin` … and `wiki_val_000000.bin` …, each with `settings["shard_tokens"]` ids but the last ones."""
    magic, version = HEADERS[tokens.dtype.itemsize]
    size, files = settings["shard_tokens"], []
    for split, first in (("train", 1), ("val", 0)):  # fineweb.py counts them together, and its first one is for validation
        total = tokens.total(split)
        for number, start in enumerate(range(0, total, size), first):
            stop = min(start + size, total)
            header = np.zeros(256, "<i4")
            header[:3] = magic, version, stop - start
            files.append(_bin_file(tokens, f"wiki_{split}_{number:06d}.bin", split, start, stop, header.tobytes()))
    notes = []
    if tokens.dtype.itemsize > 2:
        notes.append(
            f"the ids are uint32 under llm.c's header for Llama 3, as the vocabulary has {tokens.encoding.vocab_size:,}"
        )
    elif tokens.encoding.end_of_text != MODDED_BOS:
        found = tokens.encoding.end_of_text
        notes.append(
            f"documents begin with id {found}: set BOS_ID in modded-nanogpt's train_gpt.py to it, which has {MODDED_BOS}"
        )
    if not tokens.total("val"):
        notes.append("there is no file for validation, as no page of these parts is for it")
    return Export("llmc", settings, files, expected_counts(tokens.manifests), "M tokens", tuple(notes))


def _bin_file(tokens: Tokens, name: str, split: str, start: int, stop: int, header: bytes) -> PlannedFile:
    key = digest_of([FORMAT, len(header), *tokens.made_from(split, start, stop)])
    return PlannedFile(name, key, partial(_write_bin, tokens, split, start, stop, header), (stop - start) / 1e6)


def _write_bin(tokens: Tokens, split: str, start: int, stop: int, header: bytes, sink: HashingFile, advance: Advance) -> Counts:
    counts: Counts = {}
    sink.write(header)
    for part, ids, documents in tokens.read(split, start, stop):
        sink.write(ids.tobytes())
        counts.setdefault(part, Counter()).update({f"{split}_documents": documents, f"{split}_tokens": len(ids)})
        advance(len(ids) / 1e6)
    written = (sink.size - len(header)) // tokens.dtype.itemsize
    if written != stop - start:
        raise ValueError(
            f"the tokens table holds fewer {split} tokens than its manifests say, {written:,} of {stop - start:,}: "
            "`raywiki status --verify` tells which file is wrong"
        )
    return counts


def write_meta(encoding: Encoding, sink: HashingFile, advance: Advance) -> Counts:
    itos = {index: _text(encoding, index) for index in range(encoding.vocab_size)}
    stoi = {text: index for index, text in reversed(itos.items()) if len(text) == 1 and text != "\ufffd"}
    sink.write(pickle.dumps({"vocab_size": encoding.vocab_size, "itos": itos, "stoi": stoi}, protocol=4))
    return {}


def _text(encoding: Encoding, index: int) -> str:
    try:
        return encoding.decode([index])
    except KeyError:  # tiktoken's larger vocabularies leave some ids out
        return ""
