"""What is shown while a verb works: a bar that fits, or lines that are not said twice."""

from __future__ import annotations

import io
import re
import sys

import pytest

from raywiki import progress
from raywiki.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard error as a terminal of so many columns; returns what was shown, without colours."""

    def make(columns: int):
        shown = Terminal()
        monkeypatch.setattr(sys, "stderr", shown)
        for name, value in {"COLUMNS": str(columns), "TERM": "xterm"}.items():
            monkeypatch.setenv(name, value)
        return lambda: re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()))

    return make


@pytest.mark.parametrize("columns", [80, 100, 120])
def test_the_bar_keeps_its_width_and_the_line_fits(columns, terminal):
    shown = terminal(columns)
    with Progress("extract enwiki-20251101-p1p41242-and-a-long-tail", 2560.4, "MB of dump") as bar:
        bar.advance(1000.2, {"MB of XML": 12_345, "articles": 1_234_567}, note="loss 10.123")
        bar.bar.refresh()
    lines = [line for line in shown() if "1,000 of 2,560 MB of dump" in line]
    assert lines
    for line in lines:
        assert len(line.rstrip()) <= columns
        assert len(re.findall("[━╸╺]", line)) == progress.BAR_WIDTH
    assert ("articles" in lines[-1]) == (columns > 120)


def test_it_says_what_is_waited_for_until_the_first_advance(terminal):
    shown = terminal(80)
    with Progress("extract", 20, "MB") as bar:
        progress.say("starting Ray")
        bar.bar.refresh()
        assert "starting Ray" in shown()[-1]
        bar.advance(1)
        bar.bar.refresh()
        assert "1 of 20 MB" in shown()[-1]
        assert "starting Ray" not in shown()[-1]
    progress.say("nobody listens")
    assert "nobody listens" not in "".join(shown())


def test_waiting_at_the_start_says_nothing_about_the_speed(monkeypatch, capsys):
    now = iter([0.0, 100.0, 110.0, 110.0, 110.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with Progress("extract", 20, "MB") as bar:
        progress.say("waiting for the first result")
        bar.advance(10)
    assert "1.0 MB/s" in capsys.readouterr().err


def test_a_sum_of_floats_is_done_in_the_end(capsys):
    with Progress("tokenize", 0.3, "MB") as bar:
        for _ in range(3):
            bar.advance(0.1 - 1e-12)
    assert "left" not in capsys.readouterr().err


def test_the_last_line_of_a_log_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0)
    with Progress("extract", 20, "MB") as bar:
        bar.advance(10)
        bar.advance(10)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["extract: 10 of 20 MB", "extract: 20 of 20 MB"]


def test_a_slow_start_is_told_and_says_nothing_about_the_speed(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with Progress("train r1", 20, "steps", slow_start=True) as bar:
        bar.skip(4)
        for seconds, text in ((30, "starting workers"), (30, "starting workers"), (60, "evaluating")):
            clock[0] += seconds
            progress.say(text)
        clock[0] += 50  # the first step compiles
        bar.advance(1, note="loss 5.1")
        clock[0] += 12
        progress.say("evaluating")
        bar.advance(6)
    assert capsys.readouterr().err.splitlines() == [
        "train r1: starting workers",
        "train r1: evaluating",
        "train r1: 5 of 20 steps, loss 5.1",
        "train r1: 11 of 20 steps, 0:18 left, loss 5.1, 0.50 steps/s",
    ]


def test_what_a_long_thing_is_waited_for_is_cut_to_fit(terminal):
    shown = terminal(80)
    with Progress("train r1", 20, "steps", slow_start=True) as bar:
        progress.say("reading the tokens of enwiki-20251101-p1p41242-and-a-very-long-tail into the cache")
        bar.bar.refresh()
        line = shown()[-1]
        assert len(line.rstrip()) <= 80
        assert line.rstrip().endswith("…")


def test_another_listener_hears_what_is_said(capsys):
    heard = []
    with Progress("train", 20, "steps", slow_start=True), progress.heard_by(heard.append):
        progress.say("evaluating")
    assert heard == ["evaluating"]
    assert capsys.readouterr().err == ""


def test_without_rich_lines_must_do(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress("train", 20, "steps") as bar:
        bar.advance(20)
    assert capsys.readouterr().err.startswith("train: 20 of 20 steps")
