"""What a byte of a dump becomes: articles, tokens, bytes on disk and core-seconds, as a corpus tells or as was measured before.

A ratio is what there is of something for each byte of the compressed dump file. `articles` and `tokens` are counts,
`train_tokens` the tokens that are not for validation; `<table>_bytes` are the files of the tables; `<verb>_seconds` are seconds
of one core, the start of Ray and of its workers aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raywiki.corpus import Tables
from raywiki.manifest import Manifest, stored_bytes, tokens_table, wiki_of
from raywiki.summary import plural, size

SECONDS = {"extract_seconds", "curate_seconds", "tokenize_seconds"}
CURATION = ("signatures", "bands", "pairs", "decisions")
SMALL = 50e6  # bytes of dump: of less, what a manifest's seconds tell is mostly how long workers took to start

# `python benchmarks/plan_ratios.py` (benchmarks/plan_ratios.md): the first pages of the dumps of these dates, min_chars 500,
# gpt2's vocabulary. First pages are longer than most, so a later part has more articles and fewer tokens a byte.
MEASURED = "2026-11"
BUNDLED: dict[str, dict[str, float]] = {
    "en": {
        "articles": 6.22e-5, "tokens": 0.382, "train_tokens": 0.38, "articles_bytes": 0.731, "curation_bytes": 0.0542,
        "tokens_bytes": 0.6, "extract_seconds": 4.14e-7, "curate_seconds": 2.64e-7, "tokenize_seconds": 1.33e-7,
    },
    "vi": {
        "articles": 7.95e-5, "tokens": 1.43, "train_tokens": 1.42, "articles_bytes": 0.728, "curation_bytes": 0.057,
        "tokens_bytes": 1.14, "extract_seconds": 4.14e-7, "curate_seconds": 3.34e-7, "tokenize_seconds": 1.68e-7,
    },
    "el": {
        "articles": 1.94e-4, "tokens": 2.38, "train_tokens": 2.37, "articles_bytes": 1.07, "curation_bytes": 0.109,
        "tokens_bytes": 1.76, "extract_seconds": 4.14e-7, "curate_seconds": 5.9e-7, "tokenize_seconds": 2.96e-7,
    },
    "uk": {
        "articles": 2.22e-4, "tokens": 2.18, "train_tokens": 2.17, "articles_bytes": 0.986, "curation_bytes": 0.115,
        "tokens_bytes": 1.58, "extract_seconds": 4.14e-7, "curate_seconds": 5.39e-7, "tokenize_seconds": 2.7e-7,
    },
}  # fmt: skip
DATES = {"en": "2016-05", "vi": "2023-05", "el": "2023-05", "uk": "2023-05"}


@dataclass(frozen=True)
class Ratio:
    """So much for each byte of dump, and where that is known from; `here` when it was measured in the corpus itself.

    `each` is so much again for each part, whatever its size.
    """

    value: float
    source: str
    here: bool = False
    each: float = 0.0

    def of(self, n_bytes: int) -> float:
        """How much there is of it for a part of so many bytes."""
        return self.value * n_bytes + self.each


def find_ratios(tables: Tables | None, wiki: str, encoding: str) -> dict[str, Ratio]:
    """Each ratio: as the corpus's parts of this wiki tell, and the bundled ones for the rest.

    Of little dump, seconds are mostly the start of workers: a byte counts as it is bundled, and the rest for each part.
    """
    bundled = bundled_ratios(wiki)
    if tables is None:
        return bundled
    measured = measured_ratios(tables, wiki, encoding)
    sizes = [manifest.source.get("bytes", 0) for manifest in tables["articles"].values() if wiki_of(manifest) == wiki]
    if sum(sizes) < SMALL:
        for name in SECONDS & measured.keys():
            a_byte, mean = bundled[name].value, sum(sizes) / len(sizes)
            each = max(0.0, measured[name].value - a_byte) * mean
            source = f"{measured[name].source}, and a byte as {bundled[name].source}, since starting takes most of so little"
            measured[name] = Ratio(a_byte, source, here=True, each=each)
    return bundled | measured


def bundled_ratios(wiki: str) -> dict[str, Ratio]:
    """Those of the wiki's language, English ones where there are none of it.

    >>> bundled_ratios("viwiki")["tokens"].source
    'bundled 2026-11, vi 2023-05'
    >>> bundled_ratios("frwiki")["tokens"].source
    'bundled 2026-11, en 2016-05'
    """
    language = wiki.removesuffix("wiki")
    language = language if language in BUNDLED else "en"
    source = f"bundled {MEASURED}, {language} {DATES[language]}"
    return {name: Ratio(value, source) for name, value in BUNDLED[language].items()}


def measured_ratios(tables: Tables, wiki: str, encoding: str) -> dict[str, Ratio]:
    """What the committed parts of a wiki tell; without those of a verb that was not run yet."""
    articles = {part: manifest for part, manifest in tables["articles"].items() if wiki_of(manifest) == wiki}
    curated = {part: manifest for part, manifest in articles.items() if part in tables["decisions"]}
    tokens = tables[tokens_table(encoding)]
    tokenized = {part: manifest for part, manifest in articles.items() if part in tokens}
    made = [tables[name][part] for name in CURATION for part in curated if part in tables[name]]
    return (
        _told("extract", "articles_bytes", articles, list(articles.values()), ["articles"])
        | _told("curate", "curation_bytes", curated, made, [])
        | _told("tokenize", "tokens_bytes", tokenized, [tokens[part] for part in tokenized], ["tokens", "train_tokens"])
    )


def _told(
    verb: str, stored: str, parts: dict[str, Manifest], made: Sequence[Manifest], counts: Sequence[str]
) -> dict[str, Ratio]:
    """The ratios of what a verb `made` of these parts of the articles table; none where their dumps have no bytes."""
    dump = sum(manifest.source.get("bytes", 0) for manifest in parts.values())
    if not dump:
        return {}
    totals: dict[str, float] = {name: sum(manifest.counts[name] for manifest in made) for name in counts}
    totals |= {stored: stored_bytes(made), f"{verb}_seconds": sum(manifest.seconds for manifest in made)}
    source = f"measured here, {plural(len(parts), 'part')} of {size(dump)}"
    return {name: Ratio(total / dump, source, here=True) for name, total in totals.items()}
