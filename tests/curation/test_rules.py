from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from raywiki.curation import evaluate_rules, resolve_rules, reuse_reasons, unchanged_rules


def articles(**columns: list[Any]) -> pl.LazyFrame:
    size = len(next(iter(columns.values())))
    texts = columns.get("text", ["text"] * size)
    defaults: dict[str, list[Any]] = {
        "page_id": list(range(1, size + 1)),
        "title": ["Title"] * size,
        "text": texts,
        "n_chars": [len(text) for text in texts],
        "is_disambiguation": [False] * size,
        "dropped_templates": [[{"name": "convert", "count": 1}]] * size,
    }
    templates = pl.List(pl.Struct({"name": pl.String, "count": pl.Int32}))
    overrides = {"page_id": pl.Int64, "title": pl.String, "text": pl.String, "dropped_templates": templates}
    return pl.LazyFrame({**defaults, **columns}, schema_overrides=overrides)


def reasons(frame: pl.LazyFrame, *rules: Any, min_chars: int = 0, **settings: Any) -> list[list[str]]:
    return evaluate_rules(frame, resolve_rules(rules, min_chars=min_chars, **settings))["reasons"].to_list()


def test_several_reasons_are_all_kept_in_order() -> None:
    frame = articles(text=["short", "x" * 40], is_disambiguation=[True, False], title=["List of x", "Listing"])
    found = reasons(frame, "list", "disambiguation", min_chars=40, min_words=2)
    assert found == [["min_chars", "min_words", "list", "disambiguation"], ["min_words"]]


def test_without_rules_nothing_fails() -> None:
    assert evaluate_rules(articles(text=["", "a"]), []).rows() == [(1, []), (2, [])]
    assert evaluate_rules(articles(text=[]), resolve_rules(["gopher_repetition", "stub"])).is_empty()


def test_limits_are_inclusive() -> None:
    assert reasons(articles(text=["a" * 499, "a" * 500]), min_chars=500) == [["min_chars"], []]
    assert reasons(articles(text=["b c", "b c d"]), min_words=3) == [["min_words"], []]


@pytest.mark.parametrize(
    ("title", "text", "is_list"),
    [
        ("List of rivers", "Text.", True),
        ("Lists of rivers", "Text.", True),
        ("Listeria", "Text.", False),
        ("Danh sách sông", "Text.", True),
        ("Список річок", "Text.", True),
        ("Κατάλογος ποταμών", "Text.", True),
        ("日本の川の一覧", "Text.", True),
        ("Rivers", "Intro\n\n- a\n- b", True),  # 2 of 3 lines
        ("Rivers", "Intro\n\nMore\n\n- a\n- b\n1. c", False),  # 3 of 5
        ("Rivers", "-5 degrees\n\n- a", False),
    ],
)
def test_lists(title: str, text: str, is_list: bool) -> None:
    assert reasons(articles(title=[title], text=[text]), "list") == [["list"] if is_list else []]


def test_pages_that_could_not_be_cleaned() -> None:
    frame = articles(text=["text", "short"], error=["KeyError: 'pb'", None])
    assert reasons(frame, min_chars=5, keep_errors=False) == [["error", "min_chars"], []]
    assert reasons(frame, min_chars=5) == [["min_chars"], []]


@pytest.mark.parametrize(
    ("template", "is_stub"),
    [
        ("stub", True),
        ("Alabama-geo-stub", True),
        ("sơ khai", True),
        ("ébauche sport", True),
        ("stubborn", False),
        ("convert", False),
    ],
)
def test_stubs(template: str, is_stub: bool) -> None:
    templates = [[{"name": "x", "count": 2}, {"name": template, "count": 1}], [], None]
    assert reasons(articles(dropped_templates=templates), "stub") == [["stub"] if is_stub else [], [], []]


def test_fractions_nest_and_keep_their_share() -> None:
    frame = articles(page_id=list(range(1, 20_001)))
    kept = []
    for fraction in (0.1, 0.25, 0.9, 1.0):
        found = evaluate_rules(frame, resolve_rules(min_chars=0, fraction=fraction))
        kept.append(set(found.filter(pl.col("reasons").list.len() == 0)["page_id"]))
        assert len(kept[-1]) / 20_000 == pytest.approx(fraction, abs=0.01)
    assert kept[0] < kept[1] < kept[2] < kept[3]


def test_a_sample_never_changes() -> None:
    found = evaluate_rules(articles(page_id=list(range(1, 41))), resolve_rules(min_chars=0, fraction=0.2))
    assert found.filter(pl.col("reasons").list.len() == 0)["page_id"].to_list() == [2, 4, 13, 19, 38]


