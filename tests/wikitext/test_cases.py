"""Readable cases, by language: wikitext => text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from raywiki.wikitext import clean_wikitext

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "wikitext"


def cases() -> list[tuple[str, str, str, str]]:
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        if path.stem == "README":
            continue
        language = path.stem.split("_")[0] if path.stem != "structure" else "en"
        name, lines, source = "", [], ""
        for line in [*path.read_text(encoding="utf-8").split("\n"), "# "]:
            if line.startswith("# ") and (not name or source):
                if name:
                    found.append((f"{path.stem}: {name}", language, source, "\n".join(lines).strip("\n")))
                name, lines, source = line[2:], [], ""
            elif line == "=>":
                source, lines = "\n".join(lines), []
            else:
                lines.append(line)
    return found


CASES = cases()
EDITED = datetime(2024, 3, 8, tzinfo=UTC)  # ages count up to the last edit


def test_there_are_enough_cases():
    assert len(CASES) >= 240
    assert len({language for _, language, _, _ in CASES}) >= 22


@pytest.mark.parametrize(("name", "language", "wikitext", "text"), CASES, ids=[case[0] for case in CASES])
def test_case(name, language, wikitext, text):
    cleaned = clean_wikitext(wikitext, language=language, title="Title", timestamp=EDITED)
    assert cleaned.error is None
    assert cleaned.text == text
