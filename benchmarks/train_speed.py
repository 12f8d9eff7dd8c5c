"""How long does a step take beside nanoGPT's, with and without torch.compile, and do both learn the same?

    python benchmarks/train_speed.py CORPUS NANOGPT [--steps 300] [--rounds 3] [--no-compiled] [--loss | --in-turn]

CORPUS is a corpus with GPT-2 tokens, or the folder of an export of it (`--format nanogpt`); NANOGPT is a checkout of
github.com/karpathy/nanoGPT, whose train.py and model.py run as they are. Both read the same tokens: 4 layers, 256 wide,
8 heads, 8 sequences of 256 tokens, float32, dropout 0, biases, the same learning rates. They take turns, each in a process of
its own; time per step is the median without the first ten. nanoGPT's default vocabulary of 50,304 is GPT-2's, padded. The
validation loss of both is that of the same 200 windows.
`--loss` instead compares ways to the loss of the head alone: torch's and ours. `--in-turn` is for a machine that others use,
too: one process and one thread, a step of each model by turns, and the CPU time of both.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

SHAPE = {"n_layer": 4, "n_head": 8, "n_embd": 256}
SEQ_LEN, BATCH, LR, WARMUP, FIRST, VAL_WINDOWS = 256, 8, 1e-3, 30, 10, 200
ROOT = str(Path(__file__).parents[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("nanogpt", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-compiled", action="store_true")
    parser.add_argument("--loss", action="store_true")
    parser.add_argument("--in-turn", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(raywiki_here(Path(args.child), args.steps, "compiled" in args.child)))
        return
    if args.loss:
        compare_losses(args.rounds)
        return
    if args.in_turn:
        for compiled in (False,) if args.no_compiled else (False, True):
            step_in_turn(args.nanogpt, args.rounds, compiled)
        return
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        export(args.corpus, here / "data" / "wiki")
        rows: dict[str, list[dict[str, Any]]] = {}
        for number in range(args.rounds):
            for kind in ("eager",) if args.no_compiled else ("eager", "compiled"):
                for who, run in {"raywiki": raywiki, "nanoGPT": nanogpt}.items():
                    row = run(args, here, kind, here / f"{who}-{kind}-{number}")
                    rows.setdefault(f"{who} {kind}", []).append(row)
                    print(f"{who:8} {kind:9} {json.dumps(row)}", flush=True)
        report(rows)


def report(rows: dict[str, list[dict[str, Any]]]) -> None:
    print("\n                     seconds a step (runs)            CPU-s a step  peak GB  loss of validation")
    for name, each in rows.items():
        runs = ", ".join(f"{row['seconds']:.3f}" for row in each)
        cpu, seconds = (median(row[key] for row in each) for key in ("cpu", "seconds"))
        print(f"{name:18} {seconds:8.3f} ({runs}) {cpu:8.3f} {each[0]['peak_gb']:8.2f} {each[0]['val']:.4f}")
    for kind in ("eager", "compiled"):
        ours, theirs = rows.get(f"raywiki {kind}"), rows.get(f"nanoGPT {kind}")
        if ours and theirs:
            ratio = {key: median(row[key] for row in ours) / median(row[key] for row in theirs) for key in ("seconds", "cpu")}
            print(f"{kind}: {ratio['seconds']:.3f} of nanoGPT's time a step, {ratio['cpu']:.3f} of its CPU time")


def export(corpus: str, folder: Path) -> None:
    if (Path(corpus) / "train.bin").exists():
        folder.mkdir(parents=True)
        for split in ("train", "val"):
            (folder / f"{split}.bin").symlink_to((Path(corpus) / f"{split}.bin").resolve())
        return
    import raywiki as rw

    rw.export(corpus, folder, format="nanogpt")
    meta = folder / "meta.pkl"
    if meta.exists():  # nanoGPT takes the vocabulary from there; without it, 50,304
        assert pickle.loads(meta.read_bytes())["vocab_size"] == 50257, "not GPT-2's vocabulary"
        meta.unlink()


def timed(command: list[str], **options: Any) -> tuple[str, float, float]:
    """What a command prints, its CPU seconds, and the largest memory (GB) of any child so far."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 2**20


