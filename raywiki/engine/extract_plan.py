"""extract, before its work: what each file is, which part of the corpus, with which settings, and whether it is committed."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import raywiki
from raywiki.corpus import Corpus
from raywiki.dumps import DumpRange, SiteInfo, read_siteinfo, split_dump
from raywiki.dumps.checksums import dump_digests, listed_digest
from raywiki.dumps.texts import DUMP, SOURCES, find_format, require_text, split_text, text_digest
from raywiki.files import absolute
from raywiki.local.templates import TemplatesFile, keep_copy, kept_copy, open_templates
from raywiki.manifest import WIKI, Manifest, is_dump, is_whole_wiki, part_folder, part_id, settle, shard_key, wiki_of
from raywiki.summary import some_parts

NONE, OWN = "none", "own"  # words for templates; anything else is a file
LANGUAGE = r"[a-z]{2,}(-[a-z0-9]+)*"  # as wikis spell them: en, simple, zh-min-nan, be-x-old
SOURCE = r"\w[\w.-]*"
UNWRITTEN = {"cleaner": "raywiki", "templates": NONE, "source": WIKI}  # of before there was another: such manifests are equal
FOR_DUMPS = ("cleaner", "templates")  # settings that other text has not


def check_language(language: str | None) -> None:
    """Raise ValueError when this cannot be the code of a language."""
    if language is not None and not re.fullmatch(LANGUAGE, language):
        raise ValueError(f"language={language!r} is no language code: give one such as en or zh-min-nan")


def check_source(source: str | None) -> None:
    """Raise ValueError when this can be no name of a source."""
    if source is not None and not re.fullmatch(SOURCE, source):
        raise ValueError(f"source={source!r} is no name of a source: give a word such as c4 or my-books")


def check_templates(templates: str | os.PathLike[str] | None) -> TemplatesFile | None:
    """The file of templates that a user names, None for a word or nothing. Raises as `open_templates` does."""
    return None if templates is None or os.fspath(templates) in (NONE, OWN) else open_templates(os.fspath(templates))


def find_formats(paths: Sequence[str], given: str | None = None) -> dict[str, str]:
    """The format of each file: the given one, else what it looks like. Raises as `find_format` and `require_text` do."""
    formats = {path: given or find_format(path) for path in paths}
    for path, text_format in formats.items():
        require_text(path, text_format)
    return formats


def check_for_dumps(formats: Collection[str], given: Mapping[str, Any]) -> None:
    """Raise ValueError when there are files, none of them a dump, and a setting that only dumps have."""
    for name in FOR_DUMPS:
        if formats and DUMP not in formats and given.get(name) not in (None, UNWRITTEN[name]):
            raise ValueError(f"{name} is for dumps, and none of these files is one: leave --{name} out")


@dataclass(frozen=True)
class Given:
    """What the caller gave: settings by name, None where not; and the file behind the templates' digest."""

    settings: Mapping[str, str | None]
    templates: TemplatesFile | None
    allow_damaged: bool
    overwrite: bool


@dataclass(frozen=True)
class PlannedPart:
    """One part of this call, of other text if it is no `DumpPart`; `committed` is its manifest when there is nothing to do."""

    part: str
    path: str
    ranges: tuple[DumpRange, ...]
    source: dict[str, Any]
    settings: dict[str, Any]
    allow_damaged: bool
    corpus: str
    committed: Manifest | None

    @property
    def folder(self) -> str:
        return part_folder("articles", self.part)

    @property
    def key(self) -> str:
        return shard_key(self.source["sha256"], self.settings, self.allow_damaged, raywiki.__version__)


@dataclass(frozen=True)
class DumpPart(PlannedPart):
    """A part of a dump.

    `templates` is the file that the tasks take templates from; of a part with its own it is written when all ranges are read.
    """

    site: SiteInfo
    templates: TemplatesFile | None = None
    seconds: float = 0.0  # of reading it ahead

    @property
    def has_own_templates(self) -> bool:
        return self.settings.get("templates") == OWN


def plan_parts(
    corpus: Corpus, committed: Mapping[str, Manifest], lost: Collection[str], paths: Sequence[str], given: Given
) -> dict[str, PlannedPart]:
    """The part of each file; all of a user's mistakes that show before the work are found here.

    The corpus then has a copy of the file of templates that was given, if a part is cleaned with it.
    """
    by_content = {manifest.source["sha256"]: part for part, manifest in committed.items()}
    planned: dict[str, PlannedPart] = {}
    for path, (form, site) in _read_heads(paths, given).items():  # all heads before the first file is read whole
        name = path.rstrip("/").rpartition("/")[2]
        ranges = tuple(split_dump(path) if site else split_text(path, form))
        sha256 = text_digest(path) if ranges[0].form == "folder" else _checked_digest(path, given.allow_damaged)
        source = {"name": name, "bytes": ranges[-1].size, "sha256": sha256}
        part = by_content.get(sha256) or part_id(name, sha256)
        if part in planned and planned[part].source["sha256"] != sha256:
            raise ValueError(f"{planned[part].path} and {path} are two files of the same part {part}: give one of them")
        old = committed.get(part)
        if old is not None and not given.overwrite:
            _refuse_another(old, path, sha256, form)
        if site:
            settings = _dump_settings(part, name, committed, given, site)
        else:
            settings = _text_settings(part, committed, given, form)
            ranges = tuple(split_text(path, settings["format"]))
        same = old is not None and old.source["sha256"] == sha256 and old.settings == settings
        if part in lost or (same and old is not None and old.notes.get("gaps") and given.overwrite):
            same = False
        about = (part, path, ranges, source, settings, given.allow_damaged, corpus.url_of(), old if same else None)
        planned[part] = DumpPart(*about, site) if site else PlannedPart(*about)
    return {name: _with_templates(corpus, each, given.templates) for name, each in planned.items()}


