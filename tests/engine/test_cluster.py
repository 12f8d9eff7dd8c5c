"""Where Ray is, what its nodes can hold, and what `run` sends, keeps and changes."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

import raywiki as rw
from raywiki.engine import cluster
from raywiki.engine.address import check_address
from raywiki.engine.gauges import gauges
from raywiki.engine.other_nodes import hindrance
from raywiki.engine.resources import fits
from raywiki.progress import Progress, counted_by

FIXED = "import sys; from raywiki.engine.address import check_address as check; check(sys.argv[1])"


@pytest.fixture
def silent_port():
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("address", "kind", "fragment"),
    [
        ("http://127.0.0.1:8265", ValueError, "is a dashboard's address"),
        ("127.0.0.1", ValueError, "write it as host:port"),
        ("a b:1", ValueError, "write it as host:port"),
        ("127.0.0.1:{closed}", ConnectionError, "connection refused"),
        ("ray://127.0.0.1:10001", ValueError, "Ray Data does not run through one"),
        ("127.0.0.1:{silent}", ConnectionError, "no answer"),
        ("nohost.invalid:6379", ConnectionError, "no Ray answers"),
        ("ray://nohost:10001", ValueError, "RAY_ADDRESS=auto"),
    ],
)
def test_an_address_without_ray_is_a_sentence_within_seconds(address, kind, fragment, closed_port, silent_port):
    address = address.format(closed=closed_port, silent=silent_port)
    started = time.monotonic()
    with pytest.raises(kind, match=fragment) as raised:
        check_address(address)
    assert f"RAY_ADDRESS={address}" in str(raised.value)
    assert time.monotonic() - started < 10  # Ray itself takes 20 to 40


def test_auto_that_leads_to_a_dead_head(monkeypatch, closed_port):
    """As `/tmp/ray/ray_current_cluster` does that a killed Ray left behind."""
    from ray._private import services

    monkeypatch.setattr(services, "canonicalize_bootstrap_address", lambda _: f"127.0.0.1:{closed_port}")
    with pytest.raises(ConnectionError, match=f"no Ray answers at 127.0.0.1:{closed_port}, which RAY_ADDRESS=auto found"):
        check_address("auto")


def test_something_else_answers(ray_head):
    with pytest.raises(ConnectionError, match="something else does"):
        check_address(ray_head.dashboard.removeprefix("http://"))


@pytest.mark.parametrize(
    ("environment", "fragment"),
    [
        ({}, ""),
        ({"RAY_AUTH_TOKEN": "wrong"}, "does not take our token: set RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": ""}, "RAY_AUTH_MODE=token, but there is no token"),
        ({"RAY_AUTH_MODE": "disabled"}, "asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN"),
    ],
)
def test_the_token(environment, fragment, ray_head, tmp_path):
    """In a process of its own: Ray reads the token once."""
    command = [sys.executable, "-c", FIXED, ray_head.environment["RAY_ADDRESS"]]
    own = {**os.environ, **ray_head.environment, "HOME": str(tmp_path), **environment}
    done = subprocess.run(command, env=own, capture_output=True, text=True)
    assert (done.returncode == 0) == (not fragment), done.stderr
    assert fragment in done.stderr


def test_the_command_says_it_in_one_line(command, tmp_path, sample_parts, closed_port):
    started = time.monotonic()
    done = command("extract", tmp_path / "corpus", sample_parts[0], RAY_ADDRESS=f"127.0.0.1:{closed_port}")
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith(f"raywiki: no Ray answers at RAY_ADDRESS=127.0.0.1:{closed_port}")
    assert "unset RAY_ADDRESS" in sentence
    assert time.monotonic() - started < 20


def test_what_no_node_has_is_a_sentence(ray_session):
    with pytest.raises(ValueError, match="no node of the Ray cluster has 64 CPUs: its node has 2 CPUs"):
        list(cluster.run(len, ["a"], num_cpus=64))


def test_workers_share_the_cpus_of_the_nodes(ray_session):
    assert [cluster.worker_cpus(workers) for workers in (1, 2)] == [2, 1]
    with pytest.raises(ValueError, match="has room for 2 times 1 CPU, not for 3: its node has 2 CPUs"):
        cluster.worker_cpus(3)
    with pytest.raises(ValueError, match="no node of the Ray cluster has 1 CPU and 1 GPU: its node has 2 CPUs and 0 GPUs"):
        cluster.worker_cpus(1, gpus=1)


@pytest.mark.parametrize(
    ("nodes", "bundle", "count", "problem"),
    [
        ([{"CPU": 8.0}] * 3, {"CPU": 8}, 3, None),
        ([{"CPU": 8.0}] * 3, {"CPU": 24}, 1, "no node of the Ray cluster has 24 CPUs: the biggest of its 3 nodes has 8 CPUs"),
        ([{"CPU": 8.0}] * 3, {"CPU": 5}, 4, "the Ray cluster has room for 3 times 5 CPUs, not for 4: the biggest of its 3"),
        ([{"CPU": 64.0}, {"CPU": 4.0, "GPU": 1.0}], {"CPU": 8, "GPU": 1}, 1, "the biggest of its 2 nodes has 4 CPUs and 1 GPU"),
        ([{"memory": 1.0}], {"CPU": 1}, 1, "no node of the Ray cluster has 1 CPU: its node has 0 CPUs"),
        ([{"CPU": 2.0}], {"CPU": 0.5}, 4, None),
        ([], {"CPU": 1}, 1, "the Ray cluster has no node"),
    ],
)
def test_what_fits_on_nodes(nodes, bundle, count, problem):
    found = fits(nodes, bundle, count)
    assert (found is None) == (problem is None)
    assert problem is None or problem in found


def test_a_cluster_without_cpus_is_a_sentence(sample_parts, tmp_path):
    script = (
        "import sys, ray, raywiki as rw\n"
        "ray.init(address='local', num_cpus=0, include_dashboard=False, object_store_memory=300 << 20)\n"
        "rw.extract(*sys.argv[1:])\n"
    )
    clean = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-c", script, str(tmp_path / "corpus"), str(sample_parts[0])]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=100)
    assert "ValueError: no node of the Ray cluster has 1 CPU: its node has 0 CPUs" in done.stderr


def test_an_autoscaler_may_add_the_node(ray_session, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "_is_autoscaling", lambda: True)
    cluster.require({"CPU": 64})
    assert "waiting for the cluster's autoscaler" in capsys.readouterr().err


def test_fixed_nodes_are_not_autoscaled(ray_session):
    assert not cluster._is_autoscaling()


@pytest.mark.parametrize(
    ("version", "types", "expected"),
    [(b"0", ["node_28b5"], False), (b"0", ["ray.head.default"], True), (b"1", [], True), (None, None, False)],
)
def test_an_autoscaler_is_known_by_what_it_reports(version, types, expected, monkeypatch):
    """The reports are those that Ray 2.60 gives on fixed nodes and on its fake autoscaling provider."""
    from ray.experimental import internal_kv

    report = None if types is None else json.dumps({"autoscaler_report": {"active_nodes": dict.fromkeys(types, 1)}}).encode()
    values = {b"__autoscaler_v2_enabled": version, b"__autoscaling_status": report}
    monkeypatch.setattr(internal_kv, "_internal_kv_get", lambda key, namespace=None: values[key])
    assert cluster._is_autoscaling() == expected


class Traced:
    """An item that leaves a file whenever it is unpickled."""

    def __init__(self, folder: Path, number: int) -> None:
        self.folder, self.number = folder, number

    def __reduce__(self):
        return _unpickle, (self.folder, self.number)


def _unpickle(folder: Path, number: int) -> Traced:
    (folder / f"{number}-{uuid.uuid4().hex}").touch()
    return Traced(folder, number)


@pytest.fixture
def by_value(monkeypatch):
    """What this file defines travels to the workers, who cannot import it."""
    from ray import cloudpickle

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def test_a_task_is_sent_its_own_item_only(ray_session, by_value, tmp_path):
    items = [Traced(tmp_path, number) for number in range(6)]
    assert sorted(cluster.run(lambda item: item.number * 2, items)) == [(number, number * 2) for number in range(6)]
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == list("012345")


def test_run_leaves_the_callers_settings_alone(ray_session):
    import ray.data

    context, logger = ray.data.DataContext.get_current(), logging.getLogger("ray.data")
    names = ("enable_progress_bars", "print_on_execution_start", "op_resource_reservation_enabled")
    before = (*(getattr(context, name) for name in names), logger.level)
    assert before[0], "otherwise this test proves nothing"
    for _ in cluster.run(len, ["a", "bc"]):
        assert logger.level == logging.ERROR
    assert (*(getattr(context, name) for name in names), logger.level) == before


def test_a_node_that_joined_later_with_another_raywiki(ray_session, monkeypatch):
    """Nobody has asked it before its first task."""
    monkeypatch.setattr(cluster, "hindrance", lambda sizes: hindrance(sizes, "7"))
    with pytest.raises(ValueError, match=rf"has raywiki {rw.__version__}, not 7: install the same raywiki on every node"):
        list(cluster.run(len, ["a"]))


def test_progress_is_exported_as_gauges(ray_session):
    """By the node's own port for Prometheus, within the ten seconds of Ray's reports and what a busy machine takes."""
    import ray

    [node] = ray.nodes()
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    expected = {"raywiki_done": ("MB", 5.0), "raywiki_total": ("MB", 20.0)}
    with counted_by(gauges()), Progress("extract p1", 20, "MB") as progress:
        progress.advance(5, {"articles": 30})
        until, found = time.monotonic() + 90, dict[str, tuple[str, float]]()
        while found != expected and time.monotonic() < until:
            text = urllib.request.urlopen(url, timeout=30).read().decode()
            lines = [line for line in text.splitlines() if 'work="extract p1"' in line and 'unit="MB"' in line]
            names = {name: line for line in lines for name in expected if line.startswith(f"ray_{name}")}
            found = {name: ("MB", float(line.rpartition(" ")[2])) for name, line in names.items()}
            time.sleep(0.5)
    assert found == expected


class TwoArguments(ValueError):
    """Pickled by its one argument, it cannot be made again."""

    def __init__(self, file: str, line: int) -> None:
        super().__init__(f"{file} is odd in line {line}")


class HoldsALock(OSError):
    def __init__(self) -> None:
        super().__init__("the lock is held")
        self.lock = threading.Lock()


class Strange(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (lambda: FileNotFoundError(2, "not there", "x.bz2"), FileNotFoundError, "x.bz2"),
        (lambda: TwoArguments("a.txt", 3), ValueError, "a.txt is odd in line 3"),
        (HoldsALock, OSError, "the lock is held"),
        (lambda: Strange(1, 2), RuntimeError, "Strange: 1 and 2"),
    ],
)
def test_every_exception_reaches_the_caller(make, kind, sentence, ray_session, by_value):
    def fail(_: str) -> None:
        raise make()

    with pytest.raises(kind, match=sentence) as raised:
        list(cluster.run(fail, ["a"]))
    assert "in fail" in "".join(raised.value.__notes__)


def test_a_start_changes_neither_environment_nor_signals(tmp_path):
    """But for what `ray.init` itself sets."""
    script = (
        "import os, pickle, signal, sys\n"
        "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, lambda *_: None)\n"
        "def state(): return dict(os.environ), [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]\n"
        "environment, handlers = state()\n"
        "from raywiki.engine import cluster\n"
        "cluster.start()\n"
        "print(sorted(name for name in os.environ if os.environ[name] != environment.get(name)), state()[1] == handlers)\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**clean, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=100
    )
    assert done.stderr == ""
    assert "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO" not in done.stdout
    assert done.stdout.endswith("True\n")


def test_more_tasks_than_wait_at_once_all_run(ray_session, monkeypatch, recwarn):
    monkeypatch.setattr(cluster, "MOST_WAITING", 3)
    assert sorted(cluster.run(lambda number: number * number, range(8))) == [(n, n * n) for n in range(8)]
    assert sorted(cluster.run(lambda number: -number, range(3))) == [(n, -n) for n in range(3)]
    assert not [each for each in recwarn if "concurren" in str(each.message)]  # a user could not act on it
