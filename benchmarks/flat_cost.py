"""Does a part cost the same, whatever is there already? `python benchmarks/flat_cost.py DUMP [--parts 8] [--mb 20]`

Makes parts of equal size but different text from a dump (.bz2): its pages again and again, with other ids and titles, and in
each part with other letters outside of markup, so that no article repeats one of another part. Then extracts, curates and
tokenizes one after the other in a new corpus, in one Ray that is up before: seconds of each verb and of all, for each part.
"""

from __future__ import annotations

import argparse
import bz2
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import raywiki as rw
from raywiki.engine.cluster import start

LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARKUP = re.compile(r"(<[^<>]*>|\[\[[^\[\]]*\]\]|\{\{[^{}]*\}\}|&[a-z]+;|\{\||\|[^\n]*)")
_PAGE = re.compile(r"<page>.*?</page>\n?", re.DOTALL)


def other_letters(seed: int) -> dict[int, int]:
    """A table for `str.translate`, another one for each seed."""
    return str.maketrans(LETTERS, "".join(random.Random(seed).sample(LETTERS, len(LETTERS))))


def make_part(pages: list[str], head: str, number: int, size: int, first_id: int, folder: Path) -> tuple[Path, int]:
    """A dump part of about so many bytes of XML; its path and the last page id."""
    table = other_letters(number)
    made, length, page_id = [], 0, first_id
    while length < size:
        for page in pages:
            page_id += 1
            before, text = page.split("<text", 1)
            other = "".join(piece if i % 2 else piece.translate(table) for i, piece in enumerate(_MARKUP.split(text)))
            body = f"{before}<text{other}"
            body = re.sub(r"<title>.*?</title>", f"<title>Page {page_id}</title>", body, count=1)
            body = re.sub(r"<id>\d+</id>", f"<id>{page_id}</id>", body, count=1)
            made.append(re.sub(r"<sha1>.*?</sha1>|<sha1 ?/>", "", body))
            length += len(made[-1])
            if length >= size:
                break
        table = other_letters(number + 1 + len(made))  # the second time round is no repetition of the first
    path = folder / f"viwiki-20230501-pages-articles{number + 1}.xml-p{first_id + 1}p{page_id}.bz2"
    path.write_bytes(bz2.compress((head + "".join(made) + "</mediawiki>\n").encode()))
    return path, page_id


def parts_of(dump: Path, count: int, size: int, folder: Path) -> Iterator[Path]:
    xml = bz2.decompress(dump.read_bytes()).decode()
    end = xml.index("</siteinfo>") + len("</siteinfo>\n")
    pages, last = [page for page in _PAGE.findall(xml, end) if "<ns>0</ns>" in page and "<redirect" not in page], 0
    for number in range(count):
        path, last = make_part(pages, xml[:end], number, size, last, folder)
        yield path


def timed(verb: Callable[[], Any]) -> tuple[Any, float]:
    """What a verb returns, and the seconds that it took."""
    began = time.monotonic()
    return verb(), time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump", type=Path)
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--mb", type=float, default=20, help="MB of XML in a part")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        dumps = list(parts_of(given.dump, given.parts, int(given.mb * 1e6), folder))
        corpus = folder / "corpus"
        start()
        print("part  articles    kept  extract  curate  tokenize     all")
        whole = []
        for number, dump in enumerate(dumps, 1):
            encoding = ["gpt2"] if number == 1 else []
            extracted, curated, tokenized = (
                timed(verb) for verb in (
                    lambda dump=dump: rw.extract(corpus, dump),
                    lambda: rw.curate(corpus),
                    lambda encoding=encoding: rw.tokenize(corpus, *encoding),
                )
            )  # fmt: skip
            seconds = [each[1] for each in (extracted, curated, tokenized)]
            whole.append(sum(seconds))
            (articles,) = (row["articles"] for row in extracted[0].parts if row["state"] == "committed")
            (kept,) = (row["documents"] for row in tokenized[0].parts if row["state"] == "committed")
            shown = "".join(f"{each:9.2f}" for each in [*seconds, whole[-1]])
            print(f"{number:4}  {articles:8,}{kept:8,}{shown}", flush=True)
        later, earlier = median(whole[-3:]), median(whole[1:4])
        print(
            f"the last against the second {whole[-1] / whole[1]:.2f}; last three against second to fourth {later / earlier:.2f}"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.environ.setdefault("RAY_worker_niceness", "0")
    main()
