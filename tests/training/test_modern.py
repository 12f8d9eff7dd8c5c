from __future__ import annotations

import math
import re
from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F

from raywiki.training import modern
from raywiki.training.checkpoint import model_digest
from raywiki.training.classic import IGNORED
from raywiki.training.config import GPTConfig, Pieces, default_lr, find_pieces, find_recipe, recipe_name
from raywiki.training.loss import soft_cap
from raywiki.training.modern import GPT, build_model, build_optimizer, rope_turns, rotate
from raywiki.training.optim import WEIGHT_DECAY, Together

ALL = "modern,rms_norm,value_embed,softcap"  # with all pieces
TINY = GPTConfig(vocab_size=61, seq_len=12, n_layer=3, n_head=2, n_embd=16, recipe=ALL)
SWITCHED = [f"modern,{'no_' if field.default else ''}{field.name}" for field in fields(Pieces)]
BARE = "modern," + ",".join(f"no_{field.name}" for field in fields(Pieces))


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ids(seed: int = 1) -> torch.Tensor:
    return torch.randint(61, (2, 12), generator=torch.Generator().manual_seed(seed))


def lively(recipe: str = ALL) -> GPT:
    """A model none of whose weights is zero, as after some training."""
    model = build_model(replace(TINY, recipe=recipe)).eval()
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.add_(0.3 * random(*parameter.shape, seed=number))
    return model


@pytest.mark.parametrize("recipe", ["modern", ALL, *SWITCHED, BARE])
def test_config_counts_the_weights_of_every_variant(recipe):
    config = replace(TINY, recipe=recipe)
    model = build_model(config)
    assert model.n_params() == config.n_params
    looked_up = [
        name for name, _ in model.named_parameters()
        if name.startswith(("values", "positions")) or (name == "tokens.weight" and model.head is not None)
    ]  # fmt: skip
    n = model.n_params() - sum(model.get_parameter(name).numel() for name in looked_up)
    assert model.flops_per_token() == 6 * n + 12 * 3 * 16 * 12
    assert config.n_scaling_params == n + (12 * 16 if model.positions is not None else 0)


@pytest.mark.parametrize("recipe", ["modern", ALL, *SWITCHED, BARE])
def test_step_by_step_with_a_cache_gives_the_same_logits(recipe):
    model, text = lively(recipe), ids()
    whole = model(text)[..., :61]
    logits, past = model.step(text[:, :5], None)
    torch.testing.assert_close(logits, whole[:, 4], rtol=1e-4, atol=1e-5)
    for position in range(5, 12):
        logits, past = model.step(text[:, position : position + 1], past)
        torch.testing.assert_close(logits, whole[:, position], rtol=1e-4, atol=1e-5)


def test_no_position_sees_what_follows():
    model, text = lively(), ids()
    changed = text.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 61
    before, after = model(text), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.isclose(before[:, 7:], after[:, 7:]).all(dim=-1).any()


@pytest.mark.parametrize("recipe", ["modern", *SWITCHED])
def test_each_piece_makes_a_difference_and_all_weights_learn(recipe):
    model, text = lively(recipe).train(), ids()
    model(text, text).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())  # a process group waits for each
    if recipe not in ("modern", "modern,no_zero_init", "modern,no_muon"):  # these two are no part of a forward pass
        assert not torch.allclose(model(text), lively()(text))


def test_loss_is_the_sum_over_targets_that_count():
    model, text = lively(), ids()
    targets = text.roll(-1, 1)
    targets[0, 3:] = IGNORED
    logits = model(text)
    expected = F.cross_entropy(logits[0, :3], targets[0, :3], reduction="sum")
    expected += F.cross_entropy(logits[1], targets[1], reduction="sum")
    assert model(text, targets).item() == pytest.approx(expected.item(), rel=1e-5)
    assert build_model(TINY)(text, text).item() / 24 == pytest.approx(math.log(128), rel=1e-6)  # the head begins at 0


def test_rope_turns_each_pair_by_position_over_base():
    x = random(12, 8)
    turned = rotate(x, rope_turns(0, 12, 8))
    for position in range(12):
        for i in range(4):
            angle = position * 10_000 ** (-2 * i / 8)
            a, b = x[position, i].item(), x[position, i + 4].item()
            assert turned[position, i].item() == pytest.approx(a * math.cos(angle) - b * math.sin(angle), abs=1e-5)
            assert turned[position, i + 4].item() == pytest.approx(a * math.sin(angle) + b * math.cos(angle), abs=1e-5)


