"""Templates that change how their text looks, or stand for a character."""

from __future__ import annotations

import re

from raywiki.wikitext.page import PIPE, Template
from raywiki.wikitext.registry import names_in, template

_SHOWS_FIRST = """
nowrap, nobr, nobreak, nwr, nowiki2, small, smaller, big, bigger, large, larger, huge, resize, font size, strong, em,
emphasis, bold, italic, nobold, noitalic, noital, normal, normalsize, strikethrough, strike, underline, u, overset,
smallcaps, sc, sc1, sc2, smallcaps all, sm, caps, allcaps, uppercase, lowercase, mono, monospace, tt, kbd, samp, var,
mvar, varserif, math, mathcal, tooltip, abbr, abbrv, abbreviation, hover title, popup, explain, abbrlink, vanchor,
visible anchor, anchored, vanc, unicode, iast, polytonic, nastaliq, nq, naskh, gbk, runic, coptic, hebr, arabic, arab,
aramaic, greek, syriac, cyrl, cyr, he, sinhala, ipa symbol, pie, pua, music symbol, music2, okinawan, not a typo,
notatypo, proper name, sic2, as written, not typo, chemical formula, ce, center, centre, middot list, align center,
right, left, indented, block indent, indent text, sub text, highlight, hl, hilite, mark, marker, nonfree, plain text,
plain, text, noprint, screen reader-only, no auto, displayed, key, keypress, button, keycap, kbd2, tag2, ruby-ja,
ruby base, visible, first word, title-line, hidden text, okay, yes2, no2, won, nom, nowrapx, no wrap, nws, no break,
wj text, avoid wrap, nobreak text, small caps, petit, blue, red, green, gray, grey, black, white, orange, purple,
cn-text, ltr, rtl, rtl-para, rtl para, ltr para, lang-none, fontcolor2, bgcolor text, graymute, gray text, bible text,
cite text, fs interlinear, en-s, sup-text, transcl, section text, wikt-lang text, label, flatlist text, initials,
date text, incise, souligner, color text, sortname text, tts, нл, число словами, к, вимова, стиль, виділення, моно,
жирний, курсив, старослов'янська, церковнослов'янською, шрифт, ё, у, longitem, midsize, box, border, boxed, usurped,
param, aut, ipasym, annotated link, anli, pdflink, căn giữa, nobel icon, nowrap span, wj, no bold, normal font,
raise text, ruby base only, sans-serif, serif, monospaced, bdo text, lang text, hanja, рік у театрі, рік у кіно,
рік у музиці, рік у літературі, рік у науці, рік, рік у спорті
"""
_SHOWS_SECOND = """
script, lower, raise, bdo, font-size, text-size, lang, langi, langr, rtl-lang, ltr-lang, lang2, lang3, wikt-lang, color,
colour, colorlink, color link, font color, fontcolor, font colour, colored text, bg, bgcolor, background color,
background colour, highlight color, legend, legend0, legend inline, legend2, legend-line, legend-col, font, font2,
ruby-zh, listen link, script2, size, fs, fontsize, style text, text color, linktext color, h:title, htitle, wiktlang,
transl2, colored link, coloured link, styled text, align, float box, letter-spacing, h title
"""
_CONSTANTS = {
    "'": "'", "’": "’", "'s": "'s", "-'": "-'", "' \"": "' \"", "\" '": "\" '", "'\"": "'\"", "\"'": "\"'",
    "-\"": "-\"", "'-": "'",
    "' '": "' '", "\" \"": "\" \"", "-?": "?", "\"": "\"",
    "ndash": "–", "en dash": "–", "halbgeviertstrich": "–", "–": "–", "snd": " – ", "snds": " – ", "spnd": " – ",
    "spaced ndash": " – ", "spaced en dash": " – ",
    "sndash": " – ", "spndash": " – ", "nbsndns": " – ", "nbsnd": " – ", "mdash": "—", "em dash": "—", "—": "—",
    "mdashb": " — ",
    "spaced mdash": " — ", "spaced em dash": " — ", "spmd": " — ", "smd": " — ", "dash": " – ", "nbhyph": "-",
    "hyphen": "-", "nhyph": "-",
    "nbsp": " ", "space": " ", "spaces": " ",
    "ensp": " ", "emsp": " ",
    "quad": " ", "gap": " ", "nnbsp": " ", "figure space": " ", "zwsp": "", "zwj": "\u200d", "zwnj": "\u200c",
    "wbr": "", "shy": "", "zwj2": "", "allow wrap": "",
    "·": " · ", "•": " • ", "•w": " • ", "·w": " · ", "dot": " · ", "middot": " · ", "bullet": " • ", "bull": " • ",
    "*": " • ", "nbdot": " · ", "!w": "!",
    "\\": " / ", "/": " / ", "slash": " / ", "pipe": "|", "asterisk": "*", "dagger": "†", "double dagger": "‡",
    "ddagger": "‡", "number sign": "#",
    "sharp": "♯", "flat": "♭", "natural": "♮", "degree": "°", "deg": "°", "градус цельсія": "°C", "градус": "°",
    "celsius": "°C", "multiply": "×", "times": "×", "fois": "×", "x": "×",
    "minus": "−", "plus": "+", "±": "±", "plusminus": "±", "infinity": "∞", "pi": "π", "euro": "€", "gbp symbol": "£",
    "=": "\x05", "equals": "\x05",
    "!": PIPE, "!!": PIPE * 2, "(": "{", ")": "}", "(!": "{" + PIPE, "!)": PIPE + "}", "!-": PIPE + "-",
    "pipe escape": PIPE, "sp": " ",
    "okina": "ʻ", "ʻ": "ʻ", "hamza": "ʼ", "ayin": "ʽ", "ʽ": "ʽ", "ʼ": "ʼ", "prime": "′", "′": "′", "double prime": "″",
    "″": "″", "--": "—", "softhyphen": "", "soft hyphen": "",
    "kia": "†", "†": "†", "nowrap begin": "", "nowrap end": "", "c3": "C3", "c4": "C4", "1em": " ",
    "pprime": "″", "ellipsis": "…", "...": "…", "dots": "…",
    "check mark": "✓", "tick": "✓", "cross": "✗", "x mark": "✗", "ref mark": "※", "heart": "♥", "star": "★",
    "smile": "🙂", "numero": "№",
    "ohm": "Ω", "micro": "μ", "permil": "‰", "square root": "√", "male": "♂", "female": "♀", "registered": "®",
    "trademark": "™", "eqm": " = ",
    "ce era": "CE", "ad": "AD", "circled times": "⊗", "indent": "", "paragraph": "\n\n", "pb": "\n\n",
    "paragraph break": "\n\n", "br": "<br>", "break": "<br>",
    "nr": "<br>", "crlf": "<br>", "н": "н.", "нар": "нар.", "пом": "пом.", "с": "с.", "н.": "н.", "х.": "Х.",
    "к.": "К.", "м.": "М.", "о.": "О.", "л.": "Л.", "спб": "СПб.", "спб.": "СПб.", "л": "Л.",
    "mesh": "#", "colon": ":", "semicolon": ";", "bang": "!", "lbrace": "{", "rbrace": "}", "cc": "©", "alpha": "α",
    "beta": "β", "gamma": "γ", "phi": "φ",
}  # fmt: skip
# Templates that show nothing, or only a picture, an anchor, or a mark of their own.
_SHOWS_NOTHING = """
anchor, anchors, clear, clr, -, clear left, clear right, clearleft, clearright, flagicon, flag icon, flagdeco,
flagcountry icon, fi, icon, file icon, color box, colorbox, colour box, colorsample, legend color, toc, toc limit,
toc left, toc right, tocleft, tocright, compact toc, compacttoc, portal, portal-inline, portal bar,
sister project links, commons, commons category, commonscat, wikiquote, wiktionary, wikisource, wikivoyage, wikinews,
wikibooks, wikispecies, sisterlinks, div col, div col end, div col start, colbegin, colend, col-begin, col-end,
col-break, col-start, columns-list start, refbegin, refend, col-2, col-3, col div end, end div col, col begin, col end,
colbreak, multicol, multicol-break, multicol-end, end, s-start, s-end, italic title, italictitle, displaytitle,
lowercase title, defaultsort, use dmy dates, use mdy dates, use british english, use american english,
short description, pp, pp-semi, pp-move, pp-protected, pp-vandalism, good article, featured article, authority control,
coord missing, noteta, no footnotes, void, null, ifpages, hidden begin, hidden end, spoken wikipedia, dts hidden,
nts hidden, hs, ntsh, dtsh, sort hidden, hidden sort key, sortkey, dagger ref, stack begin, stack end, stack, clear top,
hide in print, do not archive, cc-notice, loop, party color cell, composition bar, party shading, ієрогліф, ιερο
"""


