"""A corpus of a few dozen short articles with a run of a very small model: all tables by the verbs themselves, in seconds."""

from __future__ import annotations

import bz2
import random
from pathlib import Path
from typing import Any

import pytest
from made_dumps import dump_xml
from verbs_here import without_ray

import raywiki as rw
from raywiki.training import config

TRAIN: dict[str, Any] = dict(steps=6, total_batch_size=64, eval_every=3)
TINY = config.Size(n_layer=1, n_head=2, n_embd=16, seq_len=32, total_batch_size=64, lr=2e-3)


def make_dumps(folder: Path, count: int = 3, articles: int = 24) -> list[Path]:
    """Dump parts of a wiki, each of so many articles that tell of nothing; no two are alike."""
    chance, dumps = random.Random(7), []
    words = ["".join(chance.choices("abcdefghiklmnopqrstuvw", k=chance.randint(2, 8))) for _ in range(300)]
    for number in range(1, count + 1):
        texts = [" ".join(chance.choices(words, k=60)).capitalize() + "." for _ in range(articles)]
        dumps.append(folder / f"viwiki-20260101-pages-articles{number}.xml-p{number}00p{number}99.bz2")
        dumps[-1].write_bytes(bz2.compress(dump_xml(texts, first_id=number * 100)))
    return dumps


def make_little_corpus(folder: Path) -> None:
    """Three dump parts in `folder/dumps`, two of them in `folder/corpus`, `folder/small.json`, and a run r1 of six steps."""
    (folder / "dumps").mkdir()
    dumps, corpus = make_dumps(folder / "dumps"), folder / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, folder / "cache")
        patch.setitem(config.SIZES, "nano", TINY)
        rw.extract(corpus, dumps[:2])
        rw.curate(corpus, min_chars=100)
        rw.train_tokenizer(corpus, to=str(folder / "small.json"), vocab_size=300)
        rw.tokenize(corpus, str(folder / "small.json"), val_fraction=0.2)
        rw.train(corpus, "r1", **TRAIN)
