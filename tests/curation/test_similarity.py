from __future__ import annotations

import bz2
import random
import re
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from raywiki.curation import (
    articles_to_signatures,
    candidate_pairs,
    key_ranges,
    merge_candidates,
    merge_pairs,
    signatures_to_bands,
    verify_pairs,
)
from raywiki.curation.signatures import hash_ngrams
from raywiki.curation.similarity import MARGIN, similarities

PAIR = ["page_id", "other_arrival", "other_page_id"]


def sign(texts: list[str], first_id: int = 0) -> pa.Table:
    page_ids = range(first_id, first_id + len(texts))
    return articles_to_signatures(pa.table({"page_id": page_ids, "text": pa.array(texts, pa.string())}))


def bands_of(parts: list[pa.Table]) -> pl.LazyFrame:
    frames = [pl.DataFrame(signatures_to_bands(part)).with_columns(arrival=index) for index, part in enumerate(parts)]
    return pl.concat(frames).lazy()


def make_text(rng: random.Random, words: int) -> str:
    return " ".join("".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 8))) for _ in range(words))


def replace_words(text: str, similarity: float, rng: random.Random) -> str:
    """Replace each word with one probability, chosen so that the 5-grams left give about the wanted similarity."""
    kept = (2 * similarity / (1 + similarity)) ** (1 / 5)
    return " ".join(word if rng.random() < kept else make_text(rng, 1) + "zz" for word in text.split(" "))


def jaccard(text: str, other: str) -> float:
    one, two = (set(hash_ngrams([each], 5)[0].tolist()) for each in (text, other))
    return len(one & two) / len(one | two)


def found(originals: list[str], copies: list[str]) -> np.ndarray:
    """Whether the index finds each copy as a near-duplicate of its own original."""
    parts = [sign(originals), sign(copies, len(originals))]
    candidates = candidate_pairs(bands_of(parts), 1)
    near = verify_pairs(candidates.filter(pl.col("other_arrival") == 0), parts[1], parts[0])
    own = near.filter(pl.col("page_id") - pl.col("other_page_id") == len(originals))
    return np.isin(np.arange(len(copies)) + len(originals), own["page_id"].to_numpy())


def planted(originals: list[str], similarity: float, seed: int) -> tuple[list[str], np.ndarray]:
    rng = random.Random(seed)
    copies = [replace_words(text, similarity, rng) for text in originals]
    return copies, np.array([jaccard(text, copy) for text, copy in zip(originals, copies, strict=True)])


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rng = random.Random(7)
    return [make_text(rng, rng.choice((60, 150, 400))) for _ in range(600)] + [make_text(rng, 5000) for _ in range(4)]


@pytest.mark.parametrize(("similarity", "recall"), [(0.9, 0.97), (0.8, 0.90)])
def test_recall_of_planted_near_duplicates(texts: list[str], similarity: float, recall: float) -> None:
    copies, exact = planted(texts, similarity, seed=3)
    near = (exact >= similarity) & (exact < similarity + 0.04)
    assert near.sum() > 100
    assert found(texts, copies)[near].mean() >= recall


def test_no_pair_well_below_the_threshold_is_taken(texts: list[str]) -> None:
    for seed, similarity in enumerate((0.74, 0.71)):
        copies, exact = planted(texts, similarity, seed)
        below = exact < 0.75
        assert below.sum() > 200
        assert not found(texts, copies)[below].any()


def test_recall_in_real_articles() -> None:
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not data.is_dir():
        pytest.skip("no dump parts beside the repository")
    originals = real_texts(data / "enwiki-20160501-pages-articles1.xml-p10p595.bz2", 250)
    for similarity, recall in ((0.9, 0.97), (0.8, 0.90)):
        copies, exact = planted(originals, similarity, seed=1)
        near = (exact >= similarity) & (exact < similarity + 0.05)
        assert near.sum() > 60
        assert found(originals, copies)[near].mean() >= recall


def real_texts(path: Path, words: int) -> list[str]:
    """Real articles, marked up as they are, in pieces of so many words."""
    pages = re.findall(r"<text[^>]*>(.*?)</text>", bz2.decompress(path.read_bytes()).decode(), re.DOTALL)
    found = [page.split() for page in pages]
    return [" ".join(page[start : start + words]) for page in found for start in range(0, len(page) - words, 3 * words)]


@pytest.mark.parametrize("words", [50, 400, 4090, 4300, 10_000])
@pytest.mark.parametrize("similarity", [0.95, 0.8, 0.75])
def test_the_estimate_has_no_bias_and_little_error(words: int, similarity: float) -> None:
    rng = random.Random(words)
    count = 120 if words < 4000 else 8
    originals = [make_text(rng, words) for _ in range(count)]
    copies, exact = planted(originals, similarity, words)
    one, two = sign(originals), sign(copies)
    sketches = [np.array([np.frombuffer(row, np.uint8) for row in part["sketch"].to_pylist()]) for part in (one, two)]
    estimates = similarities(sketches[0], one["n_grams"].to_numpy(), sketches[1], two["n_grams"].to_numpy())
    errors = estimates - exact
    assert abs(errors.mean()) < 0.005
    assert errors.std() < (0.010 if words < 4096 else 0.016)  # 0.005 and 0.010, from as few as 8 pairs
    assert abs(errors).max() < 2 * MARGIN


