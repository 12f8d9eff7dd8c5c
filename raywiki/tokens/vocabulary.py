"""Training a vocabulary on the articles at hand, with Hugging Face's tokenizers."""

from __future__ import annotations

from collections.abc import Iterable

from raywiki.tokens.encodings import END_OF_TEXT


def train_bpe(texts: Iterable[str], vocab_size: int = 32_768) -> bytes:
    """Train a byte-level BPE vocabulary; the content of a `tokenizer.json`.

    The split into words is GPT-2's. All 256 bytes are in the vocabulary, so that any text can be encoded.

    Args:
        texts: documents, consumed once.
        vocab_size: ids in all, `<|endoftext|>` included; 256 bytes and that one are the least.

    Raises:
        ValueError: `vocab_size` is too small, or there is no text to learn from.

    >>> import json
    >>> vocabulary = json.loads(train_bpe(["the theatre and the thesis"] * 10, vocab_size=260))
    >>> len(vocabulary["model"]["vocab"]), "Ġthe" in vocabulary["model"]["vocab"]
    (260, True)
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocab_size < 257:
        raise ValueError(f"vocab_size={vocab_size} is too small: 256 bytes and {END_OF_TEXT} take 257 ids")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    seen = 0

    def counted() -> Iterable[str]:
        nonlocal seen
        for text in texts:
            seen += len(text)
            yield text

    tokenizer.train_from_iterator(counted(), trainer)
    if not seen:
        raise ValueError("there is no text to train a vocabulary on: extract and curate a dump part first")
    return tokenizer.to_str(pretty=True).encode() + b"\n"
