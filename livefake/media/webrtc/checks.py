"""ICE checks that are sent again as soon as they can be answered, instead of half a second after the first one."""

from __future__ import annotations

from typing import Final

import aioice
from aioice.ice import CandidatePair, StunProtocol
from aioice.stun import Message, Transaction

__all__ = ["PRIVATE", "PromptConnection"]

PRIVATE: Final = ("__addr", "__request")
"""What of aioice's ``Transaction`` is used although it is private."""


class PromptConnection(aioice.Connection):
    """Answers each check of the other end with its own one, if that still waits for an answer.

    The service checks the browser's address the moment its answer is made. The browser has not read that answer yet
    and drops the check, as a path does that is not open yet in this direction; the stock class repeats it after 0.5 s,
    whatever comes in meanwhile. A check that comes in proves that the way is open: RFC 8445, section 7.3.1.4, wants a
    new one at once then. This one repeats the request that waits, so that an answer to either counts.
    """

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Take a check that was found good and is answered."""
        for pair in self._check_list:
            if pair.state is CandidatePair.State.IN_PROGRESS and pair.protocol is protocol and pair.remote_addr == addr:
                for transaction in tuple(protocol.transactions.values()):
                    _repeat(transaction, protocol, addr)
        super().check_incoming(message, addr, protocol)


def _repeat(transaction: Transaction, protocol: StunProtocol, addr: tuple[str, int]) -> None:
    where, request = (getattr(transaction, f"_Transaction{name}") for name in PRIVATE)
    if where == addr:
        protocol.send_stun(request, addr)