def test_rope_knows_distances_only():
    query, key = random(1, 8), random(1, 8, seed=1)

    def product(i: int, j: int) -> float:
        return float((rotate(query, rope_turns(i, 1, 8)) * rotate(key, rope_turns(j, 1, 8))).sum())

    assert product(3, 1) == pytest.approx(product(250, 248), rel=1e-3)
    assert product(3, 1) != pytest.approx(product(3, 2), rel=1e-2)
    assert product(0, 0) == pytest.approx(float((query * key).sum()), rel=1e-5)


def test_rope_keeps_the_type():
    assert rotate(random(4, 8).bfloat16(), rope_turns(0, 4, 8)).dtype == torch.bfloat16


def test_softcap_bounds_and_leaves_small_logits():
    logits = torch.tensor([-1e4, -20.0, -0.1, 0.0, 0.1, 1e4])
    capped = soft_cap(logits, modern.SOFTCAP)
    assert capped.abs().max() <= 20
    torch.testing.assert_close(capped, 20 * (1 - 2 / (torch.exp(2 * logits.double() / 20) + 1)).float())
    assert capped[4].item() == pytest.approx(0.1, rel=1e-4)
    with torch.no_grad():
        model = lively()
        model.head.weight.mul_(1e4)
        assert 19 < model(ids()).abs().max() <= 20


def test_attention_is_the_plain_formula(monkeypatch):
    """Queries and keys turned, of length 1.2 · sqrt(head_dim); values with the scaled table; one position after the other."""
    attention = lively().blocks[2].attention
    x, table = random(1, 5, 16), random(1, 5, 16, seed=1)
    y, _ = attention(x, table, rope_turns(0, 5, 8), None)
    query, key, value = (each(x)[0].view(5, 2, 8) for each in (attention.query, attention.key, attention.value))
    value = value + attention.value_scale[None, :, None] * table[0].view(5, 2, 8)
    rows = []
    for t in range(5):
        heads = []
        for head in range(2):
            q = rotate(query[t : t + 1, head], rope_turns(t, 1, 8))
            k = torch.cat([rotate(key[s : s + 1, head], rope_turns(s, 1, 8)) for s in range(t + 1)])
            q, k = (1.2 * math.sqrt(8) * each / each.norm(dim=-1, keepdim=True) for each in (q, k))
            heads.append(torch.softmax((q @ k.T) / math.sqrt(8), dim=-1) @ value[: t + 1, head])
        rows.append(torch.cat(heads, dim=-1))
    torch.testing.assert_close(y[0], attention.proj(torch.cat(rows)), rtol=1e-4, atol=1e-5)


def test_norm_is_x_over_its_root_mean_square_and_has_no_weights():
    norm = modern.norm_of(TINY)
    x = random(3, 16)
    torch.testing.assert_close(norm(x), x / x.square().mean(dim=-1, keepdim=True).sqrt(), rtol=1e-5, atol=1e-5)
    assert list(norm.parameters()) == []
    assert [name for name, _ in build_model(TINY).named_parameters() if "norm" in name] == []


def test_relu2_is_in_the_feed_forward():
    block = lively().blocks[1]
    with torch.no_grad():
        block.attention.proj.weight.zero_()
    x = random(1, 4, 16)
    y, _ = block(x, None, rope_turns(0, 4, 8), None)
    hidden = block.up(block.norm_2(x))
    expected = x + block.down(torch.where(hidden > 0, hidden * hidden, 0))
    torch.testing.assert_close(y, expected)


def test_a_block_begins_as_the_identity():
    x, angles = random(2, 12, 16), rope_turns(0, 12, 8)
    for block in build_model(TINY).blocks:
        values = random(2, 12, 16) if block.attention.value_scale is not None else None
        assert torch.equal(block(x, values, angles, None)[0], x)
    other = build_model(replace(TINY, recipe="modern,no_zero_init")).blocks[1]
    assert not torch.equal(other(x, None, angles, None)[0], x)


def test_the_first_embedding_is_mixed_back_in():
    """With blocks that do nothing, what comes out is the first embedding times the product of what each layer mixes."""
    model, text = build_model(TINY), ids()
    with torch.no_grad():
        model.mix.copy_(torch.tensor([[1.0, 0.5], [0.7, 0.2], [2.0, -0.3]]))
        model.norm = torch.nn.Identity()
        hidden, _ = model._hidden(text, None)
        first = model.norm_0(model.tokens(text))
    torch.testing.assert_close(hidden, first * (2.0 * (0.7 * 1.5 + 0.2) - 0.3))


def test_value_tables_stand_in_every_other_layer_the_last_among_them():
    assert TINY.value_layers == (0, 2)
    assert replace(TINY, n_layer=4).value_layers == (1, 3)
    assert list(build_model(TINY).values) == ["0", "2"]
    assert replace(TINY, recipe="modern,no_value_embed").value_layers == replace(TINY, recipe="classic").value_layers == ()


