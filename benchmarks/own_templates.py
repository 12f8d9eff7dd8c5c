"""A whole wiki with its own templates: which keep their value in sentences and list items, at what cost; beside a peer.

    python benchmarks/own_templates.py DUMP [--draw 100] [--seed 0] [--peer]

DUMP is a wiki in one file. `--draw` prints so many uses at random, to judge by eye: name, source, and what is shown of it.
`--peer` expands the same pages with wikitextprocessor, which runs Lua (`pip install wikitextprocessor` beside it).
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from template_values import inline_uses

from raywiki.dumps import iter_pages, read_siteinfo
from raywiki.wikitext import Definitions, clean_wikitext
from raywiki.wikitext.bundled import normalise

EMPTY = re.compile(r"\([\s;,]*\)|（[\s、，]*）")
MARKUP = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{\{\{|'''|</?(?:span|div|table|sup|small)\b")
TEMPLATE, MODULE = 10, 828


def definitions(pages: list[dict[str, Any]]) -> Definitions:
    """The table of a wiki's templates; of two names that differ in case alone the definition wins over the redirect."""
    found: dict[str, dict[str, str | None]] = {}
    for page in pages:
        if page["namespace"] == TEMPLATE and page["text"] is not None:
            name = normalise(page["title"].partition(":")[2])
            if page["redirect"] is None or name not in found:
                text = page["text"] if page["redirect"] is None else None
                found[name] = {"name": name, "text": text, "redirect": page["redirect"]}
    schema = pa.schema([(column, pa.string()) for column in ("name", "text", "redirect")])
    return Definitions.from_table(pa.Table.from_pylist([found[name] for name in sorted(found)], schema=schema))


def peer(pages: list[dict[str, Any]], site: Any) -> Callable[[str, str], str]:
    """wikitextprocessor with the wiki's templates and modules; it knows these two namespaces by their English names."""
    from wikitextprocessor import Wtp  # type: ignore[import-not-found, unused-ignore]

    names = {number: site.namespaces[number] for number in (TEMPLATE, MODULE)}
    local = re.compile(r"\{\{\s*" + re.escape(names[TEMPLATE]) + ":", re.IGNORECASE)
    wtp = Wtp(quiet=True)
    for page in pages:
        if page["namespace"] in names and page["text"] is not None:
            title = ("Template:" if page["namespace"] == TEMPLATE else "Module:") + page["title"].partition(":")[2]
            prefix, _, name = title.partition(":")
            text = local.sub("{{Template:", page["text"])
            for each in {name, name[:1].lower() + name[1:]}:  # it does not know that a first letter's case is free
                if page["redirect"]:
                    target = "Template:" + page["redirect"].partition(":")[2]
                    wtp.add_page("redirect", f"{prefix}:{each}", target)
                else:
                    model = "wikitext" if page["namespace"] == TEMPLATE else "Scribunto"
                    wtp.add_page(model, f"{prefix}:{each}", text)
    wtp.analyze_templates()

    def expand(title: str, wikitext: str) -> str:
        wtp.start_page(title)
        try:
            return str(wtp.expand(local.sub("{{Template:", wikitext), quiet=True))
        except Exception:  # a module may break the Lua that the next pages run in
            return ""

    return expand


def compare(
    expand: Callable[[str, str], str],
    clean: Callable[..., Any],
    articles: list[dict[str, Any]],
    uses: list[tuple[str, str, str]],
    shown: list[str],
) -> None:
    """For how many uses a peer shows the same text, where it does not, and what its expansion of a page takes."""
    other = [
        clean(f"x {expand(title, use)} x", title, None).text.removeprefix("x").removesuffix("x").strip()
        for title, _, use in uses
    ]
    same = sum(a.split() == b.split() for a, b in zip(shown, other, strict=True))
    print(f"wikitextprocessor: the same text for {same:,} of {len(uses):,} uses")
    for (_, _, use), a, b in zip(uses, shown, other, strict=True):
        if a.split() != b.split():
            print(f"  {use[:70]!r}\n      {a[:90]!r} | {b[:90]!r}")
    start = time.perf_counter()
    for page in articles:
        expand(page["title"], page["text"])
    print(f"wikitextprocessor, expansion alone: {1000 * (time.perf_counter() - start) / len(articles):.1f} ms a page")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dump")
    parser.add_argument("--draw", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peer", action="store_true")
    args = parser.parse_args()
    site = read_siteinfo(args.dump)
    pages = list(iter_pages(args.dump))
    known = definitions(pages)
    articles = [page for page in pages if page["namespace"] == 0 and page["redirect"] is None and page["text"]]

    def clean(wikitext: str, title: str, templates: Definitions | None) -> Any:
        return clean_wikitext(wikitext, language=site.language, namespaces=site.namespaces, title=title, templates=templates)

    def seconds(templates: Definitions | None) -> float:
        start = time.process_time()
        for page in articles:
            clean(page["text"], page["title"], templates)
        return time.process_time() - start

    seconds(known)
    runs = [(seconds(None), seconds(known)) for _ in range(15)]
    without, with_ = (statistics.median(run[i] for run in runs) for i in (0, 1))
    ratio = statistics.median(with_ / without for without, with_ in runs)
    print(f"{len(articles):,} articles, {len(known):,} templates")
    print(f"{without:.2f} s without definitions, {with_:.2f} s with them: {ratio:.2f} times")

    for templates in (None, known):
        cleaned = [clean(page["text"], page["title"], templates) for page in articles]
        counts = {
            what: sum(sum(getattr(each, what).values()) for each in cleaned)
            for what in ("dropped_templates", "failed_templates", "guessed_templates")
        }
        print(
            "with definitions:" if templates else "without:", counts, "errors:", sum(each.error is not None for each in cleaned)
        )
    text = "\n".join(each.text for each in cleaned)
    print(f"{len(EMPTY.findall(text))} empty parentheses, {len(MARKUP.findall(text))} marks of markup")
    uses = [(page["title"], name, use) for page in articles for name, use in inline_uses(page["text"], list_items=True)]
    shown = [clean(f"x {use} x", title, known).text.removeprefix("x").removesuffix("x").strip() for title, _, use in uses]
    before = sum(clean(f"x {use} x", title, None).text != "x x" for title, _, use in uses)
    lost = Counter(name for (_, name, _), each in zip(uses, shown, strict=True) if not each)
    print(f"{len(uses):,} uses in sentences and list items leave a text: {before:,} without, {sum(map(bool, shown)):,} with")
    print("left nothing:", dict(lost))

    if args.peer:
        compare(peer(pages, site), clean, articles, uses, shown)
        print(f"our whole cleaning: {1000 * with_ / len(articles):.2f} ms a page")
    for i in sorted(random.Random(args.seed).sample(range(len(uses)), min(args.draw, len(uses)))):
        print(f"{uses[i][1]} | {uses[i][2][:80]!r} | {shown[i][:80]!r}")


if __name__ == "__main__":
    main()
