"""Is it worth it: what a plan's steps mean for a model, in sentences and a command. Pure functions.

What text is worth that is read again is from Muennighoff et al., "Scaling Data-Constrained Language Models", arXiv 2305.16264;
its fit (appendix A, equation 17) has the constants below. It was made on C4 with models of 7 million to 9 billion weights,
so a loss of it is no loss of a Wikipedia; the difference of two is taken as a first guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raywiki.dumps.listing import in_ranges
from raywiki.local.plan_steps import Step
from raywiki.summary import count, plural
from raywiki.training.describe import duration
from raywiki.training.plan import MOST_EPOCHS, REPLAY, TOKENS_PER_WEIGHT

# L = A / N'^a + B / D'^a + E, and how fast repeated text and weights too many for the text lose their value.
E, A, B, EXPONENT = 1.87, 521.0, 1488.0, 0.353
REPEATED_TEXT, EXTRA_WEIGHTS = 15.387756, 5.309743  # R*_D and R*_N, in repetitions
WEIGHTS_PER_TOKEN = 0.051  # that text can feed at once: U_N = 0.051 · U_D
FITTED = 1e7  # tokens: far fewer than the fit was made with, its losses are none
LARGER = 1.5  # times the weights, from which a larger size is worth to be named
NOTHING_GAINED = 16.0  # passes after which the paper finds no more gain


@dataclass(frozen=True)
class Learner:
    """Who shall learn: the `run` of a corpus that can grow, or None for a new one that is called `new_run`.

    `weights` are those that scaling laws count, `sizes` has them for each named size. `seen` are the tokens that the run has
    read, `fell` the nats by which its validation loss fell over the last half of them, None where no curve tells. `schedule`
    is that of its next segment.
    """

    size: str
    recipe: str
    weights: int
    sizes: Mapping[str, int]
    new_run: str
    run: str | None = None
    seen: int = 0
    fell: float | None = None
    schedule: str = "wsd"


@dataclass(frozen=True)
class Source:
    """What the command to type names: the corpus, the wiki and its dump, and where that goes if not to the usual place."""

    corpus: str
    wiki: str
    date: str
    options: tuple[str, ...] = ()


def worth_of_pass(number: float) -> float:
    """What a pass over the same text teaches, of what as much new text would: 1 for the first.

    >>> [round(worth_of_pass(number), 2) for number in (1, 2, 5, 16)]
    [1.0, 0.94, 0.77, 0.38]
    """
    return math.exp(-max(0.0, number - 1) / REPEATED_TEXT)


def effective_tokens(unique: float, passes: float) -> float:
    """How many tokens of new text would teach as much as `passes` over `unique` ones: D' of the paper.

    >>> round(effective_tokens(100, 4)), round(effective_tokens(100, 1000))
    (373, 1639)
    """
    if passes <= 1:
        return unique * passes
    return unique * (1 + REPEATED_TEXT * (1 - math.exp(-(passes - 1) / REPEATED_TEXT)))


def expected_loss(weights: float, unique: float, passes: float) -> float:
    """The paper's loss (nats a token, of C4) of a model after `passes` over `unique` tokens.

    >>> expected_loss(124e6, 100e6, 4) > expected_loss(124e6, 1e9, 4) > expected_loss(124e6, 1e9, 8) > E
    True
    """
    fed = min(weights, max(1.0, WEIGHTS_PER_TOKEN * unique * min(1.0, passes)))
    n = fed * (1 + EXTRA_WEIGHTS * (1 - math.exp(-(weights / fed - 1) / EXTRA_WEIGHTS)))
    return E + A / n**EXPONENT + B / max(1.0, effective_tokens(unique, passes)) ** EXPONENT


def passes_worth(pass_seconds: float, prepare_seconds: float) -> float:
    """After how many passes over what is there new text is the better use of time: 4 to 16.

    The k-th pass teaches `worth_of_pass(k)` in the time of a pass, new text 1 in that time and the time that it takes to be
    prepared; so they are even at k = 1 + 15.4 · ln(1 + prepare / pass), and up to 4 passes are nearly as good in any case.

    >>> passes_worth(3600, 60), round(passes_worth(3600, 3600), 1), passes_worth(1, 1e6)
    (4.0, 11.7, 16.0)
    """
    even = 1 + REPEATED_TEXT * math.log1p(prepare_seconds / pass_seconds) if pass_seconds else NOTHING_GAINED
    return min(NOTHING_GAINED, max(float(MOST_EPOCHS), even))


def largest_fed(sizes: Mapping[str, int], feeds: int) -> str | None:
    """The largest of the sizes whose weights are fed; None when not even the smallest is."""
    fed = [name for name, weights in sizes.items() if weights <= feeds]
    return max(fed, key=lambda name: sizes[name], default=None)


def chosen_step(learner: Learner, steps: Sequence[Step]) -> Step | None:
    """The step to take: the first one that feeds the model, else the last; None when none adds a part that fits on the disk.

    Where what is there feeds the model already, it is the first one that adds anything.
    """
    adding = [step for step in steps if step.add and not step.short]
    fed = [step for step in adding if step.feeds >= learner.weights]
    return fed[0] if fed else adding[-1] if adding else None


def advice(learner: Learner, source: Source, steps: Sequence[Step]) -> tuple[list[tuple[str, str]], list[str]]:
    """Pairs of what a sentence is about (model, passes, grow or start over) and the sentence; and commands to type."""
    base = next((step for step in reversed(steps) if not step.add and step.train_tokens), None)  # what is there
    chosen = chosen_step(learner, steps)
    starts_over = learner.run is not None and chosen is not None and not can_grow(learner, base, chosen)
    first = 0.0 if starts_over else _passes_first(learner, base, steps)
    told = [("model", _fed(learner, base, chosen or steps[-1])), ("passes", _passes(learner, base, chosen, first))]
    if chosen is not None:
        told.append(("grow or start over", _grow_or_not(learner, base, chosen)))
    elif any(step.add for step in steps):
        told.append(("disk", "none of these parts fits: make room, or name fewer parts or another folder"))
    else:
        told.append(("grow or start over", "the corpus has all of these parts: name others to see what they would add"))
    return told, _commands(learner, source, base, chosen, first)


def _fed(learner: Learner, base: Step | None, step: Step) -> str:
    """Which model these tokens feed."""
    needed = math.ceil(TOKENS_PER_WEIGHT * learner.weights / MOST_EPOCHS)
    rule = f"{TOKENS_PER_WEIGHT} tokens a weight (arXiv 2203.15556), read up to {MOST_EPOCHS} times"
    largest = largest_fed(learner.sizes, step.feeds)
    fits = f"the largest size that they feed is {largest}" if largest else "no named size is so small"
    model = f"{learner.size} with its {count(learner.weights)} weights"
    if base is not None and base.feeds >= learner.weights:
        there = f"the {count(base.train_tokens)} training tokens that are there feed {model}: {rule}"
        return there if step is base else f"{there}; with {step.named} there are {count(step.train_tokens)}, and {fits}"
    has = f"{count(step.train_tokens)} training tokens {'are there' if step is base else 'with ' + step.named}"
    if step.feeds >= learner.weights:
        return f"{has}, enough for {model}: {rule}; {fits}"
    return (
        f"{has}, which feed {count(step.feeds)} weights: {rule}. {model} starves on them: it needs {count(needed)} tokens, "
        f"{needed / max(1, step.train_tokens):.1f} times as many; {fits}"
    )


def _passes_first(learner: Learner, base: Step | None, steps: Sequence[Step]) -> float:
    """How many more passes over what is there are worth it before new text is; below half a pass it is 0."""
    new = next((step for step in steps if step.add), None)
    if base is None:
        return 0.0
    worth = float(MOST_EPOCHS)
    if new is not None:  # what a pass over its tokens takes, beside what preparing them takes
        one_pass = (new.train_tokens - base.train_tokens) * base.epoch_seconds / base.train_tokens
        worth = passes_worth(one_pass, new.prepare_seconds - base.prepare_seconds)
    left = worth - (learner.seen / base.train_tokens if learner.run else 0.0)
    return left if left >= 0.5 else 0.0


def _passes(learner: Learner, base: Step | None, chosen: Step | None, first: float) -> str:
    """How much more the text that is there can teach."""
    rule = (
        f"up to {MOST_EPOCHS} passes over a text are nearly as good as new text, after about {NOTHING_GAINED:.0f} nothing is "
        "gained (arXiv 2305.16264)"
    )
    if base is None:
        passes = f"{chosen.passes} over {chosen.named}" if chosen else "1 to 4"
        return f"{rule}; by default there are {passes}"
    done = learner.seen / base.train_tokens if learner.run else 0.0
    made = f"run {learner.run} has made {done:.1f} over what is there" if learner.run else "no run has read what is there"
    if learner.fell is not None:
        made += f", and over the last half of them its validation loss fell by {learner.fell:.2f}"
    next_one = f"{rule}. {made}; the next one teaches {worth_of_pass(done + 1):.0%} of what as much new text would"
    if chosen is not None and learner.run and not can_grow(learner, base, chosen):
        return next_one
    if first:
        left = f"{first:.1f} more ({duration(first * base.epoch_seconds)}) are worth it before new text is"
    else:
        left = "new text is worth more than another one"
    return f"{next_one}, so {left}"


def outgrows(learner: Learner, base: Step | None, step: Step) -> str | None:
    """The larger size to start over with instead, which is fed by then, where what is there feeds the run's own already."""
    larger = largest_fed(learner.sizes, step.feeds)
    is_fed = base is not None and base.feeds >= learner.weights
    return larger if is_fed and larger and learner.sizes[larger] > LARGER * learner.weights else None