def test_weights_depend_on_the_seed_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    digests = [model_digest(build_model(TINY, seed).state_dict()) for seed in (3, 3, 4)]
    assert torch.equal(torch.get_rng_state(), before)
    assert digests[0] == digests[1] != digests[2]
    wide = build_model(GPTConfig(500, 64, 2, 4, 64, recipe="modern,no_zero_init"))
    deviations = {"query": 1 / 8, "key": 1 / 8, "value": 1 / 8, "proj": 0.01}
    for name, deviation in deviations.items():
        assert getattr(wide.blocks[0].attention, name).weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert wide.blocks[0].up.weight.std().item() == pytest.approx(0.4 / 8, rel=0.05)
    assert wide.blocks[0].down.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert wide.tokens.weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_autocast_computes_in_bfloat16():
    model, text = lively(), ids()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(text, text)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(model(text, text).item(), rel=0.05)


def names_of(model: GPT, optimizer: torch.optim.Optimizer) -> set[str]:
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return {name for name, parameter in model.named_parameters() if id(parameter) in held}


@pytest.mark.parametrize("recipe", ["modern", *SWITCHED])
def test_every_weight_has_one_optimiser_and_muon_the_matrices_of_the_blocks(recipe):
    model = build_model(replace(TINY, recipe=recipe))
    optimizer = build_optimizer(model)
    held = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert len(held) == len(set(held)) == len(list(model.parameters()))
    kinds = ("attention.query", "attention.key", "attention.value", "attention.proj", "up", "down")
    matrices = {f"blocks.{layer}.{kind}.weight" for layer in range(3) for kind in kinds}
    decaying = {id(each) for group in optimizer.param_groups if group["weight_decay"] for each in group["params"]}
    assert {name for name, each in model.named_parameters() if id(each) in decaying} == matrices
    if recipe != "modern,no_muon":
        muon, adamw = optimizer.optimizers
        assert (type(muon), type(adamw)) == (torch.optim.Muon, torch.optim.AdamW)
        assert names_of(model, muon) == matrices
        assert {group["adjust_lr_fn"] for group in muon.param_groups} == {"match_rms_adamw"}
        assert {group["weight_decay"] for group in muon.param_groups} == {WEIGHT_DECAY}


def test_two_optimisers_are_saved_and_loaded_as_one():
    def learn(model: GPT, optimizer: Together, seeds: range) -> None:
        for seed in seeds:
            model(ids(seed), ids(seed).roll(-1, 1)).backward()
            optimizer.step()
            optimizer.zero_grad()

    models = [build_model(TINY), build_model(TINY)]
    first, second = (build_optimizer(model, lr=0.01) for model in models)
    learn(models[0], first, range(4))
    assert all(parameter.grad is None for parameter in models[0].parameters())
    learn(models[1], second, range(2))
    again = build_model(TINY)
    again.load_state_dict(models[1].state_dict())
    third = build_optimizer(again, lr=0.5)
    third.load_state_dict(second.state_dict())
    learn(again, third, range(2, 4))
    assert model_digest(again.state_dict()) == model_digest(models[0].state_dict())


def test_a_torch_without_muon(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(
        ValueError, match=r"^the recipe modern trains with Muon, which torch .* does not have: install torch 2\.9"
    ):
        build_optimizer(build_model(TINY))
    assert isinstance(build_optimizer(build_model(replace(TINY, recipe="modern,no_muon"))), torch.optim.AdamW)


def test_a_recipe_is_a_word():
    assert find_pieces("classic") is find_pieces("gpt2") is None
    assert find_pieces("modern") == Pieces()
    assert find_recipe("modern,no_rope") == "raywiki.training.modern"
    assert recipe_name("modern,no_untied,no_rope") == "modern,no_rope,no_untied"
    assert default_lr("nano", "gpt2") == default_lr("nano", "classic") == 2e-3
    assert default_lr("nano", "modern,no_rope") == default_lr("nano", "modern")


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("modern,no_rop", "recipe='modern,no_rop': modern has no piece 'no_rop'; it has, on or by no_ off, rope, qk_norm"),
        ("modern,", "recipe='modern,': modern has no piece ''"),
        ("classic,no_rope", "recipe='classic,no_rope': only modern has pieces to choose; take classic as it is"),
        ("moe,no_rope", "there is no recipe 'moe': choose one of classic, modern"),
    ],
)
def test_recipes_that_there_are_not(recipe, sentence):
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        replace(TINY, recipe=recipe)


def test_heads_of_an_odd_width_cannot_be_turned():
    with pytest.raises(ValueError, match="n_embd=10 makes n_head=2 heads of an odd width, which rotary positions cannot turn"):
        GPTConfig(61, 12, 1, 2, 10, recipe="modern")
    assert build_model(GPTConfig(61, 12, 1, 2, 10, recipe="modern,no_rope")).n_params() > 0
