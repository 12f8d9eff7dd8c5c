"""plan: what parts of a dump would cost and whether they are worth it, before anything is fetched. It needs no cluster."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import textwrap
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus, Manifest, Tables, encoding_name, tokens_table
from raywiki.dumps.fetch import partial_bytes
from raywiki.dumps.listing import DumpPart, Listing, require_wiki
from raywiki.files import nearest_folder
from raywiki.local.download import Mirrors, as_committed, find, notes_of, numbers_of, sized, target
from raywiki.local.plan_advice import Learner, Source, advice
from raywiki.local.plan_run import is_recipe, last_half_fall, named_run, run_to_ask, runs_of, speed_at, speed_of
from raywiki.local.plan_steps import SMALL_IDS, PartCost, Place, Step, cumulative, part_cost, step_row
from raywiki.local.wanted import committed_dates
from raywiki.manifest import is_dump, wiki_of
from raywiki.ratios import Ratio, find_ratios
from raywiki.summary import WIDTH, as_html, plural, sentences, table
from raywiki.tokens import load_encoding
from raywiki.tokens.encodings import read_vocabulary
from raywiki.training.cache import cache_folder, is_cached
from raywiki.training.config import SIZES, GPTConfig, find_size, recipe_name
from raywiki.training.flops import expected_rate
from raywiki.training.metrics import read_metrics
from raywiki.training.parts import part_tokens
from raywiki.training.plan import inherited_schedule
from raywiki.training.runs import METRICS, Run, RunConfig, open_run
from raywiki.training.stored import saved_at
from raywiki.training.workers import find_device

DUMPS, CORPUS = "dumps", "corpus"  # where they go when nobody says
GPT2 = "gpt2"  # the encoding of a corpus that has none, and that which the bundled ratios count
# Ids of tiktoken's encodings, so that their files need not be fetched for a plan (tiktoken_ext/openai_public.py).
VOCAB_SIZES = {"gpt2": 50_257, "r50k_base": 50_257, "p50k_base": 50_281, "cl100k_base": 100_277, "o200k_base": 200_019}
# What is printed for each ratio.
SHOWN_AS = {"articles": "articles", "tokens": "tokens", "train_tokens": "tokens", "articles_bytes": "disk for articles"}
SHOWN_AS |= {"curation_bytes": "for curation", "tokens_bytes": "for tokens", "extract_seconds": "seconds of extract"}
SHOWN_AS |= {"curate_seconds": "of curate", "tokenize_seconds": "of tokenize"}


@dataclass(frozen=True)
class PlanSummary:
    """What the parts of a dump would cost, and what they are worth to a model.

    `steps` has a dict for what the corpus has ("now") and one for each part with all before it, see `plan_steps.Step`; `rows`
    are the same as they are printed. `ratios` has each figure for a byte of dump, and its source; `speed` tokens a second and
    theirs. `advice` are pairs of what a sentence is about and the sentence; `commands` are to be typed.
    """

    wiki: str
    date: str
    corpus: str
    encoding: str
    size: str
    recipe: str
    n_params: int
    device: str
    cores: int
    steps: tuple[dict[str, Any], ...]
    rows: tuple[dict[str, Any], ...]
    ratios: dict[str, dict[str, Any]]
    speed: dict[str, Any]
    advice: tuple[tuple[str, str], ...]
    commands: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if name != "rows"}

    _repr_html_ = as_html

    def __str__(self) -> str:
        title = (
            f"plan {self.wiki} of {self.date} for {self.corpus}: {self.size}, recipe {self.recipe}, {self.n_params:,} weights; "
            f"{self.device}, {plural(self.cores, 'core')}"
        )
        lines = [*textwrap.wrap(title, WIDTH, subsequent_indent="  "), *("  " + line for line in table(self.rows))]
        for kind, text in (*self._sources(), *self.advice):
            lines += sentences(kind, [text])
        lines += [*sentences("warning", self.warnings), *sentences("note", self.notes)]
        whole: dict[str, Any] = dict(break_long_words=False, break_on_hyphens=False)
        typed = [textwrap.wrap(f"  $ {command}", WIDTH - 2, subsequent_indent="      ", **whole) for command in self.commands]
        return "\n".join([*lines, *(" \\\n".join(pieces) for pieces in typed)])

    def _sources(self) -> list[tuple[str, str]]:
        """Where each figure is from."""
        named: dict[str, list[str]] = {}
        for name, ratio in self.ratios.items():
            named.setdefault(ratio["source"], []).append(SHOWN_AS[name])
        told = [f"{', '.join(dict.fromkeys(names))}: {source}" for source, names in named.items()]
        told.append(f"training, {self.speed['tok_per_sec']:,.0f} tokens/s: {self.speed['source']}")
        return [("from", text) for text in told]


def plan(
    corpus: str | os.PathLike[str] | Corpus, parts: str | int | Iterable[int], *, wiki: str | None = None,
    size: str | None = None, recipe: str | None = None, encoding: str | None = None, date: str | None = None,
    mirrors: Mirrors = None, to: str | os.PathLike[str] = DUMPS, run: str | None = None, device: str | None = None,
) -> PlanSummary:  # fmt: skip
    """Say what parts of a dump would cost in download, disk and hours, and which model they feed; nothing is fetched.

    What becomes of a byte of dump is known from the corpus's own parts of the wiki, else from figures that come with raywiki;
    the speed of training from a run, else from the device's matrix products, which are measured for a second.

    Args:
        corpus: folder or URL of a corpus, or the name of a wiki when there is no corpus yet.
        parts: numbers as `parts` shows them: "1-3", "1,4-6", 2 or [1, 2].
        wiki: such as "enwiki"; by default the one that the corpus's parts are from. With it, the corpus need not be there yet.
        size, recipe: of the model; the run's, else "nano" and "classic".
        encoding: as `tokenize` takes it; the corpus's, else "gpt2".
        date: of the dump; that of the corpus's newest part of the wiki, else the newest complete one.
        mirrors: see `parts`.
        to: folder or URL that the dumps would go to: what is there is not fetched.
        run: of the corpus, whose speed and curve count; by default the last one, of this size and recipe if there is one.
        device: cpu or cuda, one of them, which is measured unless `run` is given too; by default the run's speed counts, and
            without a run CUDA where there is a GPU.

    Raises:
        FileNotFoundError: there is no such dump, or no corpus.
        ValueError: an argument cannot be understood; there is no such part, run, size, recipe, encoding or device.
        OSError: no mirror can be read.
    """
    started = time.monotonic()
    find_size(size or "nano")
    recipe_name(recipe or "classic")
    numbers = numbers_of(parts)
    place, name = _which(corpus, wiki)
    tables = place.tables() if place is not None and place.exists() else None
    name = name or _only_wiki(tables)
    asked = named_run(place, run) if run is not None else run_to_ask(runs_of(place), size, recipe)
    config = _config(place, tables, asked, size=size, recipe=recipe, encoding=encoding)
    at, dumps = find_device(device), target(to)
    found, _ = find(name, date or _date_of(tables, name), mirrors)
    listing, chosen = found.listing, sized(found.listing.chosen(numbers), found.mirror)
    ratios = find_ratios(tables, name, config.encoding)
    places = {"dumps": _place(to), "corpus": _place(place.url if place else CORPUS), "token cache": _place(cache_folder())}
    costs = _costs(tables, chosen, dumps[:2], config, ratios)
    own_speed = speed_of(asked, config.model) if asked and (run or device is None) else None
    speed = own_speed or speed_at(expected_rate(str(at)), config.model)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    steps = cumulative(costs, config, speed.tok_per_sec, cores, places)
    url = place.url if place is not None else CORPUS
    options = [f"--to {shlex.quote(os.fspath(to))}"] if os.fspath(to) != DUMPS else []
    if config.encoding not in (tables.encodings() if tables else [GPT2]):
        options.append(f"--encoding {shlex.quote(encoding or config.encoding)}")
    told, commands = advice(_learner(place, asked, config), Source(shlex.quote(url), name, listing.date, tuple(options)), steps)
    return PlanSummary(
        name, listing.date, url, config.encoding, config.size, recipe_name(config.recipe), config.model.n_params, at.type,
        cores, tuple(map(asdict, steps)), tuple(map(step_row, steps)), {what: asdict(each) for what, each in ratios.items()},
        asdict(speed), tuple(told), tuple(commands), time.monotonic() - started, _warnings(steps),
        (*notes_of(found), *_notes(tables, listing, ratios, config)),
    )  # fmt: skip


def _which(corpus: str | os.PathLike[str] | Corpus, wiki: str | None) -> tuple[Corpus | None, str | None]:
    """The corpus and the wiki that the first argument and --wiki mean; the corpus's own wiki is None."""
    if wiki is not None:
        require_wiki(wiki)
        return Corpus.open(corpus), wiki
    if isinstance(corpus, str) and re.fullmatch(r"[a-z][a-z0-9_]*", corpus) and not os.path.exists(corpus):
        return None, corpus
    return Corpus.open(corpus).require(), None