def can_grow(learner: Learner, base: Step | None, step: Step) -> bool:
    """Whether there is a run to grow, and that costs less than to start over: not where most of the text is new."""
    return learner.run is not None and base is not None and grow_seconds(base, step) < step.train_seconds


def _grow_or_not(learner: Learner, base: Step | None, step: Step) -> str:
    """What growing and starting over cost, and which to do."""
    over = f"fresh weights over all of it take {duration(step.train_seconds)} ({plural(step.passes, 'pass', 'passes')})"
    if learner.run is None or base is None:
        return f"there is no run of {learner.size}, {learner.recipe}, to grow: {over}"
    begins = {"wsd": "from before its decay", "rewarm": "from its last weights, warmed up again"}
    where = begins.get(learner.schedule, "from its last weights")
    costs = (
        f"growing {learner.run} {where} costs the new tokens alone, with {REPLAY:.0%} of old ones among them: "
        f"{duration(grow_seconds(base, step))}; starting over, {over}"
    )
    if base.train_tokens >= FITTED:
        before = expected_loss(learner.weights, base.train_tokens, base.passes)
        gain = before - expected_loss(learner.weights, step.train_tokens, step.passes)
        costs += f". By the paper's formula, fitted to C4, the loss falls by {gain:.2f}"
    if not can_grow(learner, base, step):
        return f"{costs}. Start over: nearly all of it is new"
    if larger := outgrows(learner, base, step):
        return f"{costs}. {learner.size} is fed already: start over with {larger} if a better model is worth it, else grow"
    return f"{costs}. Growing is cheaper"


def grow_seconds(base: Step, step: Step) -> float:
    """Seconds of the segment that a run learns the new tokens in, of which `REPLAY` is replayed."""
    new = (step.train_tokens - base.train_tokens) / (1 - REPLAY)
    return step.passes * new * base.epoch_seconds / base.train_tokens


def _commands(learner: Learner, source: Source, base: Step | None, chosen: Step | None, first: float) -> list[str]:
    commands = []
    grows = chosen is not None and can_grow(learner, base, chosen)
    if first and learner.run and base is not None:
        done = learner.seen / base.train_tokens
        commands.append(f"raywiki train {source.corpus} --run {learner.run} --epochs {math.ceil(done + first)}")
    if chosen is not None:
        words = [f"raywiki grow {source.corpus} --wiki {source.wiki}:{in_ranges(chosen.add)} --date {source.date}"]
        words += [*source.options, f"--run {learner.run if grows else learner.new_run}"]
        if not grows:
            words += [f"--size {learner.size}", *([f"--recipe {learner.recipe}"] if learner.recipe != "classic" else [])]
        commands.append(" ".join(words))
    return commands
