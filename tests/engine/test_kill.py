"""kill -9 of the driver in the middle of each verb: the same command again ends in what an undisturbed run ends in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_corpus import TRAIN, arguments, run_state
from verbs_here import without_ray

from raywiki.cli import main
from raywiki.corpus import Corpus
from raywiki.training.checkpoint import stands_at

TABLES = {"extract": "articles", "curate": "decisions", "tokenize": "tokens/encoding=small", "train": "runs"}


def cli(verb: str, corpus: Path) -> list[str]:
    return [sys.executable, "-m", "raywiki.cli", verb, str(corpus)]


def state(corpus: Path, verb: str) -> dict[str, str]:
    """Digest of every part that the verb commits; for train, of the weights and of the metrics that count."""
    if verb != "train":
        return {part: manifest.digest for part, manifest in Corpus(corpus).manifests(TABLES[verb]).items()}
    return run_state(corpus / "runs" / "r1")


def begun(corpus: Path, verb: str) -> bool:
    """Whether a verb has written something but not all."""
    if verb == "train":
        return (corpus / "runs/r1/checkpoints/LATEST").exists()
    folder = corpus / {"curate": "signatures"}.get(verb, TABLES[verb])
    return any(folder.glob("part=*/*"))


def is_unfinished(corpus: Path, verb: str, expected: dict[str, str]) -> bool:
    """Whether parts are left to commit; for train, steps of which no checkpoint knows."""
    if verb != "train":
        return len(state(corpus, verb)) < len(expected)
    return 0 < stands_at(corpus / "runs" / "r1" / "checkpoints")[1] < TRAIN["steps"]


@pytest.mark.parametrize("verb", ["extract", "curate", "tokenize", "train"])
def test_the_rerun_completes(verb, undisturbed, sample_parts, ray_head, tmp_path, monkeypatch, capsys):
    corpus = tmp_path / "corpus"
    made = {
        "extract": [],
        "curate": ["signatures", "decisions", "tokens", "runs"],
        "tokenize": ["tokens", "runs"],
        "train": ["runs"],
    }
    if verb != "extract":
        shutil.copytree(undisturbed, corpus, ignore=shutil.ignore_patterns(*made[verb]))
    environment = {**os.environ, **ray_head.environment}
    command = [*cli(verb, corpus), *arguments(verb, sample_parts, undisturbed)]
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while not begun(corpus, verb):
        assert driver.poll() is None, driver.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(driver.pid, signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    driver.stderr.close()
    expected = state(undisturbed, verb)
    assert is_unfinished(corpus, verb, expected), "the kill came too late to test anything"
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert state(corpus, verb) == expected
    without_ray(monkeypatch, tmp_path / "cache")
    with pytest.raises(SystemExit) as left:
        main(command[3:])
    assert left.value.code == 0
    assert "nothing to do" in capsys.readouterr().out