def _only_wiki(tables: Tables | None) -> str:
    """The wiki that the parts of a corpus are from. Raises ValueError when they are from none or several."""
    wikis = sorted({wiki_of(manifest) for manifest in tables["articles"].values() if is_dump(manifest)}) if tables else []
    if len(wikis) != 1:
        has = f"has parts of several wikis ({', '.join(wikis)})" if wikis else "has no part that tells its wiki"
        where, example = tables.corpus.url if tables else "the corpus", wikis[0] if wikis else "enwiki"
        raise ValueError(f"{where} {has}: name one, such as --wiki {example}")
    return wikis[0]


def _date_of(tables: Tables | None, wiki: str) -> str | None:
    """The date of the newest dump that the corpus has parts of: numbers of parts belong to a date."""
    dates = committed_dates(wiki, tables["articles"]) if tables else []
    return dates[-1] if dates else None


def _config(
    corpus: Corpus | None, tables: Tables | None, asked: Run | None, *, size: str | None, recipe: str | None,
    encoding: str | None,
) -> RunConfig:  # fmt: skip
    """The configuration of the run that is to learn: the asked run's where nothing else is wanted."""
    own = asked.config if asked is not None else None
    if encoding is None and own is not None:
        name = own.encoding
    else:
        name = (tables.encoding(encoding) if tables else encoding and encoding_name(encoding)) or GPT2
    size, recipe = size or (own.size if own else "nano"), recipe or (own.recipe if own else "classic")
    if asked is not None and own is not None and (size, name) == (own.size, own.encoding) and is_recipe(asked, recipe):
        return own
    folder = Path(corpus.root if corpus is not None and corpus.is_local else CORPUS, "runs", _new_name(corpus))
    vocab_size = _vocab_size(tables, name, encoding)
    return open_run(folder, encoding=name, vocabulary="", vocab_size=vocab_size, size=size, recipe=recipe).config


