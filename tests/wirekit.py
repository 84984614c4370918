"""A service that really listens: asked over a socket, answering from a thread of its own."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from tests.serverkit import TOKEN, House

__all__ = ["asking", "listening"]


@contextmanager
def listening(house: House) -> Iterator[str]:
    """Run the house's app; gives its address. The house must know the host 127.0.0.1 with any port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(house.app, log_config=None, log_level="error", access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def asking(base: str, **headers: str) -> httpx.Client:
    """A program with the token."""
    return httpx.Client(base_url=base, headers={"Authorization": f"Bearer {TOKEN}", **headers}, timeout=60)
