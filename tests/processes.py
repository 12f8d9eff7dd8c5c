"""Ports and processes of the Rays that tests start."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, for now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def kill_all(folder: str) -> None:
    """Kill every process whose command line names this head's folder."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if folder.encode() in (proc / "cmdline").read_bytes():
                os.kill(int(proc.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