def raywiki(args: argparse.Namespace, here: Path, kind: str, out: Path) -> dict[str, Any]:
    env = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, __file__, "-", "-", "--steps", str(args.steps), "--child", str(out)]
    printed, cpu, peak = timed(command, env=env)
    return {**json.loads(printed.splitlines()[-1]), "cpu": cpu / args.steps, "peak_gb": peak}


def raywiki_here(out: Path, steps: int, compiled: bool) -> dict[str, Any]:
    """Train on the exported tokens, without Ray; the same windows of validation as nanoGPT's text, all of them."""
    import numpy as np

    from raywiki.training import PartTokens, TokenCache, open_run, plan_segment, read_metrics, train_segment

    train, val = (np.memmap(out.parent / "data" / "wiki" / f"{split}.bin", np.uint16, "r") for split in ("train", "val"))
    run = open_run(out, encoding="gpt2", vocabulary="v", vocab_size=50257, seq_len=SEQ_LEN, **SHAPE)
    asked = {"steps": steps, "total_batch_size": BATCH * SEQ_LEN, "lr": LR, "warmup_steps": min(WARMUP, steps // 2)}
    plan = plan_segment(run, [PartTokens("wiki", "d", len(train), len(val))], schedule="cosine", **asked)
    assert plan is not None
    caches = {"wiki": TokenCache(train, val, 50256)}
    often = {"eval_every": steps, "max_val_windows": VAL_WINDOWS}
    result = train_segment(plan, caches, device="cpu", batch_size=BATCH, compile=compiled, **often)
    rates = [line["tok_per_sec"] for line in read_metrics(out / "metrics.jsonl") if line.get("tok_per_sec")]
    seconds = median(BATCH * SEQ_LEN / rate for rate in rates[FIRST:])
    return {"seconds": seconds, "val": result.val_loss["wiki"], "mfu": result.mfu}


def nanogpt(args: argparse.Namespace, here: Path, kind: str, out: Path) -> dict[str, Any]:
    options = {
        **SHAPE, "dataset": "wiki", "out_dir": str(out), "block_size": SEQ_LEN, "batch_size": BATCH, "bias": True,
        "gradient_accumulation_steps": 1, "device": "cpu", "dtype": "float32", "compile": kind == "compiled",
        "max_iters": args.steps, "lr_decay_iters": args.steps, "warmup_iters": min(WARMUP, args.steps // 2),
        "learning_rate": LR, "min_lr": LR / 10, "eval_interval": args.steps, "eval_iters": 1, "always_save_checkpoint": True,
    }  # fmt: skip
    folder = here / "nanoGPT"
    if not folder.exists():
        folder.mkdir()
        for name in ("train.py", "model.py", "configurator.py"):
            (folder / name).write_bytes((args.nanogpt / name).read_bytes())
        (folder / "data").symlink_to(here / "data")
    command = [sys.executable, "-u", "train.py", *(f"--{name}={value}" for name, value in options.items())]
    printed, cpu, peak = timed(command, cwd=folder)
    times = [float(found) / 1000 for found in re.findall(r"^iter \d+: .*time ([\d.]+)ms", printed, re.MULTILINE)]
    return {"seconds": median(times[FIRST:-1]), "val": nanogpt_loss(folder, out), "cpu": cpu / args.steps, "peak_gb": peak}


def nanogpt_loss(folder: Path, out: Path) -> float:
    """The loss of the model that nanoGPT has saved, by its own model.py, on the windows that raywiki's was evaluated on."""
    import numpy as np
    import torch

    from raywiki.training.evals import mean_loss
    from raywiki.training.evaluate import evaluate
    from raywiki.training.workers import join

    sys.path.insert(0, str(folder))
    from model import GPT, GPTConfig

    saved = torch.load(out / "ckpt.pt", weights_only=True)
    theirs = GPT(GPTConfig(**saved["model_args"]))
    theirs.load_state_dict({name.removeprefix("_orig_mod."): tensor for name, tensor in saved["model"].items()})

    class Logits(torch.nn.Module):
        config = argparse.Namespace(seq_len=SEQ_LEN, padded_vocab_size=saved["model_args"]["vocab_size"])

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return theirs(ids, ids)[0]  # without targets it gives those of the last position only

    val = np.memmap(folder / "data" / "wiki" / "val.bin", np.uint16, "r")
    loss = mean_loss(evaluate(Logits(), {"wiki": val}, SEQ_LEN, join("cpu"), batch_size=BATCH, limit=VAL_WINDOWS))
    assert loss is not None
    return loss


def step_in_turn(nanogpt: Path, rounds: int, compiled: bool) -> None:
    """CPU and wall seconds of a step of each model, without the first, which compiles or makes the optimiser's moments."""
    import torch

    from raywiki.training.classic import build_model, build_optimizer
    from raywiki.training.config import GPTConfig
    from raywiki.training.optim import GRAD_CLIP

    sys.path.insert(0, str(nanogpt))
    import model as peer  # nanoGPT's model.py

    torch.set_num_threads(1)
    theirs = peer.GPT(peer.GPTConfig(block_size=SEQ_LEN, vocab_size=50304, dropout=0.0, bias=True, **SHAPE))
    ours = build_model(GPTConfig(50257, SEQ_LEN, **SHAPE))
    models = {"raywiki": ours, "nanoGPT": theirs}
    optimizers = {"raywiki": build_optimizer(ours), "nanoGPT": theirs.configure_optimizers(0.1, LR, (0.9, 0.95), "cpu")}
    forward = {name: torch.compile(model) if compiled else model for name, model in models.items()}
    ids = torch.randint(50257, (BATCH, SEQ_LEN + 1))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for _ in range(rounds + 1):
        for name, model in models.items():
            cpu, clock = time.process_time(), time.perf_counter()
            loss = forward[name](inputs, targets) / inputs.numel() if name == "raywiki" else forward[name](inputs, targets)[1]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), GRAD_CLIP)
            optimizers[name].step()
            optimizers[name].zero_grad(set_to_none=True)
            times[name].append((time.process_time() - cpu, time.perf_counter() - clock))
    cpu, wall = ({name: median(row[key] for row in each[1:]) for name, each in times.items()} for key in (0, 1))
    ratios = f"{cpu['raywiki'] / cpu['nanoGPT']:.3f} of its CPU time, {wall['raywiki'] / wall['nanoGPT']:.3f} of its wall time"
    print(f"{'compiled' if compiled else 'eager'}: {cpu} CPU-s a step, {wall} s; raywiki takes {ratios}")


def compare_losses(rounds: int) -> None:
    """Seconds of forward and backward of the head alone: 2,048 rows of 256 numbers, 50,304 ids; each way in turn."""
    import torch
    import torch.nn.functional as F

    from raywiki.training.loss import linear_cross_entropy

    hidden, targets = torch.randn(BATCH * SEQ_LEN, SHAPE["n_embd"]), torch.randint(50257, (BATCH * SEQ_LEN,))
    weight = (torch.randn(50304, SHAPE["n_embd"]) * 0.02).requires_grad_()
    ways: dict[str, Any] = {
        "all logits": lambda x: F.cross_entropy(F.linear(x, weight), targets, reduction="sum"),
        "raywiki": lambda x: linear_cross_entropy(x, weight, targets),
    }
    if hasattr(F, "linear_cross_entropy"):
        for name, options in {"auto": {}, "256 rows": {"batch_chunk_size": 256, "acc_policy": "compact"}}.items():
            chosen = torch.nn.LinearCrossEntropyOptions(**options)
            ways[f"torch, {name}"] = lambda x, chosen=chosen: F.linear_cross_entropy(
                x, weight, targets, reduction="sum", options=chosen
            )
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            weight.grad, x = None, hidden.clone().requires_grad_()
            clock, cpu = time.perf_counter(), time.process_time()
            way(x).backward()
            times[name].append((time.perf_counter() - clock, time.process_time() - cpu))
    for name, each in times.items():
        print(f"{name:16} {median(row[0] for row in each):.3f} s, {median(row[1] for row in each):.3f} CPU-s")


if __name__ == "__main__":
    main()
