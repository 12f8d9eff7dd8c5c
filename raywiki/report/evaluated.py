"""What is stored of a run's validation: its windows as each segment ended, and how far it had come at each step."""

from __future__ import annotations

import polars as pl

from raywiki.corpus import Corpus
from raywiki.intervals import Interval, paired_interval
from raywiki.scan import scan_evals, scan_metrics
from raywiki.training.runs import Run, check_run_name, require_run
from raywiki.training.stored import run_folder

KNOWN = {"segment": pl.Int32, "part": pl.String, "digest": pl.String, "end_step": pl.Int64}


def find_run(corpus: Corpus, run: str, weights: bool = False) -> Run:
    """The run; of one at a URL its checkpoints are brought here only with `weights`. Raises ValueError when there is none."""
    check_run_name(run)
    return require_run(run_folder(corpus, run, weights))


def segment_ends(corpus: Corpus, run: Run) -> pl.DataFrame:
    """The validation windows of each part with the weights that each segment ended with.

    A segment that was cut short was not evaluated then, but as the next one began: those rows are its end.

    Returns:
        Columns `segment`, `part`, `digest` (of the part's tokens, as the segment knew them), `window`, `n_targets`, `n_bytes`
        and `loss`, as `scan_evals` has them, in the order in which they were evaluated.

    Raises:
        ValueError: nothing was stored of this run.
    """
    rows = scan_evals(corpus, run.name).collect()
    known = pl.DataFrame(
        [
            (number, name, part.digest, segment.end_step)
            for number, segment in enumerate(run.segments)
            for name, part in segment.known.items()
        ],
        schema=KNOWN,
        orient="row",
    )
    keys, at_end = ["segment", "part"], pl.col("step") == pl.col("end_step")
    ends = rows.filter(pl.col("moment") == "end").join(known, on=keys).filter(at_end)  # not of one that was cut short after
    begins = rows.filter(pl.col("moment") == "begin").join(known, on=keys).drop("end_step").with_columns(pl.col("segment") - 1)
    late = begins.join(known, on=[*keys, "digest"]).filter(at_end).join(ends, on=keys, how="anti")
    found = pl.concat([ends, late.select(ends.columns)]).sort("segment", maintain_order=True)
    return found.select(*keys, "digest", "window", "n_targets", "n_bytes", "loss")


def curve(corpus: Corpus, run: Run) -> pl.DataFrame:
    """The lines of a run's metrics, with the hours of training that were spent until each, those of decays left aside too.

    Hours are the sum of the time of the steps. A step that compiled the model has no speed and counts as none, and neither
    does the time of evaluations and of reading and writing.

    Returns:
        Columns `segment`, `step`, `tokens` (learned from), `hours`, and `train_loss` and `val_loss` as `scan_metrics` has them.

    Raises:
        ValueError: there are no metrics of this run.
    """
    sizes = pl.DataFrame(
        {"segment": range(len(run.segments)), "batch": [segment.total_batch_size for segment in run.segments]},
        schema={"segment": pl.Int64, "batch": pl.Int64},
    )
    lines = scan_metrics(corpus, run.name).collect().join(sizes, on="segment", maintain_order="left")
    hours = (pl.col("batch") / pl.col("tok_per_sec")).fill_null(0).cum_sum() / 3600
    return lines.select("segment", "step", "tokens", "train_loss", "val_loss", hours=hours)


def paired(windows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Windows (see `segment_ends`) that both have, with the loss of the others as `other_loss`."""
    keys = ["part", "window", "n_targets"]
    return windows.join(others.select(*keys, other_loss="loss"), on=keys, maintain_order="left")


def mean_loss(windows: pl.DataFrame, column: str = "loss") -> float | None:
    """Mean loss in nats a target; None without a window."""
    return float(windows[column].to_numpy().sum() / windows["n_targets"].to_numpy().sum()) if windows.height else None


def difference(pairs: pl.DataFrame) -> tuple[float | None, Interval | None]:
    """By what the others' mean loss exceeds that of the windows (see `paired`), and its interval; None where there is none."""
    if not pairs.height:
        return None, None
    losses, others, targets, parts = (pairs[name].to_numpy() for name in ("loss", "other_loss", "n_targets", "part"))
    return float((others - losses).sum() / targets.sum()), paired_interval(losses, others, targets, parts)
