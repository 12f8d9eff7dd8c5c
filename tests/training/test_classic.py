from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from raywiki.training.checkpoint import model_digest
from raywiki.training.classic import GPT, IGNORED, build_model, build_optimizer
from raywiki.training.config import RECIPES, SIZES, GPTConfig, find_recipe, find_size

TINY = GPTConfig(vocab_size=61, seq_len=12, n_layer=2, n_head=2, n_embd=16)


@pytest.mark.parametrize(
    ("size", "millions"), [("gpt2", 124.44), ("gpt2-medium", 354.82), ("gpt2-large", 774.03), ("gpt2-xl", 1557.61)]
)
def test_sizes_are_those_of_gpt2(size, millions):
    shape = find_size(size)
    with torch.device("meta"):
        model = GPT(GPTConfig(50257, 1024, shape.n_layer, shape.n_head, shape.n_embd))
    padding = (50304 - 50257) * shape.n_embd
    assert (model.n_params() - padding) / 1e6 == pytest.approx(millions, abs=0.005)


def test_nano_is_for_a_laptop():
    shape = SIZES["nano"]
    model = build_model(GPTConfig(4096, shape.seq_len, shape.n_layer, shape.n_head, shape.n_embd))
    assert 1e6 < model.n_params() < 3e6
    assert all(size.total_batch_size % size.seq_len == 0 for size in SIZES.values())


def test_no_position_sees_what_follows():
    model = build_model(TINY).eval()
    ids = torch.randint(61, (2, 12), generator=torch.Generator().manual_seed(1))
    changed = ids.clone()
    changed[:, 7] = (changed[:, 7] + 1) % 61
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.isclose(before[:, 7:], after[:, 7:]).all(dim=-1).any()


def test_loss_is_the_sum_over_targets_that_count():
    model = build_model(TINY).eval()
    ids = torch.randint(61, (2, 12), generator=torch.Generator().manual_seed(1))
    targets = ids.roll(-1, 1)
    targets[0, 3:] = IGNORED
    logits = model(ids)
    expected = F.cross_entropy(logits[0, :3], targets[0, :3], reduction="sum")
    expected += F.cross_entropy(logits[1], targets[1], reduction="sum")
    assert model(ids, targets).item() == pytest.approx(expected.item(), rel=1e-5)
    assert model(ids, targets).item() / 15 == pytest.approx(math.log(128), abs=0.1)  # knows nothing yet; 128 padded ids


def test_step_by_step_with_a_cache_gives_the_same_logits():
    model = build_model(TINY).eval()
    ids = torch.randint(61, (2, 12), generator=torch.Generator().manual_seed(1))
    whole = model(ids)[..., :61]
    logits, past = model.step(ids[:, :5], None)
    torch.testing.assert_close(logits, whole[:, 4])
    for position in range(5, 12):
        logits, past = model.step(ids[:, position : position + 1], past)
        torch.testing.assert_close(logits, whole[:, position])


def test_initial_weights_are_gpt2s_and_depend_on_the_seed_alone():
    config = GPTConfig(vocab_size=500, seq_len=64, n_layer=8, n_head=4, n_embd=64)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = build_model(config, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert model_digest(model.state_dict()) == model_digest(build_model(config, seed=3).state_dict())
    assert model_digest(model.state_dict()) != model_digest(build_model(config, seed=4).state_dict())
    block = model.blocks[0]
    assert block.up.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert block.down.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert block.attention.proj.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)
    assert block.up.bias.abs().max() == 0


def test_embedding_and_head_are_one():
    names = [name for name, _ in build_model(TINY).named_parameters()]
    assert [name for name in names if "blocks" not in name] == ["tokens.weight", "positions.weight", "norm.weight", "norm.bias"]


def test_flops_are_those_of_palm():
    model = build_model(TINY)
    n = 128 * 16 + 2 * (12 * 16 * 16 + 13 * 16) + 2 * 16
    assert model.n_params() == n + 12 * 16
    assert model.flops_per_token() == 6 * n + 12 * 2 * 16 * 12


def test_only_matrices_decay():
    model = build_model(TINY)
    decaying, others = build_optimizer(model).param_groups
    assert {parameter.dim() for parameter in decaying["params"]} == {2}
    assert {parameter.dim() for parameter in others["params"]} == {1}
    assert (decaying["weight_decay"], others["weight_decay"], decaying["betas"]) == (0.1, 0, (0.9, 0.95))
    assert len(decaying["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_digest_sees_every_tensor_and_type():
    state = {"a": torch.zeros(2, 3), "b": torch.ones(1, dtype=torch.bfloat16)}
    digests = {
        model_digest(each)
        for each in (
            state,
            {"b": state["b"], "a": state["a"]},
            state | {"a": torch.zeros(3, 2)},
            state | {"a": torch.zeros(2, 3).half()},
            state | {"b": torch.full((1,), 2, dtype=torch.bfloat16)},
            {"a": state["a"]},
        )
    }
    assert len(digests) == 5


def test_names_and_shapes_that_make_no_sense():
    with pytest.raises(ValueError, match="there is no model size 'huge': choose one of nano, micro, mini, gpt2"):
        find_size("huge")
    with pytest.raises(ValueError, match="there is no recipe 'moe': choose one of " + ", ".join(RECIPES)):
        find_recipe("moe")
    with pytest.raises(ValueError, match="n_embd=10 does not divide into n_head=4"):
        GPTConfig(10, 10, 1, 4, 10)
    with pytest.raises(ValueError, match="n_layer=0"):
        GPTConfig(10, 10, 0, 1, 10)
    with pytest.raises(ValueError, match=r"dropout=1\.5"):
        GPTConfig(10, 10, 1, 1, 10, dropout=1.5)
