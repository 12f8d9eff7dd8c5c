"""The loss in pieces is the loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from raywiki.training import loss
from raywiki.training.loss import IGNORED, linear_cross_entropy


def made(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 7, 16, generator=random, dtype=dtype, requires_grad=True)
    weight = torch.randn(50, 16, generator=random, dtype=dtype, requires_grad=True)
    targets = torch.randint(50, (3, 7), generator=random)
    targets[1, 3:] = IGNORED
    return hidden, weight, targets


def plain(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, cap: float | None = None) -> torch.Tensor:
    logits = F.linear(hidden, weight).float().flatten(0, 1)
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    return F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED, reduction="sum")


def gradients(function, inputs, share: float = 0.25) -> list[torch.Tensor]:
    hidden, weight, *_ = inputs
    value = function(*inputs)
    (value * share).backward()
    found = [value.detach(), hidden.grad, weight.grad]
    hidden.grad = weight.grad = None
    return found


@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("rows", [1, 4, 21, 100])
def test_loss_and_gradients_are_those_of_all_logits_at_once(rows, cap, monkeypatch):
    monkeypatch.setitem(loss.LOGITS_AT_ONCE, "cpu", 50 * rows)
    inputs = (*made(), cap)
    for ours, theirs in zip(gradients(linear_cross_entropy, inputs), gradients(plain, inputs), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*inputs), plain(*inputs), rtol=1e-6, atol=0)


def test_nothing_counts():
    hidden, weight, targets = made()
    for tensor in gradients(linear_cross_entropy, (hidden, weight, torch.full_like(targets, IGNORED))):
        assert not tensor.any()


@pytest.mark.parametrize("cap", [None, 3.0])
def test_under_autocast_products_are_in_its_type_and_gradients_in_the_weights(cap, monkeypatch):
    monkeypatch.setitem(loss.LOGITS_AT_ONCE, "cpu", 50 * 4)
    inputs = (*made(), cap)
    exact = gradients(plain, inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = gradients(linear_cross_entropy, inputs)
    assert [tensor.dtype for tensor in rounded] == [torch.float32] * 3
    for ours, theirs in zip(rounded, exact, strict=True):
        assert 1e-5 < (ours - theirs).norm() / theirs.norm() < 2e-2


def test_all_logits_are_never_there(monkeypatch):
    """A piece has at most so many numbers, whatever the number of rows."""
    monkeypatch.setitem(loss.LOGITS_AT_ONCE, "cpu", 50 * 4)
    sizes, usual = [], torch.log_softmax

    def watched(logits, *arguments, **options):
        sizes.append(logits.numel())
        return usual(logits, *arguments, **options)

    monkeypatch.setattr(torch, "log_softmax", watched)
    gradients(linear_cross_entropy, made())
    assert max(sizes) == 200
    assert sum(sizes) == 21 * 50
