"""The command: what it prints, where, and the status that it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import pytest

import raywiki as rw
from raywiki.cli import main


@dataclass
class Stopped:
    exit_status: int

    def to_dict(self) -> dict[str, int]:
        return {"exit_status": self.exit_status}


def leave(monkeypatch, does, *options: str) -> object:
    """The exit status of `raywiki status corpus` when the verb does that."""
    monkeypatch.setattr(rw, "status", does, raising=False)
    with pytest.raises(SystemExit) as left:
        main(["status", "corpus", *options])
    return left.value.code


def test_a_verb_that_stopped_early_is_status_3(monkeypatch, capsys):
    assert leave(monkeypatch, lambda *_, **__: Stopped(3), "--json") == 3
    assert capsys.readouterr().out == '{"exit_status": 3}\n'
    assert leave(monkeypatch, lambda *_, **__: Stopped(0)) == 0


def test_help_lists_what_an_option_takes_and_fits(capsys, monkeypatch):
    from raywiki.curation.rules import ARTICLE_RULES, RULE_SETS

    monkeypatch.setenv("COLUMNS", "100")
    shown = {}
    for verb in ("curate", "tokenize", "extract", "grow"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        shown[verb] = capsys.readouterr().out
        assert max(map(len, shown[verb].splitlines())) <= 100
    for name in (*ARTICLE_RULES, *RULE_SETS):
        assert name in shown["curate"]
    assert "gpt2 by default" in " ".join(shown["tokenize"].split())


def test_an_error_leaves_standard_output_to_programs(monkeypatch, capsys):
    def fail(*_, **__):
        raise ValueError("the corpus\n  is odd")

    assert leave(monkeypatch, fail, "--json") == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "raywiki: the corpus is odd\n")


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_is_one_line_and_its_own_status(number, status, word, monkeypatch, capsys):
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert leave(monkeypatch, lambda *_, **__: signal.raise_signal(number)) == status
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    assert capsys.readouterr().err == f"raywiki: {word}; run the same command again to go on\n"


@pytest.mark.parametrize("after", [2.0, 4.5])
def test_ctrl_c_while_ray_starts_or_works(after, tmp_path, sample_parts):
    """Three times, as the impatient do, with a Ray of its own."""
    clean = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "raywiki.cli", "extract", str(tmp_path / "corpus"), *map(str, sample_parts)]
    verb = subprocess.Popen(command, env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(3):
        time.sleep(after if _ == 0 else 0.4)
        verb.send_signal(signal.SIGINT)
    printed, errors = verb.communicate(timeout=100)
    # To a shell both are 130: Python kills itself when the first one hits it inside an exec(), as imports use it.
    assert verb.returncode in (130, -signal.SIGINT), printed + errors
    assert errors == "raywiki: interrupted; run the same command again to go on\n"
