from __future__ import annotations

import subprocess
import sys

from raywiki import curation


def test_the_package_is_cheap_to_import_and_names_what_it_has() -> None:
    code = (
        "import sys, raywiki.curation; print([m for m in ('polars', 'numpy', 'pyarrow', 'ray', 'torch') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert loaded == "[]"
    for name in curation.__all__:
        assert getattr(curation, name) is not None
