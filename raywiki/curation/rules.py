"""Quality rules by name or as Polars expressions, and the reasons for which articles fail them.

A rule is a Boolean expression over the columns of the articles table, true where an article passes, as in
`LazyFrame.filter`; its name is the reason given for an article that fails. Sets of published rules stand for the rules in them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raywiki.curation import articles as by_article
from raywiki.curation.c4 import C4
from raywiki.curation.fineweb import FINEWEB
from raywiki.curation.gopher import GOPHER_QUALITY, gopher_enough_stop_words
from raywiki.curation.repetition import GOPHER_REPETITION

ARTICLE_RULES: dict[str, Callable[[], pl.Expr]] = {
    "disambiguation": by_article.disambiguation,
    "list": by_article.list_,
    "stub": by_article.stub,
}
RULE_SETS: dict[str, tuple[Callable[[pl.Expr], pl.Expr], ...]] = {
    "gopher_quality": GOPHER_QUALITY,
    "gopher_repetition": GOPHER_REPETITION,
    "c4": C4,
    "fineweb": FINEWEB,
}
CHECKED_ALONE = 8  # articles on which a user's expression must say alone what it says among others
_TEXT_RULES = {rule.__name__: rule for rules in RULE_SETS.values() for rule in rules}


@dataclass(frozen=True)
class Rule:
    """A condition that articles must meet.

    Attributes:
        name: the reason given for an article that fails.
        passes: Boolean expression over the columns of the articles table, true where an article passes.
        setting: JSON value that tells whether the rule is still the same: a limit, or the text of a user's expression.
        is_own: whether a user gave the expression, so that what it returns is checked.
    """

    name: str
    passes: pl.Expr
    setting: Any = None
    is_own: bool = False


def resolve_rules(
    rules: Sequence[str | pl.Expr] = (),
    *,
    min_chars: int = 500,
    min_words: int = 0,
    fraction: float = 1.0,
    keep_errors: bool = True,
    language: str = "en",
) -> list[Rule]:
    """The rules of a curation, in the order in which an article's reasons are given.

    Args:
        rules: names of rules (`disambiguation`, `list`, `stub`), of published sets (`gopher_quality`, `gopher_repetition`,
            `c4`, `fineweb`) or of single rules in them (`dup_line_frac` …), and expressions of one's own over the columns
            of the articles table, true where an article passes: `(pl.col("n_chars") > 999).alias("long_enough")`. The
            output name of an expression is the reason. An expression sees one article at a time: one that aggregates is
            refused.
        min_chars: characters that a text must have; 0 for no such rule.
        min_words: words that it must have; 0 for no such rule.
        fraction: share of all articles to keep, by a hash of the page id: a larger share holds the smaller one.
        keep_errors: keep articles whose page could not be cleaned (column `error`); else a rule `error` rejects them.
        language: of the articles; rules that only make sense in English are left out of a set for any other.

    Raises:
        ValueError: a name is unknown, two rules have one name, or a number is out of range.

    >>> [rule.name for rule in resolve_rules(["disambiguation", "fineweb"])]
    ['min_chars', 'disambiguation', 'line_punct_ratio', 'short_line_ratio', 'char_dup_ratio', 'list_ratio']
    """
    for name, limit in (("min_chars", min_chars), ("min_words", min_words)):
        if limit < 0:
            raise ValueError(f"{name} is {limit}, it must not be negative")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}, it must be above 0 and at most 1")
    resolved = []
    if fraction < 1:
        resolved.append(Rule("fraction", by_article.in_sample(fraction), fraction))
    if not keep_errors:
        resolved.append(Rule("error", by_article.error()))
    if min_chars:
        resolved.append(Rule("min_chars", by_article.has_chars(min_chars), min_chars))
    if min_words:
        resolved.append(Rule("min_words", by_article.has_words(min_words), min_words))
    for rule in rules:
        resolved += _own_rule(rule) if isinstance(rule, pl.Expr) else _named_rules(rule, language)
    names = [rule.name for rule in resolved]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two rules are called {name!r}: give an expression another name with .alias(…)")
    return resolved


def evaluate_rules(articles: pl.LazyFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """The rules that each article fails.

    Args:
        articles: columns of the articles table, at least `page_id` and those that the rules look at. It is collected by
            the streaming engine, so it may be larger than memory.
        rules: from `resolve_rules`.

    Returns:
        Columns `page_id` and `reasons` (list of strings: names of the failed rules, in their order), rows as in `articles`.

    Raises:
        ValueError: an expression of the user's names a column that is not there, or returns something other than one
            true or false for each article.
    """
    names = [f"rule {number}" for number in range(len(rules))]
    given = [rule.passes.alias(name) for rule, name in zip(rules, names, strict=True) if not rule.is_own]
    passed = articles.select("page_id", *given).collect(engine="streaming")
    for rule, name in zip(rules, names, strict=True):
        if rule.is_own:
            passed = passed.with_columns(_own_values(articles, rule, passed["page_id"]).alias(name))
    failed = [pl.when(~pl.col(name)).then(pl.lit(rule.name)) for rule, name in zip(rules, names, strict=True)]
    reasons = pl.concat_list(failed).list.drop_nulls() if failed else pl.lit([], pl.List(pl.String))
    return passed.select("page_id", reasons.alias("reasons"))


def unchanged_rules(rules: Sequence[Rule], earlier: Sequence[Rule]) -> set[str]:
    """Names of the published rules that are also among the earlier ones, with the same setting; no user's expression."""
    known = [(rule.name, rule.setting) for rule in earlier if not rule.is_own]
    return {rule.name for rule in rules if not rule.is_own and (rule.name, rule.setting) in known}


