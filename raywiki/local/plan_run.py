"""What a run of the corpus tells a plan: how fast it learned, how far it is, and whether it still got better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

from raywiki.corpus import Corpus
from raywiki.files import modified
from raywiki.training.config import GPTConfig, recipe_name
from raywiki.training.flops import Rate
from raywiki.training.metrics import Metrics, leading_to_last, step_rates
from raywiki.training.runs import METRICS, Run, check_run_name, read_run, require_run
from raywiki.training.stored import run_folder


@dataclass(frozen=True)
class Speed:
    """Tokens that a training reads in a second, and where that is known from; `here` when a run of the corpus was as fast."""

    tok_per_sec: float
    source: str
    here: bool


def runs_of(corpus: Corpus | None) -> list[Run]:
    """The runs of a corpus, the one that was trained last at the end; of those in a store copies without their weights."""
    if corpus is None or not corpus.exists():
        return []
    runs = [run for name in corpus.runs() if (run := read_run(run_folder(corpus, name, weights=False))) is not None]
    return sorted(runs, key=lambda run: _trained_at(corpus, run))


def named_run(corpus: Corpus | None, name: str) -> Run:
    """The run of that name. Raises ValueError when there is none."""
    check_run_name(name)
    if corpus is None:
        raise ValueError(f"run {name} belongs to a corpus: give its folder or URL first, and the wiki by --wiki")
    return require_run(run_folder(corpus, name, weights=False))


def run_to_ask(runs: Sequence[Run], size: str | None, recipe: str | None) -> Run | None:
    """The one of them that counts: the last of that size and recipe, else the last of all that have a speed."""
    fast = [run for run in runs if step_rates(run.folder / METRICS)]
    alike = [run for run in fast if size in (None, run.config.size) and is_recipe(run, recipe)]
    return alike[-1] if alike else fast[-1] if fast else None


def is_recipe(run: Run, recipe: str | None) -> bool:
    return recipe is None or recipe_name(run.config.recipe) == recipe_name(recipe)


def speed_of(run: Run, model: GPTConfig) -> Speed | None:
    """The speed of a run's median step, scaled by operations a token for another model; None without any."""
    rates = step_rates(run.folder / METRICS)
    if not rates:
        return None
    rate, source = median(rates), f"measured here, run {run.name}'s median of {len(rates):,} steps"
    if run.config.model == model:
        return Speed(rate, source, here=True)
    scaled = rate * run.config.model.model_flops_per_token / model.model_flops_per_token
    source += f" ({run.config.size}, {recipe_name(run.config.recipe)}), scaled by operations a token"
    return Speed(scaled, source, here=True)


def speed_at(rate: Rate, model: GPTConfig) -> Speed:
    """The speed of a model on a device, as a share of its matrix products."""
    source = (
        f"{rate.share:.0%}, which is assumed (bundled 2026-11), of this {rate.device}'s matrix products in {rate.precision}, "
        f"{rate.peak / 1e9:,.0f} GFLOP/s measured now"
    )
    return Speed(rate.tok_per_sec(model.model_flops_per_token), source, here=False)


def last_half_fall(lines: Sequence[Metrics]) -> float | None:
    """By how many nats the mean validation loss fell over the last half of a run's tokens, over the parts that both ends have.

    `lines` are those of its metrics.jsonl; None where they do not tell.

    >>> lines = [{"step": n, "tokens": 10 * n, "val_loss": {"p1": 5 - n / 4}} for n in range(1, 9)]
    >>> last_half_fall(lines), last_half_fall(lines[:1])
    (1.0, None)
    """
    evaluated = [line for line in leading_to_last(list(lines)) if line.get("val_loss")]
    if not evaluated:
        return None
    last = evaluated[-1]
    first = min(evaluated, key=lambda line: abs(line["tokens"] - last["tokens"] / 2))
    before, after = first["val_loss"], last["val_loss"]
    both = [part for part in after if after[part] is not None and before.get(part) is not None]
    if first is last or not both:
        return None
    return mean(before[part] - after[part] for part in both)


def _trained_at(corpus: Corpus, run: Run) -> float:
    try:
        return modified(corpus.fs.info(corpus.path("runs", run.name, METRICS)))
    except FileNotFoundError:
        return 0.0