_PICTURE_SIZE = re.compile(r"\d+(?:px)?")


@template(*names_in(_SHOWS_FIRST))
def shows_first(t: Template) -> str | None:
    return t.first(1, "text", "content", 2) or (None if t.args else "")


@template(*names_in(_SHOWS_SECOND), "script/*", "lang/*")
def shows_last(t: Template) -> str | None:
    """The text behind a language, colour or script; it is the last of the unnamed arguments that holds something."""
    if t["text"] or t["content"]:
        return t.first("text", "content")
    filled = [value for value in t.positional()[:4] if value]
    return filled[-1] if filled else None


@template(*_CONSTANTS)
def constant(t: Template) -> str:
    name = t.key
    return t[1] if t[1] and name in ("mdash", "ndash", "dash", "о.", "s") else _CONSTANTS[name]


@template("thinsp", "thin space", "thinspace", "hair space", "hairsp")
def thin_space(t: Template) -> str:
    """`{{thinsp|a|b}}` → a b."""
    return " ".join(t.positional()) or " "


@template(*names_in(_SHOWS_NOTHING))
def shows_nothing(t: Template) -> str:
    return ""


@template("sub", "sup-sub", "su", "indice")
def subscript(t: Template) -> str | None:
    if t["p"] or t["b"]:
        return f"<sup>{t['p']}</sup>{t['b']}"
    return t[1] or None


