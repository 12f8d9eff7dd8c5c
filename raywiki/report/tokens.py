"""Looking at tokens: how well an encoding fits the text, which ids it uses, and one document cut into its tokens."""

from __future__ import annotations

import os
import random
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow.compute as pc

from raywiki.corpus import Corpus, Manifest, tokens_table
from raywiki.scan import scan_articles, scan_tokens
from raywiki.summary import WIDTH, as_html, plural, table
from raywiki.tokens import Encoding, byte_lengths, find_vocabulary, load_encoding

SHOWN = 300  # tokens of a document
COLOURS = ("\x1b[30;46m", "\x1b[30;43m")  # black on cyan, black on yellow
PLAIN = "\x1b[0m"
MARKS = str.maketrans({"\n": "⏎", "\t": "⇥", "\r": "␍"})


@dataclass(frozen=True)
class Tokens:
    """What the tokens of one encoding are.

    `parts` has a dict for each part and split: documents, tokens (the end of each document among them), `bytes_per_token`
    (UTF-8; None where `byte_lengths` is), tokens of the `longest` document. `unused` of the `n_ids` ids occur nowhere;
    `frequent` are those that occur most. `document` is one of them: part, page_id, title, split, n_tokens and the head of it as
    `pieces`, a text and the number of tokens that it is made of: more than one where they make one character together.
    """

    encoding: str
    n_ids: int
    unused: int
    parts: tuple[dict[str, Any], ...]
    frequent: tuple[dict[str, Any], ...]
    document: dict[str, Any] | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return self.render(colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ)

    def _repr_html_(self) -> str:
        return as_html(self.render(colours=False))

    def render(self, colours: bool) -> str:
        """As text: the tokens of the document in two colours by turns, or with `|` between them."""
        lines = [f"encoding {self.encoding}: {self.unused:,} of {plural(self.n_ids, 'id')} occur nowhere"]
        lines += ["  " + line for line in table(self.parts)]
        if self.frequent:
            lines += ["", "most frequent tokens", *("  " + line for line in table(self.frequent))]
        if self.document is not None:
            shown = sum(count for _, count in self.document["pieces"])
            of = f"the first {shown:,} of " if shown < self.document["n_tokens"] else ""
            where = f"page {self.document['page_id']}, {self.document['part']}, {self.document['split']}"
            title = self.document["title"] or "a document"
            lines += ["", f"{of}{plural(self.document['n_tokens'], 'token')} of {title[:40]} ({where})"]
            lines += ["  " + line for line in _cut_lines([text for text, _ in self.document["pieces"]], colours)]
        return "\n".join(lines)


