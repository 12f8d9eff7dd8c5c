"""Templates of the Chinese, Japanese and Korean Wikipedias: years of life, years of an era."""

from __future__ import annotations

import re

from raywiki.wikitext.numbers import integer
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template


@template("bd", "生卒", "生卒年", language="zh")
def years_of_life(t: Template) -> str | None:
    """`{{bd|1960年|5月3日|2000年|6月5日|Wang}}` → 1960年5月3日—2000年6月5日; the fifth argument sorts a category."""
    born, died = t[1] + t[2], t[3] + t[4]
    return f"{born or '？'}—{died}" if born or died else None


# First day of each era since the Meiji reform.
_ERAS = (
    ((2019, 5, 1), "令和"), ((1989, 1, 8), "平成"), ((1926, 12, 25), "昭和"), ((1912, 7, 30), "大正"), ((1868, 1, 25), "明治"),
)  # fmt: skip


@template("和暦", "元号", "西暦和暦", language="ja")
def japanese_year(t: Template) -> str | None:
    """`{{和暦|1990}}` → 平成2年, `{{和暦|1989|1|7}}` → 昭和64年1月7日; an era's first year is 元年,
    one before 1868 stays as it is."""
    year, month, day = (integer(re.sub(r"[年月日]$", "", value)) for value in (t[1], t[2], t[3]))
    if year is None:
        return t[1] or None
    rest = (f"{month}月" if month else "") + (f"{day}日" if month and day else "")
    for first, era in _ERAS:
        if (year, month or 12, day or 31) >= first:
            number = year - first[0] + 1
            return f"{era}{'元' if number == 1 else number}年{rest}"
    return f"{year}年{rest}"


@template("読み仮名", "読み仮名 ruby不使用", "読み仮名 ruby使用", "ふりがな", "よみがな", "読み", language="ja")
def reading(t: Template) -> str | None:
    """`{{読み仮名|山田太郎|やまだ たろう|1950年 - }}` → 山田太郎（やまだ たろう、1950年 - ）."""
    more = t[3] + " " * t[3].endswith(("-", "–", "−"))  # blanks around an argument are gone, an open end has one
    inside = "、".join(filter(None, (t[2], more)))
    return f"{t[1]}（{inside}）" if t[1] and inside else t[1] or None


@template("nihongo", "日本語", "日語", "日语", "jpn", "日文", language="zh")
def japanese(t: Template) -> str | None:
    """`{{日語|天皇|てんのう|Tennō}}` → 天皇（てんのう、Tennō）; by name: `j` characters, `hg` kana, `rm` letters,
    where `{{jpn}}` names the language too."""
    if t.key == "jpn" and t["j"]:
        word = "／".join(filter(None, (t["j"], t.first("hg", "kana"))))
        return "日語：" + " ".join(filter(None, (word, t["rm"])))
    word, inside = t.first("j", 1), "、".join(filter(None, (t.first("hg", "kana", 2), t.first("rm", 3))))
    return f"{word}（{inside}）" if word and inside else word or inside or None


@template("일본어", language="ko")
def korean_japanese(t: Template) -> str | None:
    """`{{일본어|東京|とうきょう|Tōkyō}}` → 東京(とうきょう, Tōkyō)."""
    inside = ", ".join(filter(None, (t[2], t[3])))
    return f"{t[1]}({inside})" if t[1] and inside else t[1] or None