@template("sup", "smallsup", "exp", "e-sup", "exposant")
def raised(t: Template) -> str | None:
    return f"<sup>{t[1]}</sup>" if t[1] else None


@template(
    "angbr",
    "angle bracket",
    "grapheme",
    "angbr ipa",
    "angle bracket",
    "<",
    "char",
    "letter",
    "angled brackets",
    "vr",
)
def angle_brackets(t: Template) -> str | None:
    return f"⟨{t[1]}⟩" if t[1] else None


@template(
    "bracket",
    "brackets",
    "interp",
    "interpolation",
    "sqbr",
    "square bracket open",
)
def square_brackets(t: Template) -> str | None:
    return f"&#91;{t[1]}&#93;" if t[1] else None


@template("sic", "typo", "[sic]", "stet")
def sic(t: Template) -> str:
    text = t[1] if t[1] not in ("?", "!", "hide") else ""
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


@template("key press", "keypress combination", "клавіші", "key combo", "key2")
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


@template("blockquote", "quote", "quotation", "cquote", "rquote", "bquote", "quote box", "quotebox", "pull quote",
          "pullquote", "centered pull quote", "quote frame",
          "quote1", "long quotation", "poemquote", "poem quote", "poem", "verse", "verse translation",
          "verse transliteration-translation", "imagequote", "blockquotes", "block quote",
          "quotation box", "quote text", "speech", "cytat", "citaat", "blockquote2", "quote without source",
          "rbquote", "epigraph", "epigram", "епіграф", "эпиграф",
          "lyrics", "poetry", "translated blockquote", "blockquote en", "lang quote")  # fmt: skip
def blockquote(t: Template) -> str | None:
    """A quotation as a paragraph, its author behind a dash."""
    text = t.first(
        1,
        "text",
        "quote",
        "quotetext",
        "цитата",
        "текст",
        "texte",
        "Text",
        "content",
        "κείμενο",
        "απόσπασμα",
        "nội dung",
        "câu trích",
    )
    if not text:
        return None
    if t.key.startswith("verse") and t[2]:
        return f"\n\n{text}\n\n{t[2]}\n\n"
    author = t.first(
        "author",
        "by",
        "sign",
        "cite",
        "source",
        2,
        "автор",
        "auteur",
        "Autor",
        "autor",
        "autore",
        "tác giả",
        "συγγραφέας",
    )
    if _PICTURE_SIZE.fullmatch(author):  # {{cquote|text|40px|40px|author}}
        author = t[4]
    source = t.first("source", "title", "work", 5 if _PICTURE_SIZE.fullmatch(t[2]) else 3, "джерело", "nguồn", "πηγή")
    credit = ", ".join(dict.fromkeys(filter(None, (author, source)))) if len(author) < 200 else ""
    return f"\n\n{text}\n\n— {credit}\n\n" if credit else f"\n\n{text}\n\n"


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
    marks = {"en": "“{}”", "de": "„{}“", "fr": "« {} »"}.get(t.language, "«{}»")
    return marks.format(t[1]) if t[1] else None


@template("ruby", "furigana", "ruby-py")
def ruby(t: Template) -> str | None:
    return f"{t[1]} ({t[2]})" if t[1] and t[2] else t[1] or None


@template("music", "music note")
def music(t: Template) -> str | None:
    signs = {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "doubleflat": "𝄫", "bb": "𝄫",
        "doublesharp": "𝄪", "##": "𝄪",
             "diminished": "°", "dim": "°", "halfdim": "ø", "degree": "°", "quarternote": "♩", "eighthnote": "♪",
             "segno": "𝄋", "coda": "𝄌"}  # fmt: skip
    return signs.get(t[1], t[1]) + (t[2] if t[1] in ("time", "timesig") else "") or None