def _vocab_size(tables: Tables | None, name: str, given: str | None) -> int:
    """Ids of an encoding: as the corpus's tokens have it, as is known of tiktoken's, else as its vocabulary file tells."""
    for manifest in (tables[tokens_table(name)] if tables else {}).values():
        return int(manifest.settings["vocab_size"])
    if given in (None, name) and name in VOCAB_SIZES:
        return VOCAB_SIZES[name]
    return load_encoding(*read_vocabulary(given or name)).vocab_size


def _new_name(corpus: Corpus | None) -> str:
    """A name that no run has: r1, r2 …"""
    taken = {run.name for run in runs_of(corpus)}
    return next(name for number in range(1, len(taken) + 2) if (name := f"r{number}") not in taken)


def _learner(corpus: Corpus | None, asked: Run | None, config: RunConfig) -> Learner:
    sizes = {name: _model(name, config).n_scaling_params for name in SIZES}
    recipe = recipe_name(config.recipe)
    learner = Learner(config.size, recipe, config.model.n_scaling_params, sizes, _new_name(corpus))
    if corpus is None or asked is None or asked.config != config or not asked.segments:
        return learner
    lines = read_metrics(asked.folder / METRICS)
    return Learner(
        config.size, recipe, config.model.n_scaling_params, sizes, learner.new_run, asked.name,
        asked.tokens_at(*saved_at(corpus, asked.name)), last_half_fall(lines), inherited_schedule(asked.segments),
    )  # fmt: skip


