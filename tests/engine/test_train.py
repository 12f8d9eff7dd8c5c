"""train by real processes: drivers that meet on one run, workers that fail or die, jobs that are stopped."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_corpus import TRAIN

import raywiki as rw
from raywiki.engine import cluster, fit
from raywiki.training import plan_segment, read_metrics
from raywiki.training.checkpoint import find_checkpoint
from raywiki.training.locks import hold_lock
from raywiki.training.order import PartTokens
from raywiki.training.runs import read_run

SLOW = {**TRAIN, "steps": 4000, "checkpoint-every": 4000, "eval-every": 4000}


@pytest.fixture
def corpus(undisturbed, tmp_path) -> Path:
    """A corpus with tokens and a run r1 of 60 steps."""
    shutil.copytree(undisturbed, tmp_path / "corpus")
    return tmp_path / "corpus"


def words(settings: dict[str, object]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def start_driver(corpus: Path, run: str, head, **settings: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "raywiki.cli", "train", str(corpus), "--run", run, *words(settings)]
    environment = {**os.environ, **head.environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_steps(run: Path, steps: int, process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 240
    while len(read_metrics(run / "metrics.jsonl")) <= steps:
        assert process is None or process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_drivers_on_one_run(corpus, ray_head):
    """The second waits, aloud, and takes over when the first was stopped; neither damages the run."""
    run = corpus / "runs" / "r2"
    first = start_driver(corpus, "r2", ray_head, **SLOW)
    wait_for_steps(run, 2, first)
    planned = read_run(run)
    second = start_driver(corpus, "r2", ray_head, **{**SLOW, "lr": 1e-4, "steps": 12})
    assert "run r2 is being trained by another process" in (said := second.stderr.readline()), said
    assert "waiting for up to 60 s" in said
    assert read_run(run) == planned  # a command that is not served changes nothing
    first.send_signal(signal.SIGINT)
    summary, errors = first.communicate(timeout=120)
    assert first.returncode == 3, errors  # stopped is not done
    stopped = read_metrics(run / "metrics.jsonl")[-1]["step"]
    assert f"stopped at step {stopped:,}" in summary
    assert f"steps 0 to {stopped:,} of 4,000" in summary
    assert "Traceback" not in errors
    summary, errors = second.communicate(timeout=240)
    assert second.returncode == 0, errors
    grown = read_run(run)
    assert read_metrics(run / "metrics.jsonl")[-1]["step"] == max(12, stopped)
    assert [segment.start_step for segment in grown.segments] == sorted({0, *([stopped] if stopped < 12 else [])})
    assert not list(run.glob(".call-*"))


def test_a_run_that_stays_busy_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fit, "PATIENCE", 0.3)
    with hold_lock(tmp_path / ".lock"):
        with pytest.raises(ValueError, match=rf"is being trained by another process.*it is process {os.getpid()} on "):
            fit.wait_for_run(tmp_path)
        assert "waiting for up to 0 s" in capsys.readouterr().err
    assert fit.wait_for_run(tmp_path) is False


def test_a_node_that_turns_out_to_be_dead_is_not_waited_for(monkeypatch):
    """Ray counts it as alive until it is asked; a group of workers that counted on it would wait for ever."""
    alive = [{"CPU": 1.0}, {"CPU": 1.0}]
    monkeypatch.setattr(cluster, "nodes", lambda: alive)
    monkeypatch.setattr(cluster, "_is_autoscaling", lambda: False)
    monkeypatch.setattr(fit, "require_alike", lambda places: alive.pop())
    with pytest.raises(ValueError, match=r"^the Ray cluster has room for 1 times 1 CPU, not for 2: its node has 1 CPU; ask"):
        fit._fit(SimpleNamespace(corpus="/corpus"), fit.Placement(2, "cpu", 1))


def test_two_workers_of_ray_learn_what_one_process_learns(corpus, ray_session, capsys):
    """The same order, and the same losses but for rounding, as the run that was trained without Ray."""
    options = {name.replace("-", "_"): value for name, value in TRAIN.items()} | {"num_workers": 2, "tensorboard": True}
    assert rw.train(corpus, "r2", **options).step == 60
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line == "train r2: starting workers"]  # and nothing about their speed
    one, two = (read_metrics(corpus / "runs" / run / "metrics.jsonl") for run in ("r1", "r2"))
    assert [line["train_loss"] for line in two[1:]] == pytest.approx([line["train_loss"] for line in one[1:]], rel=1e-4)
    assert two[-1]["val_loss"] == pytest.approx(one[-1]["val_loss"], rel=1e-4)
    orders = [find_checkpoint(corpus / "runs" / run / "checkpoints").about["order"] for run in ("r1", "r2")]
    assert orders[0] == orders[1]
    [events] = (corpus / "runs" / "r2" / "tensorboard").iterdir()  # the first worker's alone
    assert events.stat().st_size > 1000


def test_errors_on_a_rank_above_0(corpus, ray_session, tmp_path, capsys, monkeypatch):
    """Rank 1 of 2 fails by a fault that passes, dies, and then finds a mistake: told, told, and the end with its sentence."""
    before = {path: path.read_bytes() for path in (corpus / "runs").rglob("*") if path.is_file()}
    moments, ValueOf = str(tmp_path / "moment"), ValueError

    def fail() -> bool:
        import torch.distributed as dist

        if dist.get_rank() == 0:
            return False  # and waits in the next collective
        moment = len(list(Path(moments).parent.glob("moment*")))
        Path(f"{moments}{moment}").touch()
        if moment == 0:
            raise OSError(errno.EIO, "the disk of rank 1 hiccups")
        if moment == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        raise ValueOf("this is a mistake that rank 1 found")

    opened = rw.Corpus(corpus)
    manifests = opened.manifests("tokens/encoding=small")
    run = read_run(corpus / "runs" / "r1")
    parts = [PartTokens(part.name, part.digest, part.train_tokens, part.val_tokens) for part in run.known.values()]
    plan = plan_segment(run, parts, more_steps=8)
    shards = {name: [(opened.shard_path(m, s), s.sha256) for s in m.shards] for name, m in manifests.items()}
    work = fit.Work(plan, str(corpus), shards, {"should_stop": fail, "batch_size": 1})
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"^this is a mistake that rank 1 found\n") as caught:
        fit.fit_segment(work, fit.Placement(2, "cpu", 1))
    assert time.monotonic() - started < 240  # Ray's own time-outs are half an hour
    told = capsys.readouterr().err
    assert "the disk of rank 1 hiccups (worker 1): went on from the last checkpoint, time 1 of 3" in told
    assert "worker 1 died" in told
    assert "time 2 of 3" in told
    assert any("in fail" in note for note in caught.value.__notes__)
    after = {path: path.read_bytes() for path in (corpus / "runs").rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == {path: content for path, content in before.items() if path.name != ".lock"}


def test_ray_job_stop_and_the_same_command_again(corpus, ray_head, command):
    """The driver is killed three seconds after SIGTERM, with its STOP file left behind; the next call is not stopped by it."""
    run = corpus / "runs" / "r2"
    jobs = Path(__file__).resolve().parents[2] / "jobs"
    environment = {**os.environ, **ray_head.environment, "RAY_ADDRESS": ray_head.dashboard}
    script = [sys.executable, str(jobs / "train_gpt.py"), str(corpus), "--run", "r2", *words(SLOW)]
    submit = ["ray", "job", "submit", "--submission-id", "stop-train", "--no-wait", "--", *script]
    subprocess.run(submit, env=environment, check=True, capture_output=True)
    wait_for_steps(run, 2)
    subprocess.run(["ray", "job", "stop", "stop-train"], env=environment, check=True, capture_output=True)
    stood = read_metrics(run / "metrics.jsonl")[-1]["step"]
    (run / "STOP").touch()  # whether the killed driver left one is a matter of milliseconds
    steps = max(60, stood + 20)
    settings = {name: value for name, value in TRAIN.items() if name != "steps"} | {"until-step": steps}
    done = command("train", corpus, "--run", "r2", *words(settings))
    assert done.returncode == 0, done.stderr
    assert read_metrics(run / "metrics.jsonl")[-1]["step"] == steps
    assert not (run / "STOP").exists()


class Malicious:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return (os.mkdir, (self.folder,))


def test_changing_ones_mind(corpus, ray_session, capsys):
    """Other decisions cut a run off; it says so before, and goes on when its owner says so."""
    rw.curate(corpus, min_chars=400, overwrite=True)
    assert "run r1 learned from parts" in (warned := capsys.readouterr().err), warned
    assert "--accept-new-tokens" in warned
    rw.tokenize(corpus)
    with pytest.raises(ValueError, match=r"other tokens .* than those run r1 learned from .* --accept-new-tokens"):
        rw.train(corpus, "r1", steps=60)
    before = read_run(corpus / "runs" / "r1")
    first, second = before.segments[0].part_names
    summary = rw.train(corpus, "r1", steps=5, parts=[first], accept_new_tokens=True, device="cpu", num_workers=1)
    assert (summary.state, summary.step) == ("trained", 65)
    plan = capsys.readouterr().err
    assert "plan r1, segment 2: steps 60 to 65" in plan
    assert f"other tokens than before in {first}" in plan
    after = read_run(corpus / "runs" / "r1")
    assert after.segments[:1] == before.segments
    [part], [rests] = after.segments[1].parts, after.segments[1].resting
    assert (part.name, part.base, rests.name, rests.base > 0) == (first, 0, second, True)
    assert part.digest != before.known[first].digest
    assert set(summary.val_loss) == {first}  # the other one has other tokens than those it learned from
    assert rw.train(corpus, "r1", steps=5, parts=[first]).state == "unchanged"


def test_no_file_of_a_run_can_run_code(corpus, tmp_path, ray_session):
    import hashlib
    import pickle

    run, attack = corpus / "runs" / "r1", pickle.dumps(Malicious(tmp_path / "ran"))
    for place in ("ray", ".call-0"):
        (run / place).mkdir()
        for name in ("error.pickle", "result.json", "error-0.json"):
            (run / place / name).write_bytes(attack)
    assert rw.train(corpus, "r1", steps=60).state == "unchanged"
    [newest] = [run / "checkpoints" / (run / "checkpoints" / "LATEST").read_text().strip()]
    (newest / "model.safetensors").unlink()
    (newest / "model.pt").write_bytes(attack)  # as a checkpoint of format 1 has it
    about = json.loads((newest / "checkpoint.json").read_text())
    del about["files"]["model.safetensors"]
    about["files"]["model.pt"] = {"bytes": len(attack), "sha256": hashlib.sha256(attack).hexdigest()}
    (newest / "checkpoint.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"model.pt holds more than tensors, and is not loaded"):
        rw.sample(corpus, "r1", "x", device="cpu")
    assert not (tmp_path / "ran").exists()


def test_metrics_open_in_polars(undisturbed):
    metrics = rw.scan_metrics(undisturbed, "r1").collect()
    assert metrics["step"].to_list() == list(range(61))
    evaluated = metrics.explode("val_loss").unnest("val_loss").drop_nulls("loss")
    assert evaluated.group_by("step").len().sort("step").rows() == [(0, 2), (30, 2), (60, 2)]
    with pytest.raises(ValueError, match=r"no metrics of a run 'r9' in .*: its runs are r1"):
        rw.scan_metrics(undisturbed, "r9")
