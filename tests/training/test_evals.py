"""evals.parquet: the loss of each validation window as segments begin and end; never twice, never lost."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from training_corner import END, Corner, exit_status, kill_self, start_process

from raywiki.schema import EVALS
from raywiki.training import evaluate, loop, state
from raywiki.training.cache import open_cache
from raywiki.training.checkpoint import folder_name
from raywiki.training.classic import build_model
from raywiki.training.evals import read_evals
from raywiki.training.metrics import read_metrics
from raywiki.training.sampling import load_model
from raywiki.training.weights import load_weights
from raywiki.training.workers import join

SEQ_LEN = 16
LENGTHS = np.array([1] * 256 + [0], np.int32)  # ids are bytes, and the end of a document


@pytest.fixture
def two_parts(corner, text):
    corner.add("a", text, val=text[:100])
    corner.add("b", text[::-1], val=text[:50:-1])
    return corner


def rows(corner: Corner, run: str = "r1") -> list[dict]:
    return read_evals(corner.run_folder(run) / "evals.parquet").to_pylist()


def moments(corner: Corner, run: str = "r1") -> dict[tuple[int, int], set[str]]:
    """The parts that were evaluated, by segment and step; no window stands there twice."""
    found: dict[tuple[int, int], set[str]] = {}
    for row in rows(corner, run):
        found.setdefault((row["segment"], row["step"]), set()).add(row["part"])
    keys = Counter((row["segment"], row["moment"], row["part"], row["window"]) for row in rows(corner, run))
    assert set(keys.values()) <= {1}
    return found


def val_of(corner: Corner, part: str) -> np.ndarray:
    return open_cache(corner.folder / "cache", part, corner.parts[part][1]).val


def check_means(corner: Corner, run: str = "r1") -> None:
    """What the metrics say of each step that is stored is exactly what the rows say."""
    by_step = {line["step"]: line for line in read_metrics(corner.run_folder(run) / "metrics.jsonl")}
    of_part: dict[tuple[int, int, str], list[dict]] = {}
    for row in rows(corner, run):
        of_part.setdefault((row["segment"], row["step"], row["part"]), []).append(row)
    assert of_part
    for (_, step, part), windows in of_part.items():
        nats, line = math.fsum(row["loss"] for row in windows), by_step[step]
        assert line["val_loss"][part] == nats / sum(row["n_targets"] for row in windows)
        n_bytes = [row["n_bytes"] for row in windows]
        if None in n_bytes:
            assert "val_bpb" not in line
        else:
            assert line["val_bpb"][part] == pytest.approx(nats / math.log(2) / sum(n_bytes), rel=1e-12)


def test_each_window_as_segments_begin_and_end(two_parts):
    two_parts.train(parts=["a"], plan={"steps": 6}, byte_lengths=LENGTHS)
    [last] = two_parts.train(plan={"steps": 7}, byte_lengths=LENGTHS)
    assert moments(two_parts) == {(0, 0): {"a"}, (0, 6): {"a"}, (1, 6): {"b"}, (1, 13): {"a", "b"}}
    check_means(two_parts)
    assert (last.bpb_before.keys(), last.val_bpb.keys()) == ({"a", "b"}, {"a", "b"})
    assert pq.read_schema(two_parts.run_folder() / "evals.parquet").equals(EVALS)
    for part in ("a", "b"):
        val = val_of(two_parts, part)
        own = [row for row in rows(two_parts) if row["part"] == part and row["step"] == 13]
        assert [row["window"] for row in own] == list(range(0, len(val) - 1, SEQ_LEN))
        targets = [val[row["window"] + 1 : row["window"] + 1 + SEQ_LEN] for row in own]
        assert [row["n_targets"] for row in own] == [len(ids) for ids in targets]
        assert [row["n_bytes"] for row in own] == [int((ids != END).sum()) for ids in targets]
    between = next(line for line in read_metrics(two_parts.run_folder() / "metrics.jsonl") if line["step"] == 11)
    assert between["val_loss"].keys() == between["val_bpb"].keys() == {"a", "b"}  # in mid-segment the means alone


def test_the_loss_of_a_window_is_that_of_the_model_on_it_alone(two_parts):
    two_parts.train(plan={"steps": 4}, batch_size=3)
    model, _, step = load_model(two_parts.run_folder(), "cpu")
    for row in (row for row in rows(two_parts) if row["step"] == step):
        piece = torch.from_numpy(val_of(two_parts, row["part"])[row["window"] :][: SEQ_LEN + 1].astype(np.int64))
        with torch.no_grad():
            assert row["loss"] == pytest.approx(model(piece[None, :-1], piece[None, 1:]).item(), rel=1e-5)
        assert row["n_bytes"] is None
    check_means(two_parts)


def test_logits_that_would_take_too_much_memory_are_made_a_window_at_a_time(two_parts, monkeypatch):
    two_parts.train(plan={"steps": 2})
    sizes, real = [], evaluate.read_windows

    def counted(tokens, starts, *rest):
        sizes.append(len(starts))
        return real(tokens, starts, *rest)

    monkeypatch.setattr(evaluate, "read_windows", counted)
    monkeypatch.setattr(evaluate, "LOGITS_AT_ONCE", 1)
    two_parts.train("small", plan={"steps": 2})
    assert set(sizes) == {1}
    losses = [[row["loss"] for row in rows(two_parts, run)] for run in ("r1", "small")]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_a_limit_leaves_the_windows_that_are_evaluated(two_parts):
    two_parts.train(plan={"steps": 2}, max_val_windows=3)
    count = -(-(len(val_of(two_parts, "a")) - 1) // SEQ_LEN)
    assert [row["window"] for row in rows(two_parts) if row["part"] == "a" and row["step"] == 2] == [
        SEQ_LEN * (i * count // 3) for i in range(3)
    ]
    check_means(two_parts)


def test_a_part_without_validation_text_has_no_row(corner, text):
    corner.add("a", text)
    corner.add("b", text[::-1], val=b"short")
    corner.train(plan={"steps": 2}, byte_lengths=LENGTHS)
    assert moments(corner) == {(0, 0): {"b"}, (0, 2): {"b"}}
    assert read_metrics(corner.run_folder() / "metrics.jsonl")[-1]["val_bpb"]["a"] is None


def test_a_part_that_rests_is_evaluated_too(two_parts):
    two_parts.train(plan={"steps": 2})
    two_parts.train(parts=["a"], plan={"steps": 3})
    assert moments(two_parts) == {(0, 0): {"a", "b"}, (0, 2): {"a", "b"}, (1, 5): {"a", "b"}}


class Killed(BaseException):
    """What no handler of errors sees: nothing is taken back, as after a kill."""


def _grow(corner: Corner, run: str = "r1") -> None:
    corner.train(run, parts=["a"], plan={"steps": 4}, checkpoint_every=3)
    corner.train(run, plan={"steps": 4}, checkpoint_every=3)


def _dying(function, count: int, before: bool):
    """The function, which kills its caller before or after its call of this number."""
    calls = 0

    def call(*arguments, **options):
        nonlocal calls
        calls += 1
        if calls == count and before:
            raise Killed
        result = function(*arguments, **options)
        if calls == count:
            raise Killed
        return result

    return call


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(
    ("function", "count"), [("add_evals", 3), ("replace_last_metrics", 2), ("add_evals", 4), ("append_metrics", 8), ("save", 4)]
)
def test_killed_and_run_again_has_the_rows_of_an_undisturbed_run(two_parts, monkeypatch, function, count, before):
    """In the second segment: around each write at its beginning and at its end."""
    _grow(two_parts, "whole")
    with monkeypatch.context() as patch:
        patch.setattr(loop, function, _dying(getattr(loop, function), count, before))
        with pytest.raises(Killed):
            _grow(two_parts)
    two_parts.train(plan={"steps": 4}, checkpoint_every=3)
    assert rows(two_parts) == rows(two_parts, "whole")
    check_means(two_parts)
    assert len(moments(two_parts)) == 4


def test_stopped_and_gone_on_has_them_too(two_parts):
    two_parts.train("whole", plan={"steps": 6})
    two_parts.train(plan={"steps": 6}, should_stop=lambda: True)
    assert moments(two_parts) == {(0, 0): {"a", "b"}}
    two_parts.train(plan={"steps": 6})
    assert rows(two_parts) == rows(two_parts, "whole")


def _weights_of(corner: Corner, run: str, step: int) -> list[tuple[str, int, float]]:
    """Part, window and loss with the weights of a kept checkpoint of the first segment."""
    model, config = build_model(corner.open(run).config.model), corner.open(run).config
    load_weights(model, corner.run_folder(run) / "checkpoints" / folder_name(step))
    val = {part: val_of(corner, part) for part in corner.parts}
    found = evaluate.evaluate(model, val, config.seq_len, join("cpu"), batch_size=4, limit=256)
    return [(row["part"], row["window"], row["loss"]) for row in found.to_pylist()]


@pytest.mark.parametrize(
    ("module", "function", "count"),
    [
        (loop, "nothing", 0),
        (loop, "add_evals", 1),
        (state, "load_weights", 2),  # the first are those that it goes on from
        (loop, "replace_last_metrics", 1),
        (loop, "append_metrics", 1),
    ],
)
def test_what_grows_before_a_decay_is_compared_with_the_decayed_weights(two_parts, monkeypatch, module, function, count):
    wsd = {"steps": 10, "schedule": "wsd"}
    two_parts.train(parts=["a"], plan=wsd)
    if function != "nothing":
        with monkeypatch.context() as patch:
            patch.setattr(module, function, _dying(getattr(module, function), count, before=False))
            with pytest.raises(Killed):
                two_parts.train(plan=wsd)
    [result] = two_parts.train(plan=wsd)
    assert moments(two_parts) == {(0, 0): {"a"}, (0, 10): {"a"}, (1, 10): {"b"}, (1, 18): {"a", "b"}}
    decayed = _weights_of(two_parts, "r1", 10)
    stored = [(row["part"], row["window"], row["loss"]) for row in rows(two_parts) if row["step"] == 10]
    assert [pytest.approx(each) for _, _, each in stored] == [loss for _, _, loss in decayed]
    lines = read_metrics(two_parts.run_folder() / "metrics.jsonl")
    at = {(line["segment"], line["step"]): line.get("val_loss") for line in lines}
    assert result.val_before["a"] == at[0, 10]["a"]
    assert result.val_before.keys() == at[1, 8].keys() == {"a", "b"}
    assert at[1, 8]["b"] != result.val_before["b"]  # the curve has the weights that it goes on from
    [again] = two_parts.train(plan={"more_steps": 1})
    assert again.val_before == result.val_loss


def test_what_is_cut_short_is_evaluated_where_the_next_segment_begins(two_parts):
    two_parts.train(parts=["a"], plan={"steps": 6}, should_stop=lambda: True)
    two_parts.train(plan={"steps": 3, "unfinished": "cut"})
    assert moments(two_parts) == {(0, 0): {"a"}, (1, 1): {"a", "b"}, (1, 4): {"a", "b"}}
    check_means(two_parts)


def test_a_checkpoint_that_was_lost_takes_its_rows_along(two_parts):
    two_parts.train(plan={"steps": 6}, checkpoint_every=3)
    whole = rows(two_parts)
    weights = two_parts.run_folder() / "checkpoints" / "step_00000006" / "model.safetensors"
    weights.write_bytes(b"damaged")
    two_parts.train(plan={"steps": 6}, should_stop=lambda: True)
    assert moments(two_parts) == {(0, 0): {"a", "b"}}
    two_parts.train(plan={"steps": 6})
    assert rows(two_parts) == whole


def test_a_failed_segment_leaves_the_rows_as_they_were(two_parts, monkeypatch):
    two_parts.train(parts=["a"], plan={"steps": 4})
    path = two_parts.run_folder() / "evals.parquet"
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_update", lambda *_: (torch.tensor(math.nan), torch.tensor(math.nan)))
        with pytest.raises(ValueError, match="is nan at step 5"):
            two_parts.train(plan={"steps": 4})
        with pytest.raises(ValueError, match="is nan at step 1"):
            two_parts.train("r2", plan={"steps": 4})
    assert path.read_bytes() == before
    assert not (two_parts.run_folder("r2") / "evals.parquet").exists()


def test_other_tokens_of_a_part_are_evaluated_anew(two_parts, text):
    two_parts.train(plan={"steps": 2})
    two_parts.add("a", text[3:], val=text[20:130])
    two_parts.train(plan={"steps": 3, "accept_new_tokens": True})
    assert moments(two_parts) == {(0, 0): {"a", "b"}, (0, 2): {"a", "b"}, (1, 2): {"a"}, (1, 5): {"a", "b"}}
    line = next(line for line in read_metrics(two_parts.run_folder() / "metrics.jsonl") if line["step"] == 2)
    own = [row for row in rows(two_parts) if (row["segment"], row["step"], row["part"]) == (1, 2, "a")]
    assert line["val_loss"]["a"] == math.fsum(row["loss"] for row in own) / sum(row["n_targets"] for row in own)


def test_a_plan_that_was_given_up_leaves_nothing(two_parts, text):
    """Killed before its first checkpoint; then the part gets other tokens, and another plan takes the segment's place."""
    assert exit_status(_die_at_once, two_parts) == -9
    assert moments(two_parts) == {(0, 0): {"a", "b"}}
    two_parts.add("a", text[3:], val=text[20:130])
    two_parts.train(plan={"steps": 2, "accept_new_tokens": True})
    own = [row["loss"] for row in rows(two_parts) if (row["step"], row["part"]) == (0, "a")]
    two_parts.train("fresh", plan={"steps": 2})
    assert own == [row["loss"] for row in rows(two_parts, "fresh") if (row["step"], row["part"]) == (0, "a")]