def test_sizes_on_both_sides_of_a_level_are_compared() -> None:
    rng = random.Random(5)
    long = make_text(rng, 4500)
    shorter = " ".join(long.split(" ")[:4000])
    parts = [sign([long]), sign([shorter], 1)]
    assert [part["n_grams"][0].as_py() > 4096 for part in parts] == [True, False]
    candidate = pl.DataFrame([(1, 0, 0)], PAIR, orient="row")
    near = verify_pairs(candidate, parts[1], parts[0])
    assert near["similarity"][0] == pytest.approx(jaccard(long, shorter), abs=0.02)
    back = verify_pairs(pl.DataFrame([(0, 0, 1)], PAIR, orient="row"), parts[0], parts[1])
    assert back["similarity"][0] == near["similarity"][0]


def test_texts_of_very_different_size_are_not_similar() -> None:
    rng = random.Random(5)
    long = make_text(rng, 20_000)
    parts = [sign([long]), sign([" ".join(long.split(" ")[:1000])], 1)]
    assert verify_pairs(pl.DataFrame([(1, 0, 0)], PAIR, orient="row"), parts[1], parts[0], threshold=0.5).is_empty()


def test_candidates_look_back_only() -> None:
    text = make_text(random.Random(1), 80)
    parts = [sign([text + " a", text], 10), sign([text + " b", text + " c", "other " * 9], 5)]
    bands = bands_of(parts)
    assert candidate_pairs(bands, 0).rows() == [(11, 0, 10)]
    assert candidate_pairs(bands, 1).rows() == [(5, 0, 10), (5, 0, 11), (6, 0, 10), (6, 0, 11), (6, 1, 5)]


def test_key_ranges_together_find_what_one_finds() -> None:
    rng = random.Random(2)
    base = [make_text(rng, 60) for _ in range(20)]
    parts = [sign([replace_words(text, 0.9, rng) for text in base], 100 * index) for index in range(3)]
    bands = bands_of(parts)
    whole = candidate_pairs(bands, 2)
    ranges = key_ranges(5)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 2**32 - 1
    pieces = [candidate_pairs(bands.filter(pl.col("key").is_between(low, high)), 2) for low, high in ranges]
    assert sum(piece.height for piece in pieces) > whole.height
    assert merge_candidates(pieces).equals(whole)
    assert merge_candidates([]).is_empty()


def test_equal_texts_are_no_near_duplicates() -> None:
    text = make_text(random.Random(1), 80)
    parts = [sign([text]), sign([text.replace(" ", "\n")], 1)]
    candidates = candidate_pairs(bands_of(parts), 1)
    assert candidates.rows() == [(1, 0, 0)]
    assert verify_pairs(candidates, parts[1], parts[0]).is_empty()


def test_thousands_of_lookalikes_stay_linear() -> None:
    rng = random.Random(4)
    stem = make_text(rng, 120)
    count = 3000
    part = sign([f"{make_text(rng, 1)} {stem}" for _ in range(count)])
    candidates = candidate_pairs(bands_of([part]), 0, max_bucket=8)
    assert candidates.height <= 14 * 8 * count
    pairs = merge_pairs([verify_pairs(candidates, part, part)], max_pairs=4)
    assert count - 1 <= pairs.height <= 4 * count


def test_a_text_in_several_parts_is_one_neighbour() -> None:
    text = make_text(random.Random(1), 80)
    parts = [sign([text]), sign([text], 1), sign([text + " more"], 2)]
    candidates = candidate_pairs(bands_of(parts), 2)
    assert candidates.height == 2
    near = [verify_pairs(group, parts[2], parts[arrival]) for (arrival,), group in candidates.group_by("other_arrival")]
    assert merge_pairs(near).height == 1


@pytest.mark.parametrize("threshold", [0.4, 1.1])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match=r"between 0\.5 and 1"):
        verify_pairs(pl.DataFrame(schema=dict.fromkeys(PAIR, pl.Int64)), sign([]), sign([]), threshold=threshold)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="num_ranges is 0"):
        key_ranges(0)
    with pytest.raises(ValueError, match="max_bucket is 0"):
        candidate_pairs(bands_of([sign([])]), 0, max_bucket=0)


def test_nothing_new_finds_nothing() -> None:
    bands = bands_of([sign([make_text(random.Random(1), 50)]), sign([])])
    assert candidate_pairs(bands, 1).is_empty()
    assert merge_pairs([]).is_empty()
    assert verify_pairs(candidate_pairs(bands, 1), sign([]), sign([])).is_empty()
