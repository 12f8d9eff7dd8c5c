"""evals.parquet: the loss of every validation window as each segment of a run begins and ends (`schema.EVALS`).

Written whole and in one step by the first worker, before the checkpoint that it belongs to. Windows never change, so that the
rows of two steps can be paired. What a segment is compared with are the last weights of the one before, with the decay that it
may have left aside. Their rows are those of that one's end, and as the new one begins, those of parts that are new are added:
no window stands twice for the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raywiki.files import put
from raywiki.schema import EVALS as SCHEMA
from raywiki.training.metrics import Metrics
from raywiki.training.plan import Plan
from raywiki.training.runs import EVALS

WHEN = ("segment", "moment", "step")
WINDOWS = pa.schema([field for field in SCHEMA if field.name not in WHEN])  # what `evaluate` gives


def read_evals(path: Path) -> pa.Table:
    """All rows, in the order in which they were evaluated; none when there is no file.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return pq.read_table(path, schema=SCHEMA, partitioning=None)
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except pa.ArrowException as error:
        raise ValueError(f"{path} is damaged ({error}): restore it from a copy, or remove it to go on without it") from error


def add_evals(path: Path, segment: int, moment: str, step: int, windows: pa.Table) -> None:
    """Add the windows (see `WINDOWS`) that were evaluated with the weights of a step; nothing when there are none."""
    if not windows.num_rows:
        return
    when = [pa.repeat(pa.scalar(value, SCHEMA.field(name).type), windows.num_rows) for name, value in
            zip(WHEN, (segment, moment, step), strict=True)]  # fmt: skip
    rows = pa.Table.from_arrays([*when, *windows.columns], schema=SCHEMA)
    _write(path, pa.concat_tables([read_evals(path), rows]))


def rewind_evals(path: Path, segment: int, step: int) -> None:
    """Drop what was evaluated after this step of this segment: it will be done again. Step -1 drops all of the segment."""
    rows = read_evals(path)
    is_begin = pc.equal(rows["moment"], "begin") if step >= 0 else pa.scalar(False)
    is_same = pc.and_(pc.equal(rows["segment"], segment), pc.or_(is_begin, pc.less_equal(rows["step"], step)))
    kept = rows.filter(pc.or_(pc.less(rows["segment"], segment), is_same))
    if kept.num_rows < rows.num_rows:
        _write(path, kept)


def windows_before(plan: Plan) -> pa.Table:
    """The windows (see `WINDOWS`) that were evaluated with the weights that a segment is to be compared with.

    They are its own, and those of the end of the segment before it of parts that still have the same tokens.
    """
    rows, known = read_evals(plan.run.folder / EVALS), plan.segment.known
    is_own = pc.and_(pc.equal(rows["segment"], plan.index), pc.equal(rows["moment"], "begin"))
    if not plan.index:
        return rows.filter(is_own).select(WINDOWS.names)
    last = plan.run.segments[plan.index - 1]
    same = [name for name, part in known.items() if name in last.known and last.known[name].digest == part.digest]
    is_end = pc.and_(pc.equal(rows["segment"], plan.index - 1), pc.equal(rows["moment"], "end"))
    is_end = pc.and_(is_end, pc.equal(rows["step"], last.end_step))  # not where a segment was cut short
    is_last = pc.and_(is_end, pc.is_in(rows["part"], pa.array(same, pa.string())))
    return rows.filter(pc.or_(is_own, is_last)).select(WINDOWS.names)


def part_losses(windows: pa.Table, parts: Iterable[str]) -> Metrics:
    """`val_loss` and `val_bpb` of each part as metrics.jsonl has them; without the latter where no bytes are known."""
    of_part = {part: windows.filter(pc.equal(windows["part"], part)) for part in parts}
    found: Metrics = {"val_loss": {part: mean_loss(rows) for part, rows in of_part.items()}}
    if windows.num_rows > windows["n_bytes"].null_count:
        found["val_bpb"] = {part: bits_per_byte(rows) for part, rows in of_part.items()}
    return found


def mean_loss(windows: pa.Table) -> float | None:
    """Mean loss in nats a target; None without a window."""
    return math.fsum(windows["loss"].to_pylist()) / pc.sum(windows["n_targets"]).as_py() if windows.num_rows else None


def bits_per_byte(windows: pa.Table) -> float | None:
    """All nats, those for the ends of documents among them, in bits for each byte of text; None where bytes are not known."""
    n_bytes = pc.sum(windows["n_bytes"]).as_py()
    if not n_bytes or windows["n_bytes"].null_count:
        return None
    return math.fsum(windows["loss"].to_pylist()) / math.log(2) / n_bytes


def _write(path: Path, rows: pa.Table) -> None:
    if not rows.num_rows:
        path.unlink(missing_ok=True)
        return
    sink = pa.BufferOutputStream()
    pq.write_table(rows.combine_chunks(), sink, compression="zstd")
    put(path, sink.getvalue().to_pybytes())
