"""Foreign words: their language, script, sound and transliteration."""

from __future__ import annotations

import re

from raywiki.wikitext.cldr import language_name
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_ABBREVIATED = {  # what Ukrainian and Russian wikis write before a foreign word
    "uk": dict(pair.split("=") for pair in (  # noqa: SIM905
        "en=англ. de=нім. fr=фр. la=лат. ru=рос. pl=пол. el=грец. grc=грец. it=італ. es=ісп. pt=порт. cs=чеськ. "
        "sk=словац. uk=укр. be=біл. bg=болг. sr=серб. hr=хорв. sl=словен. mk=макед. hu=угор. ro=рум. lt=лит. "
        "lv=латис. et=ест. fi=фін. sv=швед. da=дан. no=норв. nb=норв. nl=нід. tr=тур. ar=араб. he=івр. fa=перс. "
        "hi=гінді sa=санскр. zh=кит. ja=яп. ko=кор. ka=груз. hy=вірм. az=азерб. kk=каз. tt=татар. eo=есп. yi=їдиш "
        "cu=церк.-слов. orv=дав.-рус. crh=крим. lad=ладіно ca=кат. ga=ірл. cy=валл. is=ісл. sq=алб. mo=молд. "
        "vi=в'єт. th=тай. mn=монг. uz=узб. ang=давньоангл. goh=давньоверхньонім. "
    ).split()),
    "ru": dict(pair.split("=") for pair in (  # noqa: SIM905
        "en=англ. de=нем. fr=фр. la=лат. ru=рус. pl=польск. el=греч. grc=др.-греч. it=итал. es=исп. pt=порт. "
        "cs=чеш. sk=словацк. uk=укр. be=белор. bg=болг. sr=серб. hr=хорв. hu=венг. ro=рум. lt=лит. lv=латыш. "
        "et=эст. fi=фин. sv=швед. da=дат. no=норв. nl=нидерл. tr=тур. ar=араб. he=ивр. fa=перс. zh=кит. ja=яп. "
        "ko=кор. ka=груз. hy=арм. az=азерб. kk=каз. tt=тат. eo=эспер. sa=санскр. "
    ).split()),
}  # fmt: skip
_ABBREVIATED["pl"] = dict(pair.split("=") for pair in (  # noqa: SIM905
    "en=ang. fr=fr. de=niem. la=łac. it=wł. es=hiszp. ru=ros. uk=ukr. be=biał. cs=czes. sk=słow. hu=węg. ro=rum. bg=bułg. "
    "sr=serb. hr=chorw. sl=słoweń. el=gr. grc=stgr. tr=tur. ar=arab. he=hebr. fa=pers. zh=chiń. ja=jap. ko=kor. pt=port. "
    "nl=niderl. sv=szw. da=duń. no=norw. nb=norw. fi=fiń. et=est. lv=łot. lt=lit. ga=irl. ca=kat. eu=bask. is=isl. ka=gruz. "
    "hy=orm. az=azer. kk=kaz. uz=uzb. vi=wiet. sa=sanskr. eo=esper. yi=jid. sq=alb. mk=mac. cy=wal. pl=pol. csb=kasz. "
    "szl=śl. mn=mong. th=taj. af=afr. cu=scs. tt=tatar. "
).split())  # fmt: skip
_WORDS = {  # romanized, literally, in (a language); a wiki that is missing shows the bare words
    "en": ("romanized: ", "lit. ", "in {}"), "simple": ("romanized: ", "lit. ", "in {}"), "vi": ("chuyển tự ", "n.đ. ", "{}"),
    "el": ("", "κυριολεκτικά ", "{}"), "uk": ("", "букв. ", "{}"), "ru": ("", "букв. ", "{}"), "fr": ("", "litt. ", "en {}"),
    "es": ("romanizado: ", "lit. ", "en {}"), "pt": ("romanizado: ", "lit. ", "em {}"), "it": ("", "lett. ", "in {}"),
    "de": ("", "wörtlich ", "{}"), "pl": ("", "dosł. ", "{}"), "nl": ("", "lett. ", "{}"), "sv": ("", "ordagrant ", "på {}"),
    "cs": ("", "doslova ", "{}"), "ca": ("", "lit. ", "en {}"),
}  # fmt: skip
_BARE = ("", "", "{}")