def inspect_tokens(
    corpus: str | os.PathLike[str] | Corpus, encoding: str | None = None, *, page_id: int | None = None, n: int = 10,
    seed: int = 0,
) -> Tokens:  # fmt: skip
    """How an encoding fits the text of each part, which of its ids are used, and one document cut into its tokens.

    Args:
        corpus: folder or URL.
        encoding: name, or the vocabulary file that the name came from; the only one of the corpus when None.
        page_id: of the document to show; one drawn with `seed` when None.
        n: most frequent tokens to show.
        seed: of the draw.

    Raises:
        FileNotFoundError: no corpus there.
        ValueError: the corpus has no tokens of that encoding, the page has none, a shard is damaged, or `n` is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}, it must be a number of tokens of at least 0")
    corpus = Corpus.open(corpus).require()
    tables = corpus.tables()
    name = tables.require_encoding(encoding)
    _, vocabulary = find_vocabulary(tables, name)
    loaded, sizes = load_encoding(name, vocabulary), byte_lengths(vocabulary)
    texts = [loaded.token_bytes(token) for token in range(loaded.vocab_size)]
    total = np.zeros(loaded.vocab_size, np.int64)
    rows: list[dict[str, Any]] = []
    for manifest in tables[tokens_table(name)].values():
        for split, (documents, longest, counts) in _count(corpus, manifest, loaded.vocab_size).items():
            total += counts
            tokens = int(counts.sum())
            ratio = None if sizes is None else round(float(counts @ sizes) / tokens, 3)
            rows.append({"part": manifest.part, "split": split, "documents": documents, "tokens": tokens,
                         "bytes_per_token": ratio, "longest": longest})  # fmt: skip
    ids = [token for token, text in enumerate(texts) if text is not None]
    document = _document(corpus, loaded, page_id, seed, sum(row["documents"] for row in rows))
    unused = len(ids) - int(np.count_nonzero(total[ids]))
    return Tokens(name, len(ids), unused, tuple(rows), tuple(_frequent(total, texts, n)), document)


def _frequent(total: np.ndarray, texts: Sequence[bytes | None], n: int) -> Iterator[dict[str, Any]]:
    """The ids that occur most, each with its share of all tokens; among equals the lower id first."""
    for token in np.argsort(-total, kind="stable")[:n].tolist():
        times = int(total[token])
        if times:
            yield {"id": token, "token": _shown(texts[token] or b""), "times": times, "share": times / int(total.sum())}


def _count(corpus: Corpus, manifest: Manifest, vocab_size: int) -> dict[str, tuple[int, int, np.ndarray]]:
    """Documents, tokens of the longest one, and how often each id occurs, of each split of a part."""
    found: dict[str, tuple[int, int, np.ndarray]] = {}
    for shard in manifest.shards:
        for rows in corpus.iter_shard(manifest, shard, ["split", "tokens"]):
            for split in ("train", "val"):
                lists = rows.filter(pc.equal(rows["split"], split))["tokens"].combine_chunks()
                if len(lists):
                    counts = np.bincount(lists.flatten().to_numpy(), minlength=vocab_size)
                    documents, longest, before = found.get(split, (0, 0, 0))
                    most = max(longest, int(np.max(lists.value_lengths().to_numpy())))
                    found[split] = documents + len(lists), most, before + counts
    return dict(sorted(found.items()))


def _document(corpus: Corpus, encoding: Encoding, page_id: int | None, seed: int, count: int) -> dict[str, Any] | None:
    """One document: of that page, else drawn among all `count`; None when there is none."""
    frame = scan_tokens(corpus, encoding.name)
    if page_id is not None:
        chosen = frame.filter(pl.col("page_id") == page_id).head(1)
    elif count:
        chosen = frame.slice(random.Random(seed).randrange(count), 1)
    else:
        return None
    rows = chosen.collect().to_dicts()
    if not rows:
        raise ValueError(f"page {page_id} has no {encoding.name} tokens: it is in no part, or curation does not keep it")
    row = rows[0]
    here = (pl.col("page_id") == row["page_id"]) & (pl.col("part") == row["part"])
    titles = scan_articles(corpus).filter(here).select("title").collect()["title"].to_list()
    pieces = _pieces([encoding.token_bytes(token) or b"" for token in row["tokens"][:SHOWN]])
    about = {name: row[name] for name in ("part", "page_id", "split", "n_tokens")}
    return {**about, "title": titles[0] if titles else None, "pieces": pieces}


def _pieces(tokens: Sequence[bytes]) -> list[tuple[str, int]]:
    """Tokens as text, those together that make one character together; each with how many it is.

    >>> _pieces([b"a ", b"\\xce", b"\\xb1"])
    [('a ', 1), ('α', 2)]
    """
    pieces, held, count = [], b"", 0
    for token in tokens:
        held, count = held + token, count + 1
        try:
            pieces.append((held.decode(), count))
        except UnicodeDecodeError as error:
            if "unexpected end" in error.reason and count < 4:
                continue  # the next token goes on with the character
            pieces.append((held.decode(errors="replace"), count))
        held, count = b"", 0
    return pieces + ([(held.decode(errors="replace"), count)] if count else [])


def _shown(token: bytes) -> str:
    """A token between quotes, with what cannot be seen spelled out."""
    text = token.decode(errors="backslashreplace").translate(MARKS)
    return f"“{text[:24]}”"


def _cut_lines(pieces: Sequence[str], colours: bool, width: int = WIDTH - 2) -> Iterator[str]:
    """Pieces in lines of at most `width` columns, in two colours by turns or with `|` between them."""
    line, used = "", 0
    for i, piece in enumerate(pieces):
        text = "".join(char if char.isprintable() else "�" for char in piece.translate(MARKS))
        for first, chunk in enumerate(_chunks(text, width - 1)):
            needed = _columns(chunk) + (not colours)
            if used + needed > width:
                yield line
                line, used = "", 0
            between = "" if colours or first or not (line or i) else "|"
            line += f"{COLOURS[i % 2]}{chunk}{PLAIN}" if colours else between + chunk
            used += _columns(chunk) + len(between)
    if line:
        yield line


def _chunks(text: str, width: int) -> Iterator[str]:
    """A text in pieces of at most `width` columns."""
    chunk, used = "", 0
    for char in text:
        if used + _columns(char) > width:
            yield chunk
            chunk, used = "", 0
        chunk, used = chunk + char, used + _columns(char)
    yield chunk


def _columns(text: str) -> int:
    """Columns that a text takes on a terminal: two for a wide character, none for one that is set upon another."""
    return sum(0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF") for char in text)
