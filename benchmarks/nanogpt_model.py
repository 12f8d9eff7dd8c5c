"""Does nanoGPT's own code compute what raywiki's model computes, from what `raywiki export --run` writes?

    git clone https://github.com/karpathy/nanoGPT
    python benchmarks/nanogpt_model.py CORPUS RUN nanoGPT [--windows 8]

Exports the run as `nanogpt` beside a copy of nanoGPT's scripts and checks from outside, on the CPU in float32:

- nanoGPT's unmodified model.py loads `ckpt.pt`, and its logits are compared with raywiki's on random ids: as it is (it computes
  GELU exactly), and with the tanh form that the run was trained with, where they must agree within 1e-4;
- nanoGPT's unmodified sample.py writes some text with it, with `meta.pkl` unless the encoding is GPT-2's;
- seconds and MB of the export, and of the `hf` export beside it.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from nanogpt_export import SAMPLE, SCRIPTS, python

import raywiki as rw
from raywiki.training import load_model

CLOSE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("run")
    parser.add_argument("nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--windows", type=int, default=8, help="sequences of random ids to compare")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        (here / "data").mkdir()  # as a checkout has it
        for name in SCRIPTS:
            shutil.copy(args.nanogpt / name, here)
        for format in ("hf", "nanogpt"):
            started = time.perf_counter()
            done = rw.export(args.corpus, here / f"out-{format}", format=format, run=args.run)
            print(
                f"{format:8} {time.perf_counter() - started:6.2f} s  {done.bytes / 1e6:8.1f} MB  {done.files} files", flush=True
            )
        model, config, step = load_model(Path(args.corpus) / "runs" / args.run, "cpu")
        theirs = nanogpt_model(here)
        ids = torch.randint(config.vocab_size, (args.windows, config.seq_len), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            own = model(ids)[..., : config.vocab_size]
            exact = difference(theirs, ids, own)
            for block in theirs.transformer.h:
                block.mlp.gelu = torch.nn.GELU(approximate="tanh")
            tanh = difference(theirs, ids, own)
        print(f"step {step:,}, {ids.numel():,} positions, logits between {own.min():.2f} and {own.max():.2f}")
        print(f"largest difference from nanoGPT's model.py: as it is {exact:.1e}, with the tanh form of GELU {tanh:.1e}")
        assert tanh < CLOSE, tanh
        options = [*(each for each in SAMPLE if not each.startswith("--out_dir")), "--out_dir=out-nanogpt"]
        print("nanoGPT's sample.py:", *python(here, "sample.py", *options).splitlines(), sep="\n  ")


def nanogpt_model(here: Path) -> Any:
    """The exported model in nanoGPT's class, as its sample.py loads it."""
    spec = importlib.util.spec_from_file_location("nanogpt_model_py", here / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    saved = torch.load(here / "out-nanogpt" / "ckpt.pt", map_location="cpu")
    model = module.GPT(module.GPTConfig(**saved["model_args"]))
    model.load_state_dict(saved["model"])
    return model.eval()


def difference(theirs: Any, ids: torch.Tensor, own: torch.Tensor) -> float:
    """The largest difference of logits; with targets, nanoGPT gives those of all positions."""
    return (theirs(ids, ids)[0] - own).abs().max().item()


if __name__ == "__main__":
    main()
