"""One verb in a process of its own and without Ray: what `store.py race` starts twice."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import pytest
from verbs_here import without_ray

from raywiki.cli import main

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        without_ray(patch, Path(cache))
        os.nice(5)
        main(sys.argv[1:])
