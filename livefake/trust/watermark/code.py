"""What the mark says, and how its bits survive: payload, check sum, convolutional code.

64 bits of payload and 24 bits of check go through a convolutional code of constraint length 9 and rate 1/4
(generators 765, 671, 513, 473 octal; J. Proakis, Digital Communications, table 8.2-3) with 8 zero bits to
close it. The decoder is Viterbi's with soft decisions and a list, of which the check picks one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes
from livefake.trust.watermark.viterbi import likeliest

__all__ = ["CODED_BITS", "Payload", "crc24", "decode", "encode"]

_VERSION_BITS: Final = 4
_ISSUER_BITS: Final = 24
_SESSION_BITS: Final = 36
_PAYLOAD_BYTES: Final = 8
_CHECK_BYTES: Final = 3

_GENERATORS: Final = (0o765, 0o671, 0o513, 0o473)
_MEMORY: Final = 8
_STATES: Final = 1 << _MEMORY
_MESSAGE_BITS: Final = 8 * (_PAYLOAD_BYTES + _CHECK_BYTES)
_STEPS: Final = _MESSAGE_BITS + _MEMORY
_LIST: Final = 16

CODED_BITS: Final = _STEPS * len(_GENERATORS)
"""Length of the coded message: 384 bits."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What a mark says: 64 bits.

    Attributes:
        version: of this layout, 0..15.
        issuer: number of the service that made the picture, 0..2**24 - 1.
        session: number of the session, 0..2**36 - 1; the ledger of the issuer knows more about it.

    Raises:
        ValueError: a field does not fit its bits.
    """

    version: int
    issuer: int
    session: int

    def __post_init__(self) -> None:
        widths = {"version": _VERSION_BITS, "issuer": _ISSUER_BITS, "session": _SESSION_BITS}
        for name, bits in widths.items():
            value = getattr(self, name)
            if not 0 <= value < 1 << bits:
                raise ValueError(f"a mark's {name} has {bits} bits, got {value}")

    def pack(self) -> bytes:
        """The 8 bytes, big-endian: version, issuer, session."""
        number = (self.version << _ISSUER_BITS | self.issuer) << _SESSION_BITS | self.session
        return number.to_bytes(_PAYLOAD_BYTES, "big")

    @classmethod
    def unpack(cls, data: bytes) -> Payload:
        """The payload in 8 bytes.

        Raises:
            ValueError: there are not exactly 8.
        """
        if len(data) != _PAYLOAD_BYTES:
            raise ValueError(f"a mark's payload has {_PAYLOAD_BYTES} bytes, got {len(data)}")
        number = int.from_bytes(data, "big")
        session = number & ((1 << _SESSION_BITS) - 1)
        issuer = number >> _SESSION_BITS & ((1 << _ISSUER_BITS) - 1)
        return cls(number >> (_SESSION_BITS + _ISSUER_BITS), issuer, session)


def crc24(data: bytes) -> int:
    """The CRC-24 of OpenPGP (RFC 9580, section 6.1): generator 0x864CFB, start 0xB704CE."""
    remainder = 0xB704CE
    for byte in data:
        remainder ^= byte << 16
        for _ in range(8):
            remainder <<= 1
            if remainder & 0x1000000:
                remainder ^= 0x1864CFB
    return remainder


def encode(payload: Payload) -> Bytes:
    """(CODED_BITS,) uint8, 0 or 1: the payload with its check, coded."""
    packed = payload.pack()
    message = packed + crc24(packed).to_bytes(_CHECK_BYTES, "big")
    bits = np.unpackbits(np.frombuffer(message, np.uint8)).astype(np.int64)
    # Convolution over GF(2): the tail of zeros is what a full convolution runs out with.
    streams = [np.convolve(bits, _taps(generator)) & 1 for generator in _GENERATORS]
    return np.stack(streams, 1).astype(np.uint8).reshape(-1)


def decode(soft: NDArray[np.float64]) -> Payload | None:
    """The most likely payload whose check fits, or ``None`` when it fits none of the likeliest 16 messages.

    Args:
        soft: (CODED_BITS,) evidence for each coded bit: positive for 0, negative for 1, the size its certainty.
    """
    earned = soft.reshape(_STEPS, len(_GENERATORS)) @ _signs()
    for bits in likeliest(earned.reshape(_STEPS, 2, _STATES), _LIST):
        message = np.packbits(bits[:_MESSAGE_BITS]).tobytes()
        packed, check = message[:_PAYLOAD_BYTES], message[_PAYLOAD_BYTES:]
        if crc24(packed).to_bytes(_CHECK_BYTES, "big") == check:
            return Payload.unpack(packed)
    return None


def _taps(generator: int) -> NDArray[np.int64]:
    """A generator's taps, newest bit first."""
    return np.array([generator >> delay & 1 for delay in range(_MEMORY, -1, -1)], np.int64)


@lru_cache(maxsize=1)
def _signs() -> NDArray[np.float64]:
    """(4, 2 * 256): +1 where the encoder sends 0, -1 where it sends 1, for every (new bit, state)."""
    registers = np.arange(2 * _STATES, dtype=np.int64)  # the new bit on top of the last eight, newest highest
    parities = [np.bitwise_count(registers & generator) & 1 for generator in _GENERATORS]
    return 1.0 - 2.0 * np.stack(parities).astype(np.float64)