def _model(size: str, config: RunConfig) -> GPTConfig:
    """The model of a size with the vocabulary and recipe of a run."""
    shape = find_size(size)
    return GPTConfig(config.vocab_size, shape.seq_len, shape.n_layer, shape.n_head, shape.n_embd, recipe=config.recipe)


def _costs(
    tables: Tables | None,
    chosen: Sequence[DumpPart],
    to: tuple[AbstractFileSystem, str],
    config: RunConfig,
    ratios: Mapping[str, Ratio],
) -> list[PartCost]:  # fmt: skip
    """The cost of each part: of those of the corpus that were not asked for, then of those that were."""
    committed = tables["articles"] if tables else {}
    found = {part.number: as_committed(part, committed) for part in chosen}
    named = {manifest.part for manifest in found.values() if manifest is not None}
    id_bytes = 2 if config.vocab_size <= SMALL_IDS else 4

    def cost(number: int | None, size: int, missing: int, articles: Manifest | None) -> PartCost:
        made = _made(tables, articles, config.encoding) if tables and articles else {}
        tokens = made.get("tokens")
        there = tokens is not None and is_cached(cache_folder(), part_tokens(tokens).digest)
        return part_cost(number, size, missing, made, ratios, id_bytes, there)

    others = [manifest for part, manifest in committed.items() if part not in named]
    costs = [cost(None, manifest.source.get("bytes", 0), 0, manifest) for manifest in others]
    return costs + [cost(part.number, *_sizes(part, to), found[part.number]) for part in chosen]


def _made(tables: Tables, articles: Manifest, encoding: str) -> dict[str, Manifest]:
    """What is made of a part and up to date, by table."""
    names = {"articles": "articles", "decisions": "decisions", "tokens": tokens_table(encoding)}
    there = {short: tables[name].get(articles.part) for short, name in names.items()}
    return {short: manifest for short, manifest in there.items() if manifest is not None and not tables.is_stale(manifest)}


def _sizes(part: DumpPart, to: tuple[AbstractFileSystem, str]) -> tuple[int, int]:
    """Bytes of a dump file, and those of it that are not in the folder. Files are known by name and size, none is read."""
    if part.size is None:
        raise ValueError(f"neither the listing nor the mirror tells how large {part.name} is: take another --mirror")
    fs, root = to
    path = f"{root}/{part.name}"
    if fs.exists(path) and fs.size(path) == part.size:
        return part.size, 0
    there = partial_bytes(part, root) if isinstance(fs, LocalFileSystem) else 0
    return part.size, max(0, part.size - there)


def _place(folder: str | os.PathLike[str]) -> Place:
    """The file system of a folder that may not be there yet; of a URL nothing is known."""
    fs, root = url_to_fs(os.fspath(folder))
    if not isinstance(fs, LocalFileSystem):
        return Place(os.fspath(folder), None, None)
    there = nearest_folder(root)
    return Place(there, os.stat(there).st_dev, shutil.disk_usage(there).free)


def _warnings(steps: Sequence[Step]) -> tuple[str, ...]:
    short = next((step for step in steps if step.short), None)
    if short is None:
        return ()
    return (f"the disk is too small for {short.named}{' and for more' if short is not steps[-1] else ''}: {short.short}",)


def _notes(tables: Tables | None, listing: Listing, ratios: Mapping[str, Ratio], config: RunConfig) -> list[str]:
    notes = []
    if not ratios["articles"].here:
        notes.append(
            "bundled figures are those of a dump's first pages, which are long: later parts may have five times as many "
            "articles and half the tokens a byte; once the corpus has a part of this wiki, its own figures count"
        )
    if not ratios["tokens"].here and config.encoding != GPT2:
        notes.append(f"tokens are those that gpt2's vocabulary makes, as nobody has counted those of {config.encoding} yet")
    if listing.layout == "content" and not ratios["articles"].here:
        notes.append("a content export holds the pages of all namespaces, of which articles are a part: expect fewer of all")
    older = _date_of(tables, listing.wiki)
    if older is not None and older.replace("-", "") != listing.date.replace("-", ""):
        notes.append(
            f"the corpus has parts of the dump of {older}, these are of {listing.date}: extract refuses a part with pages that "
            f"are there, so name that dump (--date {older}), or a new corpus"
        )
    return notes
