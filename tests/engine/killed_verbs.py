"""A verb on a corpus in a store, in a process of its own, that kills itself as it is about to commit."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CLEAN = multiprocessing.get_context("forkserver")  # forks from a process without the threads of this one
_CLEAN.set_forkserver_preload(["raywiki.training.loop", "s3fs", "pyarrow.parquet"])


def run_and_kill(verb: str, cache: Path, environment: Mapping[str, str], *arguments: Any, **options: Any) -> int:
    """Call `rw.<verb>` there; the exit status, minus 9 when it was killed: before its second manifest, or its second LATEST."""
    process = _CLEAN.Process(target=_die, args=(verb, cache, dict(environment), arguments, options))
    process.start()
    process.join()
    return process.exitcode


def _die(verb: str, cache: Path, environment: dict[str, str], arguments: Any, options: Any) -> None:
    os.environ.update(environment)
    import pytest
    from little_corpus import TINY
    from verbs_here import without_ray

    import raywiki as rw
    from raywiki.corpus import Corpus
    from raywiki.training import config, stored

    without_ray(pytest.MonkeyPatch(), cache)
    config.SIZES["nano"] = TINY
    seen = []

    def dying(function: Any, name: str) -> Any:
        def call(self: Any, path: str, *more: Any) -> Any:
            seen.extend([path] if path.endswith(name) else [])
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(self, path, *more)

        return call

    Corpus.put = dying(Corpus.put, "_manifest.json")
    stored.StoredRun._put = dying(stored.StoredRun._put, "LATEST")
    getattr(rw, verb)(*arguments, **options)