# How a wiki puts a language's name before a foreign word; what is not here has "French: ".
_LABELS = {
    "fr": "en {} : ", "es": "en {}: ", "pt": "em {}: ", "it": "in {} ", "de": "{} ", "cs": "{} ", "ru": "{} ", "uk": "{} ",
    "pl": "{} ",
    "zh": "{}：", "he": "ב{}: ", "ca": "en {}: ",
}  # fmt: skip


def language_label(code: str, language: str) -> str:
    """What stands before a word of the language `code`: "French: ", "фр. ", "法語：",
    "en francés: "; "" where no name is known.

    >>> [language_label("fr", language) for language in ("en", "ru", "zh", "es", "tr", "cs", "ar")]
    ['French: ', 'фр. ', '法語：', 'en francés: ', 'Fransızca: ', 'francouzsky ', 'بالفرنسية: ']
    """
    words = _ABBREVIATED.get(language, {})
    short = words.get(code) or words.get(code.partition("-")[0])
    name = short or language_name(code, language)
    if not name:
        return ""
    if language == "ar" and name.startswith("ال"):
        name = f"ب{name}"
    if language == "uk" and not short:
        return f"{name}: "
    return _LABELS.get(language, "{}: ").format(name)


def _with_language(code: str, text: str, t: Template) -> str:
    if t["label"] in ("none", "no", "-") or t["links"] == "none" or not code:
        return text
    if t["label"]:
        return f"{t['label']}: {text}"
    return language_label(code, t.language) + text


@template("lang-*", "langx")
def lang_x(t: Template) -> str | None:
    """`{{lang-fr|États-Unis}}` → French: États-Unis."""
    name, args = t.name.lower().replace("_", "-"), t.positional()
    code = name.removeprefix("lang-")
    if code == name:  # {{langx|fr|…}}, and what wikis call it
        code, args = (args[0], args[1:]) if args else ("", [])
    plain = code[-1:].isdecimal()  # `{{lang-el2}}`: the same without the language's name
    code = {
        "rus": "ru",
        "gr": "el",
        "gre": "el",
        "grc-gre": "grc",
        "sr-cyr": "sr",
        "ua": "uk",
        "jp": "ja",
        "cn": "zh",
        "kr": "ko",
    }.get(code.rstrip("0123456789"), code)
    text = args[0] if args else t.first("text")
    if not text:
        return None
    romanized, literally, _ = _WORDS.get(t.language, _BARE)
    extra = []
    if len(args) > 1 and args[1]:
        extra.append(args[1] if t.language == "uk" or plain else romanized + args[1])
    elif t.first("translit", "r", "tr", "tl"):
        extra.append(romanized + t.first("translit", "r", "tr", "tl"))
    if t["p"]:
        extra.append(f"[{t['p']}]")
    meaning = (args[2] if len(args) > 2 else "") or t.first("lit", "t")
    if meaning:
        extra.append(f"{literally}'{meaning}'" if t.language != "uk" else f"{literally}«{meaning}»")
    shown = ("، " if t.language in ("ar", "fa") else ", ").join([text, *extra])
    return shown if plain else _with_language(code, shown, t)


@template("ref-*", *(f"{code} icon" for code in ("en", "de", "fr", "es", "it", "pt", "ru", "zh", "ja", "ko", "pl",
          "nl", "el", "gr", "ar", "he", "uk", "vi", "la", "cs", "sv", "da", "no", "fi", "tr", "hu", "ro",
          "ca", "bg", "sr", "hr", "sk", "sl", "fa", "th", "id", "ms", "lv", "lt", "et", "is", "hy", "ka", "az", "sq",
          "mk", "be", "eu", "gl", "eo", "ga")), "lang icon", "languageicon", "in lang", "language icon")  # fmt: skip
