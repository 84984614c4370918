"""Programs of ours that may do little: ``confine`` is called inside one, ``Confined`` is how the service holds one."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import sys
from types import TracebackType
from typing import IO, Final, Self

from livefake.clock import Clock, milliseconds, nanos

__all__ = ["Confined", "Gone", "Late", "confine"]

_NICE: Final = 5
_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


class Late(Exception):
    """A confined program did not finish in time."""


class Gone(Exception):
    """A confined program ended in the middle of its work.

    Args:
        overspent: it had used up its processor time.
    """

    def __init__(self, *, overspent: bool) -> None:
        super().__init__()
        self.overspent = overspent


def confine(*, memory: int, cpu: int, descriptors: int = 0) -> None:
    """Give up, for good, what the running program does not need; called when everything is loaded.

    Args:
        memory: bytes of address space that it may take from here on.
        cpu: seconds of processor time, counted from its start.
        descriptors: files it may have open at once. With 0 those that are open stay so, and nothing else can be
            opened: no file, no connection, no pipe.
    """
    os.nice(_NICE)
    _at_most(resource.RLIMIT_AS, _used() + memory)
    _at_most(resource.RLIMIT_CPU, cpu)
    _at_most(resource.RLIMIT_CORE, 0)
    _at_most(resource.RLIMIT_FSIZE, 0)
    _at_most(resource.RLIMIT_NPROC, 0)
    _at_most(resource.RLIMIT_NOFILE, descriptors)


def _used() -> int:
    """Bytes of address space in use."""
    with open("/proc/self/statm", "rb") as pages:
        return int(pages.read().split()[0]) * resource.getpagesize()


def _at_most(what: int, limit: int) -> None:
    """Set a limit that cannot be raised again."""
    resource.setrlimit(what, (limit, limit))


class Confined:
    """A module of ours that runs as a program; leaving the context ends it at once.

    Args:
        module: its name. It calls ``confine`` itself, once it is loaded.
        argument: the only argument it gets.
        stdin: what it reads, a real file.
        clock: the deadline is counted on it.
        wall: seconds from its start to the last byte that is read from it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, module: str, argument: str, stdin: IO[bytes], *, clock: Clock, wall: float) -> None:
        self._clock = clock
        self._deadline = clock() + nanos(wall * 1000)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, argument],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def fill(self, target: memoryview) -> None:
        """Wait for as many bytes of its output as fit into ``target``.

        Raises:
            Late: they did not come in time.
            Gone: they will not come any more.
        """
        while target:
            if self._left() <= 0:
                raise Late
            count = self._read_into(target)
            if not count:
                raise Gone(overspent=self._overspent())
            target = target[count:]

    def rest(self, most: int) -> bytes:
        """Wait for its end, and give all that it wrote until then, ``most`` bytes at most.

        What it wrote in time counts however late it is fetched.

        Raises:
            Late: it did not end in time.
            Gone: it wrote more, or did not end well.
        """
        content = bytearray(most + 1)
        view, length = memoryview(content), 0
        while length <= most and (count := self._read_into(view[length:])):
            length += count
        if length > most or self._ended() != 0:
            raise Gone(overspent=self._overspent())
        return bytes(content[:length])

    def _read_into(self, target: memoryview) -> int:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if not poll.poll(self._left()):
            raise Late
        return os.readv(self._out.fileno(), [target])

    def _left(self) -> float:
        """Milliseconds until the deadline, 0 after it."""
        return max(0.0, milliseconds(self._deadline - self._clock()))

    def _ended(self) -> int | None:
        """How it ended, once its output is closed; None if it lives on nevertheless."""
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return None

    def _overspent(self) -> bool:
        return self._ended() in {-signal.SIGXCPU, -signal.SIGKILL}

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._process.kill()
        self._out.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _environment() -> dict[str, str]:
    """What a confined program is told: where the code lies, and to start no threads. Nothing of ours, as the token."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
