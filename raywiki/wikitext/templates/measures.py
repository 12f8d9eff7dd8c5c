"""Densities, heights, gauges: templates that show a measure and leave the conversion to `{{convert}}`."""

from __future__ import annotations

import re

from raywiki.wikitext.numbers import ENGLISH, NumberFormat, format_number, parse_number, round_half_up
from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template
from raywiki.wikitext.templates.unit_table import unit
from raywiki.wikitext.templates.units import convert


@template("pop density", "population density", "popdens")
def pop_density(t: Template) -> str | None:
    """People per area, in two units: `{{pop density|3645257|640081.87|km2|sqmi|prec=1}}`."""
    people, area = parse_number(t[1]), parse_number(t[2])
    first, second = unit(t[3] or "km2"), unit(t[4]) if t[4] else None
    if people is None or not area or first is None:
        return None
    decimals = int(t["prec"]) if t["prec"].lstrip("-").isdecimal() else 0
    density = people / area
    style = t.page.site.numbers
    text = f"{format_number(round_half_up(density, decimals), style)}/{first.symbol}"
    if second is not None and second.kind == first.kind:
        other = density * second.scale / first.scale
        text += f" ({format_number(round_half_up(other, decimals), style)}/{second.symbol})"
    return text


@template("convert area", "area convert", "height", "convert height", "ht")
def measured(t: Template) -> str | None:
    """Height of a person, by named arguments: `{{height|ft=5|in=6}}`, `{{height|m=1.68}}`."""
    for codes in (("ft", "in"), ("m",), ("cm",), ("km2",), ("ha",)):
        if t[codes[0]]:
            pieces = [piece for code in codes if t[code] for piece in (t[code], code)]
            raw = "|".join([*pieces, *(["ftin"] if codes[0] in ("m", "cm") else []), "abbr=on"])
            return convert(Template("convert", raw, t.page))
    return convert(t)


@template(
    "track gauge",
    "railgauge",
    "rail gauge",
    "gauge",
    "rg",
    "track",
    "spurweite",
    "spurweite anzeige",
)
def track_gauge(t: Template) -> str | None:
    """`{{track gauge|1435mm}}` → 1,435 mm (4 ft 8+1⁄2 in) on most wikis; the value as given stays first."""
    match = re.fullmatch(r"(\d[\d,]{0,8}(?:\.\d{1,6})?) *(mm|cm|m|in)?", t[1])
    if not match:
        return t[1] or None
    millimetres = float(match[1].replace(",", "")) * {"mm": 1, "cm": 10, "m": 1000, "in": 25.4, None: 1}[match[2]]
    metric = f"{format_number(f'{millimetres:.0f}', t.page.site.numbers)} mm"
    inches = _imperial_gauges.get(round(millimetres))
    return f"{metric} ({inches})" if inches and t["disp"] != "1" else metric


_imperial_gauges = {1435: "4 ft 8 1⁄2 in", 1520: "4 ft 11 27⁄32 in", 1524: "5 ft", 1067: "3 ft 6 in",
    1000: "3 ft 3 3⁄8 in",
                    1600: "5 ft 3 in", 1668: "5 ft 5 21⁄32 in", 1676: "5 ft 6 in", 914: "3 ft", 610: "2 ft",
                        762: "2 ft 6 in"}  # fmt: skip


@template(
    "m to ft",
    "ft to m",
    "km to mi",
    "mi to km",
    "m2 to ft2",
    "kg to lb",
    "lb to kg",
    "c to f",
    "f to c",
)
def convert_by_name(t: Template) -> str | None:
    source, _, target = t.key.partition(" to ")
    fixed = {"c": "C", "f": "F"}
    raw = f"{t[1]}|{fixed.get(source, source)}|{fixed.get(target, target)}|{t['precision']}"
    return convert(Template("convert", raw, t.page))


@template("elevation", "elevation")
def elevation(t: Template) -> str | None:
    """German `{{Höhe|1234|DE-NN}}` → 1234 m ü. NN."""
    reference = {"DE-NN": "NN", "DE-NHN": "NHN", "AT": "A.", "CH": "M."}.get(t[2], "")
    return f"{format_number(t[1], NumberFormat('.', ',', 5) if t.language == 'de' else ENGLISH)} m{' ü. ' + reference if reference else ''}"  # noqa: E501