def test_ones_own_expression_is_true_where_an_article_passes() -> None:
    frame = articles(text=["a", "a" * 9])
    assert reasons(frame, (pl.col("n_chars") > 5).alias("long_enough")) == [["long_enough"], []]
    assert reasons(frame, pl.col("text").map_elements(lambda text: len(text) < 5, pl.Boolean), "list") == [[], ["text"]]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (pl.col("n_chars"), "rule 'n_chars' gives Int64, it must give Boolean"),
        (pl.col("absent") > 1, "rule 'absent' cannot be evaluated: .*absent"),
        (pl.col("n_chars").mean() > 1, "rule 'n_chars' gives one value for all articles"),
        (pl.lit(True), "rule 'literal' gives one value for all articles"),
        ((pl.col("n_chars") > 1).filter(pl.col("n_chars") > 1), "gives one value for all articles"),
        ((pl.col("n_chars") > 1).head(2), "gives 2 values for 3 articles"),
        (
            pl.when(pl.col("page_id") == 2).then(True).alias("mine"),
            "rule 'mine' gives null .* for 2 of 3 articles, .* page id 1",
        ),
        (pl.col("n_chars") > pl.col("n_chars").mean(), "'n_chars' says False .* page id 2 when it is alone, and True among 3"),
        (pl.len().over("text") == 1, "rule 'len' says True of the article with page id 1 when it is alone, and False among 3"),
        (pl.col("text").map_elements(lambda text: 1 / 0, pl.Boolean).alias("mine"), "rule 'mine' cannot be evaluated"),
        (pl.col("n_chars", "page_id") > 1, "no single output name"),
    ],
)
def test_an_expression_that_gives_no_boolean_for_each_article_is_refused(expression: pl.Expr, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reasons(articles(text=["a", "aa", "a"]), expression)


@pytest.mark.parametrize(
    ("rules", "settings", "message"),
    [
        (["gofer"], {}, "no rule is called 'gofer': there are disambiguation, list, stub, gopher_quality"),
        (["fineweb", "list_ratio"], {}, "two rules are called 'list_ratio'"),
        ([], {"min_chars": -1}, "min_chars is -1"),
        ([], {"fraction": 0}, "fraction is 0"),
        ([], {"fraction": 1.5}, "fraction is 1.5"),
    ],
)
def test_wrong_settings_are_refused(rules: list[str], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_rules(rules, **settings)


def test_sets_stand_for_their_rules_and_english_ones_for_english() -> None:
    names = [rule.name for rule in resolve_rules(["gopher_quality", "c4"], min_chars=0)]
    assert "gopher_enough_stop_words" in names
    assert names[-3:] == ["lorem_ipsum", "curly_bracket", "too_few_sentences"]
    other = [rule.name for rule in resolve_rules(["gopher_quality", "c4"], min_chars=0, language="vi")]
    assert set(names) - set(other) == {"gopher_enough_stop_words"}


def test_known_reasons_stand_for_rules_that_did_not_change() -> None:
    frame = articles(text=["a {b}", "a b " * 200, "x"], title=["List of a", "b", "c"])
    earlier = resolve_rules(["c4", "list"], min_chars=3)
    before = evaluate_rules(frame, earlier)
    rules = resolve_rules(["c4", "list"], min_chars=6)
    unchanged = unchanged_rules(rules, earlier)
    assert unchanged == {"lorem_ipsum", "curly_bracket", "too_few_sentences", "list"}
    without_text = frame.drop("text", "title")
    assert evaluate_rules(without_text, reuse_reasons(rules, unchanged, before)).equals(evaluate_rules(frame, rules))


def test_a_rule_is_unchanged_only_with_the_same_setting_and_never_ones_own() -> None:
    own = (pl.col("n_chars") > 5).alias("stub")
    earlier = resolve_rules([own, "list"], min_chars=3, min_words=2, fraction=0.5)
    assert unchanged_rules(earlier, earlier) == {"list", "min_chars", "min_words", "fraction"}
    later = resolve_rules(["stub", "list", "disambiguation"], min_chars=4, min_words=2, fraction=0.25)
    assert unchanged_rules(later, earlier) == {"list", "min_words"}


def test_settings_tell_rules_apart() -> None:
    one, other = (resolve_rules([(pl.col("n_chars") > limit).alias("mine")], min_chars=limit) for limit in (5, 6))
    assert [rule.setting for rule in one] != [rule.setting for rule in other]
    assert [rule.setting for rule in one] == [
        r.setting for r in resolve_rules([(pl.col("n_chars") > 5).alias("mine")], min_chars=5)
    ]