def language_mark(t: Template) -> str | None:
    """The mark behind a source in another language: (in French)."""
    name = t.key
    is_code = name.startswith("ref-") or (name.endswith(" icon") and name not in ("lang icon", "language icon"))
    codes = [name.removesuffix(" icon").removeprefix("ref-")] if is_code else t.positional()
    shown = []
    for code in codes:
        code = {"gr": "el", "ua": "uk", "jp": "ja", "ru-dor": "ru"}.get(code, code)
        short = _ABBREVIATED.get(t.language, {}).get(code)
        full = language_name(code, t.language)
        if short or full:
            shown.append(short or _WORDS.get(t.language, _BARE)[2].format(full))
    return f"({', '.join(shown)})" if shown else None


@template("native name", "native phrase", "nativename", "native name checker", "tên bản ngữ")
def native_name(t: Template) -> str | None:
    """`{{native name|fr|Nouveau-Brunswick}}` → Nouveau-Brunswick (French)."""
    name = "" if t["paren"] in ("no", "omit", "off") else language_name(t[1], t.language)
    return f"{t[2]} ({name})" if t[2] and name else t[2] or None


_MARKED_BY_CODE = "en de fr es it pt ru ja ko pl nl el ar he uk la cs sv da no fi tr hu ro bg sr hr vi ca fa".split()  # noqa: SIM905


def _code_mark(t: Template) -> str | None:
    if t.positional():
        return t[1]
    return language_mark(Template(f"{t.name} icon", None, t.page))


for _language in ("vi", "el", "fr", "it", "es", "pt", "nl", "sv", "cs", "tr", "zh", "ja", "he"):
    template(*_MARKED_BY_CODE, language=_language)(_code_mark)


@template(
    "transl",
    "transliteration",
    "translit",
    "translation",
    "трансліт",
    "romanized",
    "tlit",
    "script-romanized",
)
def transliteration(t: Template) -> str | None:
    filled = [value for value in t.positional() if value]
    return filled[-1] if filled else None


@template(
    "nihongo",
    "nihongo core",
    "japanese",
    "japonais",
    "яп",
    "nihongo foot",
    "nihongo title",
    "nihongo2",
    "nihongo3",
    "nihongo4",
    "nihongo krt",
)
def nihongo(t: Template) -> str | None:
    """`{{nihongo|English|漢字|romaji|extra}}` → English (漢字, romaji, extra)."""
    name = t.key
    english, kanji, romaji = t[1], t[2], t.first(3, "romaji", "rōmaji")
    extra = t.first(4, "extra")
    if name == "nihongo2":
        return english or None
    if name == "nihongo3" and romaji:
        english, kanji, romaji = romaji, kanji, english
    inside = ", ".join(filter(None, (kanji, romaji, extra)))
    shown = f"{english} ({inside})" if english and inside else english or kanji or romaji
    return f"{shown} {t.first(5, 'extra2')}".strip() or None


_CHINESE = {
    "en": dict(c="Chinese", s="simplified Chinese", t="traditional Chinese", p="pinyin", tp="Tongyong Pinyin",
    w="Wade–Giles", j="Jyutping", cy="Cantonese Yale", poj="Pe̍h-ōe-jī", l="lit.", hv="Sino-Vietnamese",
               v="Vietnamese", zhu="Zhuyin", mi="IPA"),
    "vi": dict(c="tiếng Trung", s="giản thể", t="phồn thể", p="bính âm", tp="bính âm thông dụng", w="Wade–Giles",
    j="Việt bính", cy="Việt bính Yale", poj="Bạch thoại tự", l="nghĩa đen", hv="Hán-Việt",
               v="tiếng Việt", zhu="chú âm"),
}  # fmt: skip


