"""Do nanoGPT's own scripts and `datasets` read what `raywiki export` writes, and how fast is it written?

    git clone https://github.com/karpathy/nanoGPT
    python benchmarks/nanogpt_export.py CORPUS nanoGPT [--encoding NAME] [--steps 20]

Exports the corpus in every format into a fresh folder and prints seconds, MB and MB/s of each, then checks from outside:

- nanoGPT's unmodified train.py makes `--steps` steps of a small model on the CPU with the `nanogpt` export, and its sample.py
  writes some text with that model;
- the headers of the `llmc` export hold as many tokens as the corpus;
- `datasets.load_dataset` opens the `hf` export, where `datasets` is installed (`pip install datasets`).

Counts are compared with the manifests of the corpus; what differs ends the script.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import raywiki as rw

SCRIPTS = ("train.py", "sample.py", "model.py", "configurator.py")
MODEL = ["--block_size=64", "--batch_size=8", "--n_layer=2", "--n_head=2", "--n_embd=64", "--gradient_accumulation_steps=1"]
RUN = ["--device=cpu", "--dtype=float32", "--compile=False", "--eval_iters=2", "--log_interval=1", "--warmup_iters=2"]
SAMPLE = ["--device=cpu", "--dtype=float32", "--num_samples=1", "--max_new_tokens=40", "--out_dir=out"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--encoding")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        done = {
            name: exported(args.corpus, here, name, args.encoding)
            for name in ("nanogpt", "llmc", "hf", "jsonl", "parquet", "text")
        }
        tokens = sum(row[f"{split}_tokens"] for row in done["nanogpt"].parts for split in ("train", "val"))
        documents = sum(row["documents"] for row in done["hf"].parts)
        train_and_sample(args.nanogpt, here, args.steps)
        in_headers = sum(int(np.fromfile(path, "<i4", 3)[2]) for path in (here / "data/llmc").glob("*.bin"))
        assert in_headers == tokens, (in_headers, tokens)
        print(f"llmc: the headers say {in_headers:,} tokens, as the corpus does")
        open_with_datasets(here, documents)


def exported(corpus: str, here: Path, format: str, encoding: str | None) -> rw.ExportSummary:
    started = time.perf_counter()
    chosen = encoding if format in ("nanogpt", "llmc") else None
    done = rw.export(corpus, here / "data" / format, format=format, encoding=chosen)
    seconds = time.perf_counter() - started
    print(
        f"{format:8} {seconds:7.2f} s  {done.bytes / 1e6:9.1f} MB  {done.bytes / 1e6 / seconds:7.1f} MB/s  {done.files} files",
        flush=True,
    )
    return done


def train_and_sample(nanogpt: Path, here: Path, steps: int) -> None:
    """The scripts run in a folder of their own, so that the checkout stays as it is; what they print is shown in short."""
    for name in SCRIPTS:
        shutil.copy(nanogpt / name, here)
    lengths = [f"--max_iters={steps}", f"--lr_decay_iters={steps}", f"--eval_interval={steps}"]
    printed = python(here, "train.py", "--dataset=nanogpt", "--out_dir=out", *MODEL, *RUN, *lengths)
    shown = [line for line in printed.splitlines() if re.match(r"found vocab|defaulting|step \d|iter (0|\d*[05]):", line)]
    print("nanoGPT's train.py:", *shown, sep="\n  ")
    assert f"step {steps}: " in printed
    print("nanoGPT's sample.py:", *python(here, "sample.py", *SAMPLE).splitlines()[-8:], sep="\n  ")


def python(here: Path, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=here, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def open_with_datasets(here: Path, documents: int) -> None:
    try:
        import datasets
    except ImportError:
        print("hf: datasets is not installed, so nobody opened it")
        return
    datasets.disable_progress_bars()
    configs = datasets.get_dataset_config_names(str(here / "data/hf"))
    loaded = [
        datasets.load_dataset(str(here / "data/hf"), name, split="train", cache_dir=str(here / "cache")) for name in configs
    ]
    rows = sum(map(len, loaded))
    assert rows == documents, (rows, documents)
    print(f"hf: datasets {datasets.__version__} opens {', '.join(configs)}: {rows:,} rows of {loaded[0].column_names}")


if __name__ == "__main__":
    main()
