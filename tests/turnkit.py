"""A real TURN server, coturn."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

SECRET = "shared-by-coturn-and-livefake"

NEEDS_COTURN = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="there is no coturn; on Debian: apt install coturn"),
]


ATTEMPTS = 3
"""Another program may take the port between the moment it was found free and coturn's start."""


@contextmanager
def coturn(folder: Path, host: str) -> Iterator[str]:
    """Run coturn on an address of this machine until it answers; yields HOST:PORT.

    Args:
        folder: empty; its files.
        host: where it listens and relays.

    Raises:
        TimeoutError: it does not answer over UDP and TCP; with what it printed.
    """
    for _ in range(ATTEMPTS):
        port = free_port(host)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command(folder, host, port), cwd=folder, stdout=log, stderr=log)
        try:
            if answers(process, host, port):
                yield f"{host}:{port}"
                return
        finally:
            process.terminate()
            process.wait(10)
    raise TimeoutError(f"coturn does not answer at {host}:\n{(folder / 'log').read_text()}")


def command(folder: Path, host: str, port: int) -> list[str]:
    """How coturn is run."""
    return [
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


def free_port(host: str) -> int:
    """A port that nobody uses at this moment, neither over UDP nor over TCP."""
    for _ in range(100):
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as udp, closing(socket.socket()) as tcp:
            udp.bind((host, 0))
            port = int(udp.getsockname()[1])
            try:
                tcp.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {host} is free for UDP and TCP alike")


def answers(process: subprocess.Popen[bytes], host: str, port: int, seconds: float = 20) -> bool:
    """Wait for the answer to a STUN binding request (RFC 8489) over UDP, and for TCP."""
    request = struct.pack(">HHI", 0x0001, 0, 0x2112A442) + os.urandom(12)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        with closing(socket.socket(type=socket.SOCK_DGRAM)) as udp, closing(socket.socket()) as tcp:
            for each in (udp, tcp):
                each.settimeout(0.2)
            with suppress(OSError):
                udp.connect((host, port))
                udp.send(request)
                reply = udp.recv(1024)
                tcp.connect((host, port))
                if reply[:2] == b"\x01\x01" and reply[8:20] == request[8:20]:
                    return True
        time.sleep(0.05)
    return False
