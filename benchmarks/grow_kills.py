"""Does a corpus that grows survive being killed? `python benchmarks/grow_kills.py TO DUMP DUMP … [--kills 10] [--seed 0]`

Grows a corpus in TO/whole by one dump after the other, extraction to training, with a report after each. Then does the same
in TO/killed by the same commands, which are killed (SIGKILL, their Ray too) at moments drawn at random from the time that each
took the first time, and run again. Both must end with the same tables and, on a CPU, the same losses and weights, bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import raywiki as rw
from raywiki.corpus import Corpus, tokens_table
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.runs import CHECKPOINTS, Run, require_run
from raywiki.training.stored import run_folder

RUN = "r1"


def commands(corpus: Path, dumps: list[str], given: argparse.Namespace) -> list[list[str]]:
    """What is typed, in order: the vocabulary is made once, of the first part; a report follows each training."""
    vocabulary = corpus.parent / f"{corpus.name}-made" / "own.json"  # its stem is the name of the encoding
    vocabulary.parent.mkdir(exist_ok=True)
    made = ["--encoding", str(vocabulary), "--val-fraction", "0.05", "--size", "nano", "--recipe", given.recipe]
    typed = [
        ["extract", str(corpus), dumps[0]],
        ["curate", str(corpus)],
        ["tokenizer", "train", str(corpus), "--vocab-size", "2048", "--to", str(vocabulary)],
    ]
    for number, dump in enumerate(dumps):
        steps = ["--steps", str(given.steps), "--checkpoint-every", "10", "--eval-every", "20"]
        typed.append(["grow", str(corpus), dump, "--run", RUN, *steps, *(made if number == 0 else [])])
        typed.append(["report", str(corpus), "--prompt", "The "])
    return typed


def start(words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "raywiki.cli", *words]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end(process: subprocess.Popen[bytes], words: list[str]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}:\n{said.decode()[-2000:]}")


def kill(process: subprocess.Popen[bytes]) -> None:
    """The command with all that it started; then wait until its Ray, which ends with it, is gone."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(3)


def state(corpus: str | Path) -> dict[str, object]:
    """Digests of all tables, and of what training left: the losses that count, all evaluations, the newest weights."""
    opened = Corpus.open(corpus)
    tables = opened.tables()
    names = ["articles", "decisions", "signatures", "bands", "pairs", tokens_table(tables.require_encoding(None))]
    found: dict[str, object] = {name: {part: each.digest for part, each in tables[name].items()} for name in names}
    lines = rw.scan_metrics(corpus, RUN).explode("val_loss").unnest("val_loss")
    lines = lines.select("segment", "step", "train_loss", "part", "loss").collect()
    evals = rw.scan_evals(corpus, RUN).sort("segment", "moment", "step", "part", "window").collect()
    run = require_run(run_folder(opened, RUN))
    found["losses"] = hashlib.sha256(lines.unique().sort(lines.columns).write_json().encode()).hexdigest()
    found["evaluations"] = hashlib.sha256(evals.write_json().encode()).hexdigest()
    found["weights"] = weights_digest(run)
    return found


def weights_digest(run: Run) -> str:
    """SHA-256 of the weights of a run's newest checkpoint."""
    newest = find_checkpoint(run.folder / CHECKPOINTS)
    assert newest is not None
    return hashlib.sha256((newest.folder / "model.safetensors").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("to", type=Path)
    parser.add_argument("dumps", nargs="+")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--recipe", default="modern")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    took = time_each(commands(given.to / "whole", given.dumps, given))
    # Kills are spread over the commands by the time that each took, so a moment is as likely as another.
    draw = random.Random(given.seed)
    planned = Counter(draw.choices(range(len(took)), weights=took, k=given.kills))
    done = kill_each(commands(given.to / "killed", given.dumps, given), took, planned, draw)
    assert (given.to / "killed" / "report.html").exists()
    whole, killed = state(given.to / "whole"), state(given.to / "killed")
    tell(done, whole, killed)


def time_each(typed: list[list[str]]) -> list[float]:
    """Seconds that each command takes when nobody disturbs it."""
    took = []
    for words in typed:
        began = time.monotonic()
        end(start(words), words)
        took.append(time.monotonic() - began)
    print(f"undisturbed: {sum(took):.0f} s for {len(took)} commands", flush=True)
    return took


def kill_each(typed: list[list[str]], took: list[float], planned: Mapping[int, int], draw: random.Random) -> int:
    """Start each command, kill it as often as is planned, and let it end then; how many were killed before they had ended.

    A kill that comes too late, as what an earlier one left is done already, is for the next command.
    """
    done = waiting = 0
    for number, words in enumerate(typed):
        waiting += planned.get(number, 0)
        while waiting:
            process, moment = start(words), draw.uniform(0.5, took[number])
            try:
                process.wait(moment)
                break
            except subprocess.TimeoutExpired:
                kill(process)
                done, waiting = done + 1, waiting - 1
                print(f"killed {words[0]} {' '.join(words[1:3])} after {moment:.1f} of {took[number]:.1f} s", flush=True)
        end(start(words), words)
    return done


def tell(kills: int, whole: dict[str, object], killed: dict[str, object]) -> NoReturn:
    for name, value in whole.items():
        print(f"{name:20} {'the same' if value == killed[name] else 'DIFFERENT'}")
    print(json.dumps({"kills": kills, "same": whole == killed}))
    raise SystemExit(whole != killed)


if __name__ == "__main__":
    main()