def _die_at_once(corner: Corner) -> None:
    torch.set_num_threads(1)
    corner.train(plan={"steps": 6}, progress=lambda *_: kill_self())


def test_a_run_that_never_stored_any_goes_on_and_stores_them(two_parts):
    """As runs do that an older raywiki began."""
    two_parts.train(parts=["a"], plan={"steps": 4})
    (two_parts.run_folder() / "evals.parquet").unlink()
    two_parts.train(plan={"steps": 3}, byte_lengths=LENGTHS)
    assert moments(two_parts) == {(1, 4): {"a", "b"}, (1, 7): {"a", "b"}}
    check_means(two_parts)


def test_a_damaged_file_is_one_sentence_and_the_run_stays(two_parts):
    two_parts.train(plan={"steps": 2})
    path = two_parts.run_folder() / "evals.parquet"
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match=r"evals\.parquet is damaged .* remove it to go on without it"):
        two_parts.train(plan={"steps": 4})
    path.unlink()
    [result] = two_parts.train(plan={"steps": 4})
    assert (result.status, result.step) == ("finished", 4)


def _join(corner: Corner, rank: int) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{corner.folder}/group", rank=rank, world_size=2)
    corner.train("two", plan={"steps": 3}, byte_lengths=LENGTHS)
    dist.destroy_process_group()


def test_two_workers_share_the_windows(two_parts):
    processes = [start_process(_join, two_parts, rank) for rank in range(2)]
    two_parts.train(plan={"steps": 3}, byte_lengths=LENGTHS)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    one, two = rows(two_parts), rows(two_parts, "two")
    assert [{**row, "loss": None} for row in two] == [{**row, "loss": None} for row in one]
    np.testing.assert_allclose([row["loss"] for row in two], [row["loss"] for row in one], rtol=2e-5)
    check_means(two_parts, "two")


def test_bits_per_byte_of_a_model_that_knows_nothing(two_parts):
    """Every one of its 384 ids is about as likely: log2 384 bits a token, and a byte for each but the ends of documents."""
    two_parts.train(plan={"steps": 1}, byte_lengths=LENGTHS)
    first = read_metrics(two_parts.run_folder() / "metrics.jsonl")[0]
    n_targets = len(val_of(two_parts, "a")) - 1
    assert first["val_bpb"]["a"] == pytest.approx(math.log2(384) * n_targets / (n_targets - 1), rel=0.05)
