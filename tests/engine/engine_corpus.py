"""What the corpus of the `undisturbed` fixture was made with, and the command lines that make the same."""

from __future__ import annotations

import json
from pathlib import Path

from raywiki.corpus import digest_of

MIN_CHARS, VAL_FRACTION = 300, 0.05
TRAIN = {"size": "nano", "steps": 60, "batch-size": 2, "seq-len": 64, "total-batch-size": 128}
TRAIN |= {"checkpoint-every": 5, "eval-every": 30, "device": "cpu", "num-workers": 1}


def arguments(verb: str, parts: list[Path], corpus: Path) -> list[str]:
    """What the command needs after `raywiki VERB CORPUS` to do what the fixture did."""
    vocabulary = str(corpus.parent / "small.json")
    return {
        "extract": [str(part) for part in parts[:2]],
        "curate": ["--min-chars", str(MIN_CHARS)],
        "tokenize": ["--encoding", vocabulary, "--val-fraction", str(VAL_FRACTION)],
        "train": ["--run", "r1", *(word for name, value in TRAIN.items() for word in (f"--{name}", str(value)))],
    }[verb]


def run_state(run: Path) -> dict[str, str]:
    """What two runs must have in common: digests of the newest weights, and of the losses of all steps."""
    from raywiki.training import load_model, model_digest

    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [[record["step"], record.get("train_loss"), record.get("val_loss")] for record in records]
    return {"weights": model_digest(load_model(run, "cpu")[0].state_dict()), "losses": digest_of(losses)}
