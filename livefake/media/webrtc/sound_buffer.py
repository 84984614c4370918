"""A jitter buffer for sound that holds nothing back that could be heard already."""

from __future__ import annotations

from typing import Final

from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.utils import uint16_add

__all__ = ["SoundJitterBuffer"]

_PACKETS: Final = 16
_PATIENCE: Final = 4
"""Packets after a missing one that are waited for it: 80 ms of a browser's sound."""


class SoundJitterBuffer(JitterBuffer):
    """Releases each packet as soon as all before it are out; every packet of sound can be decoded alone.

    The stock buffer always keeps four packets back, 80 ms, and stays behind by as many more once one came late. A
    missing packet is waited for while four others come.
    """

    def __init__(self) -> None:
        super().__init__(capacity=_PACKETS)

    def more(self) -> JitterFrame | None:
        """The next packet that needs not wait; None when there is none."""
        while (packet := self._packets[(self._origin or 0) % self.capacity]) is not None:
            self.remove(1)
            data: bytes = packet._data  # type: ignore[attr-defined]  # set by the receiver
            # Padding has no sound in it, and would end the decoder.
            if data:
                return JitterFrame(data, packet.timestamp)
        return None

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        if uint16_add(sequence_number, -(self._origin or 0)) >= _PATIENCE:
            while self._packets[(self._origin or 0) % self.capacity] is None:
                self.remove(1)
        return self.more()
