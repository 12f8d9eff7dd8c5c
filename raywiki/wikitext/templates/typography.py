"""Templates that change how their text looks, or stand for a character."""

from __future__ import annotations

import re

from raywiki.wikitext.page import PIPE, Template
from raywiki.wikitext.registry import english_template, template

# Templates that show nothing, or only a picture, an anchor, or a mark of their own.
_PICTURE_SIZE = re.compile(r"\d+(?:px)?")


# What would be markup again if it stood in a data file as it is.
_MARKUP = {
    "=": "\x05", "equals": "\x05", "!": PIPE, "!!": PIPE * 2, "(": "{", ")": "}", "(!": "{" + PIPE, "!)": PIPE + "}",
    "!-": PIPE + "-", "pipe escape": PIPE, "lbrace": "{", "rbrace": "}",
}  # fmt: skip


@template(*_MARKUP)
def markup(t: Template) -> str:
    return _MARKUP[t.key]


@template("thinsp", "thin space", "thinspace", "hair space", "hairsp")
def thin_space(t: Template) -> str:
    """`{{thinsp|a|b}}` → a b."""
    return " ".join(t.positional()) or " "


@template("sub", "sup-sub", "su", "indice")
def subscript(t: Template) -> str | None:
    if t["p"] or t["b"]:
        return f"<sup>{t['p']}</sup>{t['b']}"
    return t[1] or None


@template("sup", "smallsup", "exp", "e-sup", "exposant")
def raised(t: Template) -> str | None:
    return f"<sup>{t[1]}</sup>" if t[1] else None


@template("sic", "typo", "[sic]", "stet")
def sic(t: Template) -> str:
    text = t[1] + t[2] if t[1] not in ("?", "!", "hide") else ""  # {{sic|Conc|encus}}: the second is a part of the word
    if t["hide"] or t["nolink"] == "y" or t[1] == "hide":
        return "".join(t.positional()[1:] if t[1] == "hide" else t.positional())
    return f"{text} &#91;sic&#93;".strip()


@template(
    "code",
    "codett",
    "inline code",
    "tt code",
    "mono code",
    "c++ code",
    "pre2",
    "codes",
    "para",
    "nowikicode",
    "tag code",
    "keyword",
    "syntaxhighlight",
)
def code(t: Template) -> str | None:
    text = t.first("code", 1)
    if t.key == "para":
        text = f"{PIPE}{t[1]}={t[2]}"
    return f"`{text}`" if text else None


@template("key", "keypress", "key press", "keypress combination", "клавіші", "key combo", "key2")
def key_press(t: Template) -> str | None:
    return "+".join(filter(None, t.positional())) or None


@template(
    "hlist",
    "horizontal list",
    "flatlist items",
    "cslist",
    "comma separated entries",
    "pipelist",
    "dotted list",
    "nowrap list",
)
def inline_list(t: Template) -> str | None:
    joint = ", " if "c" in t.key[:5] and "s" in t.key else " · "
    return joint.join(filter(None, t.positional())) or None


@template("ubl", "unbulleted list", "ublist", "unbulletedlist", "ubt", "plainlist items", "ordered list",
          "bulleted list", "bulletedlist", "unordered list", "olist", "vunblist",
          "collapsible list", "clist", "flowlist", "blist", "numbered list")  # fmt: skip
def block_list(t: Template) -> str | None:
    items = [item for item in t.positional() if item]
    mark = "#" if t.key in ("ordered list", "olist", "numbered list") else "*"
    return "\n" + "\n".join(f"{mark} {item}" for item in items) + "\n" if items else None


@template("plainlist", "plain list", "flatlist", "startplainlist", "div col list", "columns-list", "columnslist",
          "columns list", "colist", "div flex row", "block center", "block right",
          "multi-column", "refbegin list", "hidden", "hidden list", "collapse", "scroll box", "columns", "tree list")  # fmt: skip  # noqa: E501
def container(t: Template) -> str | None:
    text = t.first("1", "content", "text", "col1") if t.key not in ("hidden", "hidden list") else t.first(2, "content")
    return f"\n{text}\n" if text else ""


