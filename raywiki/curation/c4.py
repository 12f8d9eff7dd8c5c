"""The rules of C4 (Raffel et al., 2020, JMLR 21(140), section 2.2) for whole documents.

C4 edits: it drops lines, then documents with too little left. raywiki edits no text, so a line that C4 drops only does not
count here. A line counts when it

    ends with a terminal punctuation mark or a quotation mark, but not with an ellipsis
    has at least 3 words, none longer than 1,000 characters
    names neither JavaScript nor a policy on cookies, privacy or use (`POLICY`, from C4's code)

and a document passes when the lines that count hold at least 5 sentences, and nowhere in it stand a curly bracket or
"lorem ipsum". Terminal marks are those of all scripts (Unicode's Sentence_Terminal). The paper's list of bad words is
not applied: it drops articles on anatomy. A formula in LaTeX holds curly brackets: this set rejects mathematics.
"""

from __future__ import annotations

import polars as pl

MIN_SENTENCES = 5
MIN_LINE_WORDS = 3
MAX_WORD_CHARS = 1000
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")

_CITATION = r"\[\d*\]|\[edit\]|\[citation needed\]"
_QUOTES = "\"'”’»"
_SENTENCE_END = rf"[\p{{Sentence_Terminal}}]+[{_QUOTES})\]]*(?:\s|$)|[。！？｡]"
_COUNTED_END = rf"[\p{{Sentence_Terminal}}{_QUOTES}]$"


def too_few_sentences(text: pl.Expr) -> pl.Expr:
    line = pl.element().str.strip_chars()
    bare = line.str.replace_all(_CITATION, "")
    words = line.str.count_matches(r"\S+")
    counts = (
        bare.str.contains(_COUNTED_END)
        & ~bare.str.ends_with("...")
        & (words >= MIN_LINE_WORDS)
        & ~line.str.contains(rf"\S{{{MAX_WORD_CHARS + 1}}}")
        & ~line.str.contains(r"(?i)javascript|" + "|".join(POLICY))
    )
    # A line that ends in a quotation mark alone is one sentence.
    sentences = pl.max_horizontal(bare.str.count_matches(_SENTENCE_END), pl.lit(1, pl.UInt32))
    per_line = pl.when(counts).then(sentences).otherwise(0)
    return text.str.split("\n").list.eval(per_line).list.sum() >= MIN_SENTENCES


def lorem_ipsum(text: pl.Expr) -> pl.Expr:
    return ~text.str.contains("(?i)lorem ipsum")


def curly_bracket(text: pl.Expr) -> pl.Expr:
    return ~text.str.contains_any(["{", "}"])


C4 = (lorem_ipsum, curly_bracket, too_few_sentences)
