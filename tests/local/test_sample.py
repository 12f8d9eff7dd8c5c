"""sample: several texts, streamed, each a function of its own seed."""

from __future__ import annotations

import io
import json

import pytest

import raywiki as rw
from raywiki.cli import main
from raywiki.local.sample import read_prompts

SHORT = dict(max_tokens=8, device="cpu")


@pytest.fixture(scope="module")
def corpus(little):
    return little / "corpus"


def typed(*words: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["sample", *words, "--device", "cpu"])
    assert left.value.code == 0


def test_each_sample_is_the_same_whatever_was_written_before_it(corpus):
    several = list(rw.samples(corpus, "r1", ["Aa", "Bb"], num_samples=3, seed=5, **SHORT))
    assert [(each.prompt, each.number, each.seed) for each in several] == [
        (p, n, 5 + n) for p in ("Aa", "Bb") for n in range(3)
    ]
    texts = [str(each) for each in reversed(several)][::-1]  # in whatever order they are written
    assert len(set(texts)) == 6
    assert texts == [rw.sample(corpus, "r1", each.prompt, seed=each.seed, **SHORT) for each in several]


def test_pieces_come_one_by_one_and_can_be_read_again(corpus):
    [only] = rw.samples(corpus, "r1", **SHORT)
    pieces = []
    for piece in only:
        pieces.append(piece)
        if len(pieces) == 2:
            break
    assert "".join(only) == str(only) == rw.sample(corpus, "r1", **SHORT)
    assert list(only)[:2] == pieces


def test_a_prompt_longer_than_the_model_sees_is_kept_and_told(corpus):
    long = "many words of a very long prompt " * 10
    [short, told] = rw.samples(corpus, "r1", ["Aa", long], **SHORT)
    assert short.note == ""
    assert told.note.startswith("the model sees the last 32 of the prompt's ")
    assert str(told).startswith(long)


def test_the_command_streams_them(corpus, tmp_path, capsys):
    (tmp_path / "prompt.txt").write_text("Two\nlines\n")
    typed(str(corpus), "--run", "r1", "--prompt", "Aa", "--max-tokens", "8")
    assert capsys.readouterr().out == rw.sample(corpus, "r1", "Aa", **SHORT) + "\n"
    words = ["--prompt", "Aa", "--prompt-file", str(tmp_path / "prompt.txt"), "--num-samples", "2", "--max-tokens", "8"]
    typed(str(corpus), "--run", "r1", *words, "--top-p", "0.9", "--seed", "7")
    printed = capsys.readouterr().out
    expected = [str(each) for each in rw.samples(corpus, "r1", ["Aa", "Two\nlines"], num_samples=2, top_p=0.9, seed=7, **SHORT)]
    heads = [f"--- {index} of 4, seed {seed}\n" for index, seed in enumerate((7, 8, 7, 8), 1)]
    assert printed == "".join(f"{head}{text}\n" for head, text in zip(heads, expected, strict=True))
    typed(str(corpus), "--run", "r1", *words, "--top-p", "0.9", "--seed", "7", "--json")
    told = json.loads(capsys.readouterr().out)["samples"]
    assert [each["prompt"] + each["text"] for each in told] == expected
    assert [(each["number"], each["seed"], each["step"]) for each in told] == [(0, 7, 6), (1, 8, 6)] * 2


def test_a_prompt_from_standard_input(monkeypatch):
    class Stdin:
        buffer = io.BytesIO("Ελλάδα\n\n".encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    assert read_prompts(["-"]) == ["Ελλάδα\n"]


def test_one_text_is_no_list_of_prompts(corpus):
    with pytest.raises(TypeError, match="prompts is one text: give a list of texts, or call sample"):
        rw.samples(corpus, "r1", "Aa")
