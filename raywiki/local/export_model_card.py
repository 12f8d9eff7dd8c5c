"""The card of a model for the Hugging Face hub: README.md, with what the model is, what it read, and whose texts those are."""

from __future__ import annotations

from collections.abc import Mapping

from raywiki.local.export_card import language_lines, licence_names, origin
from raywiki.local.export_documents import hub_config
from raywiki.manifest import Manifest
from raywiki.summary import plural
from raywiki.training.checkpoint import Checkpoint
from raywiki.training.metrics import read_metrics
from raywiki.training.order import PartTokens, closing_counters
from raywiki.training.runs import METRICS, Run


def model_card(run: Run, checkpoint: Checkpoint, articles: Mapping[str, Manifest]) -> str:
    """The content of README.md.

    Args:
        run: its segments tell which parts it learned from.
        checkpoint: the one that is exported.
        articles: manifests of those parts, as far as the corpus has them.
    """
    lines = ["---", *language_lines(articles.values()), "library_name: transformers", "pipeline_tag: text-generation"]
    lines += ["tags:", "- gpt2", "- raywiki", "---", ""]
    return "\n".join([*lines, *_model(run, checkpoint), *_parts(run, checkpoint), *_attribution(articles), ""])


def tokens_read(run: Run, at: tuple[int, int]) -> dict[str, tuple[PartTokens, float]]:
    """Of each part that was read from on the way to a step of a segment: its tokens, and how many, those read again counted."""
    read: dict[str, tuple[PartTokens, float]] = {}
    way = run.segments[: at[0] + 1]
    for segment, end in zip(way, [*(each.start_step for each in way[1:]), at[1]], strict=True):
        used = closing_counters(segment, end)
        for part in segment.parts:
            if used[part.name] > part.base:
                before = read[part.name][1] if part.name in read else 0.0
                read[part.name] = part, before + (used[part.name] - part.base) * segment.seq_len
    return read


def _model(run: Run, checkpoint: Checkpoint) -> list[str]:
    config = run.config
    lines = [
        f"# {run.name}",
        "",
        f"A model shaped like GPT-2: {config.n_layer} layers, {config.n_head} heads, {config.n_embd} wide, for texts of up to",
        f"{config.seq_len:,} tokens with a vocabulary of {config.vocab_size:,} ({config.encoding}). raywiki trained it for",
        f"{plural(checkpoint.step, 'step')} on articles of Wikipedia.",
    ]
    if config.init_from is not None:
        lines.append(f"It began with the weights of {config.init_from.rpartition('/')[2]} (SHA-256 {config.init_sha256}).")
    return [*lines, ""]


def _parts(run: Run, checkpoint: Checkpoint) -> list[str]:
    measured = next(
        (line for line in read_metrics(run.folder / METRICS) if (line["segment"], line["step"]) == checkpoint.at), {}
    )
    lines = ["| part | training tokens | tokens read | validation loss (nats a token) |", "|---|---:|---:|---:|"]
    for name, (part, count) in tokens_read(run, checkpoint.at).items():
        loss = measured.get("val_loss", {}).get(name)
        lines.append(f"| {name} | {part.train_tokens:,} | {count:,.0f} | {'–' if loss is None else f'{loss:.4f}'} |")
    return [*lines, ""]


def _attribution(articles: Mapping[str, Manifest]) -> list[str]:
    lines = ["## Licence and attribution", ""]
    if not articles:
        return [*lines, "The corpus that it was exported from no longer has the articles that it learned from."]
    names = licence_names(map(hub_config, articles.values()))
    lines += [f"It learned from texts by the contributors of the wikis below, under {names}.", ""]
    lines += ["A model can repeat what it read: whoever publishes such text names its authors and keeps its licence.", ""]
    return [*lines, *map(origin, articles.values())]
