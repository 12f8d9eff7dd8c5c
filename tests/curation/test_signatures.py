from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raywiki.curation import articles_to_signatures, signatures_to_bands
from raywiki.curation.signatures import SAMPLE, hash_ngrams, odd_sketches, sketch_levels
from raywiki.schema import BANDS, SIGNATURES


def sign(texts: list[str], first_id: int = 0, **settings: int) -> pa.Table:
    page_ids = range(first_id, first_id + len(texts))
    return articles_to_signatures(pa.table({"page_id": page_ids, "text": pa.array(texts, pa.string())}), **settings)


def prose(words: int, seed: int = 0) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefgh", k=5)) for _ in range(words))


def test_one_row_an_article_in_order() -> None:
    table = sign([prose(30), "", "four words, no more", prose(31, 1)], first_id=7)
    assert table.schema.equals(SIGNATURES)
    assert table["page_id"].to_pylist() == [7, 8, 9, 10]
    assert table["n_grams"].to_pylist() == [26, 0, 0, 27]
    assert [bands is None for bands in table["bands"].to_pylist()] == [False, True, True, False]
    assert [sketch is None for sketch in table["sketch"].to_pylist()] == [False, True, True, False]


def test_no_articles_give_no_rows() -> None:
    assert sign([]).equals(SIGNATURES.empty_table())
    assert signatures_to_bands(sign([])).equals(BANDS.empty_table())
    assert signatures_to_bands(sign(["short"])).equals(BANDS.empty_table())


def test_signatures_never_change() -> None:
    """They lie on disk for years: another value here asks for another SIGNATURE_FORMAT."""
    row = sign(["The quick brown fox jumps over 13 lazy dogs in Việt Nam, Київ та 東京."]).to_pylist()[0]
    assert row["text_hash"].hex() == "16d6cbe88ebba8ffebe0d7294ba164cd"
    assert row["n_grams"] == 12
    assert row["bands"].hex() == (
        "c3849e20ff3374a50f7f6595382f97be359bf9d4eb916ead9bf9fe4a677991012c82b5e98907c7ec1b493bac319e2650bb0a1e2cba75e977"
    )
    assert np.flatnonzero(np.unpackbits(np.frombuffer(row["sketch"], np.uint8))).tolist() == [
        391,
        454,
        1018,
        1290,
        1794,
        1992,
        2213,
        2536,
        3162,
        3172,
        3309,
        3414,
    ]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("ab .\n1"), max_size=60), max_size=8), st.integers(1, 7))
def test_a_row_hangs_on_its_text_alone(texts: list[str], rows: int) -> None:
    whole = sign(texts)
    chunks = [sign(texts[start : start + rows], start) for start in range(0, len(texts), rows)]
    assert whole.equals(pa.concat_tables([SIGNATURES.empty_table(), *chunks]).combine_chunks())


def test_chunks_of_any_size_and_every_string_type_give_the_same() -> None:
    texts = [prose(n, n) for n in (3, 40, 40_000, 0, 5, 200)] * 30
    whole = sign(texts)
    for kind in (pa.large_string(), pa.string_view()):
        column = pa.chunked_array([pa.array(texts[:17], kind), pa.array(texts[17:], kind)])
        assert articles_to_signatures(pa.table({"page_id": range(len(texts)), "text": column})).equals(whole)


def test_exact_hash_is_of_the_text_but_for_white_space() -> None:
    one, same, case, other = sign(["Some text.\n\nMore", " Some  text. More\n", "some text. more", "Some text More"])[
        "text_hash"
    ].to_pylist()
    assert one == same
    assert len({one, case, other}) == 3


def test_ngrams_are_different_ones_of_each_text() -> None:
    grams, owners = hash_ngrams(["a b a b a b", "", "a b c", "a b"], 2)
    assert owners.tolist() == [0, 0, 2, 2, 3]
    assert grams[0:2].tolist() == sorted(grams[0:2])
    assert set(grams[2:4].tolist()) & set(grams[0:2].tolist()) == {grams[4]}


def test_settings_change_the_bands() -> None:
    texts = [prose(50)]
    assert len(sign(texts, num_bands=20, rows_per_band=5)["bands"][0].as_py()) == 80
    assert sign(texts, ngram_size=3)["n_grams"][0].as_py() == 48
    with pytest.raises(ValueError, match="num_bands is 0"):
        sign(texts, num_bands=0)


def test_a_null_text_is_refused() -> None:
    with pytest.raises(ValueError, match="1 articles have a null text"):
        articles_to_signatures(pa.table({"page_id": [1], "text": pa.array([None], pa.string())}))


def test_bands_are_sorted_and_of_different_texts() -> None:
    table = sign([prose(60), prose(60), prose(60, 1), "short"], first_id=3)
    bands = signatures_to_bands(table)
    assert bands.schema.equals(BANDS)
    assert bands.num_rows == 28
    assert set(bands["page_id"].to_pylist()) == {3, 5}
    assert bands.equals(bands.sort_by([("key", "ascending"), ("page_id", "ascending")]))
    keys = np.frombuffer(table["bands"][0].as_py(), "<u4")
    assert sorted(keys.tolist()) == [row["key"] for row in bands.to_pylist() if row["page_id"] == 3]


def test_bands_of_shards_in_any_order_are_the_same() -> None:
    shards = [
        sign([prose(40, seed) for seed in seeds], first_id=10 * place) for place, seeds in enumerate(([1, 2, 3], [2, 4], [1]))
    ]
    bands = signatures_to_bands(pa.concat_tables(shards))
    assert signatures_to_bands(pa.concat_tables(shards[::-1])).equals(bands)
    assert set(bands["page_id"].to_pylist()) == {0, 1, 2, 11}


@pytest.mark.parametrize("size", [1, 100, SAMPLE, SAMPLE + 1, 5 * SAMPLE])
def test_a_sketch_holds_the_parity_of_a_sample(size: int) -> None:
    grams = np.sort(np.random.default_rng(size).choice(2**32, size, replace=False)).astype(np.uint32)
    sketch = odd_sketches(grams, np.zeros(size, np.int64), np.array([size]))
    bits = np.unpackbits(sketch[0])
    level = int(sketch_levels(np.array([size]))[0])
    expected = np.zeros(SAMPLE, np.int64)
    for gram in grams.tolist():
        binary = f"{gram:032b}"
        if binary.startswith("0" * level):
            half = 0 if binary[level] == "1" else 1
            expected[half * SAMPLE // 2 + gram % (SAMPLE // 2)] ^= 1
    np.testing.assert_array_equal(bits, expected)
