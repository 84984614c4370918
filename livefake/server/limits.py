"""How often somebody may ask: token buckets, with time as an argument, and the ASGI shell around them.

Only paths that a rule names are limited: those that can be asked without the token, and those that cost much.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from livefake.clock import Clock, Nanos, seconds
from livefake.server.problems import Problem

__all__ = ["Allowance", "Bucket", "Limits", "RateLimit", "Rule"]

_CLIENTS: Final = 512
"""Addresses that are remembered; the one that was quiet for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often is often enough.

    Attributes:
        rate: requests a second in the long run, above 0.
        burst: requests at once, 1 or more.
    """

    rate: float
    burst: int

    def __post_init__(self) -> None:
        # Written so that NaN fails too.
        if not (self.rate > 0 and self.burst >= 1):
            raise ValueError(f"an allowance needs a rate above 0 and a burst of 1 or more, got {self}")


class Bucket:
    """A token bucket: full at first, filled at a steady rate, emptied by one with each request.

    >>> bucket = Bucket(Allowance(rate=2, burst=1), now=0)
    >>> bucket.take(0), bucket.take(0), bucket.take(500_000_000)
    (0, 500000000, 0)
    """

    def __init__(self, allowance: Allowance, now: Nanos) -> None:
        self._allowance = allowance
        self._tokens = float(allowance.burst)
        self._filled = now

    def take(self, now: Nanos) -> Nanos:
        """Take a token.

        Args:
            now: the instant. One that lies before an earlier one fills nothing.

        Returns:
            0 when there was one; else how long it takes until there is.
        """
        passed = max(0, now - self._filled)
        self._filled = max(self._filled, now)
        self._tokens = min(self._allowance.burst, self._tokens + seconds(passed) * self._allowance.rate)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._allowance.rate * 1e9)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a path may be asked.

    Attributes:
        paths: pattern that the whole path fits.
        each: allowance of one client address.
        every: allowance of all of them together.
        methods: to which it applies; empty for all.
    """

    paths: re.Pattern[str]
    each: Allowance
    every: Allowance
    methods: frozenset[str] = frozenset()

    def fits(self, method: str, path: str) -> bool:
        """Whether the rule is for this request."""
        return (not self.methods or method in self.methods) and self.paths.fullmatch(path) is not None


class Limits:
    """Counts requests against rules; the first rule that fits decides. One thread only."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._all: dict[int, Bucket] = {}
        self._clients: OrderedDict[tuple[int, str], Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._clients)

    def wait(self, method: str, path: str, client: str, now: Nanos) -> Nanos:
        """How long a request must wait; 0 when it may pass, which is counted."""
        for index, rule in enumerate(self._rules):
            if rule.fits(method, path):
                # The client's own bucket comes first: who is refused there takes nothing from the others.
                return self._own(index, rule, client, now).take(now) or self._shared(index, rule, now).take(now)
        return 0

    def _shared(self, index: int, rule: Rule, now: Nanos) -> Bucket:
        return self._all.setdefault(index, Bucket(rule.every, now))

    def _own(self, index: int, rule: Rule, client: str, now: Nanos) -> Bucket:
        key = (index, client)
        bucket = self._clients.pop(key, None) or Bucket(rule.each, now)
        self._clients[key] = bucket
        while len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)
        return bucket


class RateLimit:
    """ASGI shell of ``Limits``: answers 429 with ``Retry-After`` (RFC 6585, section 4)."""

    def __init__(self, app: ASGIApp, limits: Limits, clock: Clock) -> None:
        self._app = app
        self._limits = limits
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        wait = self._limits.wait(scope["method"], scope["path"], client[0] if client else "", self._clock())
        if wait:
            await _problem(wait).response(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _problem(wait: Nanos) -> Problem:
    pause = max(1, math.ceil(seconds(wait)))
    headers: Mapping[str, str] = {"Retry-After": str(pause)}
    unit = "second" if pause == 1 else "seconds"
    return Problem(429, "These requests come too fast.", f"Wait {pause} {unit}, then try again.", headers)
