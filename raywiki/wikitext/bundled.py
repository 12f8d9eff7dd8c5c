"""The bundled data files: names, aliases, countries, languages and units, as readable text in `data/`."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@lru_cache(maxsize=20_000)
def normalise(name: str) -> str:
    """A name as names are compared: in lower case, blanks for underscores, none doubled.

    >>> normalise(" Col_break\\n")
    'col break'
    """
    return " ".join(name.replace("_", " ").lower().split())


@cache
def words_of(name: str) -> dict[str, dict[str, list[str]]]:
    """A bundled text file of sections `[language]` with lines `key: value, value`."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[] "), {})
        elif ":" in line and not line.startswith("#"):
            key, _, values = line.partition(":")
            section[key.strip()] = [value.strip() for value in values.split(",") if value.strip()]
    return found


TemplateList = dict[str, Any]  # kind → names, or for `shows` and `alias` a table; see templates/listed.py


@cache
def template_lists() -> dict[str, TemplateList]:
    """`data/templates.toml`: wiki (or "all") → kind → names."""
    return tomllib.loads((DATA / "templates.toml").read_text(encoding="utf-8"))


def template_aliases() -> dict[str, dict[str, list[str]]]:
    """Wiki (or "all") → the name under which a renderer is registered → what the wiki calls it."""
    return {wiki: section["alias"] for wiki, section in template_lists().items() if "alias" in section}
