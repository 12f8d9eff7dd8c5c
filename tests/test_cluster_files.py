"""The files of examples/cluster: the one of `ray up` against Ray's own schema, the RayJob against KubeRay's fields."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "examples" / "cluster"
PIN = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)[1]

# Fields of KubeRay's CRD that a RayJob of ours may use, by where they stand, from `ray.io_rayjobs.yaml` of KubeRay 1.6.2
# (github.com/ray-project/kuberay); a `!` marks those that must be there. Below a pod's `spec` it is Kubernetes's own.
CONTAINER = {"name!", "image!", "resources!", "env", "envFrom", "volumeMounts", "command", "args", "securityContext"}
FIELDS = {
    "": {"apiVersion!", "kind!", "metadata!", "spec!"},
    "metadata": {"name!", "namespace", "labels", "annotations"},
    "spec": {"entrypoint!", "submissionMode", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished"}
    | {"rayClusterSpec!", "runtimeEnvYAML", "activeDeadlineSeconds", "suspend", "metadata", "jobId", "clusterSelector"},
    "spec.rayClusterSpec": {"rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec!"}
    | {"workerGroupSpecs", "gcsFaultToleranceOptions"},
    "spec.rayClusterSpec.authOptions": {"mode", "secretName", "enableK8sTokenAuth"},
    "spec.rayClusterSpec.headGroupSpec": {"rayStartParams", "template!", "serviceType", "headService", "resources", "labels"},
    "spec.rayClusterSpec.workerGroupSpecs": {"groupName!", "minReplicas!", "maxReplicas!", "replicas", "numOfHosts"}
    | {"rayStartParams", "template!", "idleTimeoutSeconds", "suspend", "scaleStrategy", "resources", "labels"},
}
WORKER_GB = 1.2  # the largest worker of curate, see benchmarks/dedup.md


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def wrong(body: Any, where: str = "") -> list[str]:
    """What of a RayJob KubeRay would refuse, or not know."""
    if isinstance(body, list):
        return [problem for each in body for problem in wrong(each, where)]
    allowed = FIELDS.get(where, CONTAINER if where.endswith(".containers") else None)
    if not isinstance(body, dict):
        return []
    needed = [name.rstrip("!") for name in allowed or () if name[-1] == "!"]
    problems = [f"{where}.{name} is missing" for name in needed if name not in body]
    problems += [f"{where}.{name} is no field" for name in body if allowed and not {name, f"{name}!"} & allowed]
    return problems + [problem for name, value in body.items() for problem in wrong(value, f"{where}.{name}".lstrip("."))]


def pods(job: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each group of a RayJob, with the first container of its pods."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [(group, group["template"]["spec"]["containers"][0]) for group in groups]


def test_the_file_of_ray_up_is_what_ray_takes():
    import jsonschema
    from ray import autoscaler

    schema = json.loads((Path(autoscaler.__file__).parent / "ray-schema.json").read_text())
    config = read("ray-up.yaml")
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**config, "workers": 3}, schema)
    assert config["head_node_type"] in config["available_node_types"]
    assert config["docker"]["image"].startswith(f"rayproject/ray:{PIN}-py3")
    starts = [each for name in ("head", "worker") for each in config[f"{name}_start_ray_commands"] if "ray start" in each]
    assert all("RAY_AUTH_MODE=token" in each and "--object-store-memory" in each for each in starts)
    assert len(starts) == 2
    assert list(config["file_mounts"]) == ["/home/ray/.ray/auth_token"]


def test_the_rayjob_has_kuberays_fields():
    job = read("rayjob.yaml")
    assert wrong(job) == []
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", job["metadata"]["name"])  # pods' names are made of it
    spec = job["spec"]
    assert spec["submissionMode"] in ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
    assert spec["rayClusterSpec"]["authOptions"]["mode"] in ("disabled", "token")
    assert spec["rayClusterSpec"]["rayVersion"] == PIN
    assert len({container["image"] for _, container in pods(job)}) == 1  # the same raywiki, Ray and Python
    for group, container in pods(job):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        memory = float(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 1.074
        store = int(group["rayStartParams"]["object-store-memory"]) / 1e9
        assert memory >= int(group["rayStartParams"]["num-cpus"]) * WORKER_GB + store + 1


def test_what_is_no_rayjob_is_found():
    job = read("rayjob.yaml")
    del job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["minReplicas"]
    job["spec"]["shutdownAfterJobFinished"] = True
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["images"] = "x"
    assert sorted(problem.rpartition(".")[2] for problem in wrong(job)) == [
        "images is no field",
        "minReplicas is missing",
        "shutdownAfterJobFinished is no field",
    ]


def commands() -> list[list[str]]:
    """The words of every raywiki command in the folder, a job's script as the verb that it is."""
    text = (FOLDER / "README.md").read_text().replace("\\\n", " ")
    lines = [
        line.strip().removeprefix("$ ")
        for block in re.findall(r"```console\n(.*?)```", text, re.S)
        for line in block.splitlines()
    ]
    lines.append(read("rayjob.yaml")["spec"]["entrypoint"])
    found = []
    for words in (shlex.split(line, comments=True) for line in lines):
        if "--" in words and words[:3] == ["ray", "job", "submit"]:
            [python, script, *rest] = words[words.index("--") + 1 :]
            job = ROOT / "jobs" / script
            assert python == "python"
            assert job.exists()
            found.append([re.search(r'main\(\["(\w+)"', job.read_text())[1], *rest])
        elif words[:1] == ["raywiki"]:
            found.append(words[1:])
    return found


def test_every_command_of_the_page_is_one_of_raywikis():
    """They are parsed as typed, and not run."""
    from raywiki.cli import app

    group = typer.main.get_command(app)
    assert len(commands()) >= 5
    for verb, *arguments in commands():
        group.commands[verb].make_context(verb, arguments)
