"""Templates of the German Wikipedia: languages, paragraphs of laws."""

from __future__ import annotations

from raywiki.wikitext.cldr import language_codes, language_name
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template


@template(*(f"{code}S" for code in sorted(language_codes()) if len(code) < 4 and code not in ("a", "is", "as")), language="de")
def language(t: Template) -> str:
    """`{{frS|Paris}}` → französisch Paris; without a word the language alone, and a transliteration behind the word."""
    name = language_name(t.key.removesuffix("s"), "de")
    return " ".join(filter(None, (name, t[1], t[2] or t["d"], t["p"])))


@template("isS", "isländisch", language="de")
def icelandic(t: Template) -> str:
    return f"isländisch {t[1]}".strip()


@template("§", "§§", "art.", "artikel", language="de")
def paragraph(t: Template) -> str | None:
    """`{{§|242|bgb|juris}}` → § 242: the law and where it can be read make the link, unless `text` shows something else."""
    if t["text"]:
        return t["text"]
    sign = "Art." if t.key.startswith("art") else t.name.strip()
    return f"{sign} {t[1]}" if t[1] else None


@template("zh", "zh-cn", "zh-tw", language="de")
def chinese(t: Template) -> str | None:
    """`{{zh|c=北京|p=Běijīng}}` → chinesisch 北京, Pinyin Běijīng."""
    words = (
        ("c", "chinesisch "),
        ("v", "chinesisch "),
        ("t", "chinesisch "),
        ("p", "Pinyin "),
        ("w", "W.-G. "),
        ("j", "Jyutping "),
    )
    shown = [word + t[key] for key, word in words if t[key]]
    return ", ".join(shown) or (f"chinesisch {t[1]}" if t[1] else None)
