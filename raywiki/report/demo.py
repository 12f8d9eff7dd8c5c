"""The demo: the whole path on the built-in sample wiki, offline, and one screen of what it brought."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import raywiki as rw
from raywiki.files import local_folder
from raywiki.report.evaluated import segment_ends
from raywiki.report.growth import brought
from raywiki.summary import as_html, table
from raywiki.training.runs import require_run

RUN = "demo"
ENCODING = "pydoc4096"
VOCAB_SIZE = 4096
# A few hundred articles a part: 5 % of them for validation give a loss that says something, the default 0.5 % would not.
VAL_FRACTION = 0.05
MODEL: dict[str, Any] = dict(size="nano", seq_len=128, batch_size=16, total_batch_size=2048, device="cpu", num_workers=1)
STEPS_FIRST, STEPS_GROWN = 200, 160
PROMPT = "Return the "


@dataclass(frozen=True)
class Demo:
    """What the demo made; `str(demo)` is its last screen."""

    corpus: str
    parts: tuple[dict[str, Any], ...]
    losses: tuple[dict[str, Any], ...]
    text: str
    seconds: float

    _repr_html_ = as_html

    def __str__(self) -> str:
        lines = [
            "",
            "rows by table and part",
            *("  " + line for line in table(self.parts)),
            "",
            "validation loss (nats a token): part 1 alone, then grown by parts 2 and 3",
            *("  " + line for line in table(self.losses)),
            "",
            f"text after {PROMPT!r}",
            *("  | " + line for line in _wrapped(self.text, 90, 8)),
            "",
            f"the corpus lies in {self.corpus}; open it with",
            "  import polars as pl, raywiki as rw",
            f'  rw.scan_documents("{self.corpus}").select("title", "n_chars", "part").collect()',
            f'  rw.scan_decisions("{self.corpus}").group_by("part", "reason").len().sort("part", "len").collect()',
            "",
            f"all of it took {self.seconds:.0f} s; the same command again finds it done",
        ]
        return "\n".join(lines)


def demo(folder: str) -> Demo:
    """Run the demo in a folder: dump parts in `dumps/`, the corpus in `corpus/`. Takes up what an earlier run left."""
    started = time.monotonic()
    home = Path(local_folder(folder, "the demo"))
    corpus, vocabulary = home / "corpus", home / f"{ENCODING}.json"
    rw.Corpus(corpus).writable()
    _say("three dump parts from the documentation of Python's standard library")
    parts = rw.write_sample_wiki(home / "dumps")
    _say("part 1: extract, curate, train a vocabulary, tokenize, train a GPT")
    print(rw.extract(corpus, parts[0]))
    if not (corpus / "decisions").exists():
        print(rw.curate(corpus))
    if not vocabulary.exists():
        print(f"wrote {rw.train_tokenizer(corpus, to=str(vocabulary), vocab_size=VOCAB_SIZE)}")
    if not (corpus / "runs" / RUN).exists():
        print(rw.tokenize(corpus, str(vocabulary), val_fraction=VAL_FRACTION))
        print(rw.train(corpus, RUN, steps=STEPS_FIRST, **MODEL))
    _say("parts 2 and 3: grow, and go on from the checkpoint")
    print(rw.grow(corpus, parts, RUN, encoding=ENCODING, steps=STEPS_GROWN, **MODEL))
    text = rw.sample(corpus, RUN, PROMPT, max_tokens=120, device="cpu")
    return Demo(str(corpus), tuple(_rows(str(corpus))), tuple(_losses(corpus)), text, time.monotonic() - started)


def _say(what: str) -> None:
    print(f"\n--- {what}", flush=True)
    sys.stdout.flush()


def _rows(corpus: str) -> list[dict[str, Any]]:
    """How many rows each table has of each part."""
    import polars as pl

    tables = {
        "articles": rw.scan_articles(corpus),
        "kept": rw.scan_documents(corpus),
        "duplicates": rw.scan_decisions(corpus).filter(pl.col("dup_of").is_not_null()),
        "tokens": rw.scan_tokens(corpus, ENCODING),
    }
    counts = {name: dict(frame.group_by("part").len().collect().iter_rows()) for name, frame in tables.items()}
    n_tokens = rw.scan_tokens(corpus, ENCODING).group_by("part").agg(pl.col("n_tokens").cast(pl.Int64).sum())
    n_tokens_of = dict(n_tokens.collect().iter_rows())
    return [
        {"part": part, **{name: counts[name].get(part, 0) for name in counts}, "token_ids": n_tokens_of.get(part, 0)}
        for part in rw.Corpus(corpus).manifests("articles")
    ]


def _losses(corpus: Path) -> list[dict[str, Any]]:
    """Validation loss of each part with the weights that the run had before parts 2 and 3, and at its end."""
    opened, run = rw.Corpus(corpus), require_run(corpus / "runs" / RUN)
    rows = brought(run, segment_ends(opened, run), rw.scan_evals(opened, RUN).collect(), len(run.segments) - 1)
    return [{name: row[name] for name in ("part", "before", "after", "change")} for row in rows]


def _wrapped(text: str, width: int, most: int) -> list[str]:
    import textwrap

    lines = [piece for line in text.splitlines() for piece in textwrap.wrap(line, width) or [""]]
    return [*lines[:most], "…"] if len(lines) > most else lines
