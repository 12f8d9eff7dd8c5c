"""The built-in sample wiki: real dump parts, the same bytes for the same Python, no markup by accident."""

from __future__ import annotations

import bz2
import collections
import hashlib
import itertools
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from dataclasses import dataclass
from pathlib import Path

import mwparserfromhell
import mwxml
import pytest

from raywiki.dumps import iter_pages
from raywiki.samplewiki import dump as sample_dump
from raywiki.samplewiki import extras, write

XMLNS = "{http://www.mediawiki.org/xml/export-0.11/}"
PART_NAME = re.compile(r"pydocwiki-20260101-pages-articles([123])\.xml-p(\d+)p(\d+)\.bz2")


@dataclass(frozen=True)
class Read:
    """A page as it was read back."""

    title: str
    namespace: int
    page_id: int
    redirect: str | None
    model: str
    text: str | None
    sha1: str | None
    n_bytes: int

    @property
    def is_article(self) -> bool:
        return self.namespace == 0 and self.redirect is None


def read_part(path: Path) -> list[Read]:
    pages = []
    for page in ET.fromstring(bz2.decompress(path.read_bytes())).iter(f"{XMLNS}page"):
        revision = page.find(f"{XMLNS}revision")
        text = revision.find(f"{XMLNS}text")
        redirect = page.find(f"{XMLNS}redirect")
        pages.append(
            Read(
                page.findtext(f"{XMLNS}title"),
                int(page.findtext(f"{XMLNS}ns")),
                int(page.findtext(f"{XMLNS}id")),
                None if redirect is None else redirect.get("title"),
                revision.findtext(f"{XMLNS}model"),
                None if text.get("deleted") else text.text or "",
                revision.findtext(f"{XMLNS}sha1") or None,
                int(text.get("bytes")),
            )
        )
    return pages


WRITE = """
import sys
from raywiki.samplewiki import write
if len(sys.argv) > 2:  # only some of the library
    write.PARTS = tuple(sys.argv[2:])
write.write_sample_wiki(sys.argv[1])
ran = {"this", "antigravity", "tkinter", "idlelib", "turtle", "turtledemo", "distutils", "test"} & set(sys.modules)
assert not ran, ran
"""


def write_elsewhere(folder: Path, hash_seed: int, *modules: str) -> list[Path]:
    """Write the wiki in another process, with another home and working directory; it may say nothing at all."""
    folder.mkdir()
    root = Path(write.__file__).parents[2]
    home = {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(root), "HOME": str(folder), "DISPLAY": ":99"}
    command = [sys.executable, "-W", "error", "-c", WRITE, str(folder / "made"), *modules]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ, **home}, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return sorted((folder / "made").iterdir())


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_elsewhere(tmp_path_factory.mktemp("wiki") / "full", hash_seed=7)


@pytest.fixture(scope="module")
def parts(paths: list[Path]) -> list[list[Read]]:
    return [read_part(path) for path in paths]


@pytest.fixture(scope="module")
def articles(parts: list[list[Read]]) -> list[list[Read]]:
    return [[page for page in part if page.is_article and page.text] for part in parts]


# The files


def test_files_are_named_as_wikimedia_names_them(paths: list[Path], parts: list[list[Read]]) -> None:
    expected_first = 1
    for number, (path, pages) in enumerate(zip(paths, parts, strict=True), start=1):
        match = PART_NAME.fullmatch(path.name)
        assert match, path.name
        assert (int(match[1]), int(match[2]), int(match[3])) == (number, expected_first, pages[-1].page_id)
        expected_first = pages[-1].page_id + 1
    assert sorted(paths[0].parent.iterdir()) == sorted(paths)  # no temporary file is left


def test_each_file_is_one_bzip2_stream(paths: list[Path]) -> None:
    for path in paths:
        decompressor = bz2.BZ2Decompressor()
        decompressor.decompress(path.read_bytes())
        assert decompressor.eof
        assert decompressor.unused_data == b""


def test_ids_ascend_over_the_parts_and_titles_are_unique(parts: list[list[Read]]) -> None:
    ids = [page.page_id for part in parts for page in part]
    assert ids == sorted(set(ids))
    titles = collections.Counter(page.title for part in parts for page in part)
    assert [title for title, count in titles.items() if count > 1] == []
    assert [title for title in titles if re.search(r"[_\[\]{}|#<>]|^ | $|  ", title)] == []  # what MediaWiki has not