# Arguments of quotations, as the wikis call them: the text, who said it, where it stands.
_QUOTED = (
    "text", "quote", "quotetext", "цитата", "текст", "texte", "Text", "content", "κείμενο", "απόσπασμα", "nội dung",
    "câu trích",
    "citat", "Citat", "texto", "cita", "testo", "citation", "tekst", "treść", "citaat", "文", "引用文", "内容", "文字",
    "문장", "인용문",
    "نص", "اقتباس", "متن", "گفتاورد", "תוכן", "ציטוט", "metin", "alıntı", "पाठ", "উক্তি", "উদ্ধৃতি", "লেখা",
)  # fmt: skip
_AUTHOR = (
    "author", "by", "sign", "cite", "source", "автор", "auteur", "Autor", "autor", "autore", "tác giả", "συγγραφέας", "person",
    "著者", "作者", "저자", "المؤلف", "مؤلف", "المصدر", "نویسنده", "گوینده", "אומר", "דובר", "מאת", "מקור",
    "yazar", "लेखक", "লেখক",
)  # fmt: skip
_SOURCE = (
    "джерело", "nguồn", "πηγή", "источник", "Quelle", "quelle", "źródło", "fuente", "fonte", "bron", "källa", "出典", "来源",
    "來源",
    "출처", "مصدر", "منبع", "kaynak", "zdroj", "स्रोत", "উৎস",
)  # fmt: skip


@template("blockquote", "quote", "quotation", "cquote", "rquote", "bquote", "quote box", "quotebox", "pull quote",
          "pullquote", "centered pull quote", "quote frame",
          "quote1", "long quotation", "poemquote", "poem quote", "poem", "verse", "verse translation",
          "verse transliteration-translation", "imagequote", "blockquotes", "block quote",
          "quotation box", "quote text", "speech", "cytat", "citaat", "blockquote2", "quote without source",
          "rbquote", "epigraph", "epigram", "епіграф", "эпиграф",
          "lyrics", "poetry", "translated blockquote", "blockquote en", "lang quote")  # fmt: skip
def blockquote(t: Template) -> str | None:
    """A quotation as a paragraph, its author behind a dash."""
    text = t.first(*_QUOTED, 1)
    if not text:
        return None
    if t.key.startswith("verse") and t[2]:
        return f"\n\n{text}\n\n{t[2]}\n\n"
    author = t.first(*_AUTHOR)
    if not author and t.first(*_QUOTED) != t[2]:
        author = t[2]
    if _PICTURE_SIZE.fullmatch(author):  # {{cquote|text|40px|40px|author}}
        author = t[4]
    source = t.first("source", "title", "work", 5 if _PICTURE_SIZE.fullmatch(t[2]) else 3, *_SOURCE)
    credit = ", ".join(dict.fromkeys(filter(None, (author, source)))) if len(author) < 200 else ""
    return f"\n\n{text}\n\n— {credit}\n\n" if credit else f"\n\n{text}\n\n"


_INLINE_QUOTES = {
    "en": "“{}”", "simple": "“{}”", "de": "„{}“", "fr": "« {} »", "pl": "„{}”", "cs": "„{}“", "sv": "”{}”", "nl": "“{}”",
    "pt": "“{}”",
    "tr": "“{}”", "ja": "「{}」", "zh": "「{}」", "ko": "“{}”", "he": '"{}"', "hi": "“{}”", "bn": "“{}”",
}  # fmt: skip


@template(
    "quote inline",
    "guil",
    "«",
    "virgolette",
    "qq",
    "inline quote",
    "tq",
    "qi",
    "talk quote inline",
    "'''",
)
def quoted(t: Template) -> str | None:
    text = t.first(1, "text", "texte")
    return _INLINE_QUOTES.get(t.language, "«{}»").format(text) if text else None


@template("ruby", "furigana", "ruby-py")
def ruby(t: Template) -> str | None:
    return f"{t[1]} ({t[2]})" if t[1] and t[2] else t[1] or None


@template("music", "music note")
def music(t: Template) -> str | None:
    if t[1] in ("time", "timesig") and t[2]:
        return "/".join(filter(None, t.positional()[1:3]))
    signs = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "doubleflat": "𝄫", "bb": "𝄫",
        "doublesharp": "𝄪", "##": "𝄪",
             "diminished": "°", "dim": "°", "halfdim": "ø", "degree": "°", "quarternote": "♩", "eighthnote": "♪",
             "segno": "𝄋", "coda": "𝄌"}  # fmt: skip
    return signs.get(t[1], t[1]) or None


@english_template("tag")
def html_tag(t: Template) -> str | None:
    """`{{tag|div}}` → <div>...</div>, `{{tag|br|s}}` → <br />; `o` and `c` are the opening and the closing one alone."""
    name, kind, inside = t[1], t[2] or "p", t["content"] or "..."
    if not name:
        return None
    opening, closing = f"<{' '.join(filter(None, (name, t['params'])))}>", f"</{name}>"
    shown = {"o": opening, "open": opening, "c": closing, "close": closing, "s": f"{opening[:-1]} />", "single": opening}
    return t.page.keep(shown.get(kind, f"{opening}{inside}{closing}"))
