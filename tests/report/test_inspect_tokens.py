from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))
from text_corpus import make_text_corpus
from verbs_here import without_ray

import raywiki as rw
from raywiki.corpus import Corpus
from raywiki.report.tokens import PLAIN, _columns
from raywiki.tokens import train_bpe

TEXTS = {1: "the theatre and the thesis " * 20, 2: "地球は丸い\n\tand ένα δύο 🦡", 3: "the end", 4: "z" * 5000}
COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> Corpus:
    without_ray(monkeypatch, tmp_path)
    (tmp_path / "own.json").write_bytes(train_bpe([TEXTS[1]] * 9, 270))
    made = make_text_corpus(tmp_path / "corpus", {"p1": {1: TEXTS[1], 2: TEXTS[2]}, "p2": {3: TEXTS[3], 4: TEXTS[4]}})
    rw.tokenize(made, str(tmp_path / "own.json"), val_fraction=0.4)
    return made


def test_counts_are_those_of_the_table(corpus, tmp_path):
    found = rw.inspect_tokens(corpus, str(tmp_path / "own.json"))
    rows = rw.scan_tokens(corpus).collect().to_dicts()
    assert len({row["split"] for row in rows}) == 2
    for shown in found.parts:
        own = [row for row in rows if (row["part"], row["split"]) == (shown["part"], shown["split"])]
        assert (shown["documents"], shown["longest"]) == (len(own), max(row["n_tokens"] for row in own))
        assert shown["tokens"] == sum(row["n_tokens"] for row in own)
        size = sum(len(TEXTS[row["page_id"]].encode()) for row in own)
        assert shown["bytes_per_token"] == round(size / shown["tokens"], 3)
    ids = [token for row in rows for token in row["tokens"]]
    assert found.unused == 270 - len(set(ids))
    assert found.frequent[0] == {"id": found.frequent[0]["id"], "token": "“z”", "times": 5000, "share": 5000 / len(ids)}
    assert found.to_dict()["encoding"] == "own"


def test_a_document_is_cut_into_its_tokens(corpus):
    found = rw.inspect_tokens(corpus, page_id=2, n=0)
    assert found.document["title"] == "Title 2"
    assert "".join(text for text, _ in found.document["pieces"]) == TEXTS[2] + "<|endoftext|>"
    assert sum(count for _, count in found.document["pieces"]) == found.document["n_tokens"]
    plain = str(found).splitlines()
    assert plain[-1].startswith("  地|球|は|丸|い|⏎|⇥|an|d| |έ|")
    assert "page 2, p1" in plain[-2]
    coloured = found.render(colours=True).splitlines()[-1]
    assert COLOUR.sub("", coloured) == plain[-1].replace("|", "").replace("<endoftext>", "<|endoftext|>")
    colours = [code for code in COLOUR.findall(coloured) if code != PLAIN]
    assert all(one != other for one, other in pairwise(colours))
    assert "\x1b" not in found._repr_html_()


@pytest.mark.parametrize("page_id", [1, 2, 3, 4])
def test_it_fits_into_100_columns(corpus, page_id):
    found = rw.inspect_tokens(corpus, page_id=page_id)
    for text in (str(found), COLOUR.sub("", found.render(colours=True))):
        assert max(map(_columns, text.splitlines())) <= 100
    if page_id == 4:
        assert "the first 300 of 5,001 tokens of Title 4" in str(found)


def test_a_document_is_drawn_with_a_seed(corpus):
    drawn = [rw.inspect_tokens(corpus, seed=seed).document["page_id"] for seed in range(12)]
    assert len(set(drawn)) == 4
    assert drawn == [rw.inspect_tokens(corpus, seed=seed).document["page_id"] for seed in range(12)]


def test_what_is_not_there_is_said(corpus, tmp_path):
    with pytest.raises(ValueError, match="page 77 has no own tokens"):
        rw.inspect_tokens(corpus, page_id=77)
    with pytest.raises(ValueError, match="no tokens of encoding 'gpt2', only of own"):
        rw.inspect_tokens(corpus, "gpt2")
    with pytest.raises(ValueError, match="n is -1"):
        rw.inspect_tokens(corpus, n=-1)
    with pytest.raises(ValueError, match="has no tokens yet"):
        rw.inspect_tokens(make_text_corpus(tmp_path / "bare", {"p1": TEXTS}))


def test_the_bytes_of_gpt2s_tokens(gpt2_vocabulary, monkeypatch):
    from raywiki.tokens import load_encoding, read_vocabulary

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    encoding = load_encoding(*read_vocabulary("gpt2"))
    [ids] = encoding.encode([TEXTS[2]])
    assert b"".join(encoding.token_bytes(token) for token in ids).decode() == TEXTS[2]
    assert (encoding.token_bytes(50256), encoding.token_bytes(50257)) == (b"<|endoftext|>", None)