@template(
    "zh",
    "zh-cn",
    "zh-tw",
    "zh-full",
    "chinese",
    "chinois",
    "zhongwen",
    "lang-zh",
    "zh-cpl",
    "zh-stp",
    "zh-tsp",
    "кит",
)
def chinese(t: Template) -> str | None:
    if t.language not in ("en", "simple", "vi"):
        return _bare_chinese(t)
    labels = _CHINESE.get(t.language, _CHINESE["en"])
    show = t["labels"] not in ("no", "none")
    pieces = []
    for key, label in labels.items():
        if t[key]:
            value = f"'{t[key].strip(chr(39) + '“”')}'" if key == "l" else t[key]
            pieces.append((f"{label} {value}" if key == "l" else f"{label}: {value}") if show else t[key])
    return ("; " if show else ", ").join(pieces) or (t[1] or None)


def _bare_chinese(t: Template) -> str | None:
    """Where nobody says what this wiki calls the scripts: the language, the characters, their sound."""
    words = list(dict.fromkeys(filter(None, (t["c"] or t["t"], t["s"], t[1] if not t["c"] else ""))))
    sound = t.first("p", "tp", "w", "j", 2)
    if not words:
        return f"{_PINYIN.get(t.language, 'pinyin')} {sound}" if sound else None
    label = "" if t["labels"] in ("no", "none") else language_label("zh", t.language)
    if sound and sound == t[2] and sound[0] > "\u024f":  # {{lang-zh|北京|Пекин}}: letters of the wiki's own, no pinyin
        return f"{label}{words[0]} {sound}"
    return ", ".join(filter(None, (label + " / ".join(words), sound and f"{_PINYIN.get(t.language, 'pinyin')} {sound}")))


_PINYIN = {
    "ru": "пиньинь",
    "uk": "піньїнь",
    "zh": "拼音：",
    "ja": "拼音:",
    "ko": "병음:",
    "ar": "بينيين:",
    "fa": "پین‌یین:",
    "he": "פין-יין:",
}


@template("korean", "coréen", "ko-hhrm", "koreanisch", "lang-ko", "koS", "кор")
def korean(t: Template) -> str | None:
    hangul, hanja = t.first("hangul", 1), t.first("hanja", 2)
    roman = t.first("rr", 3, "mr", 4)
    labels = (language_label("ko", t.language), "", "")
    if t.language in ("en", "simple", "vi"):
        labels = ("Hangul: ", "Hanja: ", "") if t.language == "vi" else ("Korean: ", "Hanja: ", "RR: ")
    if t["labels"] == "no":
        labels = ("", "", "")
    joint = "; " if t.language in ("en", "simple", "vi") else ", "
    return joint.join(label + value for label, value in zip(labels, (hangul, hanja, roman), strict=True) if value) or None


@template("hn", "hán nôm", "vi-nom", "vie")
def han_nom(t: Template) -> str | None:
    labels = {"ch": "chữ Hán", "hn": "chữ Nôm", "n": "chữ Nôm", "qn": "chữ Quốc ngữ"}
    return "; ".join(f"{label}: {t[key]}" for key, label in labels.items() if t[key]) or t[1] or None


@template("nôm", "nom", language="vi")
def nom(t: Template) -> str | None:
    return f"chữ Nôm: {t[1]}" if t[1] else None


@template(
    "lit",
    "literal translation",
    "literally",
    "literal",
    "lit.",
    "nghĩa đen",
    "trans",
    "gloss",
    "meaning",
    "translation of",
)
def literally(t: Template) -> str | None:
    if not t[1]:
        return None
    meanings = " or ".join(f"'{value}'" for value in t.positional() if value)
    return meanings if t.key == "gloss" else f"{_WORDS.get(t.language, _BARE)[1]}{meanings}"


