"""Is what `plan` says what then happens? `python benchmarks/plan_check.py PART… NEXT`, dump files of one wiki.

Makes a corpus of all parts but the last in a temporary folder, plans the last one from it, extracts, curates and tokenizes
that too, each verb a command of its own, and prints planned beside actual. Seconds are those of the part's own work as
manifests have them, of one core: with what a worker does first, without the start of Ray. On a machine that others use they
grow with its load.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import raywiki as rw
from raywiki.manifest import part_id, stored_bytes, tokens_table
from raywiki.ratios import CURATION

ENCODING = "gpt2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="+", type=Path, metavar="PART")
    given = parser.parse_args()
    *first, last = given.parts
    wiki = last.name.partition("-")[0]
    with tempfile.TemporaryDirectory() as folder:
        corpus, mirror = f"{folder}/corpus", Path(folder, "mirror")
        write_listing(mirror, given.parts)
        add(corpus, first)
        began = time.monotonic()
        plan = rw.plan(
            corpus, len(given.parts), wiki=wiki, mirrors=mirror, to=f"{folder}/dumps", encoding=ENCODING, size="nano"
        )
        print(f"{plan}\nplanned in {time.monotonic() - began:.1f} s at load {os.getloadavg()[0]:.1f}\n")
        began = time.monotonic()
        add(corpus, [last])
        wall = time.monotonic() - began
        compare(plan, corpus, last)
        print(f"wall time of the three verbs, Ray's starts included: {wall:.1f} s at load {os.getloadavg()[0]:.1f}")


def add(corpus: str, parts: list[Path]) -> None:
    dumps = [str(part) for part in parts]
    for words in (["extract", corpus, *dumps], ["curate", corpus], ["tokenize", corpus, "--encoding", ENCODING]):
        subprocess.run([sys.executable, "-m", "raywiki.cli", *words], check=True, stdout=sys.stderr)


def write_listing(mirror: Path, parts: list[Path]) -> None:
    """A folder like a mirror that has the listing of the parts alone."""
    mirror.mkdir()
    files = {path.name: {"size": path.stat().st_size, "sha1": hashlib.sha1(path.read_bytes()).hexdigest()} for path in parts}
    (mirror / "dumpstatus.json").write_text(json.dumps({"jobs": {"articlesdump": {"status": "done", "files": files}}}))


def compare(plan: rw.PlanSummary, corpus: str, last: Path) -> None:
    """The table of planned and actual, of the last part alone."""
    before, after = plan.steps[0], plan.steps[-1]
    tables, part = rw.Corpus(corpus).tables(), part_id(last.name, "")
    made = [tables[name][part] for name in ("articles", *CURATION, tokens_table(ENCODING))]
    tokens = made[-1].counts["tokens"]
    on_disk = sum(os.path.getsize(tables.corpus.path(each.folder, "_manifest.json")) for each in made) + stored_bytes(made)
    rows = {
        "articles": (after["articles"] - before["articles"], made[0].counts["articles"]),
        "tokens": (after["tokens"] - before["tokens"], tokens),
        "bytes in the corpus": (after["disk"]["corpus"], on_disk),
        "bytes in the token cache": (after["disk"]["token cache"] - before["disk"]["token cache"], 2 * tokens),
        "core-seconds": (after["prepare_seconds"] * plan.cores, sum(each.seconds for each in made)),
    }
    print("| | planned | actual | planned / actual |\n|---|---|---|---|")
    for name, (planned, actual) in rows.items():
        print(f"| {name} | {planned:,.6g} | {actual:,.6g} | {planned / actual:.2f} |")


if __name__ == "__main__":
    main()
