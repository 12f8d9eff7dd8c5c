"""`python -m raywiki.training`: options, words and status of `raywiki train`, by one process or several of torchrun's."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import fsspec
import numpy as np
import pytest
from training_corner import start_process

import raywiki as rw
from raywiki.training.__main__ import arguments, main
from raywiki.training.locks import hold_lock
from raywiki.training.metrics import read_metrics
from raywiki.training.options import TrainOptions, option_help

ROOT = Path(__file__).resolve().parents[2]
TINY = ["--seq-len", "16", "--total-batch-size", "64", "--device", "cpu", "--eval-every", "5"]
NEEDED = {"filelock", "fsspec", "lazy-loader", "numpy", "pyarrow", "safetensors", "torch"}  # as the README says
ABSENT = [
    "babel",
    "grpc",
    "jinja2",
    "mwparserfromhell",
    "mwxml",
    "polars",
    "ray",
    "requests",
    "rich",
    "tiktoken",
    "tokenizers",
    "typer",
    "urllib3",
    "xxhash",
    "tensorboard",
]
# Found nowhere, as on a machine where they are not installed.
PROBE = f"""
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from raywiki.training.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def corpus(little, tmp_path, monkeypatch) -> Path:
    """A corpus as a machine that only trains needs it: the tokens alone."""
    monkeypatch.setenv("RAYWIKI_CACHE_DIR", str(tmp_path / "cache"))
    shutil.copytree(little / "corpus" / "tokens", tmp_path / "corpus" / "tokens")
    return tmp_path / "corpus"


def losses(runs: Path, run: str) -> list[float]:
    return [line["train_loss"] for line in read_metrics(runs / run / "metrics.jsonl") if line["train_loss"] is not None]


def test_a_machine_that_has_neither_ray_nor_polars(corpus):
    words = [str(corpus), "--run", "r1", *TINY, "--steps", "4", "--json"]
    done = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"state": "trained", "step": 4' in done.stdout
    assert re.search(r"^plan r1, segment 1: steps 0 to 4", done.stderr, re.M)
    for said in ("reading the tokens of viwiki-20260101-p100p199 into the cache", "evaluating", "the first step"):
        assert f"train r1: {said}\n" in done.stderr


