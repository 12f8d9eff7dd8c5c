"""Templates of the Spanish Wikipedia: small capitals."""

from __future__ import annotations

from raywiki.wikitext.page import Template
from raywiki.wikitext.registry import template


@template("versalita", "versalitas", language="es")
def small_capitals(t: Template) -> str | None:
    """`{{versalita|xx}}` → XX, a century; `{{versalita|García}}` stays a name."""
    return t[1].upper() if t[1] == t[1].lower() else t[1] or None
