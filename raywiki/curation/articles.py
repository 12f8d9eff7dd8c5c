"""Rules that know what an article is: its length, its title, its templates, its id. Expressions over the articles table."""

from __future__ import annotations

import polars as pl
import xxhash

from raywiki.curation.text import count_words, filled_lines, share

# First words of the titles of lists, in the larger Wikipedias.
LIST_TITLES = (
    "Lists? of", "Index of", "Outline of", "Glossary of", "Timeline of",
    "Liste d", "Listen? der", "Listen? von", "Lista d", "Listas d", "Llista d", "Liste di", "Listă", "Lijst van",
    "Danh sách", "Список", "Списък", "Списак", "Κατάλογος", "Λίστα", "Lista över", "Liste over", "Luettelo",
    "Seznam", "Zoznam", "Popis", "Sąrašas", "Loend", "Listája", "Daftar", "Senarai", "Danh mục", "قائمة", "فهرست", "רשימת",
    "सूची", "তালিকা", "รายชื่อ", "목록", ".*の一覧", ".*列表$", ".*목록$", ".* listesi$", ".* listája$", ".* सूची$", ".*তালিকা$",
)  # fmt: skip
MAX_LIST_LINES = 0.6

# Names of stub templates, in the larger Wikipedias; English names end in "stub" (`alabama-geo-stub`).
STUB_TEMPLATES = (
    r".*\bstub\d*", "ébauche.*", "esbozo.*", "miniesbozo.*", "esborrany.*", "esboço.*", "s", "beginnetje.*", "stubb?",
    "заготовка.*", "доробити.*", "мъниче.*", "клица.*", "επέκταση.*", "sơ khai.*", ".*-sơ khai", "taslak", ".*-taslak",
    "tynkä.*", "csonk.*", "pahýl.*", "výhonok.*", "ciot.*", "mrva.*", "spire.*", "pooleli.*", "rintisan.*", "بذرة.*", "خرد.*",
    "קצרמר.*", "小作品", ".*小作品", "토막글.*", "โครง.*", "আধার.*", "অসম্পূর্ণ", "आधार",
)  # fmt: skip

_LIST_ITEM = r"^\s*(?:[-*•#]|\d+\.)\s"
_SAMPLE_SEED = 0x66726163  # so that the sample and other choices by page id have nothing to do with each other


def has_chars(minimum: int) -> pl.Expr:
    """Unicode characters of the text, `n_chars`, at least `minimum`."""
    return pl.col("n_chars") >= minimum


def has_words(minimum: int) -> pl.Expr:
    return count_words(pl.col("text")) >= minimum


def error() -> pl.Expr:
    """The page could be cleaned: its text is no mere remainder of its source without marks."""
    return pl.col("error").is_null()


def in_sample(fraction: float, seed: int = _SAMPLE_SEED) -> pl.Expr:
    """Whether the hash of the page id is among the lowest `fraction` of all: a larger fraction keeps what a smaller one does.

    The hash is XXH3-64 of the id's 8 little-endian bytes. Another seed gives a choice that has nothing to do with this one.
    """
    limit = round(fraction * 2**64)

    def chosen(page_ids: pl.Series) -> pl.Series:
        hashes = (xxhash.xxh3_64_intdigest(each.to_bytes(8, "little", signed=True), seed) for each in page_ids)
        return pl.Series([each < limit for each in hashes], dtype=pl.Boolean)

    return pl.col("page_id").map_batches(chosen, return_dtype=pl.Boolean)


def disambiguation() -> pl.Expr:
    """The page is no disambiguation page."""
    return ~pl.col("is_disambiguation")


def list_() -> pl.Expr:
    """The title is none of a list, and at most 60 % of the lines are list items."""
    listed = pl.col("title").str.contains(rf"^(?:{'|'.join(LIST_TITLES)})")
    return ~listed & (share(filled_lines(pl.col("text")), pl.element().str.contains(_LIST_ITEM)) <= MAX_LIST_LINES)


def stub() -> pl.Expr:
    """No template of the page calls it a stub."""
    names = pl.col("dropped_templates").list.eval(
        pl.element().struct.field("name").str.contains(rf"(?i)^(?:{'|'.join(STUB_TEMPLATES)})$")
    )
    return ~names.list.any().fill_null(False)