_NO_SOUND = {
    "icon",
    "audio",
    "pron",
    "lang",
    "also",
    "us",
    "uk",
    "local",
    "uklang",
    "uslang",
    "pronunciation",
    "ipa",
    "локальна вимова",
}
_PAUSES = {"_": " ", "-": "-", ",": ", ", "...": "…"}
_SOUNDS = {
    "@": "ə",
    "A:": "ɑː",
    "ae": "æ",
    "S": "ʃ",
    "Z": "ʒ",
    "T": "θ",
    "D": "ð",
    "N": "ŋ",
    "tS": "tʃ",
    "dZ": "dʒ",
    "I": "ɪ",
    "E": "ɛ",
    "V": "ʌ",
    "O:": "ɔː",
    "U": "ʊ",
    "i:": "iː",
    "u:": "uː",
}


@template("ipac-*", "ipac", "ipa-en-seg", "afi-en")
def ipa_segments(t: Template) -> str | None:
    """`{{IPAc-en|æ|l|ˈ|b|iː|d|oʊ}}` → /ælˈbiːdoʊ/."""
    sounds, label = [], ""
    for value in t.positional():
        if value.lower() in _NO_SOUND and len(value) > 1:
            label = {"us": "US: ", "uk": "UK: ", "also": "also "}.get(value.lower(), label)
        else:
            sounds.append(_PAUSES.get(value, _SOUNDS.get(value, value)))
    text = "".join(sounds)
    return f"{label}/{text}/" if text.strip() else None


@template(
    "ipa",
    "ipa-all",
    "мфа-всі",
    "ipa2",
    "ipa-text",
    "ipa-*",
    "мфа-*",
    "ipalink",
    "мфа2",
    "ipa3",
    "afi",
    "api",
    "ipa notice",
)
def ipa(t: Template) -> str | None:
    name = t.key
    text = t[1]
    if name in ("ipa", "ipa-text", "api", "afi") and t[2] and re.fullmatch(r"[a-z]{2,3}(-[A-Za-z]+)*", text):
        text = f"[{t[2].strip('[]/')}]"
    if not text:
        return None
    return text if text[0] in "[/⟨" or name in ("ipa", "ipa2", "ipa-text", "api", "δφα") else f"&#91;{text}&#93;"


@template("ipaslink", "ipa slash", "ipas", "pron")
def ipa_slashes(t: Template) -> str | None:
    return f"/{t[1].strip('/')}/" if t[1] else None


@template("respell", "respelling", "usdict", "h-respell", "pronunciation respelling")
def respell(t: Template) -> str | None:
    """`{{respell|ASS|kee}}` → ASS-kee."""
    text = "-".join(filter(None, t.positional()))
    return re.sub(r"-?_-?", " ", text).replace("-,-", ", ") or None


@template("linktext", "lt", "wikt", "linktext2")
def linktext(t: Template) -> str | None:
    return t["pref"] + "".join(t.positional()) + t["suff"] or None


@template(*sorted(set(_ABBREVIATED["pl"].values())), language="pl")
def polish_label(t: Template) -> str:
    """`{{ang.|London}}` → ang. London, `{{łac.}}` → łac., `{{ros.|Вена|Wiena}}` → ros. Вена Wiena."""
    return " ".join(filter(None, (t.name.strip(), t[1], t[2])))


@template("vjazyce", "vjazyce2", "v jazyce", "vjazyku", language="cs")
def czech_label(t: Template) -> str | None:
    """`{{vjazyce2|fr|Paris}}` → francouzsky Paris, `{{Vjazyce|la}}` → latinsky; a transcription may follow the word."""
    return ", ".join(filter(None, (f"{language_name(t[1], 'cs')} {t[2]}".strip(), t[3]))) or None


@template("lang", "język", "j", language="pl")
def polish_mark(t: Template) -> str | None:
    """`{{lang|fr}}` → (fr.), behind a link; with a text the text alone."""
    if t[2]:
        return t[2]
    short = language_label(t[1], "pl").strip()
    return f"({short})" if short else t[1] or None
