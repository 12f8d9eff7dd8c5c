"""One corpus that nothing happened to, for tests that compare with it or copy it. Do not write to it.

It is made without Ray, so that whoever makes the same with Ray also sees that spreading changes nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_corpus import MIN_CHARS, TRAIN, VAL_FRACTION
from verbs_here import without_ray

import raywiki as rw


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, sample_parts) -> Path:
    """A corpus of two sample parts, tokenized with a vocabulary `small.json` beside it, with run r1 trained for 60 steps."""
    folder = tmp_path_factory.mktemp("undisturbed")
    corpus = folder / "corpus"
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch, folder / "cache")
        rw.extract(corpus, sample_parts[:2])
        rw.curate(corpus, min_chars=MIN_CHARS)
        rw.train_tokenizer(corpus, to=str(folder / "small.json"), vocab_size=512)
        rw.tokenize(corpus, str(folder / "small.json"), val_fraction=VAL_FRACTION)
        rw.train(corpus, "r1", **{name.replace("-", "_"): value for name, value in TRAIN.items()})
    return corpus
