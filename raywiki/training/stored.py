"""A run in a store: a working copy on this machine, brought from there before its training, published after each checkpoint.

    s3://bucket/corpus/runs/r1/…                         what a run's folder has, and .lease while it is trained
    <cache folder>/runs/<digest of …/runs>/r1/…          the working copy; it can be deleted at any time

What the training loop does, it does in the working copy, as in any folder. At a checkpoint the copy is published: the plan, the
checkpoint's files, its `checkpoint.json`, the evaluations and metrics, and then LATEST. So the run in the store is what a
process killed at that moment would have left in a folder, and to go on from there is the same thing. What a dead process has
done since then lies in its copy alone, and is done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from raywiki.corpus import Corpus
from raywiki.files import asking, file_system, modified, put
from raywiki.training.cache import COPIES, CacheEntry, cache_folder
from raywiki.training.checkpoint import ABOUT, LATEST, stands_at
from raywiki.training.init_from import RUN
from raywiki.training.leases import Lease, hold_lease, lease_holder
from raywiki.training.locks import held_by, hold_lock
from raywiki.training.plan import Plan
from raywiki.training.runs import BOARD, CHECKPOINTS, EVALS, METRICS, SEGMENTS, STOP, busy_sentence

LEASE = ".lease"
LOOK = 3.0  # seconds between two looks for a STOP file
_TRIES = 3  # at a copy, while another machine publishes
_SMALL = (SEGMENTS, METRICS, EVALS)


class StoredRun:
    """The run at a URL, and its working copy, `folder`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.fs, self.root = file_system(self.url)
        runs, _, self.name = self.url.rpartition("/")
        self.folder = cache_folder() / COPIES / hashlib.sha256(runs.encode()).hexdigest()[:16] / self.name
        self._guard = self.folder.with_name(f".{self.name}.training.lock")  # held here while this machine trains the run

    def path(self, *pieces: str) -> str:
        return "/".join((self.root, *pieces))

    def sibling(self, name: str) -> StoredRun:
        """Another run of the same corpus."""
        return StoredRun(f"{self.url.rpartition('/')[0]}/{name}")

    def holder(self) -> str:
        """Who trains the run now, see `leases.lease_holder`."""
        return lease_holder(self.fs, self.path(LEASE))

    def stands_at(self) -> tuple[int, int]:
        """Segment and step of the checkpoint that LATEST names; (0, 0) without one."""
        try:
            name = self.fs.cat_file(self.path(CHECKPOINTS, LATEST)).decode().strip()
            about = json.loads(self.fs.cat_file(self.path(CHECKPOINTS, name, ABOUT)))
        except (FileNotFoundError, ValueError):
            return 0, 0
        return about.get("segment", 0), int(about["step"])

    # --- from the store ----------------------------------------------------------------------------------------------

    def pull(self, weights: bool = True) -> Path:
        """Bring the working copy to what the store has, without the checkpoints when `weights` is False; its folder.

        While this machine trains the run, the copy is the newer one, and is left alone.
        """
        with hold_lock(self.folder.with_name(f".{self.name}.copy.lock")):
            if not held_by(self._guard):
                self._bring(weights)
        return self.folder

    def _bring(self, weights: bool) -> None:
        for left in range(_TRIES - 1, -1, -1):
            try:
                with asking(self.url):
                    self._bring_once(weights)
                return
            except FileNotFoundError:  # another machine has published meanwhile, and removed an old checkpoint
                if not left:
                    raise

    def _bring_once(self, weights: bool) -> None:
        there = self._listing()
        names = {name.split("/")[1] for name in there if name.startswith(CHECKPOINTS) and name.endswith(f"/{ABOUT}")}
        if weights:
            abouts = self.fs.cat_ranges([self.path(CHECKPOINTS, name, ABOUT) for name in sorted(names)], None, None)
            for name, about in zip(sorted(names), abouts, strict=True):
                self._bring_checkpoint(name, about)
        small = [name for name in there if not name.startswith(f"{CHECKPOINTS}/") or name == f"{CHECKPOINTS}/{LATEST}"]
        for name in small:
            if not name.startswith(f"{BOARD}/") or _size(self.folder / name) != there[name]["size"]:
                put(_with_folder(self.folder / name), self.fs.cat_file(self.path(name)))
        self._remove_others(set(small), names)

    def _listing(self) -> dict[str, dict[str, Any]]:
        """What the store has of the run, by name below it; nothing of those who only pass by, whose names begin with a dot."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.find(self.root, detail=True)
        except FileNotFoundError:
            if self.fs.exists(self.root.partition("/")[0]):
                return {}
            raise
        names = {path[len(self.root) + 1 :]: info for path, info in found.items()}
        return {name: info for name, info in names.items() if name and not name.startswith(".") and name != STOP}

    def _bring_checkpoint(self, name: str, about: bytes) -> None:
        target, files = self.folder / CHECKPOINTS / name, json.loads(about)["files"]
        if _content(target / ABOUT) == about and all(_size(target / each) == files[each]["bytes"] for each in files):
            return
        temporary = target.with_name(f".{name}.{uuid.uuid4().hex[:8]}.tmp")
        temporary.mkdir(parents=True)
        try:
            for each in files:
                self.fs.get_file(self.path(CHECKPOINTS, name, each), str(temporary / each))
            (temporary / ABOUT).write_bytes(about)
            shutil.rmtree(target, ignore_errors=True)
            os.rename(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _remove_others(self, small: set[str], checkpoints: set[str]) -> None:
        """Remove from the copy what the store does not have: steps that were never published, and what has been removed."""
        for path in [*self.folder.glob("*"), *self.folder.glob(f"{BOARD}/*"), *self.folder.glob(f"{CHECKPOINTS}/*")]:
            name = str(path.relative_to(self.folder))
            if path.is_dir():
                if path.parent.name == CHECKPOINTS and path.name not in checkpoints:
                    shutil.rmtree(path, ignore_errors=True)
            elif name not in small and not path.name.startswith("."):
                path.unlink(missing_ok=True)

    # --- to the store ------------------------------------------------------------------------------------------------

    @contextmanager
    def trained_here(self, plan: Plan, since: float, patience: float) -> Iterator[dict[str, Any]]:
        """Hold the run for this process, its copy brought here; what `train_segment` takes so that checkpoints are published.

        Raises:
            ValueError: another process trains it, and still does after `patience` seconds.
        """
        busy = self.busy_sentence()
        with asking(self.url), hold_lease(self.fs, self.path(LEASE), patience, busy) as lease:
            with hold_lock(self.folder.with_name(f".{self.name}.copy.lock")):
                self._bring(weights=True)
                guard = hold_lock(self._guard, 0, busy)
                guard.__enter__()
            try:
                yield {
                    "report": lambda step, metrics, checkpoint: self.publish(lease),
                    "should_stop": self._asked_to_stop(since),
                }
                with suppress(FileNotFoundError):
                    self.fs.rm_file(self.path(STOP))
            finally:
                guard.__exit__(None, None, None)

    def busy_sentence(self) -> str:
        """What to say when another process trains the run."""
        return busy_sentence(self.folder).replace(str(self.folder), self.url)

    def publish(self, lease: Lease) -> None:
        """Make the run in the store what the working copy is; in an order in which each moment is one to go on from.

        Raises:
            OSError: the store fails; or the lease was lost, so that another process may train the run.
        """
        lease.require()
        there, own = self._listing(), sorted(path.name for path in (self.folder / CHECKPOINTS).glob("step_*"))
        self._put(SEGMENTS)
        for name in own:
            self._publish_checkpoint(name, there)
        for path in sorted((self.folder / BOARD).glob("*")):
            if there.get(f"{BOARD}/{path.name}", {}).get("size") != path.stat().st_size:
                self._put(f"{BOARD}/{path.name}")
        for name in (EVALS, METRICS):
            self._put(name)
        lease.require()
        self._put(f"{CHECKPOINTS}/{LATEST}")
        gone = [name for name in there if name.startswith(f"{CHECKPOINTS}/step_") and name.split("/")[1] not in own]
        for name in sorted(gone, key=lambda name: not name.endswith(f"/{ABOUT}")):  # first what says that it is whole
            with suppress(FileNotFoundError):
                self.fs.rm_file(self.path(name))

    def _publish_checkpoint(self, name: str, there: dict[str, Any]) -> None:
        """Put a checkpoint, and last the file that makes it whole, where the store has not the same."""
        folder, about = f"{CHECKPOINTS}/{name}", (self.folder / CHECKPOINTS / name / ABOUT).read_bytes()
        if f"{folder}/{ABOUT}" in there:
            if self.fs.cat_file(self.path(folder, ABOUT)) == about:
                return
            self.fs.rm_file(self.path(folder, ABOUT))
        for each in json.loads(about)["files"]:
            self._put(f"{folder}/{each}")
        self._put(f"{folder}/{ABOUT}")

    def _put(self, name: str) -> None:
        """Put a file of the copy into the store; where the copy has none, the store shall have none."""
        if (self.folder / name).exists():
            self.fs.put_file(str(self.folder / name), self.path(name))
            return
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def _asked_to_stop(self, since: float) -> Callable[[], bool]:
        """A function that tells whether a STOP file was put into the store since then; it looks every few seconds."""
        looked, asked = 0.0, False

        def is_asked() -> bool:
            nonlocal looked, asked
            if not asked and time.monotonic() - looked > LOOK:
                with suppress(Exception):  # that a store cannot be asked is told when a checkpoint is published
                    self.fs.invalidate_cache(self.root)
                    asked = modified(self.fs.info(self.path(STOP))) >= int(since)  # its times may be whole seconds
                looked = time.monotonic()
            return asked

        return is_asked


def run_folder(corpus: Corpus, run: str, weights: bool = True, must: bool = True) -> Path:
    """The folder of a run on this machine: the corpus's own, or a working copy of what the store has now.

    Args:
        corpus: in a folder or at a URL.
        run: name of the run, which need not be there.
        weights: whether its checkpoints are needed.
        must: whether a run must be there; of one in a folder whoever reads it says so.

    Raises:
        ValueError: there is no such run in the store.
    """
    if corpus.is_local:
        return Path(corpus.path("runs", run))
    stored = StoredRun(corpus.url_of("runs", run))
    folder = stored.pull(weights)
    if must and not (folder / SEGMENTS).exists():
        raise ValueError(f"there is no run {run} in {corpus.url}: train one first")
    return folder


def saved_at(corpus: Corpus, run: str) -> tuple[int, int]:
    """Segment and step of a run's newest checkpoint, of one in a store without bringing it here; (0, 0) without one."""
    if not corpus.is_local:
        return StoredRun(corpus.url_of("runs", run)).stands_at()
    return stands_at(Path(corpus.path("runs", run, CHECKPOINTS)))


