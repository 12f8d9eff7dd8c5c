"""The bundled data files: names, aliases, countries, languages and units, as readable text in `data/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


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


@cache
def table(name: str) -> dict[str, dict[str, str]]:
    """A bundled table (`countries`, `languages`): code → language → name."""
    lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    header, found = rows[0][1:], {}
    for codes, *names in rows[1:]:
        by_language = {language: name for language, name in zip(header, names, strict=False) if name}
        found.update(dict.fromkeys(codes.split(","), by_language))
    return found
