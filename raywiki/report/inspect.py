"""Looking at single rows: what was rejected and why, and which templates the cleaner dropped."""

from __future__ import annotations

import os
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from raywiki.corpus import Corpus
from raywiki.local.templates import find_templates
from raywiki.scan import scan_articles, scan_decisions
from raywiki.summary import as_html, plural, table
from raywiki.wikitext.bundled import normalise

HEAD = 200  # characters of a text that are shown
INVOKE = re.compile(r"\{\{\s*(?:safesubst:|subst:)?\s*#invoke:\s*([^|{}<>]+)", re.IGNORECASE)


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
    """Templates whose content the cleaner left out, guessed or failed on, the most frequent first.

    `total` counts uses that were dropped, `guessed` and `failed` the others.
    """

    rows: tuple[dict[str, Any], ...]
    total: int
    guessed: int = 0
    failed: int = 0

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    _repr_html_ = as_html

    def __str__(self) -> str:
        counts = ["dropped", *(name for name in ("guessed", "failed") if getattr(self, name))]
        shown = []
        for row in self.rows:
            cells: dict[str, Any] = {"template": _head(row["template"], 40), **{name: row[name] for name in counts}}
            if any(each["defined"] is not None for each in self.rows):
                cells |= {"defined": row["defined"], "module": _head(row["module"], 20)}
            shown.append({**cells, "first in": _head(row["article"], 25)})
        lines = [", ".join(f"{plural(self.total, 'template use')} dropped" if name == "dropped" else
                           f"{getattr(self, name):,} {name}" for name in counts)]  # fmt: skip
        for line, sentence in zip(table(shown), (None, *(row["sentence"] for row in self.rows)), strict=False):
            lines.append("  " + line)
            if sentence:
                lines += textwrap.wrap(sentence, 100, initial_indent="    | ", subsequent_indent="    | ")
        return "\n".join(lines)


def _head(text: str | None, length: int) -> str | None:
    return text if text is None or len(text) <= length else text[: length - 1] + "…"


def inspect_templates(corpus: str | os.PathLike[str] | Corpus, *, n: int = 30) -> Templates:
    """The templates that were dropped, guessed or failed most often, with the sentence that lost each first.

    Args:
        corpus: folder or URL.
        n: rows to show at most.

    Returns:
        Rows with `template`; `dropped`, `guessed` and `failed`, how often; `defined`, whether a dump of the corpus defines it
        (None: the parts were cleaned without templates); `module`, the one that its definition calls first; `article` and
        `sentence` (its wikitext around the template; None: the part was extracted before raywiki kept examples).

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: the notes of a part are damaged; `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}, it must be a number of templates of at least 0")
    corpus = Corpus.open(corpus).require()
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("dropped", "guessed", "failed")}
    examples: dict[str, dict[str, str]] = {}
    files: dict[str, None] = {}
    for manifest in corpus.manifests("articles").values():
        details = corpus.read_details(manifest)
        for name, counter in counts.items():
            counter.update(details.get(f"{name}_templates", {}))
        examples = {**details.get("template_examples", {}), **examples}
        files |= {manifest.templates[0]: None} if manifest.templates else {}
    most = [name for name, _ in sum(counts.values(), Counter[str]()).most_common(n)]
    defined = _definitions(corpus, files, most)
    none = {"article": None, "sentence": None}
    rows = tuple(
        {"template": name, **{kind: counter[name] for kind, counter in counts.items()}, **defined[name],
         **(examples.get(name) or none)}
        for name in most
    )  # fmt: skip
    total, guessed, failed = (counter.total() for counter in counts.values())
    return Templates(rows, total, guessed, failed)


def _definitions(corpus: Corpus, files: Iterable[str], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Whether one of these files of templates defines each name, and the module that the definition calls first."""
    files = [path for path in files if corpus.fs.exists(corpus.path(path))]  # `status` tells of one that is gone
    keys = {name: normalise(name) for name in names}
    found: dict[str, dict[str, Any]] = {name: {"defined": False if files else None, "module": None} for name in keys}
    for path in files:
        rows = find_templates(corpus.url_of(path), set(keys.values()))
        for name, key in keys.items():
            if not found[name]["defined"] and (text := _text_of(key, rows)) is not None:
                invoked = INVOKE.search(text)
                found[name] = {"defined": True, "module": " ".join(invoked[1].split()) if invoked else None}
    return found


def _text_of(name: str, rows: Mapping[str, dict[str, Any]]) -> str | None:
    """The definition of a name, redirects followed as far as there are rows and they do not lead back."""
    for _ in rows:
        row = rows.get(name, {})
        if row.get("redirect") is None:
            return row.get("text")
        name = row["redirect"]
    return None
