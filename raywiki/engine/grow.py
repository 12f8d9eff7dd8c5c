"""grow: the five verbs for what is new, from the dump server to the model."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raywiki.corpus import Corpus
from raywiki.dumps import read_siteinfo
from raywiki.dumps.texts import DUMP, check_format
from raywiki.dumps.texts.folder import text_files
from raywiki.engine.curate import curate, curate_settings
from raywiki.engine.extract import extract
from raywiki.engine.extract_plan import check_for_dumps, check_language, check_source, check_templates, find_formats
from raywiki.engine.tokens import tokenize, tokens_settings
from raywiki.engine.train import TrainSummary, check_train, train
from raywiki.files import absolute
from raywiki.local.download import DownloadSummary, Mirrors, download
from raywiki.local.space import Need, needs, require_room
from raywiki.local.todo import to_do
from raywiki.local.wanted import Wanted, wanted_parts, wiki_and_numbers
from raywiki.manifest import Manifest, tokens_table, wiki_of
from raywiki.summary import Summary, as_html, plural
from raywiki.training import Run, TrainOptions, open_run
from raywiki.training.options import RunOptions, pick, spelled_out
from raywiki.training.runs import read_run

if TYPE_CHECKING:
    import polars as pl

STAGES = ("download", "extract", "curate", "tokenize", "train")


@dataclass(frozen=True)
class GrowSummary:
    """The summaries of the verbs, in their order; of `download` None where no file was missing."""

    extract: Summary
    curate: Summary
    tokenize: Summary
    train: TrainSummary
    seconds: float
    download: DownloadSummary | None = None

    _repr_html_ = as_html

    @property
    def committed(self) -> tuple[str, ...]:
        """Ids of the parts of which anything was committed."""
        return tuple(dict.fromkeys(self.extract.committed + self.curate.committed + self.tokenize.committed))

    @property
    def exit_status(self) -> int:
        """That of `train`."""
        return self.train.exit_status

    def to_dict(self) -> dict[str, Any]:
        verbs = {name: each.to_dict() for name in STAGES if (each := getattr(self, name)) is not None}
        return {**verbs, "committed": list(self.committed), "seconds": self.seconds}

    def __str__(self) -> str:
        nothing = not self.committed and self.train.state == "unchanged"
        lines = [str(each) for name in STAGES if (each := getattr(self, name)) is not None]
        if nothing:
            lines.append(f"grow {self.extract.corpus}: nothing to do, nothing committed ({self.seconds:.1f} s)")
        else:
            lines.append(
                f"grow {self.extract.corpus}: {plural(len(self.committed), 'part')} added or redone ({self.seconds:.1f} s)"
            )
        return "\n".join(lines)


@spelled_out
def grow(
    corpus: str | os.PathLike[str] | Corpus, dumps: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    run: str = "", *,
    wiki: str | None = None, to: str | os.PathLike[str] | None = None, date: str | None = None, mirrors: Mirrors = None,
    language: str | None = None, templates: str | os.PathLike[str] | None = None, format: str | None = None,
    source: str | None = None, allow_damaged: bool = False, min_chars: int | None = None, min_words: int | None = None,
    rules: Sequence[str | pl.Expr] | None = None, fraction: float | None = None, keep_errors: bool | None = None,
    threshold: float | None = None,
    val_fraction: float | None = None, title: bool | None = None, overwrite: bool = False, **options: Unpack[TrainOptions],
) -> GrowSummary:  # fmt: skip
    """Add dump parts or other text: download, extract, curate, tokenize what is new, and train the run on from its checkpoint.

    The first call starts the corpus and the run; later ones take every setting that is not given from what is committed.
    The same call again finds nothing to do. All that can be checked is checked before the first dump is fetched or read: that
    what will be written fits on the disks, too. Each stage is a line on standard error as it begins. The parts of a run are
    evaluated as its segment begins and ends.

    Args:
        corpus: folder of the corpus; made when missing.
        dumps: dump parts, as `extract` takes them. Without any, and without `wiki`, it goes on with what the corpus has.
        run: name of the run to start or to go on with.
        wiki: parts of a wiki's dump by their numbers, as `download` takes them: "enwiki:2-3". A part that the corpus has needs
            no file; of the others the files that are missing are fetched.
        to: folder or URL of those files; `dumps` when None.
        date: of that dump; when None that of the wiki's parts in the corpus, else the newest complete one.
        mirrors: see `download`.
        language, templates, format, source, allow_damaged: see `extract`.
        min_chars, min_words, rules, fraction, keep_errors, threshold: see `curate`.
        val_fraction, title: see `tokenize`.
        overwrite: redo parts that are committed with other settings, in all tables.
        options: those of `train`. `encoding` is what to tokenize with too: a name, or a file as `tokenize` takes it.

    Raises:
        FileNotFoundError, ValueError, OSError: as the five verbs do, or there is no room; what was committed before stays.
        TypeError: an option is unknown.
    """
    started = time.monotonic()
    paths = [os.fspath(each) for each in ([dumps] if isinstance(dumps, str | os.PathLike) else dumps)]
    corpus = Corpus.open(corpus)
    _check(corpus, paths, wiki, options, {"to": to, "date": date, "mirrors": mirrors}, format)
    for_curate: dict[str, Any] = dict(min_chars=min_chars, min_words=min_words, fraction=fraction, keep_errors=keep_errors)
    for_curate["threshold"] = threshold
    folder, tables = check_train(corpus, run, options), corpus.tables()
    existing = read_run(folder)
    check_language(language)
    check_source(source)
    check_templates(templates)
    curate_settings(tables, rules, overwrite, **for_curate)
    encoding = options.get("encoding") or (existing.config.encoding if existing else None)
    # Later than now it would be an hour later.
    name, _, settings = tokens_settings(tables, encoding, val_fraction, title, overwrite)
    identity = {each: settings[each] for each in ("encoding", "vocabulary", "vocab_size")}
    opened = open_run(folder, **identity, **pick(options, RunOptions))
    formats = find_formats([absolute(path) for path in paths], format)
    if wiki is None:
        check_for_dumps(formats.values(), {"templates": templates})
    for path, text_format in formats.items():
        if text_format == DUMP:
            read_siteinfo(path, language)  # is it a dump at all?
    wanted = None
    if wiki is not None:
        wanted = wanted_parts(wiki, tables, to=to, date=date, mirrors=mirrors, language=language, overwrite=overwrite)
    noun = "dump part" if set(formats.values()) <= {DUMP} else "file"
    stages = _Stages(corpus, opened, tuple(paths), wanted, noun)
    fetched = None
    if stages.begin("download") and wanted is not None:
        numbers = [part.number for part in wanted.missing]
        fetched = download(wanted.wiki, numbers, to=wanted.to, date=wanted.date, mirrors=mirrors)
    stages.begin("extract")
    dumps = [*paths, *(wanted.paths if wanted else ())]
    for_extract: dict[str, Any] = dict(language=language, templates=templates, format=format, source=source)
    extracted = extract(corpus, dumps, **for_extract, allow_damaged=allow_damaged, overwrite=overwrite)
    stages.begin("curate")
    curated = curate(corpus, **for_curate, rules=rules, overwrite=overwrite)
    stages.begin("tokenize")
    tokenized = tokenize(corpus, encoding, val_fraction=val_fraction, title=title, overwrite=overwrite)
    for_train: TrainOptions = {**options, "encoding": name}
    stages.begin("train")
    trained = train(corpus, run, **for_train)
    return GrowSummary(extracted, curated, tokenized, trained, time.monotonic() - started, fetched)


def _check(
    corpus: Corpus, paths: Sequence[str], wiki: str | None, options: TrainOptions, of_wiki: dict[str, Any], format: str | None
) -> None:
    """Raise ValueError or FileNotFoundError for what is wrong with a request by itself; `of_wiki` only goes with a wiki."""
    if options.get("from_scratch") is not None:
        raise ValueError("grow goes on with a run, from_scratch starts a new one: use train for that")
    given = [name for name, value in of_wiki.items() if value is not None]
    if wiki is None and given:
        what = given[0].removesuffix("s")
        raise ValueError(f"{what} goes with parts of a wiki's dump: name them too, such as --wiki enwiki:1-2")
    check_format(format)
    if wiki is not None and format not in (None, DUMP):
        raise ValueError(
            f"format={format!r} would be that of the parts of {wiki} too, which are dumps: add them in another call"
        )
    numbers = [each for each in options.get("parts") or () if re.fullmatch(r"[\d\s,-]+", each)]
    if wiki is not None and numbers:
        name = wiki.partition(":")[0]
        raise ValueError(
            f"parts={numbers[0]} would be ids of parts to train on: numbers of parts to add go behind the wiki's name, --wiki "
            f"{name}:{numbers[0]}"
        )
    if wiki is not None:
        wiki_and_numbers(wiki)
    elif not paths:
        corpus.require()


@dataclass(frozen=True)
class _Stages:
    """What a call of `grow` has before it: each stage is said as it begins, if what is left to do has room."""

    corpus: Corpus
    run: Run
    paths: tuple[str, ...]
    wanted: Wanted | None
    noun: str  # for what is added

    def begin(self, stage: str) -> bool:
        """Say what a stage will do, and whether it is anything. Raises OSError when it, or a later one, has no room."""
        tables, at, encoding = self.corpus.tables(), STAGES.index(stage), self.run.config.encoding
        left, table = to_do(tables, [encoding]), tokens_table(encoding)
        new = self._new_bytes(tables["articles"]) if at <= STAGES.index("extract") else 0
        config = self.run.config
        wanted = needs(tables, self._wiki(tables["articles"]), encoding, config.vocab_size, config.model.n_params, new, left)
        require_room(each for each in [*self._to_fetch(), *wanted] if STAGES.index(each.verb) >= at)
        count = len(self.paths) + (len(self.wanted.lacking) if self.wanted else 0)
        what = {
            "download": self._download(),
            "extract": plural(count, self.noun) if count else "no dump part is new",
            "curate": plural(len(left["decisions"]), "part") if left["decisions"] else "no part is new",
            "tokenize": plural(len(left[table]), "part") + f" with {encoding}" if left[table] else "no part is new",
            "train": f"run {self.run.name} on {plural(len(tables[table]), 'part')}",
        }[stage]
        if what:
            print(f"grow {self.corpus.url}: {stage}, {what}", file=sys.stderr, flush=True)
        return bool(what) and (stage != "download" or bool(self.wanted and self.wanted.missing))

    def _wiki(self, committed: Mapping[str, Manifest]) -> str:
        """The wiki whose parts are added, or that the corpus has parts of."""
        named = [self.wanted.wiki] if self.wanted else [os.path.basename(path).partition("-")[0] for path in self.paths]
        return next(filter(None, [*named, *map(wiki_of, committed.values())]), "")

    def _download(self) -> str:
        wanted = self.wanted
        if wanted is None:
            return ""
        of = f"of {wanted.wiki} of {wanted.date}"
        if not wanted.missing:
            return f"no file {of} is missing"
        return f"{plural(len(wanted.missing), 'file')} {of} to {wanted.to}, {wanted.bytes_to_fetch / 1e6:,.1f} MB"

    def _to_fetch(self) -> list[Need]:
        if self.wanted is None or not isinstance(url_to_fs(self.wanted.to)[0], LocalFileSystem):
            return []
        return [Need("download", self.wanted.to, self.wanted.bytes_to_fetch)]

    def _new_bytes(self, committed: Mapping[str, Manifest]) -> float:
        """Bytes of the files that the corpus has not; for one that was named by its path, its size must tell that."""
        there = {manifest.source.get("bytes") for manifest in committed.values()}
        sizes = [os.path.getsize(path) for path in self.paths if os.path.isfile(path)]
        sizes += [texts[-1].end for path in self.paths if os.path.isdir(path) and (texts := text_files(path))]
        new = [part.size or 0 for part in (self.wanted.lacking if self.wanted else ())]
        return sum(new) + sum(size for size in sizes if size not in there)
