"""A network path that loses, delays and reorders packets as a script says: the scripted stand-in for the real one.

A path stands between a browser and the service, real or in a test: it forwards their UDP packets, and both session
descriptions are rewritten on their way so that each side knows the other only by the path's address. The same seed
gives the same fates to the same packets.
"""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Final, cast

__all__ = ["DOWN", "Fates", "Script", "ScriptedPath"]

_WAITING: Final = 4096
_TICK: Final = 1e-6
_CANDIDATE: Final = re.compile(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", re.IGNORECASE)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What a path does to packets.

    Attributes:
        loss: share of packets that are lost, 0..1.
        burst: mean number of packets that are lost one after the other, at least 1; 1 loses each for itself.
        delay: seconds that every packet takes.
        jitter: seconds that a packet takes longer, evenly spread between 0 and this; the order is kept.
        reordered: share of packets that are overtaken, 0..1.
        late: seconds that an overtaken one takes longer.
    """

    loss: float = 0.0
    burst: float = 1.0
    delay: float = 0.0
    jitter: float = 0.0
    reordered: float = 0.0
    late: float = 0.015


DOWN: Final = Script(loss=1.0)
"""Nothing gets through."""


class Fates:
    """Decides about one packet after the other, by a script and a seed.

    Losses follow Gilbert's two-state model (Bell System Technical Journal 39, 1960): in the bad state every packet is
    lost; it is left with the probability 1 / burst, and entered so often that the share of lost packets is right.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._bad = False
        self._due = 0.0

    def next(self, script: Script, now: float) -> float | None:
        """When a packet that is sent ``now`` arrives, in seconds on the same clock; None for never."""
        if self._lost(script):
            return None
        due = now + script.delay + script.jitter * self._random.random()
        if script.reordered and self._random.random() < script.reordered:
            return due + script.late
        # Never the same instant twice: a timer keeps no order among those.
        self._due = max(due, self._due + _TICK)
        return self._due

    def _lost(self, script: Script) -> bool:
        if script.loss >= 1:
            return True
        if script.burst <= 1:
            return self._random.random() < script.loss
        leave = 1 / script.burst
        enter = leave * script.loss / (1 - script.loss)
        self._bad = self._random.random() >= leave if self._bad else self._random.random() < enter
        return self._bad


class _End(asyncio.DatagramProtocol):
    """One of the two sockets of a path."""

    def __init__(self, path: ScriptedPath, fates: Fates) -> None:
        self.path = path
        self.fates = fates
        self.other: _End
        self.peer: Address | None = None
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr
        self.path.forward(data, self.other, self.fates)

    def error_received(self, exc: Exception) -> None:
        """A peer that closed its socket is the same as a packet that is lost."""

    @property
    def address(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")[:2]
        return str(host), int(port)


class ScriptedPath:
    """Two UDP sockets, one towards the browser and one towards the service; make it with ``open``.

    At most 4096 packets are on their way at once; what comes beyond them is lost. For one event loop.

    Attributes:
        script: what happens to packets from now on; may be changed at any time.
        passed, lost: packets so far, both directions together.
    """

    def __init__(self, script: Script, seed: int) -> None:
        self.script = script
        self.passed = self.lost = self._waiting = 0
        self._near = _End(self, Fates(seed))
        self._far = _End(self, Fates(seed + 1))
        self._near.other, self._far.other = self._far, self._near

    @classmethod
    async def open(cls, host: str, script: Script | None = None, *, seed: int = 0) -> ScriptedPath:
        """A path whose sockets have an address of this machine that both sides reach."""
        path = cls(script or Script(), seed)
        loop = asyncio.get_running_loop()
        for end in (path._near, path._far):
            await loop.create_datagram_endpoint(lambda end=end: end, local_addr=(host, 0))  # type: ignore[misc]
        return path

    def offer(self, sdp: str) -> str:
        """A browser's offer as the service should see it: the browser is where the path's far socket is."""
        return _moved(sdp, self._far.address)[0]

    def answer(self, sdp: str) -> str:
        """The service's answer as the browser should see it."""
        moved, self._far.peer = _moved(sdp, self._near.address)
        return moved

    def close(self) -> None:
        """Close both sockets."""
        self.script = DOWN
        self._near.transport.close()
        self._far.transport.close()

    def forward(self, data: bytes, to: _End, fates: Fates) -> None:
        """Send a packet on, now or later or never."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        due = fates.next(self.script, now)
        if due is None or self._waiting >= _WAITING:
            self.lost += 1
        elif due <= now:
            self._send(data, to)
        else:
            self._waiting += 1
            loop.call_at(due, self._arrive, data, to)

    def _arrive(self, data: bytes, to: _End) -> None:
        self._waiting -= 1
        self._send(data, to)

    def _send(self, data: bytes, to: _End) -> None:
        if to.peer is None or to.transport.is_closing():
            self.lost += 1
            return
        self.passed += 1
        to.transport.sendto(data, to.peer)


def _moved(sdp: str, address: Address) -> tuple[str, Address | None]:
    """A description whose only candidate is that address, and where its first host candidate was before."""
    lines: list[str] = []
    was: Address | None = None
    there = False
    for line in sdp.splitlines():
        there = there and not line.startswith("m=")
        if not line.startswith("a=candidate:"):
            lines.append(line)
            continue
        if was is None and (match := _CANDIDATE.match(line)):
            was = match[1], int(match[2])
        if not there:
            lines.append("a=candidate:1 1 udp 2130706431 {} {} typ host".format(*address))
            there = True
    return "\r\n".join(lines) + "\r\n", was
