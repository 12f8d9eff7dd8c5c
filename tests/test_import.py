"""Importing raywiki costs nothing and changes nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import raywiki

PROBE = """
import json, logging, os, sys, threading
def state():
    return dict(os.environ), list(logging.root.handlers), list(logging.root.manager.loggerDict), threading.active_count()
before = state()
import raywiki
after = state()
heavy = [name for name in ("ray", "torch", "polars", "pyarrow", "numpy", "tiktoken", "fsspec") if name in sys.modules]
print(json.dumps([before == after, heavy]))
"""


def test_import_changes_nothing_and_loads_nothing_heavy():
    printed = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert json.loads(printed.stdout) == [True, []]
    assert printed.stderr == ""


def test_every_public_name_is_there_and_documented():
    for name in raywiki.__all__:
        value = getattr(raywiki, name)
        assert name == "__version__" or value.__doc__, name


def test_the_verb_report_is_no_package_whatever_was_imported_first():
    """Its package has its name, and Python puts a package into its parent when it is imported."""
    probe = (
        "import raywiki as rw, raywiki.report.inspect\n"
        "assert callable(rw.status) and callable(rw.report), rw.report\n"
        "from raywiki.report import demo, report\n"
        "assert callable(rw.report) and callable(report.report), rw.report\n"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_training_loads_without_ray_and_polars():
    """A machine that only trains has neither."""
    probe = (
        "import sys; sys.modules['ray'] = sys.modules['polars'] = None\n"
        "import pkgutil, importlib, raywiki.training\n"
        "for module in pkgutil.iter_modules(raywiki.training.__path__):\n"
        "    importlib.import_module('raywiki.training.' + module.name)\n"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_help_does_not_load_the_library():
    probe = (
        "import sys, raywiki.cli\n"
        "try: raywiki.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('ray', 'torch', 'polars', 'pyarrow') if name in sys.modules], file=sys.stderr)\n"
    )
    printed = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert printed.stderr.strip() == "[]"


def test_a_notebook_cell_shows_what_print_shows():
    summary = raywiki.Summary("extract", "a<b", ({"part": "p1", "state": "committed"},), 1.0)
    assert "extract a&lt;b: 1 part committed" in summary._repr_html_()
    for name in ("Summary", "Status", "Rejects", "Templates", "GcSummary", "RemoveSummary"):
        assert callable(getattr(raywiki, name)._repr_html_)
