"""How fast are samples read, and how much memory does a part of 500 million tokens take? `python benchmarks/loader.py [FOLDER]`

Makes a token cache of random ids in FOLDER (a new one in /tmp by default, 1 GB, removed at the end). Reads of it in the order
of training, in one thread, are timed in CPU seconds. Then a process trains a nano model on it for some steps, and another one
on a part of 100,000 tokens: what the first has more is what the size of a part costs. Memory is told by kind: pages of a
mapped file (RssFile) count as resident, but the system takes them back whenever it needs them; RssAnon it cannot.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from raywiki.training import cache
from raywiki.training.batches import read_samples
from raywiki.training.loop import train_segment
from raywiki.training.order import PartTokens, Segment, step_samples
from raywiki.training.plan import plan_segment
from raywiki.training.runs import open_run

TOKENS, FEW, VAL = 500_000_000, 100_000, 1 << 16
VOCAB_SIZE, RUNS, STEPS = 4096, 5, 20
SHAPES = {"nano": (256, 16), "nano, large steps": (256, 128), "gpt2": (1024, 512)}  # tokens in a sequence, sequences a step


def shards(tokens: int) -> list[tuple[str, str]]:
    """The shards that a part of so many tokens is said to be made from; nobody reads them."""
    return [("made", f"{tokens:064x}")]


def make_cache(folder: Path, tokens: int) -> None:
    """What `open_cache` would have made of a part of so many random ids."""
    target = folder / cache.shards_digest([digest for _, digest in shards(tokens)])[:32]
    target.mkdir(parents=True)
    random = np.random.default_rng(0)
    with open(target / "train.bin", "wb") as file:
        for _ in range(100):
            random.integers(0, VOCAB_SIZE, tokens // 100, dtype=np.uint16).tofile(file)
    (target / "val.bin").write_bytes(random.integers(0, VOCAB_SIZE, VAL, dtype=np.uint16).tobytes())
    about = {"part": "p", "dtype": "<u2", "train_tokens": tokens, "val_tokens": VAL, "max_id": VOCAB_SIZE - 1}
    (target / "cache.json").write_text(json.dumps(about))


def speed(folder: Path, seq_len: int, sequences: int) -> list[float]:
    """Million tokens a CPU second, order and reading together, of several stretches of steps that were not read before."""
    tokens = [cache.open_cache(folder, "p", shards(TOKENS)).train]
    steps = max(1, 8_000_000 // (seq_len * sequences))
    parts = (PartTokens("p", "", TOKENS, 0, 1),)
    segment = Segment(0, RUNS * steps, seq_len, seq_len * sequences, 0, "cosine", 1e-3, 1, parts)
    rates = []
    for run in range(RUNS):
        started = time.process_time()
        for step in range(run * steps, (run + 1) * steps):
            read_samples(tokens, step_samples(segment, step), seq_len, torch.device("cpu"))
        rates.append(steps * seq_len * sequences / 1e6 / (time.process_time() - started))
    return rates


def train(folder: Path, tokens: int) -> None:
    """In a process of its own: print its memory before and after a nano model was trained on the part of so many tokens."""
    run = open_run(folder / "runs" / f"r{tokens}", encoding="made", vocabulary="", vocab_size=VOCAB_SIZE)
    before = memory()
    caches = {"p": cache.open_cache(folder, "p", shards(tokens))}
    part = PartTokens("p", cache.shards_digest([digest for _, digest in shards(tokens)]), tokens, VAL)
    plan = plan_segment(run, [part], steps=STEPS, total_batch_size=4096)
    assert plan is not None
    train_segment(plan, caches, device="cpu", batch_size=8, max_val_windows=16)
    print(json.dumps({"before": before, "after": memory(), "n_params": run.config.model.n_params}))


def memory() -> dict[str, int]:
    """Bytes of this process: anonymous and file-backed resident memory, and the peak of both together."""
    status = Path("/proc/self/status").read_text()
    return {name: 1024 * int(kb) for name, kb in re.findall(r"^(RssAnon|RssFile|VmHWM):\s*(\d+)", status, re.M)}


def told(bytes_of: dict[str, int]) -> str:
    return ", ".join(f"{name} {value / 1e6:.0f} MB" for name, value in bytes_of.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where to make the cache; must not be there yet")
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = Path(given.folder or tempfile.mkdtemp(dir="/tmp"))
    torch.set_num_threads(1)
    if given.train:
        train(folder, given.train)
        return
    for tokens in (TOKENS, FEW):
        make_cache(folder, tokens)
    try:
        for name, (seq_len, sequences) in SHAPES.items():
            rates = speed(folder, seq_len, sequences)
            print(
                f"{name}, {sequences} x {seq_len}: {median(rates):.0f} million tokens/s ({min(rates):.0f} to {max(rates):.0f})"
            )
        print(f"  memory after reading: {told(memory())}")
        for tokens in (FEW, TOKENS):
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
            command = [sys.executable, __file__, str(folder), "--train", str(tokens)]
            done = subprocess.run(command, env=environment, check=True, capture_output=True)
            seen = json.loads(done.stdout.splitlines()[-1])
            print(f"nano with {seen['n_params']:,} weights, trained on a part of {tokens:,} tokens")
            print(f"  before: {told(seen['before'])}\n  after: {told(seen['after'])}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
