"""Is it better to grow a run or to start over, and how should it grow? `python benchmarks/growth.py CORPUS`

CORPUS has the tokens of at least two parts of one wiki. A run learns from the first part. Copies of it then grow by the others,
each in its own way, and fresh runs learn from all parts at once, for as many steps as the grown ones in all, or as the growing
alone took. All are evaluated on all validation windows of all parts. No Ray: `python -m raywiki.training` on one thread.

Each arm is a run of CORPUS, named by recipe, seed and arm; an interrupted call goes on, a finished arm stays as it is, and
calls with other `--arms` may run side by side once `first` is there.

    --arms wsd rewarm_25 …   only these      --report   only print the table of what is there
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl

from raywiki.corpus import Corpus, tokens_table
from raywiki.manifest import part_order
from raywiki.report.evaluated import curve, difference, mean_loss, paired, segment_ends
from raywiki.training.runs import Run, require_run

LOW = 0.1  # share of the peak: the "lower learning rate" that people resume with
FIRST = "first"
# What the segment that brings the new parts is asked for.
GROWN = {
    "constant": ["--schedule", "constant", "--lr", "LOW"],
    "rewarm_0": ["--schedule", "rewarm", "--replay", "0"],
    "rewarm_5": ["--schedule", "rewarm", "--replay", "0.05"],
    "rewarm_25": ["--schedule", "rewarm", "--replay", "0.25"],
    "rewarm_50": ["--schedule", "rewarm", "--replay", "0.5"],
    "wsd": ["--schedule", "wsd"],
    "wsd_0": ["--schedule", "wsd", "--replay", "0"],
    "rewarm_twice": ["--schedule", "rewarm", "--replay", "0.25"],
    "wsd_twice": ["--schedule", "wsd"],
}
TWICE = ("rewarm_twice", "wsd_twice")  # half of the steps with the second part, then half with the rest
# Fresh runs: over all parts, each by its size; "fresh" with the steps of both segments, "fresh_more" with those of the second.
FRESH = ("fresh", "fresh_more")
SAME = "fresh_same"  # over as many tokens of each part as rewarm_25 has learned from


def train(given: argparse.Namespace, run: str, *words: str) -> None:
    paces = ["--eval-every", str(given.eval_every), "--checkpoint-every", "50", "--device", "cpu"]
    command = [sys.executable, "-m", "raywiki.training", given.corpus, "--run", run, *paces, *words]
    threads = {"OMP_NUM_THREADS": str(given.threads)}
    subprocess.run(command, check=True, env=os.environ | threads, stdout=subprocess.DEVNULL)


def train_arm(given: argparse.Namespace, seed: int, arm: str) -> None:
    """Train one arm, unless it is there."""
    corpus = Corpus.open(given.corpus)
    first, *_ = parts = sorted(corpus.tables()[tokens_table(corpus.tables().require_encoding(None))], key=part_order)
    name = run_name(given, seed, arm)
    folder = Path(corpus.path("runs", name))
    made = ["--size", given.size, "--recipe", given.recipe, "--seed", str(seed), "--lr", str(given.lr)]
    if arm == FIRST:
        train(given, name, *made, "--parts", first, "--steps", str(given.first_steps))
    elif arm in FRESH:
        steps = given.more_steps + (given.first_steps if arm == "fresh" else 0)
        train(given, name, *made, "--steps", str(steps))
    elif arm == SAME:
        train(given, name, "--from-scratch", run_name(given, seed, "rewarm_25"), "--seed", str(seed), "--schedule", "wsd")
    else:
        if not folder.exists():
            copy = folder.with_name(folder.name + ".copy")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(corpus.path("runs", run_name(given, seed, FIRST)), copy)
            copy.rename(folder)
        words = [str(LOW * given.lr) if word == "LOW" else word for word in GROWN[arm]]
        steps = given.more_steps
        if arm in TWICE:
            steps //= 2
            if len(require_run(folder).segments) < 3:
                before = [word for part in parts[:2] for word in ("--parts", part)]
                train(given, name, *before, "--steps", str(steps), *words)
        train(given, name, "--steps", str(steps), *words)
    print(f"{name} of {len(parts)} parts is trained", flush=True)


def run_name(given: argparse.Namespace, seed: int, arm: str) -> str:
    return f"{given.recipe.replace(',', '_')}-{seed}-{arm}"


def report(given: argparse.Namespace) -> None:
    """For each arm the loss at its end by part, against `fresh` of the same seed, and what was forgotten of the first part."""
    corpus = Corpus.open(given.corpus)
    pl.Config.set_tbl_rows(-1), pl.Config.set_tbl_cols(-1), pl.Config.set_tbl_width_chars(200)
    for seed in given.seeds:
        found = {arm: find(corpus, run_name(given, seed, arm)) for arm in (FIRST, *GROWN, *FRESH, SAME)}
        there = {arm: run for arm, run in found.items() if run and len(run.segments) == 1 + (arm in GROWN) + (arm in TWICE)}
        if FIRST not in there or "fresh" not in there:
            continue
        ends = {arm: end_of(corpus, run) for arm, run in there.items()}
        print(f"\n{given.recipe}, seed {seed}; {there[FIRST].config.model.n_params:,} weights")
        print(pl.DataFrame([row(corpus, run, arm, ends) for arm, run in there.items()], infer_schema_length=None))


def find(corpus: Corpus, name: str) -> Run | None:
    """The run, when it is trained to its end."""
    try:
        run = require_run(corpus.path("runs", name))
    except ValueError:
        return None
    return run if run.segments and run.stands_at() == (len(run.segments) - 1, run.segments[-1].end_step) else None


def end_of(corpus: Corpus, run: Run) -> pl.DataFrame:
    ends = segment_ends(corpus, run)
    return ends.filter(pl.col("segment") == ends["segment"].max()).drop("segment")


def row(corpus: Corpus, run: Run, arm: str, ends: dict[str, pl.DataFrame]) -> dict[str, object]:
    windows, steps = ends[arm], curve(corpus, run)
    parts = sorted(windows["part"].unique(), key=part_order)
    first = parts[0]
    cells: dict[str, object] = {
        "arm": arm,
        "learned M": round(steps["tokens"][-1] / 1e6, 2),
        "spent M": round(sum(segment.total_batch_size * segment.steps for segment in run.segments) / 1e6, 2),
    }
    for number, part in enumerate(parts, 1):
        cells[f"part {number}"] = rounded(mean_loss(windows.filter(pl.col("part") == part)))
    for number in range(len(parts) + 1, 4):
        cells[f"part {number}"] = None
    cells["all"] = rounded(mean_loss(windows)) if len(parts) > 1 else None
    against = paired(ends["fresh"], windows) if len(parts) > 1 else windows.head(0).with_columns(other_loss="loss")
    cells["against fresh"] = in_words(against)
    cells["forgotten of 1"] = in_words(paired(ends[FIRST].filter(pl.col("part") == first), windows)) if arm in GROWN else "–"
    return cells


def in_words(pairs: pl.DataFrame) -> str:
    value, interval = difference(pairs)
    return "–" if value is None or interval is None else f"{value:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}]"


def rounded(loss: float | None) -> float | None:
    return None if loss is None else round(loss, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--size", default="nano")
    parser.add_argument("--recipe", default="modern")
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--arms", nargs="+", choices=[FIRST, *GROWN, *FRESH, SAME], default=[FIRST, *GROWN, *FRESH, SAME])
    parser.add_argument("--first-steps", type=int, default=330)
    parser.add_argument("--more-steps", type=int, default=330)
    parser.add_argument("--eval-every", type=int, default=250, help="steps; the ends of segments are evaluated anyway")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--report", action="store_true")
    given = parser.parse_args()
    if not given.report:
        for seed in given.seeds:
            for arm in given.arms:
                train_arm(given, seed, arm)
    report(given)


if __name__ == "__main__":
    main()
