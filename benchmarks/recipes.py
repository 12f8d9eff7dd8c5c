"""Which recipe learns more from the same tokens, and which of its pieces pays? `python benchmarks/recipes.py CORPUS TO`

Trains `classic` and `modern` over all parts of a corpus, with the same learning rates and seeds, and then `modern` with each
piece switched the other way, at the learning rate that was best for `modern`. No Ray: only `raywiki.training`. Each arm that
ends is a line of TO/results.jsonl, so an interrupted call goes on, and two calls with other `--recipes` may run side by side.

    --recipes modern,no_rope …   only these, at all learning rates      --no-ablation   only the recipes and learning rates
    --report                     only print what TO/results.jsonl has   --time          only measure the time of a step
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import torch

from raywiki.corpus import Corpus, tokens_table
from raywiki.training import PartTokens, TokenCache, open_cache, open_run, plan_segment, read_metrics, train_segment
from raywiki.training.cache import shards_digest
from raywiki.training.classic import build_model as build_classic
from raywiki.training.classic import build_optimizer as build_classic_optimizer
from raywiki.training.config import GPTConfig, Pieces, find_size
from raywiki.training.modern import build_model as build_modern
from raywiki.training.modern import build_optimizer as build_modern_optimizer

EVALUATIONS, VAL_WINDOWS, ROUNDS = 8, 16, 10
Result = dict[str, Any]


def ablations() -> list[str]:
    """The recipe "modern" with each piece switched the other way, one at a time."""
    return [f"modern,{'no_' if field.default else ''}{field.name}" for field in fields(Pieces)]


def train_arm(data: Data, given: argparse.Namespace, recipe: str, lr: float, seed: int) -> None:
    """Train one arm, unless its result is there, and add its line to the results."""
    arm = {"size": given.size, "tokens": given.tokens, "recipe": recipe, "lr": lr, "seed": seed}
    if any(arm.items() <= result.items() for result in read_results(given.to)):
        return
    folder = given.to / "runs" / "-".join(str(value) for value in arm.values())
    run = open_run(folder, size=given.size, recipe=recipe, seed=seed, **data.made_with)
    batch = given.batch or find_size(given.size).total_batch_size
    asked = {"steps": max(1, given.tokens // batch), "total_batch_size": batch, "lr": lr}
    every = max(1, asked["steps"] // EVALUATIONS)
    while (plan := plan_segment(run, data.parts, **asked)) is not None:
        run = plan.run
        paces = {"eval_every": every, "checkpoint_every": every, "max_val_windows": VAL_WINDOWS}
        if train_segment(plan, data.caches, device=given.device, **paces).status == "stopped":
            raise SystemExit(f"stopped in {recipe} lr {lr:g} seed {seed}; the same command goes on")
    curve = [
        [line["tokens"], mean_loss(line["val_loss"])] for line in read_metrics(folder / "metrics.jsonl") if "val_loss" in line
    ]
    result = {**arm, "batch": batch, "n_params": run.config.model.n_params, "torch": torch.__version__, "curve": curve}
    with open(given.to / "results.jsonl", "a") as file:
        file.write(json.dumps(result) + "\n")
    shutil.rmtree(folder)
    print(f"{recipe} lr {lr:g} seed {seed}: validation loss {curve[-1][1]:.4f}", flush=True)


def mean_loss(by_part: dict[str, float | None]) -> float:
    """In nats a token; the mean over the parts that have validation text."""
    return statistics.mean(loss for loss in by_part.values() if loss is not None)


class Data:
    """The tokens of a corpus: its parts, their caches and what a run must know of their encoding."""

    def __init__(self, corpus: Corpus, cache: Path) -> None:
        tables = corpus.tables()
        encoding = tables.require_encoding(None)
        self.parts: list[PartTokens] = []
        self.caches: dict[str, TokenCache] = {}
        for part, manifest in tables[tokens_table(encoding)].items():
            shards = [(corpus.shard_path(manifest, shard), shard.sha256) for shard in manifest.shards]
            digest, counts = shards_digest([sha256 for _, sha256 in shards]), manifest.counts
            self.parts.append(PartTokens(part, digest, counts["train_tokens"], counts["val_tokens"]))
            self.caches[part] = open_cache(cache, part, shards)
            self.made_with = {name: manifest.settings[name] for name in ("encoding", "vocabulary", "vocab_size")}


def read_results(folder: Path) -> list[Result]:
    try:
        return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    except FileNotFoundError:
        return []


def best_lr(results: Sequence[Result], recipe: str) -> float:
    """The learning rate with the lowest final loss, the mean over its seeds."""
    losses: dict[float, list[float]] = {}
    for result in results:
        if result["recipe"] == recipe:
            losses.setdefault(result["lr"], []).append(final(result))
    return min(losses, key=lambda lr: statistics.mean(losses[lr]))


def final(result: Result) -> float:
    return result["curve"][-1][1]


def tokens_to(result: Result, loss: float) -> float | None:
    """Tokens after which a curve first reaches a loss, on straight lines between evaluations; None when it never does."""
    for (before, above), (after, below) in zip(result["curve"], result["curve"][1:], strict=False):
        if below <= loss:
            return before + (after - before) * (above - loss) / (above - below)
    return None


def report(results: Sequence[Result]) -> None:
    """Curves of both recipes at each learning rate, tokens to classic's final loss, and the ablation table."""
    for result in sorted(results, key=lambda each: (each["recipe"], each["lr"], each["seed"])):
        if result["recipe"] in ("classic", "modern"):
            points = "  ".join(f"{tokens / 1e6:.2f}M {loss:.3f}" for tokens, loss in result["curve"])
            print(f"{result['recipe']:8} lr {result['lr']:<7g} seed {result['seed']}: {points}")
    if not {"classic", "modern"} <= {result["recipe"] for result in results}:
        return
    best = {recipe: at(results, recipe, best_lr(results, recipe)) for recipe in ("classic", "modern")}
    for seed in sorted(best["classic"].keys() & best["modern"].keys()):
        classic, modern = best["classic"][seed], best["modern"][seed]
        reached = tokens_to(modern, final(classic))
        share = "never" if reached is None else f"with {reached / classic['curve'][-1][0]:.0%} of its tokens"
        print(f"seed {seed}: classic (lr {classic['lr']:g}) ends at {final(classic):.4f}, modern (lr {modern['lr']:g}) "
              f"at {final(modern):.4f}; modern reaches classic's loss {share}")  # fmt: skip
    lr = best_lr(results, "modern")
    print(f"\neach piece switched, at lr {lr:g}: final loss against modern with the same seed (above 0: the default pays)")
    for recipe in ablations():
        differences = [
            f"{final(result) - final(best['modern'][seed]):+.4f}"
            for seed, result in sorted(at(results, recipe, lr).items())
            if seed in best["modern"]
        ]
        print(f"  {recipe:24} {'  '.join(differences) or '–'}")