def _read_heads(paths: Sequence[str], given: Given) -> dict[str, tuple[str, SiteInfo | None]]:
    """The format of each file, and of which wiki it is; None for other text."""
    formats = find_formats([absolute(path) for path in paths], given.settings["format"])
    check_for_dumps(formats.values(), given.settings)
    language = given.settings["language"]
    heads = {path: (form, read_siteinfo(path, language) if form == DUMP else None) for path, form in formats.items()}
    for path, (_, site) in heads.items():
        if site is not None:
            _refuse_other_wiki(given.templates, site, path)
    return heads


def _refuse_other_wiki(templates: TemplatesFile | None, site: SiteInfo, path: str) -> None:
    """The same name means something else in another wiki. A file that does not say its wiki is taken at the user's word."""
    if templates is not None and templates.wiki not in ("", site.wiki):
        raise ValueError(
            f"{templates.url} holds the templates of {templates.wiki}, but {path} is a dump of {site.wiki}: collect that "
            "wiki's with `raywiki templates`"
        )


def _refuse_another(old: Manifest, path: str, sha256: str, form: str) -> None:
    """Raise ValueError when a part is committed from another file, or was read as a dump and is not now, or the reverse."""
    if old.source["sha256"] != sha256:
        raise ValueError(
            f"part {old.part} is committed from another file than {path} ({old.source['bytes']:,} bytes, sha256 "
            f"{old.source['sha256'][:12]}…): use another corpus, or replace the part with --overwrite"
        )
    if is_dump(old) != (form == DUMP):
        raise ValueError(
            f"part {old.part} is committed with format={old.settings.get('format', DUMP)!r}, not format={form!r}: leave format "
            "as it is, or redo the part with --overwrite"
        )


def _checked_digest(path: str, allow_damaged: bool) -> str:
    """SHA-256 of a file, after a comparison with the checksum list that lies beside it, if one does."""
    listed = listed_digest(path)
    digests = dump_digests(path, ("sha256", listed[0]) if listed else ("sha256",))
    if listed and digests[listed[0]] != listed[1] and not allow_damaged:
        raise ValueError(f"{path} does not match its {listed[0]} in {listed[2]}: download it again, or pass --allow-damaged")
    return digests["sha256"]


def _dump_settings(part: str, name: str, committed: Mapping[str, Manifest], given: Given, site: SiteInfo) -> dict[str, Any]:
    """Language, source, cleaner and templates of a dump part. A new part is cleaned as the other dumps of its corpus are."""
    dumps = [each for each in committed.values() if is_dump(each)]
    mine = [each for each in dumps if each.part == part]
    what = f"articles of part {part}"
    defaults = {"language": site.language, "source": WIKI}
    settings = settle(what, _written_out(mine), given.settings, defaults, given.overwrite)
    what = what if mine else "articles of this corpus"
    settings |= settle(what, _written_out(mine or dumps), given.settings, {"cleaner": "raywiki"}, given.overwrite)
    if settings["cleaner"] != "raywiki":
        if given.settings["templates"] not in (None, NONE):
            raise ValueError(f"the cleaner {settings['cleaner']!r} knows no templates: leave --templates out")
    else:  # its own where the file is a whole wiki, else those of the wiki's other parts
        whole = is_whole_wiki(name)
        others = [each for each in dumps if wiki_of(each) == site.wiki and each.settings.get("templates") != OWN]
        known = _written_out(mine or ([] if whole else others))
        settings |= settle(what, known, given.settings, {"templates": OWN if whole else NONE}, given.overwrite)
    return {key: value for key, value in settings.items() if value != UNWRITTEN.get(key)}


def templates_notes(parts: Iterable[PlannedPart]) -> list[str]:
    """That whole wikis among these parts were cleaned without the definitions that their own files hold."""
    without = [
        part.part
        for part in parts
        if isinstance(part, DumpPart) and is_whole_wiki(part.source["name"])
        and part.settings.get("cleaner", "raywiki") == "raywiki" and part.settings.get("templates", NONE) == NONE
    ]  # fmt: skip
    if not without:
        return []
    return [f"{some_parts(without)}: a whole wiki without its own templates, which `--templates own --overwrite` brings"]


def _text_settings(part: str, committed: Mapping[str, Manifest], given: Given, form: str) -> dict[str, Any]:
    """Format, source and language of a part; the language of a new one is that of the corpus, if it has one, else English."""
    old = committed.get(part)
    languages = {str(each.settings["language"]) for each in committed.values()}
    defaults = {
        "language": languages.pop() if len(languages) == 1 else "en",
        "format": form,
        "source": SOURCES[given.settings["format"] or form],
    }
    mine = [old.settings] if old and not is_dump(old) else []
    return settle(f"articles of part {part}", mine, given.settings, defaults, given.overwrite)


def _written_out(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    return [UNWRITTEN | each.settings for each in manifests]


def _with_templates(corpus: Corpus, part: PlannedPart, given: TemplatesFile | None) -> PlannedPart:
    """The part with the corpus's copy of the file of templates that its settings name."""
    digest = part.settings.get("templates", NONE)
    if not isinstance(part, DumpPart) or digest in (NONE, OWN):
        return part
    if given is not None and given.sha256 == digest:
        return replace(part, templates=keep_copy(corpus, given))
    return part if part.committed else replace(part, templates=kept_copy(corpus, digest))