def reuse_reasons(rules: Sequence[Rule], unchanged: Collection[str], decisions: pl.DataFrame) -> list[Rule]:
    """The same rules, of which the unchanged ones are answered from earlier decisions instead of from the text.

    Args:
        rules: from `resolve_rules`.
        unchanged: names of the rules that those decisions were made with too (`unchanged_rules`).
        decisions: columns `page_id` and `reasons`, one row for each article that the rules will be evaluated on.

    >>> decisions = pl.DataFrame({"page_id": [1, 2], "reasons": [["min_chars", "stub"], ["min_chars"]]})
    >>> rules = reuse_reasons(resolve_rules(["stub"], min_chars=2), ["stub"], decisions)
    >>> evaluate_rules(pl.LazyFrame({"page_id": [1, 2], "n_chars": [1, 2]}), rules)["reasons"].to_list()
    [['min_chars', 'stub'], []]
    """
    failed = decisions.select("page_id", "reasons").explode("reasons")

    def known(rule: Rule) -> Rule:
        page_ids = failed.filter(pl.col("reasons") == rule.name)["page_id"]
        return Rule(rule.name, ~pl.col("page_id").is_in(page_ids.implode()), rule.setting)

    return [known(rule) if rule.name in unchanged else rule for rule in rules]


def _named_rules(name: str, language: str) -> list[Rule]:
    if name in ARTICLE_RULES:
        return [Rule(name, ARTICLE_RULES[name]())]
    text = pl.col("text")
    if name in RULE_SETS:
        english = language in ("en", "simple")
        chosen = [rule for rule in RULE_SETS[name] if english or rule is not gopher_enough_stop_words]
        return [Rule(rule.__name__, rule(text)) for rule in chosen]
    if name in _TEXT_RULES:
        return [Rule(name, _TEXT_RULES[name](text))]
    known = ", ".join([*ARTICLE_RULES, *RULE_SETS])
    raise ValueError(f"no rule is called {name!r}: there are {known}, and the single rules of those sets")


def _own_rule(passes: pl.Expr) -> list[Rule]:
    name = passes.meta.output_name(raise_if_undetermined=False)
    if name is None:
        raise ValueError(f"the rule {passes} has no single output name: give it one with .alias(…)")
    return [Rule(name, passes, str(passes), is_own=True)]


def _own_values(articles: pl.LazyFrame, rule: Rule, page_ids: pl.Series) -> pl.Series:
    """What a user's expression gives, collected alone, so that Polars does not stretch one value over all articles."""
    try:
        # On no rows, an expression that gives one value for all shows itself even if there is but one article.
        empty = articles.limit(0).select(rule.passes).collect()
        values = articles.select(rule.passes).collect(engine="streaming")
    except Exception as error:  # Polars' own errors, and whatever a Python function inside the expression raises
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"rule {rule.name!r} cannot be evaluated: {reason}") from error
    if values.width != 1 or values.dtypes[0] != pl.Boolean:
        raise ValueError(f"rule {rule.name!r} gives {', '.join(map(str, values.dtypes))}, it must give Boolean")
    if empty.height or values.height != len(page_ids):
        count = f"{values.height} values for {len(page_ids)} articles" if values.height > 1 else "one value for all articles"
        raise ValueError(f"rule {rule.name!r} gives {count}, it must give one for each")
    column = values.to_series()
    if column.null_count():
        raise ValueError(
            f"rule {rule.name!r} gives null instead of true or false for {column.null_count()} of {len(column)} articles, the "
            f"first has page id {page_ids.filter(column.is_null())[0]}: add .fill_null(…) to the expression"
        )
    for index in range(min(CHECKED_ALONE, len(column))):
        alone = articles.slice(index, 1).select(rule.passes).collect().to_series()
        if alone[0] != column[index]:
            raise ValueError(
                f"rule {rule.name!r} says {alone[0]} of the article with page id {page_ids[index]} when it is alone, and "
                f"{column[index]} among {len(column)}: an expression must look at one article at a time"
            )
    return column
