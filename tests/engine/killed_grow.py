"""`rw.grow` in a process of its own, without Ray, for a test that kills it: python killed_grow.py CORPUS CACHE OPTIONS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from verbs_here import without_ray

import raywiki as rw

if __name__ == "__main__":
    corpus, cache, options = sys.argv[1:]
    without_ray(pytest.MonkeyPatch(), Path(cache))
    print(rw.grow(corpus, run="r1", **json.loads(options)))
