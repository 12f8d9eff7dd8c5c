"""Workers that die, signals, stopped jobs, more or fewer workers: the same tables in the end, or a clear word."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from engine_corpus import arguments

from raywiki.corpus import Corpus


def articles(corpus: Path) -> dict[str, str]:
    return {part: manifest.digest for part, manifest in Corpus(corpus).manifests("articles").items()}


def start_extract(corpus: Path, parts: list[Path], undisturbed: Path, environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "raywiki.cli", "extract", str(corpus), *arguments("extract", parts, undisturbed)]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for_shards(corpus: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while not any(corpus.glob("articles/part=*/*")):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def workers_at_work(folder: str) -> list[int]:
    """Process ids of workers that run one of our tasks for the Ray in this folder, which stands in its raylet's arguments."""
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"PPid:\s+(\d+)", (proc / "status").read_text())
            is_ours = parent is not None and folder.encode() in Path("/proc", parent[1], "cmdline").read_bytes()
            if is_ours and b"ray::Map(" in (proc / "cmdline").read_bytes():
                found.append(int(proc.name))
        except OSError:
            continue
    return found


def test_kill_9_of_a_worker(undisturbed, sample_parts, ray_head, tmp_path):
    corpus = tmp_path / "corpus"
    driver = start_extract(corpus, sample_parts, undisturbed, ray_head.environment)
    wait_for_shards(corpus, driver)
    killed = workers_at_work(ray_head.folder)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    printed, _ = driver.communicate(timeout=200)
    assert killed, "no worker was at work any more"
    assert driver.returncode == 0, printed
    assert articles(corpus) == articles(undisturbed)


def test_sigterm(undisturbed, sample_parts, ray_head, command, tmp_path):
    corpus = tmp_path / "corpus"
    driver = start_extract(corpus, sample_parts, undisturbed, ray_head.environment)
    wait_for_shards(corpus, driver)
    driver.terminate()
    driver.communicate(timeout=60)
    assert driver.returncode != 0
    assert command("extract", corpus, *arguments("extract", sample_parts, undisturbed)).returncode == 0
    assert articles(corpus) == articles(undisturbed)


def test_ray_job_stop(undisturbed, sample_parts, ray_head, command, tmp_path):
    corpus, jobs = tmp_path / "corpus", Path(__file__).resolve().parents[2] / "jobs"
    environment = {**os.environ, **ray_head.environment, "RAY_ADDRESS": ray_head.dashboard}
    script = ["python", str(jobs / "extract_articles.py"), str(corpus), *arguments("extract", sample_parts, undisturbed)]
    submit = ["ray", "job", "submit", "--submission-id", "stop-me", "--no-wait", "--", *script]
    subprocess.run(submit, env=environment, check=True, capture_output=True)
    deadline = time.monotonic() + 120
    while not any(corpus.glob("articles/part=*/*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    subprocess.run(["ray", "job", "stop", "stop-me"], env=environment, check=True, capture_output=True)
    assert command("extract", corpus, *arguments("extract", sample_parts, undisturbed)).returncode == 0
    assert articles(corpus) == articles(undisturbed)


def test_any_number_of_workers_gives_the_same_bytes(undisturbed, sample_parts, tmp_path):
    """Here four; the fixture ran in one process, one task after the other, and what the other tests compare with it on two."""
    corpus = tmp_path / "corpus"
    script = (
        "import sys, ray, raywiki as rw\n"
        "ray.init(address='local', num_cpus=4, include_dashboard=False, object_store_memory=300 << 20)\n"
        "rw.extract(sys.argv[1], sys.argv[2:])\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-c", script, str(corpus), *arguments("extract", sample_parts, undisturbed)]
    done = subprocess.run(command, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert articles(corpus) == articles(undisturbed)