def test_checksums_and_lengths_are_right(parts: list[list[Read]]) -> None:
    for page in (page for part in parts for page in part):
        if page.text is None:
            assert page.sha1 is None
            continue
        data = page.text.encode()
        assert page.n_bytes == len(data), page.title
        assert int(page.sha1, 36) == int(hashlib.sha1(data).hexdigest(), 16), page.title
        assert len(page.sha1) == 31


def test_mwxml_reads_the_same(paths: list[Path], parts: list[list[Read]]) -> None:
    with bz2.open(paths[0]) as file:
        dump = mwxml.Dump.from_file(file)
        assert dump.site_info.dbname == "pydocwiki"
        assert {n.id: n.name for n in dump.site_info.namespaces} == sample_dump.NAMESPACES
        read = [(page.id, page.namespace, page.redirect, next(iter(page)).text or "") for page in dump]
    assert read == [(page.page_id, page.namespace, page.redirect, page.text) for page in parts[0]]


def test_raywiki_reads_the_same(paths: list[Path], parts: list[list[Read]]) -> None:
    read = list(iter_pages(paths[2:]))
    assert [(p["page_id"], p["title"], p["namespace"], p["redirect"], p["model"], p["text"]) for p in read] == [
        (p.page_id, p.title, p.namespace, p.redirect, p.model, p.text) for p in parts[2]
    ]
    assert {(p["sha1_ok"], p["error"]) for p in read if p["text"] is not None} == {(True, None)}


