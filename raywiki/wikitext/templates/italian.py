"""Templates of the Italian Wikipedia: `{{Bio}}`, which writes the first sentence of each biography; countries and clubs."""

from __future__ import annotations

from raywiki.wikitext.cldr import country_name
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template

_VOWELS = "aeiouàèéìòù"


@template("bio", language="it")
def biography(t: Template) -> str | None:
    """`{{Bio|Nome=Anna|Cognome=Rossi|Sesso=F|LuogoNascita=Roma|…}}` → Anna Rossi (Roma,
    3 maggio 1960) è una pittrice italiana."""
    name = " ".join(filter(None, (t["Titolo"], t["Nome"], t["Cognome"]))) + t["PostCognome"]
    if not name.strip():
        return None
    born = _place_and_day(t, "Nascita")
    died = _place_and_day(t, "Morte")
    life = " – ".join(filter(None, (born, died)))
    before = t["PreData"] and f"{t['PreData']}; "
    shown = f"'''{name.strip()}'''" + (f" ({before}{life})" if life else "")
    if t["FineIncipit"]:
        return f"{shown} {t['FineIncipit']}."
    trades = [trade for trade in (t["Attività"], t["Attività2"], t["Attività3"]) if trade]
    trade = trades[0] if len(trades) == 1 else f"{', '.join(trades[:-1])} e {trades[-1]}" if trades else ""
    if not trade:
        return f"{shown}."
    is_woman = t["Sesso"].upper() == "F"
    verb = ("è stata" if is_woman else "è stato") if died else "è"
    what = f"{_article(trade, is_woman)}{trade}{_joined(t['AttivitàAltre'])}"
    nation = " ".join(
        filter(None, (t["Nazionalità"], t["NazionalitàNaturalizzato"] and f"naturalizzato {t['NazionalitàNaturalizzato']}"))
    )
    return f"{shown} {verb} {what} {nation}".rstrip() + f"{_joined(t['PostNazionalità'])}."


def _place_and_day(t: Template, what: str) -> str:
    """`LuogoNascita, GiornoMeseNascita AnnoNascita`, of what there is."""
    day = " ".join(filter(None, (t[f"GiornoMese{what}"], t[f"Anno{what}"])))
    return ", ".join(filter(None, (t[f"Luogo{what}"], day if day != "?" else "")))


def _joined(text: str) -> str:
    """A piece of the sentence that may bring its own comma."""
    return text if not text or text[0] in ",;. " else f" {text}"


def _article(noun: str, is_woman: bool) -> str:
    bare = noun.lstrip("[").rpartition("|")[2].lower() if noun.startswith("[[") else noun.lower()
    if is_woman:
        return "un'" if bare[:1] in _VOWELS else "una "
    hard = bare[:1] == "z" or bare[:2] in ("gn", "ps", "pn", "sc") or (bare[:1] == "s" and bare[1:2] not in (*_VOWELS, ""))
    return "uno " if hard else "un "


@template("bandiera", language="it")
def flag(t: Template) -> str:
    """A flag; `{{Bandiera|FRA|nome}}` has the country's name behind it."""
    return country_name(t[1], "it") if t[2] == "nome" else ""


@template("naz", "nazionale", "naz/*", language="it")
def national_team(t: Template) -> str | None:
    """`{{Naz|CA|ITA}}` → Italia: the sport, then the country."""
    args = [value for value in t.positional() if value]
    code = args[0] if args and "/" in t.key else args[1] if len(args) > 1 else ""
    return country_name(code, "it") or None


@template("calcio *", "basket *", "pallavolo *", "rugby *", "hockey *", "pallanuoto *", language="it")
def club(t: Template) -> str | None:
    """`{{Calcio Juventus}}`: a badge and the club's name, which the template's own name holds."""
    return t.name.strip().partition(" ")[2].strip() or None
