"""What a run writes after the same few words at the end of each of its segments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from raywiki.corpus import Corpus, tokens_table
from raywiki.local.sample import encoding_of, samples
from raywiki.scan import scan_tokens
from raywiki.training.checkpoint import CHECKPOINTS, find_step
from raywiki.training.runs import Run

PROMPTS, PROMPT_TOKENS = 2, 8


@dataclass(frozen=True)
class Excerpt:
    """What the checkpoint of a segment's last step writes after a prompt; else `why` not, and no `text`."""

    segment: int  # from 0
    step: int
    prompt: str
    text: str = ""
    why: str = ""
    note: str = ""  # that the model saw only the end of the prompt


def find_prompts(corpus: Corpus, run: Run) -> list[str]:
    """The first words of two validation documents: of the first and of the last part that the run learned from.

    Fewer where there are not so many. Raises ValueError when the corpus has no such tokens, or another vocabulary.
    """
    encoding, name = encoding_of(corpus, run.name, run.config), run.config.encoding
    committed = corpus.tables()[tokens_table(name)]
    parts = [part for part in run.known if part in committed]
    chosen = list(dict.fromkeys(parts[:1] + parts[-1:]))
    heads = [ids for part in chosen for ids in _validation_heads(corpus, name, part, PROMPTS // len(chosen))]
    # The bytes of a character may be cut in two, which a decoder shows as U+FFFD.
    return [encoding.decode(ids).rstrip("\ufffd") for ids in heads]


def excerpts(corpus: Corpus, run: Run, prompts: Sequence[str], max_tokens: int, done: Collection[int]) -> Iterator[Excerpt]:
    """Of each segment, one text after each prompt, drawn with seed 0 on the CPU; see `rw.samples`.

    Args:
        corpus: a folder.
        run: one of its runs.
        prompts: texts to go on from.
        max_tokens: tokens of a text, at most.
        done: the segments (from 0) that came to their ends.
    """
    for number, segment in enumerate(run.segments):
        step = segment.end_step
        found = find_step(run.folder / CHECKPOINTS, number, step, verify=False)
        if found is None:
            gone = f"its last checkpoint, of step {step:,}, is gone"
            why = gone if number in done else f"the segment has not come to its end, step {step:,}"
            yield Excerpt(number, step, "", why=why)
            continue
        try:
            chosen = samples(corpus, run.name, prompts, max_tokens=max_tokens, device="cpu", checkpoint=found.folder.name)
            for sample in chosen:
                yield Excerpt(number, step, sample.prompt, "".join(sample), note=sample.note)
        except (ValueError, OSError) as error:
            yield Excerpt(number, step, "", why=str(error))


def _validation_heads(corpus: Corpus, encoding: str, part: str, number: int) -> list[list[int]]:
    """The first ids of so many validation documents of a part, those that stand first."""
    is_long_enough = (pl.col("split") == "val") & (pl.col("n_tokens") > PROMPT_TOKENS)
    heads = pl.col("tokens").list.head(PROMPT_TOKENS)
    return scan_tokens(corpus, encoding, [part]).filter(is_long_enough).select(heads).head(number).collect()["tokens"].to_list()