def at(results: Sequence[Result], recipe: str, lr: float) -> dict[int, Result]:
    """The results of a recipe at a learning rate, by seed."""
    return {result["seed"]: result for result in results if (result["recipe"], result["lr"]) == (recipe, lr)}


def time_steps(given: argparse.Namespace, vocab_size: int) -> None:
    """CPU seconds of a step on one thread, in turn; medians as ratios to "modern" with all its pieces."""
    torch.set_num_threads(1)
    size = find_size(given.size)
    taken: dict[str, list[float]] = {}
    steps = {}
    for recipe in ("modern", "classic", *ablations()):
        config = GPTConfig(vocab_size, size.seq_len, size.n_layer, size.n_head, size.n_embd, recipe=recipe)
        model = build_classic(config) if recipe == "classic" else build_modern(config)
        optimizer = build_classic_optimizer(model) if recipe == "classic" else build_modern_optimizer(model)
        steps[recipe] = partial(one_step, model, optimizer, torch.randint(vocab_size, (given.sequences, size.seq_len + 1)))
    for _ in range(ROUNDS):
        for recipe, step in steps.items():
            started = time.process_time()
            step()
            taken.setdefault(recipe, []).append(time.process_time() - started)
    whole = statistics.median(taken["modern"])
    print(f"a step of {given.sequences} sequences of {size.seq_len} at size {given.size}: modern {whole:.3f} CPU seconds")
    for recipe, seconds in taken.items():
        print(f"  {recipe:24} {statistics.median(seconds) / whole:.2f}")


def one_step(model: Any, optimizer: Any, windows: torch.Tensor) -> None:
    (model(windows[:, :-1], windows[:, 1:]) / windows[:, 1:].numel()).backward()
    optimizer.step()
    optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("to", type=Path)
    parser.add_argument("--size", default="nano")
    parser.add_argument("--tokens", type=int, default=4_000_000)
    parser.add_argument("--batch", type=int, help="tokens of a step; the size's own by default")
    parser.add_argument("--lrs", type=float, nargs="+", default=[1e-3, 2e-3, 4e-3, 8e-3])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--recipes", nargs="+")
    parser.add_argument("--no-ablation", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--sequences", type=int, default=4, help="of the batch that --time measures")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not given.report:
        data = Data(Corpus.open(given.corpus).require(), given.to / "cache")
        if given.time:
            return time_steps(given, data.made_with["vocab_size"])
        for seed in given.seeds:
            for lr in given.lrs:
                for recipe in given.recipes or ("classic", "modern"):
                    train_arm(data, given, recipe, lr, seed)
        if not given.recipes and not given.no_ablation:
            for seed in given.seeds:
                for recipe in ablations():
                    train_arm(data, given, recipe, best_lr(of_size(given), "modern"), seed)
    report(of_size(given))


def of_size(given: argparse.Namespace) -> list[Result]:
    """The results of the asked size and number of tokens."""
    return [each for each in read_results(given.to) if (each["size"], each["tokens"]) == (given.size, given.tokens)]


if __name__ == "__main__":
    main()
