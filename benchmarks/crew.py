"""A service and the performers without a browser that ``benchmarks.clients`` plays, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from benchmarks.browser import Server
from benchmarks.clients import Task
from benchmarks.records import ROOT
from livefake.errors import LivefakeError

__all__ = ["crew", "task_for"]


def task_for(server: Server, **fields: Any) -> Task:
    """A task at that service; the fields are those of ``Task``."""
    return Task(base=server.url.partition("/?")[0], token=server.token, **fields)


@contextmanager
def crew(task: Task) -> Iterator[Iterator[dict[str, Any]]]:
    """Let performers work; yields what they say, from the moment when all of them are live and settled.

    Raises:
        LivefakeError: a session was refused, or did not come to show pictures.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.clients"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C is for this process, which ends the other.
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(task)) + "\n")
            process.stdin.close()
            said = _lines(process.stdout)
            next(said)
            yield said
            process.wait(30)
        finally:
            process.kill()


def _lines(output: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in output:
        said: dict[str, Any] = json.loads(line)
        if "problem" in said:
            raise LivefakeError(f"The performers stopped: {said['problem']}.")
        yield said
    # Also the end of an orderly run; whoever still waits for a line gets this.
    return
