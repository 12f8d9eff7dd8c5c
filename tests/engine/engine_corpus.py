"""What the corpus of the `undisturbed` fixture was made with, and the command lines that make the same."""

from __future__ import annotations

from pathlib import Path

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