def test_same_python_writes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with another order of sets and in another folder; here with a small part of the library."""
    some = ("builtins io json", "_pyio http", "argparse unittest")
    paths = write_elsewhere(tmp_path / "there", 1, *some)
    monkeypatch.setattr(write, "PARTS", some)
    assert len(paths) == 3
    for path, again in zip(paths, write.write_sample_wiki(tmp_path / "here"), strict=True):
        assert again.name == path.name
        assert again.read_bytes() == path.read_bytes()


def test_a_url_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^s3://bucket/dumps is no folder of this machine, and the sample wiki must"):
        write.write_sample_wiki("s3://bucket/dumps")
    assert list(tmp_path.iterdir()) == []


def test_nothing_of_this_machine_is_in_the_text(parts: list[list[Read]]) -> None:
    secrets = [sys.prefix, sys.base_prefix, str(Path.home()), str(Path.cwd())]
    for page in (page for part in parts for page in part):
        assert not any(len(secret) > 5 and secret in (page.text or "") for secret in secrets), page.title


def test_seed_changes_order_and_nothing_else() -> None:
    pages = [sample_dump.Page(f"Page {number}", "text") for number in range(50)]
    first = extras.number_pages(pages, 1, seed=0)
    assert first == extras.number_pages(pages[::-1], 1, seed=0)
    second = extras.number_pages(pages, 1, seed=1)
    assert [page.title for page in first] != [page.title for page in second]
    assert {page.title for page in first} == {page.title for page in second}


# What is in it


def test_every_part_is_a_few_megabytes_of_articles_redirects_and_stubs(paths: list[Path], parts: list[list[Read]]) -> None:
    for path, pages in zip(paths, parts, strict=True):
        found = [page for page in pages if page.is_article]
        lengths = [len(page.text or "") for page in found]
        assert len(bz2.decompress(path.read_bytes())) > 1_500_000
        assert len(found) > 500
        assert sum(page.redirect is not None for page in pages) > 100
        assert sum(page.namespace != 0 for page in pages) > 40
        assert 0.1 < sum(length < 800 for length in lengths) / len(lengths) < 0.5
        assert sum("{{Disambiguation}}" in (page.text or "") for page in found) > 10


def test_redirects_name_their_target_and_lead_to_articles(parts: list[list[Read]]) -> None:
    titles = {page.title for part in parts for page in part if page.is_article}
    for page in (page for part in parts for page in part if page.redirect is not None):
        assert page.text.startswith(f"#REDIRECT [[{page.redirect}]]")
        assert page.redirect in titles


def test_pages_that_are_no_ordinary_articles(parts: list[list[Read]]) -> None:
    pages = [page for part in parts for page in part]
    assert {page.namespace for page in pages} >= {0, 1, 2, 4, 8, 10, 14, 828}
    assert [page.title for page in pages if page.model == "Scribunto"] == ["Module:Code"]
    assert [page.title for page in pages if page.text is None] == ["Deleted page"]
    assert [page.title for page in pages if page.text == ""] == ["Empty page"]
    for page in pages:
        prefix = sample_dump.NAMESPACES[page.namespace]
        assert not prefix or page.title.startswith(f"{prefix}:"), page.title


def test_links_lead_to_pages(articles: list[list[Read]], parts: list[list[Read]]) -> None:
    titles = {page.title for part in parts for page in part}
    links = collections.Counter(
        match[1]
        for part in articles
        for page in part
        for match in re.finditer(r"\[\[(?!Category:|File:)([^\]|#]+)", re.sub(r"(?s)<nowiki>.*?</nowiki>", "", page.text))
        if "syntaxhighlight" not in page.text
    )
    red = {title: count for title, count in links.items() if title not in titles}
    assert len(red) < 20, red  # general words, such as "class (computer programming)"
    assert sum(links.values()) > 5_000


def test_articles_have_what_wikipedia_has(articles: list[list[Read]]) -> None:
    for part in articles:
        text = "\n".join(page.text for page in part)
        for markup in (
            *("\n== ", "\n=== ", "'''", "''", "\n* ", "\n# ", "\n; ", "{|", "<code>", "<ref>{{cite web", "{{Infobox"),
            *("{{As of|", "{{nowrap|", "{{formatnum:", "<syntaxhighlight", "[[Category:", "[[File:", "[https://", "<!--"),
            *("{{Reflist}}", "{{Python-stub}}", "<nowiki>", "&lt;"),
        ):
            assert markup in text, markup


def test_no_markup_by_accident(articles: list[list[Read]]) -> None:
    """What documentation has in it shows as itself: a parser finds only the markup that is ours."""
    templates = re.compile(
        r"Infobox software|Infobox programming class|Official website|cite web|Reflist|Python-stub|As of|nowrap"
        r"|Disambiguation|formatnum:\d+|DISPLAYTITLE:[\w.]+"
    )
    tags = {"li", "code", "td", "tr", "syntaxhighlight", "b", "i", "ref", "dt", "dd", "th", "table", "nowiki"}
    pages = [page for part in articles for page in part]
    for page in [page for page in pages if "<nowiki>" in page.text and len(page.text) < 8_000][::4] + pages[::40]:
        code = mwparserfromhell.parse(page.text)
        for template in code.ifilter_templates():
            assert templates.fullmatch(str(template.name).strip()), (page.title, template)
        assert {str(tag.tag) for tag in code.ifilter_tags()} <= tags, page.title
        assert not code.filter_arguments(), page.title
        for link in code.ifilter_wikilinks():
            assert not re.search(r"[\[\]{}<>\n]", str(link.title)), (page.title, link)


def test_parts_repeat_articles_of_earlier_ones(articles: list[list[Read]]) -> None:
    seen: dict[str, str] = {}
    exact, near = [0, 0, 0], [0, 0, 0]
    for number, part in enumerate(articles):
        bodies = {}
        for page in part:
            body = re.sub(r"\n== See also ==\n(?:\*.*\n?)+|.*re-exports it as.*\n", "", page.text).replace("\n", "")
            exact[number] += seen.get(body) == page.text
            near[number] += body in seen and seen[body] != page.text
            bodies[body] = page.text
        seen |= bodies
    assert exact[0] == near[0] == 0
    assert min(exact[1:] + near[1:]) >= 10, (exact, near)


def test_adding_a_part_lowers_the_loss_on_it(articles: list[list[Read]]) -> None:
    """A bigram model learns a part only from that part: what a small GPT is to show when a corpus grows."""
    train: list[list[str]] = [[], [], []]
    held_out: list[list[str]] = [[], [], []]
    for number, part in enumerate(articles):
        for page in part[::2]:
            words = re.findall(r"\w+|[^\w\s]", page.text)
            (held_out if zlib.crc32(page.title.encode()) % 8 == 0 else train)[number].extend(words)
    losses = [loss([word for words in train[: n + 1] for word in words], held_out) for n in range(3)]
    for added in (1, 2):
        assert losses[added][added] < losses[added - 1][added] - 0.3, losses
    assert losses[0][0] < min(losses[0][1:]) - 0.3, losses  # 0.4 with the documentation of Python 3.13


def loss(train: list[str], held_out: list[list[str]]) -> list[float]:
    """Nats a word of each text under a bigram model with Witten–Bell smoothing."""
    words, pairs = collections.Counter(train), collections.Counter(itertools.pairwise(train))
    followers = collections.Counter(first for first, _ in pairs)
    total, size = len(train), 2 * len(words)

    def probability(first: str, second: str) -> float:
        single = (words[second] + len(words) / size) / (total + len(words))
        seen = followers[first]
        return (pairs[first, second] + seen * single) / (words[first] + seen) if seen else single

    return [-sum(math.log(probability(a, b)) for a, b in itertools.pairwise(text)) / max(1, len(text)) for text in held_out]
