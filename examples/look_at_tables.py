"""Every table of a corpus in Polars: `python examples/look_at_tables.py CORPUS` (after `raywiki demo`: demo/corpus)."""

from __future__ import annotations

import sys

import polars as pl

import raywiki as rw

corpus = sys.argv[1] if len(sys.argv) > 1 else "demo/corpus"
pl.Config.set_tbl_width_chars(100).set_fmt_str_lengths(40)

print("articles: how many, how long, by part")
print(
    rw.scan_articles(corpus)
    .group_by("part")
    .agg(pl.len().alias("articles"), pl.col("n_chars").sum(), pl.col("n_chars").median().alias("median"))
    .sort("part")
    .collect()
)

print("decisions: what is kept, and why the rest is not")
print(
    rw.scan_decisions(corpus)
    .group_by("part", pl.col("reason").fill_null("kept"))
    .len("articles")
    .sort("part", "articles", descending=[False, True])
    .collect()
)

print("the longest documents")
print(rw.scan_documents(corpus).select("title", "n_chars", "url").top_k(5, by="n_chars").collect())

print("the most frequent categories")
print(
    rw.scan_documents(corpus)
    .select(pl.col("categories").explode().alias("category"))
    .drop_nulls()
    .group_by("category")
    .len("articles")
    .top_k(5, by="articles")
    .collect()
)

for encoding in rw.Corpus(corpus).encodings():
    print(f"tokens of {encoding}")
    tokens = rw.scan_tokens(corpus, encoding)
    print(
        tokens.group_by("part", "split")
        .agg(pl.len().alias("documents"), pl.col("n_tokens").sum())
        .sort("part", "split")
        .collect()
    )