def test_what_must_be_installed_is_what_the_readme_says():
    """Each dependency is either needed for training, and named in the README, or missing in the test above."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    named = {re.split(r"[\[<>=]", each)[0] for each in dependencies}
    assert named - NEEDED == {"grpcio" if name == "grpc" else name for name in ABSENT} - {"tensorboard"}
    line = next(line for line in (ROOT / "README.md").read_text().splitlines() if "pip install --no-deps" in line)
    assert {name for name in NEEDED if re.search(rf"\b{name}\b", line)} == NEEDED


def test_it_learns_what_raywiki_train_learns(corpus, little, monkeypatch):
    """Bit for bit, on one process: the same function does the work."""
    from verbs_here import without_ray

    options = dict(seq_len=16, total_batch_size=64, device="cpu", eval_every=5, steps=6)
    without_ray(monkeypatch, corpus.parent / "cache")
    rw.train(corpus, "by_ray", **options)
    assert main([str(corpus), "--run", "alone", *TINY, "--steps", "6"]) == 0
    assert losses(corpus / "runs", "alone") == losses(corpus / "runs", "by_ray")


def join(corpus: Path, port: int, rank: int, words: list[str]) -> None:
    """One process as torchrun starts it; what it prints goes into a file."""
    sys.stdout = sys.stderr = open(corpus.parent / f"printed-{rank}", "a")  # noqa: SIM115
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    os.environ |= {"MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    sys.exit(main([str(corpus), *TINY, *words]))


def test_two_processes_of_torchrun_learn_what_one_learns(corpus):
    from processes import free_ports

    assert main([str(corpus), "--run", "one", *TINY, "--steps", "6"]) == 0
    for words, status in ((["--run-name", "two", "--steps", "6", "--num-workers", "2"], 0), (["--run", "two", "--lr", "7"], 1)):
        [port] = free_ports(1)
        processes = [start_process(join, corpus, port, rank, words) for rank in range(2)]
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [status, 0]
    np.testing.assert_allclose(losses(corpus / "runs", "two"), losses(corpus / "runs", "one"), rtol=2e-5)
    first, second = ((corpus.parent / f"printed-{rank}").read_text() for rank in range(2))
    for said in ("run two: trained to step 6", "weights on 2 x cpu", "lr=7 is no learning rate"):
        assert first.count(said) == 1
    assert second == ""


def test_a_corpus_at_a_url_with_the_run_in_a_folder(corpus, capsys):
    memory = fsspec.filesystem("memory")
    memory.put(str(corpus), "/without-ray", recursive=True)
    words = ["memory://without-ray", "--run", "r1", *TINY, "--steps", "2"]
    assert main(words) == 1
    assert "a folder that all workers see, not memory://without-ray" in capsys.readouterr().err
    assert main([*words, "--runs", str(corpus.parent / "runs")]) == 0
    assert len(losses(corpus.parent / "runs", "r1")) == 2
    assert not memory.exists("/without-ray/runs")


def test_runs_at_a_url_are_refused(corpus, capsys, monkeypatch):
    """They would go into a folder here that is named memory:."""
    (corpus.parent / "work").mkdir()
    monkeypatch.chdir(corpus.parent / "work")
    assert main([str(corpus), "--run", "r1", *TINY, "--steps", "2", "--runs", "memory://runs"]) == 1
    assert (
        "memory://runs is no folder of this machine, and runs apart from their corpus must lie in one"
        in capsys.readouterr().err
    )
    assert os.listdir() == []


def test_mistakes_are_one_sentence_and_leave_nothing(corpus, capsys):
    for words, sentence in (
        (["--run", "r1", "--lr", "3e4"], "lr=30000 is no learning rate"),
        (["--run", "a/b"], "run='a/b' is no name of a run"),
        (["--run", "r1", "--num-workers", "2"], "num_workers=2, but 1 was started: without Ray it is torchrun"),
        (["--run", "r1", "--parts", "p9"], "there is no part 'p9' with tokens"),
    ):
        assert main([str(corpus), *words]) == 1
        [said] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("raywiki: ")]
        assert sentence in said
    for words in (["--run", "r1", "--steps", "many"], [], ["--run", "r1", "--ste", "4"]):
        with pytest.raises(SystemExit) as left:
            main([str(corpus), *words])
        assert left.value.code == 2
    assert sorted(path.name for path in corpus.iterdir()) == ["tokens"]


def test_a_lock_and_a_stop_file(corpus, capsys, monkeypatch):
    from raywiki.engine import fit
    from raywiki.training import loop

    monkeypatch.setattr(fit, "PATIENCE", 0.3)
    run, words = corpus / "runs" / "r1", [str(corpus), "--run", "r1", *TINY, "--steps", "6"]
    with hold_lock(run / ".lock"):
        assert main(words) == 1
        assert "run r1 is being trained by another process" in capsys.readouterr().err
    update = loop._update
    monkeypatch.setattr(loop, "_update", lambda *given: ((run / "STOP").touch(), update(*given))[1])
    assert main(words) == 3
    assert "stopped at step 1; the same command goes on from there" in capsys.readouterr().out
    monkeypatch.setattr(loop, "_update", lambda *given: (signal.raise_signal(signal.SIGINT), update(*given))[1])
    assert main(words) == 3
    monkeypatch.setattr(loop, "_update", update)
    assert main(words) == 0
    assert main([str(corpus), "--run", "whole", *TINY, "--steps", "6"]) == 0
    assert losses(corpus / "runs", "r1") == losses(corpus / "runs", "whole")


def test_every_option_of_train_is_there_and_torchrun_leaves_it_alone():
    from torch.distributed.run import get_args_parser

    own = {word for action in arguments()._actions for word in action.option_strings if word.startswith("--")}
    assert {f"--{name.replace('_', '-')}" for name in option_help(TrainOptions)} <= own
    theirs = {word for action in get_args_parser()._actions for word in action.option_strings}
    taken = {word for word in own if any(other.startswith(word) for other in theirs)}
    assert taken <= {"--run", "--help"}
