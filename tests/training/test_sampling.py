from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_corner import END

from raywiki.training import classic, modern
from raywiki.training.checkpoint import find_checkpoint, model_digest
from raywiki.training.config import RECIPES, GPTConfig, recipe_name
from raywiki.training.runs import write_run
from raywiki.training.sampling import _choose, generate, load_model, whole_characters
from raywiki.training.weights import read_tensors


@pytest.fixture(params=RECIPES)
def model(request):
    config = GPTConfig(vocab_size=61, seq_len=12, n_layer=2, n_head=2, n_embd=16, recipe=request.param)
    model = {"classic": classic, "modern": modern}[request.param].build_model(config, seed=1).eval()
    if request.param == "modern":  # its head begins at 0, where all ids are alike
        torch.nn.init.normal_(model.head.weight, std=0.02, generator=torch.Generator().manual_seed(2))
    return model


def head_of(model) -> torch.Tensor:
    return model.tokens.weight if model.config.recipe == "classic" else model.head.weight


def test_the_same_for_the_same_seed(model):
    first = list(generate(model, [1, 2], max_tokens=40, seed=7))
    assert first == list(generate(model, [1, 2], max_tokens=40, seed=7))
    assert first != list(generate(model, [1, 2], max_tokens=40, seed=8))
    assert len(first) == 40


def test_the_processes_generator_is_left_alone(model):
    before = torch.get_rng_state()
    list(generate(model, [1], max_tokens=5))
    assert torch.equal(torch.get_rng_state(), before)


def test_padded_ids_are_never_drawn(model):
    with torch.no_grad():
        head_of(model)[61:] = 50 * head_of(model)[:61].mean(0).sign()  # as likely as can be
    drawn = list(generate(model, [1], max_tokens=300, temperature=5.0, top_k=None))
    assert max(drawn) < 61
    assert len(set(drawn)) > 40


def test_temperature_0_takes_the_likeliest(model):
    drawn = list(generate(model, [1, 2, 3], max_tokens=9, temperature=0))
    text = [1, 2, 3]
    for token in drawn:
        assert token == model(torch.tensor([text]))[0, -1, :61].argmax()
        text.append(token)


def test_top_1_is_temperature_0(model):
    options = {"max_tokens": 30}
    assert list(generate(model, [3], top_k=1, **options)) == list(generate(model, [3], temperature=0, **options))


def test_the_nucleus_is_the_fewest_that_reach_the_probability():
    """After temperature and top_k: of 0.5, 0.25, 0.15 and 0.1, drawn a thousand times."""
    logits = torch.tensor([0.15, 0.5, 0.1, 0.25]).log()

    def drawn(temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None) -> set[int]:
        random = torch.Generator().manual_seed(1)
        return {_choose(logits, temperature, top_k, top_p, random) for _ in range(1000)}

    assert drawn() == drawn(top_p=1.0) == drawn(top_p=0.95) == {0, 1, 2, 3}
    assert drawn(top_p=0.85) == {0, 1, 3}
    assert drawn(top_p=0.7) == {1, 3}
    assert drawn(top_p=0.4) == drawn(top_p=1e-9) == {1}
    assert drawn(temperature=0.25, top_p=0.7) == {1}  # 0.93 of what is left of the probability
    assert drawn(top_k=2, top_p=0.7) == {1, 3}  # of the two, the first has 0.67
    assert drawn(top_k=2, top_p=0.6) == {1}


def by_bytes(ids: list[int]) -> str:
    return bytes(ids).decode(errors="replace")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text().map(str.encode), st.binary()))
def test_pieces_are_whole_characters_and_together_the_text(text):
    pieces = list(whole_characters(iter(text), by_bytes))
    assert "".join(pieces) == by_bytes(list(text))
    assert all(pieces)
    if "\ufffd" not in by_bytes(list(text)):
        assert pieces == list(by_bytes(list(text)))  # one id a byte: a piece for each character, as soon as it is whole


def test_a_vocabulary_that_writes_a_word_otherwise_at_the_start():
    words = ["▁the", "▁model", "s", "▁grow"]

    def decode(ids):
        return "".join(words[each] for each in ids).replace("▁", " ").removeprefix(" ")

    assert list(whole_characters([0, 1, 2, 3], decode)) == ["the", " model", "s", " grow"]


def test_texts_longer_than_the_model_sees(model):
    drawn = list(generate(model, list(range(30)), max_tokens=50, temperature=0))
    assert len(drawn) == 50
    assert drawn[0] == model(torch.tensor([list(range(18, 30))]))[0, -1, :61].argmax()  # its last 12 ids
    text = [*range(24, 30), drawn[0]]  # then it goes on from its last half
    assert drawn[1] == model(torch.tensor([text[-6:]]))[0, -1, :61].argmax()


def test_it_ends_before_the_stop_id(model):
    drawn = list(generate(model, [1], max_tokens=200, seed=3))
    stop = drawn[20]
    assert list(generate(model, [1], max_tokens=200, seed=3, stop=stop)) == drawn[: drawn.index(stop)]
    assert list(generate(model, [1], max_tokens=0)) == []


@pytest.mark.parametrize(
    ("prompt", "options", "sentence"),
    [
        ([], {}, "the prompt has no token"),
        ([61], {}, "the prompt has ids outside the vocabulary of 61"),
        ([1], {"max_tokens": -1}, "max_tokens=-1"),
        ([1], {"temperature": -0.5}, r"max_tokens=200, temperature=-0\.5"),
        ([1], {"top_k": 0}, "max_tokens=200, temperature=0.8, top_k=0 make no sense"),
        ([1], {"top_p": 0.0}, r"top_p=0\.0 is no probability to reach"),
        ([1], {"top_p": float("nan")}, "top_p=nan is no probability to reach"),
    ],
)
def test_requests_that_make_no_sense(model, prompt, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        generate(model, prompt, **options)


@pytest.mark.parametrize("recipe", ["gpt2", "modern", "modern,no_muon,no_rope"])
def test_a_trained_run_is_loaded(corner, text, recipe):
    corner.add("a", text)
    corner.train(plan={"steps": 3}, shape={"recipe": recipe})
    model, config, step = load_model(corner.run_folder())
    assert (step, config.encoding, config.recipe, model.training) == (3, "bytes", recipe_name(recipe), False)
    saved = read_tensors(find_checkpoint(corner.run_folder() / "checkpoints").folder / "model.safetensors")
    assert model_digest(model.cpu().state_dict()) == model_digest(saved)
    assert len(list(generate(model, [END], max_tokens=20))) == 20


def test_no_such_run_and_no_checkpoint(corner, text, tmp_path):
    with pytest.raises(ValueError, match="there is no run r9 in"):
        load_model(corner.run_folder("r9"))
    corner.add("a", text)
    write_run(corner.open())
    with pytest.raises(ValueError, match="run r1 has no whole checkpoint yet: train it first"):
        load_model(corner.run_folder())
