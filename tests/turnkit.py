"""A real TURN server, coturn."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

SECRET = "shared-by-coturn-and-livefake"

NEEDS_COTURN = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="there is no coturn; on Debian: apt install coturn"),
]


@contextmanager
def coturn(folder: Path, host: str) -> Iterator[str]:
    """Run coturn on an address of this machine; yields HOST:PORT.

    Args:
        folder: empty; its files.
        host: where it listens and relays.
    """
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    command = [
        "turnserver",
        "-n",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        f"--listening-ip={host}",
        f"--relay-ip={host}",
        f"--listening-port={port}",
        "--allow-loopback-peers",
        "--use-auth-secret",
        f"--static-auth-secret={SECRET}",
        "--realm=livefake",
        f"--userdb={folder / 'turndb'}",
        f"--pidfile={folder / 'pid'}",
        "--log-file=stdout",
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                probe.settimeout(0.1)
                if probe.connect_ex((host, port)) == 0:
                    break
        yield f"{host}:{port}"
    finally:
        process.terminate()
        process.wait(10)
