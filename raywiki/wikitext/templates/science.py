"""Astronomy, geology, nuclides and the brackets of mathematics."""

from __future__ import annotations

from raywiki.wikitext.numbers import superscript
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import english_template


@english_template("ra", "hms2", "right ascension")
def right_ascension(t: Template) -> str | None:
    """`{{RA|1|2|3.5}}` → 1h 2m 3.5s."""
    return " ".join(f"{value}{mark}" for value, mark in zip(t.positional(), "hms", strict=False) if value) or None


@english_template("dec", "declination", "dms")
def declination(t: Template) -> str | None:
    """`{{DEC|+1|2|3}}` → +1° 2′ 3″."""
    return " ".join(f"{value}{mark}" for value, mark in zip(t.positional(), "°′″", strict=False) if value) or None


@english_template("mp", "mpl", "mp-", "mpl-", "minor planet")
def minor_planet(t: Template) -> str | None:
    """`{{mpl|2001 CK|32}}` → 2001 CK32, `{{mpl-|3122|1981 ET|3}}` → (3122) 1981 ET3."""
    args = t.positional()
    if t.name.rstrip().endswith("-") and len(args) > 1:
        args = [f"({args[0]}) ", *args[1:]]
    return "".join(args[:3]) or None


@english_template("ma", "mya", "mya2", "annum", "ka", "ga", "myr", "gya", "kya", "bya")
def ages_ago(t: Template) -> str | None:
    """`{{Ma|66}}` → 66 Ma, `{{mya|251|200}}` → 251–200 million years ago."""
    years = "–".join(filter(None, t.positional()[:2]))
    unit = {"mya": "million years ago", "mya2": "million years ago", "bya": "billion years ago", "gya": "billion years ago",
            "kya": "thousand years ago", "annum": "a"}  # fmt: skip
    if t.language not in ("en", "simple", "vi"):
        unit = {"mya": "Ma", "mya2": "Ma", "bya": "Ga", "gya": "Ga", "kya": "ka", "annum": "a"}
    return f"{years} {unit.get(t.key, t.key.capitalize())}" if years else None


_SYMBOLS = (  # noqa: SIM905
    "hydrogen H deuterium D tritium T helium He lithium Li beryllium Be boron B carbon C nitrogen N oxygen O fluorine F "
    "neon Ne sodium Na magnesium Mg aluminium Al aluminum Al silicon Si phosphorus P sulfur S sulphur S chlorine Cl argon Ar "
    "potassium K calcium Ca scandium Sc titanium Ti vanadium V chromium Cr manganese Mn iron Fe cobalt Co nickel Ni copper Cu "
    "zinc Zn gallium Ga germanium Ge arsenic As selenium Se bromine Br krypton Kr rubidium Rb strontium Sr yttrium Y "
    "zirconium Zr niobium Nb molybdenum Mo technetium Tc ruthenium Ru rhodium Rh palladium Pd silver Ag cadmium Cd indium In "
    "tin Sn antimony Sb tellurium Te iodine I xenon Xe caesium Cs cesium Cs barium Ba lanthanum La cerium Ce praseodymium Pr "
    "neodymium Nd promethium Pm samarium Sm europium Eu gadolinium Gd terbium Tb dysprosium Dy holmium Ho erbium Er thulium Tm "
    "ytterbium Yb lutetium Lu hafnium Hf tantalum Ta tungsten W rhenium Re osmium Os iridium Ir platinum Pt gold Au mercury Hg "
    "thallium Tl lead Pb bismuth Bi polonium Po astatine At radon Rn francium Fr radium Ra actinium Ac thorium Th "
    "protactinium Pa uranium U neptunium Np plutonium Pu americium Am curium Cm berkelium Bk californium Cf einsteinium Es "
    "fermium Fm mendelevium Md nobelium No lawrencium Lr rutherfordium Rf dubnium Db seaborgium Sg bohrium Bh hassium Hs "
    "meitnerium Mt darmstadtium Ds roentgenium Rg copernicium Cn nihonium Nh flerovium Fl moscovium Mc livermorium Lv "
    "tennessine Ts oganesson Og neutron n proton p electron e"
).split()
_SYMBOL = dict(zip(_SYMBOLS[::2], _SYMBOLS[1::2], strict=True))


@english_template("nuclide", "nuclide2", "isotope", "simple nuclide", "simple nuclide2", "simplenuclide", "simplenuclide2")
def nuclide(t: Template) -> str | None:
    """`{{nuclide|carbon|14}}` → ¹⁴C; the atomic number is left out, as the symbol says it."""
    return superscript(t[2]) + _SYMBOL.get(t[1].lower(), t[1]) if t[1] else None


@english_template("subatomic particle", "subatomicparticle", "physicsparticle")
def particle(t: Template) -> str | None:
    if t.key == "physicsparticle":
        return t[1] + superscript(t["TR"]) + t["BR"] if t[1] else None
    return t.first("link", 1) or None


_BRACKETS = {
    "floor": "⌊⌋", "ceil": "⌈⌉", "ceiling": "⌈⌉", "norm": "‖‖", "mabs": "||", "pars": "()", "parentheses": "()", "brace": "{}",
    "braces": "{}", "mset": "{}", "set": "{}", "ket": "|⟩", "bra": "⟨|", "angle": "⟨⟩",
    "langle": "⟨", "rangle": "⟩",
}  # fmt: skip


@english_template(*_BRACKETS)
def bracketed(t: Template) -> str | None:
    """`{{floor|x}}` → ⌊x⌋. Braces and bars would be markup again, so they are kept as they are."""
    marks = _BRACKETS[t.key]
    if len(marks) == 1:
        return marks
    if not t[1]:
        return None
    left, right = (t.page.keep(mark) if mark in "{}|" else mark for mark in marks)
    return left + t[1] + right


@english_template("bra-ket", "braket")
def bra_ket(t: Template) -> str | None:
    args = [value for value in t.positional() if value not in ("", "bra-ket", "bra", "ket")]
    return f"⟨{t.page.keep('|').join(args)}⟩" if args else None