def clean_copies(dry_run: bool = False) -> tuple[list[CacheEntry], list[CacheEntry]]:
    """Remove the working copies of runs that are not trained here just now; they are brought again when they are needed.

    Returns what was (or would be) removed, and what was left.
    """
    removed, left = list[CacheEntry](), list[CacheEntry]()
    for path in sorted((cache_folder() / COPIES).glob("*/[!.]*/")):
        size = sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
        entry = CacheEntry(f"{COPIES}/{path.parent.name}/{path.name}", f"run {path.name}", size)
        try:
            with hold_lock(path.with_name(f".{path.name}.copy.lock"), 0, "busy"):
                is_trained = bool(held_by(path.with_name(f".{path.name}.training.lock")))
                if not is_trained and not dry_run:
                    shutil.rmtree(path)
            (left if is_trained else removed).append(entry)
        except (ValueError, OSError):
            left.append(entry)
    return removed, left


def at_home(plan: Plan, folder: Path) -> Plan:
    """A plan whose run lies in this folder."""
    return replace(plan, run=replace(plan.run, folder=folder))


def pull_source(stored: StoredRun, plan: Plan) -> None:
    """Bring the run that a plan's run begins with, while it has no checkpoint of its own."""
    source = plan.run.config.init_from or ""
    if source.startswith(RUN) and plan.first_step == 0:
        stored.sibling(source.removeprefix(RUN)).pull()


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
