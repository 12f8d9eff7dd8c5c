"""Looking at single rows: what was rejected and why, and which templates the cleaner dropped."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl

from raywiki.corpus import Corpus
from raywiki.scan import scan_articles, scan_decisions
from raywiki.summary import as_html, plural, table

HEAD = 200  # characters of a text that are shown


@dataclass(frozen=True)
class Rejects:
    """Rejected articles, each with its text's head and that of the article it repeats, if it does."""

    total: int
    rows: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        return {"total": self.total, "rows": self.rows}

    _repr_html_ = as_html

    def __str__(self) -> str:
        lines = [f"{plural(self.total, 'article')} rejected, {len(self.rows)} shown"]
        for row in self.rows:
            lines += ["", f"{', '.join(row['reasons'])}: {row['title']} (page {row['page_id']}, {row['part']})"]
            lines.append(f"  | {row['text']}")
            if row["dup_of"] is not None:
                lines.append(
                    f"  {row['similarity']:.2f} similar to {row['dup_title']} (page {row['dup_of']}, {row['dup_part']})"
                )
                lines.append(f"  | {row['dup_text']}")
        return "\n".join(lines)


def inspect_rejects(
    corpus: str | os.PathLike[str] | Corpus, *, reason: str | None = None, n: int = 5, seed: int = 0
) -> Rejects:
    """A sample of the articles that curation did not keep.

    Args:
        corpus: folder or URL.
        reason: only those with this reason; "dup" means exact and near duplicates.
        n: rows to show at most.
        seed: of the sample.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: no article was rejected for that reason, and the sentence lists the reasons there are; `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}, it must be a number of articles of at least 0")
    rejected = scan_decisions(corpus).filter(~pl.col("keep")).collect()
    wanted = {"dup": ["exact_dup", "near_dup"]}.get(reason or "", [reason])
    chosen = rejected if reason is None else rejected.filter(pl.col("reasons").list.set_intersection(wanted).list.len() > 0)
    if not chosen.height and reason is not None:
        known = ", ".join(sorted(set(rejected["reasons"].explode().drop_nulls()))) or "none"
        raise ValueError(f"no article was rejected for {reason!r}: the reasons are {known}")
    sampled = chosen.sort("part", "page_id").sample(min(n, chosen.height), seed=seed)
    sources = [sampled.select("part", "page_id"), sampled.select(pl.col("dup_part").alias("part"), page_id="dup_of")]
    keys = pl.concat(sources).drop_nulls().unique()
    heads = scan_articles(corpus).join(keys.lazy(), on=["part", "page_id"], how="semi")
    shown = heads.select("part", "page_id", "title", text=pl.col("text").str.slice(0, HEAD).str.replace_all(r"\s+", " "))
    found = {(row["part"], row["page_id"]): row for row in shown.collect().iter_rows(named=True)}
    return Rejects(chosen.height, tuple(_reject(row, found) for row in sampled.iter_rows(named=True)))


def _reject(row: dict[str, Any], articles: dict[tuple[str, int], dict[str, Any]]) -> dict[str, Any]:
    own = articles[row["part"], row["page_id"]]
    shown = {name: row[name] for name in ("part", "page_id", "reasons", "dup_of", "dup_part", "similarity")}
    other = articles.get((row["dup_part"], row["dup_of"]), {"title": None, "text": None})
    return {**shown, "title": own["title"], "text": own["text"], "dup_title": other["title"], "dup_text": other["text"]}


@dataclass(frozen=True)
class Templates:
    """Templates whose content the cleaner left out, the most frequent first."""

    rows: tuple[dict[str, Any], ...]
    total: int

    def to_dict(self) -> dict[str, Any]:
        return {"total": self.total, "rows": self.rows}

    _repr_html_ = as_html

    def __str__(self) -> str:
        shown = [
            {"template": row["template"][:60], "dropped": row["dropped"], "first in": _head(row["article"])}
            for row in self.rows
        ]
        lines = [f"{plural(self.total, 'template use')} dropped"]
        for line, row in zip(table(shown), (None, *self.rows), strict=False):
            lines.append("  " + line)
            if row is not None and row["sentence"]:
                lines += textwrap.wrap(row["sentence"], 100, initial_indent="    | ", subsequent_indent="    | ")
        return "\n".join(lines)


def _head(title: str | None) -> str | None:
    return title if title is None or len(title) <= 25 else title[:24] + "…"


def inspect_templates(corpus: str | os.PathLike[str] | Corpus, *, n: int = 30) -> Templates:
    """The templates that were dropped most often, with the sentence that lost each first.

    Args:
        corpus: folder or URL.
        n: rows to show at most.

    Returns:
        Rows with `template`, `dropped` (how often), `article` and `sentence` (its wikitext around the template; None: the
        part was extracted before raywiki kept examples).

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: the notes of a part are damaged; `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}, it must be a number of templates of at least 0")
    corpus = Corpus.open(corpus).require()
    total: Counter[str] = Counter()
    examples: dict[str, dict[str, str]] = {}
    for manifest in corpus.manifests("articles").values():
        details = corpus.read_details(manifest)
        total.update(details.get("dropped_templates", {}))
        examples = {**details.get("template_examples", {}), **examples}
    none = {"article": None, "sentence": None}
    rows = tuple({"template": name, "dropped": count, **(examples.get(name) or none)} for name, count in total.most_common(n))
    return Templates(rows, sum(total.values()))
