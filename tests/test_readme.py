"""Every snippet of the README runs as it stands, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import free_ports, kill_all
from verbs_here import without_ray

import raywiki as rw
from raywiki.cli import main
from raywiki.training import read_metrics

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^(?:<!-- test: (\w+) -->\n)?```(\w+)\n(.*?)^```", re.M | re.S)
README = (ROOT / "README.md").read_text()
SNIPPETS = {name: code for name, _, code in BLOCK.findall(README) if name}


def run(name: str, folder: Path, head, **environment: str) -> str:
    language = next(language for snippet, language, _ in BLOCK.findall(README) if snippet == name)
    program = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*program, SNIPPETS[name]],
        cwd=folder,
        env={**os.environ, **head.environment, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def library(tmp_path_factory, ray_head) -> Path:
    """The folder in which the library snippet ran."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "printed.txt").write_text(run("library", folder, ray_head))
    return folder


def test_every_program_of_the_readme_is_a_test():
    untested = [code for name, language, code in BLOCK.findall(README) if language in ("python", "bash") and not name]
    assert untested == []


def test_library(library):
    parts = rw.Corpus(library / "corpus").manifests("decisions")
    assert len(parts) == 3
    printed = (library / "printed.txt").read_text()
    assert "trained to step 20" in printed
    assert "trained to step 40" in printed
    before, sample, after = printed.partition("\nReturn the ")  # a text, whose lines are as long as the model likes
    told = before + sample + after[after.index("corpus at ") :]
    assert max(map(len, told.splitlines())) <= 100


def words_of(snippet: str) -> list[list[str]]:
    """The words of each line of a shell snippet, as bash expands them in the present folder."""
    lines = [line for line in snippet.splitlines() if line.strip()]
    script = "\n".join(f"printf '%s\\0' {line}; printf '\\n'" for line in lines)
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    return [line.split("\0")[:-1] for line in done.stdout.splitlines()]


def test_commands_do_the_same(library, tmp_path, monkeypatch, capsys):
    """Typed as they stand, but into this process and without Ray: by which also Ray is seen to change nothing."""
    shutil.copytree(library / "dumps", tmp_path / "dumps")
    monkeypatch.chdir(tmp_path)
    without_ray(monkeypatch, tmp_path / "cache")
    commands = words_of(SNIPPETS["command"])
    assert [len(words) > 2 and words[0] for words in commands] == ["raywiki"] * 8
    for _, *arguments in commands:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert "trained to step 40" in printed
    for table in ("articles", "decisions", "tokens/encoding=pydoc"):
        ours, theirs = (rw.Corpus(folder / "corpus").manifests(table) for folder in (library, tmp_path))
        assert {part: each.digest for part, each in ours.items()} == {part: each.digest for part, each in theirs.items()}
    losses = [
        [record["train_loss"] for record in read_metrics(folder / "corpus/runs/r1/metrics.jsonl") if "train_loss" in record]
        for folder in (library, tmp_path)
    ]
    assert losses[0] == losses[1]


@pytest.fixture
def newcomer(tmp_path_factory) -> Iterator[dict[str, str]]:
    """What someone has who never used Ray: no token, nothing set. `ray start` gets ports and a folder that no one else uses."""
    folder = Path(tempfile.mkdtemp(prefix="rw", dir="/tmp"))  # short: Ray's socket paths have a limit
    port, dashboard = free_ports(2)
    ray = shutil.which("ray")
    (folder / "bin").mkdir()
    (folder / "bin" / "ray").write_text(
        "#!/bin/sh\n"
        "export RAY_worker_niceness=0\n"  # beside the other tests its workers would wait for minutes
        f'if [ "$1" = start ]; then set -- "$@" --port={port} --dashboard-port={dashboard} --temp-dir={folder}/ray; fi\n'
        f'if [ "$1" = start ]; then set -- "$@" --dashboard-agent-listen-port=0 --num-cpus=2; fi\n'
        f'exec {ray} "$@"\n'
    )
    (folder / "bin" / "ray").chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    yield {
        **clean, "HOME": str(folder), "PATH": f"{folder}/bin{os.pathsep}{os.environ['PATH']}",
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}",
    }  # fmt: skip
    kill_all(str(folder))
    shutil.rmtree(folder, ignore_errors=True)


def test_jobs_on_a_cluster_that_a_newcomer_makes(library, newcomer, tmp_path):
    """Both blocks as they stand, in one shell, with `set -e`; then a job whose log ends with its summary for programs."""
    [part] = (library / "dumps").glob("*articles1*")
    corpus = tmp_path / "corpus"
    names = {"CORPUS": str(corpus), "DUMP": str(part), "VOCABULARY": str(library / "pydoc.json")}
    again = 'ray job submit --submission-id again --working-dir jobs -- python curate_articles.py "$CORPUS" --json >&2\n'
    again += "ray job logs again | tail -n 1\n"  # as examples/cluster/README.md has it
    script = ["bash", "-euo", "pipefail", "-c", SNIPPETS["cluster"] + SNIPPETS["jobs"] + again]
    done = subprocess.run(script, cwd=ROOT, env={**newcomer, **names}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("succeeded") >= 5
    assert "Anyone with network access" not in done.stdout + done.stderr
    ours, theirs = (rw.Corpus(folder).manifests("articles") for folder in (corpus, library / "corpus"))
    assert len(ours) == 1
    assert all(manifest.digest == theirs[part].digest for part, manifest in ours.items())
    assert [record["step"] for record in read_metrics(corpus / "runs/r1/metrics.jsonl")][-1] == 20
    assert "nothing to do, nothing committed" in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])["corpus"] == str(corpus)


def test_a_job_that_fails_has_exit_status_1(ray_head, tmp_path):
    submit = ["ray", "job", "submit", "--working-dir", "jobs", "--", "python", "extract_articles.py", str(tmp_path / "corpus")]
    environment = {**os.environ, **ray_head.environment, "RAY_ADDRESS": ray_head.dashboard}
    done = subprocess.run([*submit, "/no/such.bz2"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "raywiki: " in done.stdout
    assert "/no/such.bz2" in done.stdout


def test_polars(library, ray_head):
    assert "shape: (3, 3)" in run("polars", library, ray_head)


def test_export(library, ray_head):
    printed = run("export", library, ray_head)
    assert printed.count("files written") + printed.count("file written") == 6
    assert max(map(len, printed.splitlines())) <= 100


def test_model(library, ray_head):
    printed = run("model", library, ray_head)
    assert printed.count("6 of 6 files written") + printed.count("2 of 2 files written") == 2
    assert max(map(len, printed.splitlines())) <= 100


def test_kernels(library, ray_head):
    articles = sum(manifest.rows for manifest in rw.Corpus(library / "corpus").manifests("articles").values())
    assert f"{articles} articles" in run("kernels", library, ray_head)


def test_the_example_looks_at_every_table(library):
    command = [sys.executable, str(ROOT / "examples" / "look_at_tables.py"), str(library / "corpus")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "tokens of pydoc" in printed
    assert max(map(len, printed.splitlines())) <= 100


def test_every_command_and_column_is_documented():
    from raywiki.cli import app
    from raywiki.schema import ARTICLES, DECISIONS, tokens_schema

    documented = README + (ROOT / "CHANGELOG.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [name for name in names if f"raywiki {name}" not in documented and f"`{name}`" not in documented] == []
    for schema in (ARTICLES, DECISIONS, tokens_schema(4096)):
        assert [name for name in schema.names if f"`{name}`" not in README] == []
