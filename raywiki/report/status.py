"""What a corpus holds, part by part: rows, tokens, and what is missing, stale or damaged."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from raywiki.corpus import Corpus, Manifest, tokens_table
from raywiki.files import file_sha256
from raywiki.summary import table


@dataclass(frozen=True)
class Status:
    """State of a corpus: one dict for each part and each run. `str(status)` is a screen of tables."""

    corpus: str
    parts: tuple[dict[str, Any], ...]
    runs: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"corpus": self.corpus, "parts": self.parts, "runs": self.runs, "problems": self.problems}

    def __str__(self) -> str:
        lines = [f"corpus {self.corpus}", *("  " + line for line in table(self.parts) or ["no part is committed"])]
        if self.runs:
            lines += ["runs", *("  " + line for line in table(self.runs))]
        lines += [f"  problem: {problem}" for problem in self.problems]
        return "\n".join(lines)


def status(corpus: str | os.PathLike[str] | Corpus, *, verify: bool = False) -> Status:
    """Describe every part and run of a corpus.

    Args:
        corpus: folder or URL.
        verify: read every shard and compare its SHA-256 with the manifest's; else only those of a part whose files are
            not all there with their sizes.

    Raises:
        FileNotFoundError: there is no corpus at that place.
        ValueError: a manifest is damaged.
    """
    corpus = Corpus.open(corpus).require()
    encodings = corpus.encodings()
    names = ("articles", "signatures", "bands", "pairs", "decisions", *map(tokens_table, encodings))
    tables = {name: corpus.manifests(name) for name in names}
    rows, problems = [], []
    for part, articles in tables["articles"].items():
        decisions = tables["decisions"].get(part)
        row: dict[str, Any] = {"part": part, "pages": articles.counts["pages"], "articles": articles.counts["articles"]}
        row["kept"] = decisions.counts["kept"] if decisions else None
        for encoding in encodings:
            tokens = tables[tokens_table(encoding)].get(part)
            row[f"{encoding}_tokens"] = tokens.counts["tokens"] if tokens else None
        stale = [name for name, found in tables.items() if part in found and corpus.is_stale(found[part])]
        row["state"] = "stale: " + ", ".join(name.rpartition("=")[2] for name in stale) if stale else "ok"
        rows.append(row)
        problems += articles.notes.get("warnings", [])
    for manifest in (manifest for manifests in tables.values() for manifest in manifests.values()):
        if verify or not corpus.is_whole(manifest):
            problems += _damaged(corpus, manifest)
    return Status(corpus.url, tuple(rows), tuple(_runs(corpus)), tuple(problems))


def _damaged(corpus: Corpus, manifest: Manifest) -> list[str]:
    problems = []
    for shard in manifest.shards:
        path = corpus.shard_path(manifest, shard)
        try:
            if file_sha256(corpus.url_of(manifest.folder, shard.name)) != shard.sha256:
                problems.append(f"{path} is not what its manifest says: remove it and run `raywiki {manifest.verb}` again")
        except FileNotFoundError:
            problems.append(f"{path} is missing: run `raywiki {manifest.verb}` again")
    return problems


def _runs(corpus: Corpus) -> list[dict[str, Any]]:
    corpus.fs.invalidate_cache()
    rows = []
    for path in sorted(corpus.fs.glob(corpus.path("runs", "*", "segments.json"))):
        run = path.split("/")[-2]
        folder = path.rpartition("/")[0]
        segments = json.loads(corpus.fs.cat_file(path))["segments"]
        metrics = corpus.fs.cat_file(f"{folder}/metrics.jsonl") if corpus.fs.exists(f"{folder}/metrics.jsonl") else b""
        records = [json.loads(line) for line in metrics.splitlines() if line.strip()]
        losses = [record["val_loss"] for record in records if record.get("val_loss")]
        planned = sum(segment["steps"] for segment in segments)
        rows.append(
            {
                "run": run,
                "segments": len(segments),
                "step": max((record["step"] for record in records), default=0),
                "of": planned,
                "parts": len({part["name"] for segment in segments for part in segment["parts"]}),
                "val_loss": _mean(losses[-1]) if losses else None,
            }
        )
    return rows


def _mean(by_part: dict[str, float | None]) -> float | None:
    values = [value for value in by_part.values() if value is not None]
    return sum(values) / len(values) if values else None
