"""What a user may ask of `train` and `grow`: written once, for the library's keyword arguments and the command's options.

None, or a name that is not given, means the run's own value, else the default. Each help text is what the command shows.
No torch, so that `--help` answers at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypedDict, TypeVar, get_type_hints

from raywiki.training.config import RECIPES, SIZES, find_recipe, find_size
from raywiki.training.quotas import parse_mix
from raywiki.training.schedule import SCHEDULES, check_schedule

F = TypeVar("F", bound=Callable[..., Any])

DEVICES = ("cpu", "cuda")
PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
MOST_STEPS, MOST_PASSES, MOST_SEED = 10**12, 10**6, 2**63 - 1  # what is beyond is a slip of the keyboard
UNFINISHED = {
    "finish": "train an unfinished segment to its end before new parts open another one",
    "cut": "end it where it stands",
}
ORDERS = {
    "mixed": "all parts at once, each by its share of every thousand or so sequences",
    "sequential": "one part after the other, in the order of their ids",
}
HOW_LONG = ("steps", "more_steps", "until_step", "epochs")


class RunOptions(TypedDict, total=False):
    """What a run is made with and keeps for ever."""

    size: Annotated[str | None, f"Model size: {', '.join(SIZES)}; nano for a new run."]
    recipe: Annotated[str | None, f"Architecture and optimiser: {', '.join(RECIPES)}; classic for a new run."]
    seq_len: Annotated[int | None, "Tokens in a sequence; the size's own by default."]
    seed: Annotated[int | None, "Seed of the weights and of the data order; 0 for a new run."]
    init_from: Annotated[
        str | None, "Begin a new run with these weights: a folder with a GPT-2 of Hugging Face's, or run:NAME."
    ]


class SegmentOptions(TypedDict, total=False):
    """What the next segment learns, and for how long; at most one of the four lengths."""

    steps: Annotated[int | None, "Steps over the present set of parts in all: the same command again finds them done."]
    more_steps: Annotated[int | None, "That many steps more, each time it is asked for."]
    until_step: Annotated[int | None, "Train until the run stands at this step."]
    epochs: Annotated[float | None, "Passes over the new parts; by default 1 to 4, from the number of tokens and weights."]
    total_batch_size: Annotated[int | None, "Tokens in one optimiser step; by default from the number of tokens and weights."]
    lr: Annotated[float | None, "Peak learning rate; the run's last one, or that of its size and recipe."]
    schedule: Annotated[str | None, f"Learning rate: {', '.join(SCHEDULES)}; wsd for a new run, then rewarm or constant."]
    warmup_steps: Annotated[int | None, "Steps of warm-up; a tenth of the segment, at most 1,000, by default."]
    replay: Annotated[float | None, "Share of the older parts in a segment that brings new ones; 0.25 by default."]
    mix: Annotated[
        str | None,
        "Shares of the sources, such as wiki=0.8,c4=0.2; the run's last ones, by default by their numbers of tokens.",
    ]
    order: Annotated[
        str | None, "mixed, or sequential: one part after the other, by id; the run's last one, mixed for a new run."
    ]
    unfinished: Annotated[str | None, "What becomes of a segment that was interrupted when new parts come: finish or cut."]
    accept_new_tokens: Annotated[bool | None, "Go on although parts have other tokens than those the run learned from."]


class PaceOptions(TypedDict, total=False):
    """How a segment is walked through; none of it changes the order of the data, and what is learned only by rounding."""

    batch_size: Annotated[int | None, "Sequences that a worker takes at once; what the GPU holds, or 8,192 tokens on a CPU."]
    precision: Annotated[str | None, f"auto, {', '.join(PRECISIONS)}; auto is bf16 or fp16 by what the GPU has, fp32 on a CPU."]
    compile: Annotated[bool | None, "Pass the model through torch.compile; yes on a GPU, no on a CPU by default."]
    eval_every: Annotated[int | None, "Steps between evaluations; a tenth of the segment, 25 to 500, by default."]
    checkpoint_every: Annotated[int | None, "Steps between checkpoints; as often as evaluations by default."]


class TrainOptions(RunOptions, SegmentOptions, PaceOptions, total=False):
    """All options of `train`, which `grow` takes too."""

    encoding: Annotated[str | None, "Tokens to train on: the name of their encoding, or its file; the run's, or the only ones."]
    parts: Annotated[Sequence[str] | None, "Train on these parts only; may be given several times. All by default."]
    from_scratch: Annotated[
        str | None, "A trained run: train a new one with fresh weights on as many tokens in the same mixture, to compare with."
    ]
    num_workers: Annotated[int | None, "Ray Train workers; one for each GPU of the cluster, or one, by default."]
    device: Annotated[str | None, "cpu or cuda; CUDA where the cluster has a GPU, by default."]
    tensorboard: Annotated[bool | None, "Write the curve for TensorBoard too, from then on; no for a new run."]


def option_help(options: type) -> dict[str, tuple[Any, str]]:
    """Type and help text of each option of one of the classes above."""
    hints = get_type_hints(options, include_extras=True)
    return {name: (hint.__origin__, hint.__metadata__[0]) for name, hint in hints.items()}


def spelled_out(function: F) -> F:
    """The function with the options of training, instead of `**options`, in its signature and its documentation."""
    signature, options = inspect.signature(function), option_help(TrainOptions)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, (kind, _) in options.items()]
    function.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    listed = "\n".join(f"        {name}: {text}" for name, (_, text) in options.items())
    function.__doc__ = f"{(function.__doc__ or '').rstrip()}\n\n    Options:\n{listed}\n"
    return function


def pick(options: Mapping[str, Any], names: type) -> dict[str, Any]:
    """Those of the options that one of the classes above has."""
    return {name: options[name] for name in names.__annotations__ if name in options}


def check_options(options: Mapping[str, Any]) -> None:
    """Raise for all that is wrong with options by themselves, whatever the corpus and the run.

    Raises:
        TypeError: an option is unknown.
        ValueError: a number or a name makes no sense; the sentence says what would.
    """
    unknown = sorted(set(options) - set(get_type_hints(TrainOptions)))
    if unknown:
        raise TypeError(f"train has no option {unknown[0]!r}: it has {', '.join(sorted(get_type_hints(TrainOptions)))}")
    given = {name: value for name, value in options.items() if value is not None}
    lengths = [name for name in HOW_LONG if name in given]
    if len(lengths) > 1:
        raise ValueError(f"{lengths[0]} and {lengths[1]} both say how long to train: give one of them")
    for name in ("steps", "more_steps", "until_step"):
        if not 1 <= given.get(name, 1) <= MOST_STEPS:
            raise ValueError(f"{name}={given[name]} is no number of steps: give 1 to {MOST_STEPS:,}, or none for the default")
    for name in ("batch_size", "eval_every", "checkpoint_every", "total_batch_size", "seq_len", "num_workers"):
        at_least_1(name, given.get(name, 1))
    if not 0 < given.get("epochs", 1) <= MOST_PASSES:
        raise ValueError(f"epochs={given['epochs']} is no number of passes: give a number above 0 and at most {MOST_PASSES:,}")
    if not 0 <= given.get("replay", 0) < 1:
        raise ValueError(f"replay={given['replay']} is no share: give a number from 0 to below 1")
    if not 0 < given.get("lr", 0.1) <= 1:
        raise ValueError(f"lr={given['lr']:g} is no learning rate: give a number above 0 and at most 1, such as 0.0006")
    if given.get("warmup_steps", 0) < 0:
        raise ValueError(f"warmup_steps={given['warmup_steps']} is no number of steps: give 0 or more")
    if "mix" in given:
        parse_mix(given["mix"])
    check_seed(given.get("seed", 0))
    _check_names(given)


def check_seed(seed: int) -> None:
    """Raise ValueError when torch would not take it."""
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed={seed} is no seed: give a number from 0 to {MOST_SEED}")


def _check_names(given: Mapping[str, Any]) -> None:
    if "size" in given:
        find_size(given["size"])
    if "recipe" in given:
        find_recipe(given["recipe"])
    if "schedule" in given:
        check_schedule(given["schedule"])
    if given.get("device", "cpu") not in DEVICES:
        raise ValueError(f"there is no device {given['device']!r}: choose {' or '.join(DEVICES)}")
    check_precision(given.get("precision"))
    if given.get("order", "mixed") not in ORDERS:
        raise ValueError(f"there is no order {given['order']!r}: choose {' or '.join(ORDERS)}")
    if given.get("unfinished", "cut") not in UNFINISHED:
        raise ValueError(f"unfinished={given['unfinished']!r} is unknown: choose {' or '.join(UNFINISHED)}")


def check_precision(precision: str | None) -> str | None:
    """The same name; ValueError when there is no such precision."""
    if precision not in (None, "auto", *PRECISIONS):
        raise ValueError(f"there is no precision {precision!r}: choose one of auto, {', '.join(PRECISIONS)}")
    return precision


def at_least_1(name: str, value: int) -> int:
    """The same number; ValueError when it is below 1."""
    if value < 1:
        raise ValueError(f"{name}={value} makes no sense: give a number of at least 1")
    return value
