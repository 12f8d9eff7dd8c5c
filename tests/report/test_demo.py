"""The demo, with a small part of the library and a very small model."""

from __future__ import annotations

import signal

import pytest
from little_corpus import TINY
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main
from raywiki.report import demo
from raywiki.samplewiki import write
from raywiki.training import config, read_metrics


@pytest.fixture
def quick(monkeypatch, tmp_path) -> None:
    without_ray(monkeypatch, tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(write, "PARTS", ("builtins io json", "_pyio http", "argparse unittest"))
    monkeypatch.setitem(config.SIZES, "nano", TINY)
    monkeypatch.setattr(demo, "MODEL", {**demo.MODEL, "seq_len": 32, "total_batch_size": 128, "batch_size": 4})
    for name, value in {"VOCAB_SIZE": 400, "STEPS_FIRST": 4, "STEPS_GROWN": 3, "VAL_FRACTION": 0.3}.items():
        monkeypatch.setattr(demo, name, value)


def run_demo(capsys) -> str:
    with pytest.raises(SystemExit) as left:
        main(["demo"])
    printed = capsys.readouterr()
    assert left.value.code == 0, printed.err
    return printed.out


def test_the_demo_shows_what_it_made_and_finds_it_done_the_second_time(quick, tmp_path, capsys):
    screen = run_demo(capsys)
    assert max(map(len, screen.splitlines())) <= 100
    parts = list(rw.Corpus("demo/corpus").manifests("tokens/encoding=pydoc4096"))
    assert len(parts) == 3
    last = screen[screen.index("rows by table and part") :]
    for part in parts:
        assert last.count(part) == 2  # once with its rows, once with its losses
    assert "validation loss (nats a token): part 1 alone, then grown by parts 2 and 3" in last
    assert "text after 'Return the '" in last
    assert "it took" in last
    assert read_metrics(tmp_path / "demo/corpus/runs/demo/metrics.jsonl")[-1]["step"] == 7
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo/corpus").rglob("*.parquet")}
    again = run_demo(capsys)
    assert "nothing to do, nothing committed" in again
    assert [line for line in again.splitlines() if line.startswith("train ")] == [
        line for line in again.splitlines() if line.startswith("train ") and "it stands at step 7" in line
    ]
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "demo/corpus").rglob("*.parquet")}
    told = again[again.index("rows by table and part") :].splitlines()
    assert told[:-1] == last.splitlines()[:-1]  # the last line says how long it took


def test_a_demo_that_was_interrupted_is_taken_up(quick, monkeypatch, capsys):
    """As by Ctrl-C after the first training: the next call does what is left."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(rw, "grow", interrupt, raising=False)
        with pytest.raises(SystemExit) as left:
            main(["demo"])
    signal.signal(signal.SIGINT, before)  # the command leaves deaf to a second Ctrl-C
    assert left.value.code == 130
    capsys.readouterr()
    screen = run_demo(capsys)
    assert "trained to step 7" in screen
