"""Kill the saving of a checkpoint before each of its lines, and look at what lies there.

    python killed_saves.py FOLDER

Each save runs in a forked process of its own: the first checkpoint of a segment that goes on from before a decay, saved over
one of the same name that was given up, with older ones to remove. Prints the number of kills, or fails with what was found.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from raywiki.training.checkpoint import find_checkpoint, find_step, save_checkpoint

TRACED = ("raywiki/training/checkpoint.py", "raywiki/files.py")
LOOPS = ("save_checkpoint", "_prune")  # where a line is killed the second time too that one comes by
TRUNK, END, OLD, NEW, NEXT = (0, 8), (0, 10), (1, 11), (1, 12), (1, 14)
BEST = (1, 9)
ALWAYS = {TRUNK, END}
LOSSES = {BEST: 1.0}


def main(folder: Path) -> None:
    os.fsync = lambda descriptor: None  # what a killed process wrote is there without; a power cut is not tried
    for at in ((0, 4), TRUNK, END, BEST, OLD, NEW):
        save(folder / "start", *at)
    (folder / "start" / "LATEST").write_text(f"{name(OLD)}\n")  # so that NEW is saved again
    for kills in count():
        shutil.rmtree(folder / "killed", ignore_errors=True)
        shutil.copytree(folder / "start", folder / "killed")
        if not is_killed(folder / "killed", kills):
            break
        check(folder / "killed", kills)
    print(kills)


def name(at: tuple[int, int]) -> str:
    return f"step_{at[1]:08d}" + (f".segment_{at[0]}" if at[0] else "")


def save(folder: Path, segment: int, step: int, keep: int = 2, again: str = "") -> None:
    files = {each: (lambda path, each=each: path.write_text(f"{each} {step} {again}")) for each in ("model", "optimizer")}
    about = {"segment": segment, "val_loss": LOSSES.get((segment, step), 2.0)}
    save_checkpoint(folder, step, files, about, keep, ALWAYS)


def is_killed(folder: Path, line: int) -> bool:
    """Whether a save was killed before that line, counted over those of the traced files that it comes by."""
    child = os.fork()
    if child == 0:
        lines, visits = iter(range(10**6)), Counter[tuple[str, int]]()

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            code = frame.f_code
            if not code.co_filename.endswith(TRACED):
                return None
            if event == "line":
                visits[place := (code.co_filename, frame.f_lineno)] += 1
                if visits[place] <= (2 if code.co_name in LOOPS else 1) and next(lines) == line:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        save(folder, *NEW, keep=1, again="again")
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), f"a save left with {status}"
    return status != 0


def check(folder: Path, line: int) -> None:
    """The one before or the new one is found, what is always kept is whole, and the next save leaves nothing else."""
    found = find_checkpoint(folder)
    assert found is not None, f"nothing is found after line {line}"
    assert found.at in (OLD, NEW), f"killed at line {line}, {found.at} is found"
    assert found.at == OLD or (found.folder / "model").read_text() == "model 12 again", f"line {line}: the old one is found"
    for at in (TRUNK, END, BEST):
        assert find_step(folder, *at), f"killed at line {line}, {at} is gone"
    save(folder, *NEXT, keep=1)
    left = {path.name for path in folder.iterdir()}
    assert left == {"LATEST", *map(name, (TRUNK, END, BEST, NEXT))}, f"killed at line {line}, then saved: {sorted(left)}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
