"""The card of a data set for the Hugging Face hub: README.md with the header by which `datasets` finds the files.

The licences are those of Wikipedia's text: CC BY-SA and GFDL; CC BY-SA 4.0 since the terms of use of 7 June 2023, 3.0 before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raywiki.files import HashingFile
from raywiki.local.export_target import Advance, Counts
from raywiki.manifest import Manifest, is_dump, source_of, wiki_of

NEW_TERMS = "20230607"  # the day from which edits, and so a dump's texts, are under CC BY-SA 4.0

Configs = Mapping[str, Sequence[tuple[Manifest, Manifest]]]  # articles and decisions of the parts of each configuration


def write_card(configs: Configs, columns: Sequence[str], sink: HashingFile, advance: Advance) -> Counts:
    sink.write(card(configs, columns).encode())
    return {}


def card(configs: Configs, columns: Sequence[str]) -> str:
    """The content of README.md: header, columns, counts of each part, settings, licence and attribution."""
    return "\n".join([*_header(configs), "", *_body(configs, columns), *_attribution(configs), ""])


def licence(config: str) -> str:
    """The hub's name of the CC licence of a configuration's texts.

    >>> licence("20231101.en"), licence("20160501.en")
    ('cc-by-sa-4.0', 'cc-by-sa-3.0')
    >>> licence("text.c4")
    'other'
    """
    if config.startswith("text."):
        return "other"
    day = config.partition(".")[0]
    return "cc-by-sa-3.0" if day.isdigit() and day < NEW_TERMS else "cc-by-sa-4.0"


def size_category(count: int) -> str:
    """The hub's word for a number of rows.

    >>> size_category(900), size_category(123_456), size_category(20_000_000)
    ('n<1K', '100K<n<1M', '10M<n<100M')
    """
    words = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M"]
    return words[sum(count >= 10**exponent for exponent in range(3, 8))]


def _header(configs: Configs) -> list[str]:
    kept = sum(decisions.counts["kept"] for held in configs.values() for _, decisions in held)
    lines = ["---", *language_lines(_articles(configs))]
    lines += ["license:", *(f"- {name}" for name in dict.fromkeys(map(licence, configs))), "- gfdl"]
    lines += ["task_categories:", "- text-generation", "size_categories:", f"- {size_category(kept)}", "configs:"]
    for name in configs:
        lines += [f'- config_name: "{name}"', "  data_files:", "  - split: train", f'    path: "{name}/train-*"']
    return [*lines, "---"]


def _body(configs: Configs, columns: Sequence[str]) -> list[str]:
    parts = sum(len(held) for held in configs.values())
    lines = ["# Articles of Wikipedia", "", f"The articles that raywiki keeps of {parts} dump part{'s' * (parts != 1)}.", ""]
    lines += [f"Columns: {', '.join(f'`{name}`' for name in columns)}; `id` is the page id as text.", ""]
    lines += ["| configuration | part | articles | kept | filtered | duplicates |", "|---|---|---:|---:|---:|---:|"]
    for name, held in configs.items():
        for _, decisions in held:
            numbers = (f"{decisions.counts[each]:,}" for each in ("articles", "kept", "filtered", "duplicates"))
            lines.append(f"| {name} | {decisions.part} | {' | '.join(numbers)} |")
    lines += ["", "## Settings", ""]
    settings = dict.fromkeys(_words(manifest.settings) for held in configs.values() for pair in held for manifest in pair)
    return [*lines, *(f"- {each}" for each in settings if each), ""]


def _attribution(configs: Configs) -> list[str]:
    lines = ["## Licence and attribution", ""]
    lines += [f"The texts are by the contributors of the wikis below, under {licence_names(configs)}.", ""]
    lines += ["Each row's `url` leads to its page, whose history names the authors. The texts were changed: markup was taken"]
    lines += ["out and articles were left out. Whoever publishes them again names the authors and keeps the licence.", ""]
    return [*lines, *map(origin, _articles(configs))]


def licence_names(configs: Iterable[str]) -> str:
    """The licences of the texts of these configurations, in words with links."""
    names = " and ".join(dict.fromkeys(_LICENCES[licence(name)] for name in configs))
    return f"{names}, and mostly also under the GFDL"


def origin(articles: Manifest) -> str:
    """A line that says which wiki and dump file, or which source and file, the articles of a part are from."""
    file, sha256 = articles.source.get("name"), articles.source.get("sha256")
    dump = f", from the {'dump ' if is_dump(articles) else ''}file {file} (SHA-256 {sha256})" if file else ""
    return f"- {wiki_of(articles) if is_dump(articles) else source_of(articles)}, part {articles.part}{dump}"


def language_lines(articles: Iterable[Manifest]) -> list[str]:
    """The header's lines with the languages of these articles, if any is known."""
    languages = dict.fromkeys(str(each.settings["language"]) for each in articles if each.settings.get("language"))
    return ["language:", *(f"- {language}" for language in languages)] if languages else []


_LICENCES = {
    "other": "the terms of its source for text that is no wiki's, which raywiki does not know",
    "cc-by-sa-3.0": "[CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/)",
    "cc-by-sa-4.0": "[CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/)",
}


def _articles(configs: Configs) -> list[Manifest]:
    return [articles for held in configs.values() for articles, _ in held]


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sorted(settings.items()))
