from __future__ import annotations

import numpy as np
import pytest
import torch
from training_corner import Corner


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def corner(tmp_path) -> Corner:
    return Corner(tmp_path)


@pytest.fixture
def text() -> bytes:
    """A bit over a thousand bytes that are neither constant nor hopeless to learn."""
    words = [b"ray", b"wiki", b"grows", b"a", b"model", b"one", b"part", b"at", b"time"]
    picks = np.random.default_rng(0).integers(0, len(words), 250)
    return b" ".join(words[pick] for pick in picks)
