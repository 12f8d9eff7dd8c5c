"""`raywiki train` on a machine without Ray: `python -m raywiki.training CORPUS --run NAME`, alone or under torchrun.

Options, what is printed and exit status are those of `raywiki train`; under torchrun the run is named by `--run-name`. An entry
point, as `raywiki/cli.py` is, and above all layers for that reason.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any, get_args

from raywiki.command import run_verb
from raywiki.training.options import TrainOptions, option_help


def arguments() -> argparse.ArgumentParser:
    """The parser of the command: the options of `TrainOptions`, and a few of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m raywiki.training", allow_abbrev=False,
        description="Train a GPT on the token shards of a corpus, or go on where the run stands, without Ray. "
        "Several processes: torchrun --nproc-per-node N -m raywiki.training CORPUS --run-name NAME …",
    )  # fmt: skip
    parser.add_argument("corpus", metavar="CORPUS", help="folder or URL of the corpus")
    # torchrun reads what follows the module, too, and takes --run for the start of an option of its own.
    parser.add_argument("--run", "--run-name", required=True, metavar="NAME", help="name of the training run")
    parser.add_argument("--runs", metavar="FOLDER", help="folder that holds the run's folder; CORPUS/runs by default")
    for name, (kind, text) in option_help(TrainOptions).items():
        parser.add_argument(f"--{name.replace('_', '-')}", help=text.replace("%", "%%"), **_how_to_parse(name, kind))
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _how_to_parse(name: str, kind: Any) -> dict[str, Any]:
    """What argparse needs to know of an option with this annotation."""
    own = next(each for each in get_args(kind) if each is not type(None))
    if name == "parts":
        return {"action": "append", "metavar": "PART"}
    if own is bool:
        return {"action": argparse.BooleanOptionalAction, "default": None}
    return {"type": own, "metavar": {int: "N", float: "X"}.get(own, name.upper())}


def main(words: list[str] | None = None) -> int:
    """Train as the words say; the exit status."""
    given = vars(arguments().parse_args(words))
    corpus, run, runs, json, debug = (given.pop(name) for name in ("corpus", "run", "runs", "json", "debug"))
    options: Any = {name: value for name, value in given.items() if value is not None}

    def train() -> Any:
        from raywiki.engine.here import train_here

        return train_here(corpus, run, options, runs)

    return run_verb(train, json, debug)


if __name__ == "__main__":
    sys.exit(main())
