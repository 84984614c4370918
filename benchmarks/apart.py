"""The live path with no browser on the same cores: a performer of ``benchmarks.clients`` sends an encoded clip.

A delay counts from a frame's being sent to its coming back decoded. What a browser takes to encode and draw is not in
it, and takes nothing from the service either, as if the browser were another computer.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from benchmarks.browser import serve
from benchmarks.crew import crew, task_for
from benchmarks.process import cpu_by_thread, resident_mib
from benchmarks.stats import percentiles

__all__ = ["measure"]

_RATE: Final = 30
_SETTLE: Final = 10.0


def measure(size: str, seconds: float, persona: str | None = None, *, swap: bool = True) -> dict[str, Any]:
    """Run one session and measure it after it has settled.

    Args:
        size: one of ``benchmarks.packets.SIZES``.
        seconds: how long to measure.
        persona: whom to wear; the first one listed if None.
        swap: with it, or through the echo.

    Returns:
        The same fields as ``benchmarks.live.measure``, the delay under ``glass_ms`` too, as there is no preview.

    Raises:
        LivefakeError: the service refused, or its pictures did not go live.
    """
    # Here, not above: benchmarks.live imports this module when it is asked to.
    from benchmarks.live import freezes, grown, pacing

    with serve(module="benchmarks.named" if swap else "benchmarks.echo", quiet=True) as server:
        task = task_for(
            server,
            count=1,
            size=size,
            rate=_RATE,
            settle=_SETTLE,
            span=seconds,
            persona=persona or "",
            echo=not swap,
        )
        with crew(task) as said:
            before, begun = cpu_by_thread(server.pid), time.monotonic()
            line = next(said)
            after, ended = cpu_by_thread(server.pid), time.monotonic()
            memory = resident_mib(server.pid)
            # To the orderly end, in which the session is closed.
            list(said)
    [span] = line["spans"]
    delays, gaps = span["delays_ms"], span["gaps_ms"]
    shown = np.concatenate([[0.0], np.cumsum(gaps)]).tolist()
    cores = grown(before, after, ended - begun)
    return {
        "what": "swap" if swap else "echo",
        "size": size,
        "seconds": seconds,
        "delay_ms": percentiles(delays),
        "glass_ms": percentiles(delays),
        "taken_fps": round(span["sent"] / seconds, 2),
        "arrived_fps": round(span["sent"] / seconds, 2),
        "shown_fps": round(len(delays) / seconds, 2),
        "drops": {"on the way": span["sent"] - len(delays)},
        "freezes": freezes(shown),
        "pacing": pacing(shown),
        "server_cores": round(sum(cores.values()), 4),
        "server_cpu_ms_a_frame": round(1000 * sum(cores.values()) * (ended - begun) / max(1, span["sent"]), 2),
        "threads": cores,
        "browser_cores": line["client_cores"],
        "resident_mib": memory,
        "report": span["report"],
        "delays": delays,
        "glass": delays,
        "gaps": gaps,
    }
