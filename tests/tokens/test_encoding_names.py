"""Which encoding is meant: a name or a vocabulary file with any ending is the same word for every verb."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1]))
from made_corpus import ENCODING, make_corpus

import raywiki as rw
from raywiki.corpus import Corpus, tokens_table
from raywiki.engine.tokens import tokens_settings
from raywiki.engine.train import _encoding_of
from raywiki.tokens import load_encoding, read_vocabulary
from raywiki.tokens.ranks import GPT2_PATTERN, ranks_file
from raywiki.training import open_run
from raywiki.training.runs import write_run

BYTES = {bytes([byte]): byte for byte in range(256)} | {b"th": 256, b"the": 257}
BESIDE = {"pattern": GPT2_PATTERN, "special_tokens": {"<|endoftext|>": 258}}


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    return make_corpus(tmp_path / "corpus", 1)


@pytest.fixture
def ranks(tmp_path) -> Path:
    """A rank file without anything beside it."""
    path = tmp_path / "small.tiktoken"
    path.write_bytes(ranks_file(BYTES))
    return path


def copy_vocabulary(corpus: Corpus, to: Path) -> str:
    to.write_bytes(corpus.fs.cat_file(corpus.path(tokens_table(ENCODING), "vocabulary.json")))
    return str(to)


@pytest.mark.parametrize("file", [f"{ENCODING}.json", f"{ENCODING}.tiktoken", f"{ENCODING}.v1", ENCODING])
def test_every_verb_takes_the_file_for_the_name(corpus, file, tmp_path):
    path = copy_vocabulary(corpus, tmp_path / file)
    assert tokens_settings(corpus.tables(), path)[0] == ENCODING  # tokenize and grow
    assert _encoding_of(corpus.tables(), tmp_path / "no run", path) == ENCODING  # train
    assert corpus.tables().require_encoding(path) == ENCODING  # scan_tokens and inspect


def test_a_name_that_the_corpus_has_is_no_file(corpus, tmp_path, monkeypatch):
    (tmp_path / ENCODING).write_bytes(b"another file of this name")
    monkeypatch.chdir(tmp_path)
    assert tokens_settings(corpus.tables(), ENCODING)[0] == ENCODING
    with pytest.raises(ValueError, match="neither a tokenizer"):
        tokens_settings(corpus.tables(), f"./{ENCODING}")


def test_a_name_with_a_dot_is_its_own(corpus):
    manifest = next(iter(corpus.manifests(tokens_table(ENCODING)).values()))
    corpus.commit(replace(manifest, table=tokens_table("v1.2")))
    assert corpus.tables().require_encoding("v1.2") == "v1.2"


def test_a_verb_without_tokens_names_those_there_are(corpus):
    for wanted in ("other", "a/b/other.tiktoken"):
        with pytest.raises(ValueError, match=f"no tokens of encoding 'other', only of {ENCODING}"):
            rw.scan_tokens(corpus, wanted)
    manifest = next(iter(corpus.manifests(tokens_table(ENCODING)).values()))
    corpus.commit(replace(manifest, table=tokens_table("other")))
    for ask in (lambda: rw.scan_tokens(corpus), lambda: tokens_settings(corpus.tables()),
                lambda: _encoding_of(corpus.tables(), Path("no run"), None)):  # fmt: skip
        with pytest.raises(ValueError, match="has several encodings"):
            ask()


def test_sample_asks_for_the_name_of_its_run(corpus, tmp_path, monkeypatch):
    """Not for a file that happens to be called like it in the folder where it runs."""
    from raywiki.local import sample as verb

    vocabulary = corpus.fs.cat_file(corpus.path(tokens_table(ENCODING), "vocabulary.json"))
    run = open_run(Path(corpus.path("runs", "r1")), encoding=ENCODING, vocabulary=hashlib.sha256(vocabulary).hexdigest(),
                   vocab_size=260, seq_len=8)  # fmt: skip
    write_run(run)
    (tmp_path / ENCODING).write_bytes(b"another file of this name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verb, "load_model", lambda *_: (None, run.config, 0))
    monkeypatch.setattr(verb, "generate", lambda model, ids, **_: ids)
    assert rw.sample(corpus, "r1", "words") == "wordswords"


def test_a_rank_file_with_a_json_beside_it(ranks):
    Path(f"{ranks}.json").write_text(json.dumps(BESIDE))
    name, vocabulary = read_vocabulary(str(ranks))
    encoding = load_encoding(name, vocabulary)
    assert (name, encoding.vocab_size, encoding.end_of_text) == ("small", 259, 258)
    [ids] = encoding.encode(["the <|endoftext|>"])
    assert ids[0] == 257
    assert 258 not in ids
    assert encoding.decode(ids.tolist()) == "the <|endoftext|>"


def test_a_rank_file_alone_says_what_is_missing(ranks):
    with pytest.raises(ValueError, match=r'ranks alone: .* into .*small\.tiktoken\.json, as \{"pattern": .*"<.*>": 258\}'):
        read_vocabulary(str(ranks))


@pytest.mark.parametrize(
    ("beside", "sentence"),
    [
        ("[]", 'needs "pattern"'),
        ("{", 'needs "pattern"'),
        (json.dumps({**BESIDE, "special_tokens": {}}), r"<\|endoftext\|> among them"),
        (json.dumps({**BESIDE, "special_tokens": {"<|endoftext|>": 256}}), "gives the id 256"),
        (json.dumps({**BESIDE, "pattern": "("}), "pattern of 'small' is no regular expression"),
    ],
)
def test_what_makes_no_sense_beside_a_rank_file(ranks, beside, sentence):
    Path(f"{ranks}.json").write_text(beside)
    with pytest.raises(ValueError, match=sentence):
        load_encoding(*read_vocabulary(str(ranks)))


@pytest.mark.parametrize("content", [b"", b"IQ== 0\n", b"not base64 at all\n", b"\xff\xfe"])
def test_what_is_no_rank_file(tmp_path, content):
    path = tmp_path / "odd.tiktoken"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"odd\.tiktoken is neither a tokenizer\.json nor a rank file"):
        read_vocabulary(str(path))


def test_published_ranks_are_known_without_a_word(gpt2_vocabulary, tmp_path, monkeypatch):
    import tiktoken

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(gpt2_vocabulary))
    path = tmp_path / "gpt2.tiktoken"
    path.write_bytes(ranks_file(tiktoken.get_encoding("gpt2")._mergeable_ranks))
    assert read_vocabulary(str(path)) == read_vocabulary("gpt2")


def test_the_patterns_are_those_of_tiktoken():
    """Its module holds them as text that only the network brings to life: compare with its source."""
    import inspect

    from tiktoken_ext import openai_public

    from raywiki.tokens.ranks import CL100K_PATTERN, O200K_PATTERN, PUBLISHED

    source = inspect.getsource(openai_public)
    assert openai_public.r50k_pat_str == GPT2_PATTERN
    assert CL100K_PATTERN in source
    pieces = [line.strip()[4:-4] for line in source.splitlines() if line.strip().startswith('r"""') and line.endswith('""",')]
    assert "|".join(pieces) == O200K_PATTERN
    assert all(digest in source for digest in PUBLISHED)
