"""Sending by SRT through libsrt of the system (C API of libsrt 1.4 and later), in live mode.

Every call belongs on a thread that may wait.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import socket
import sys
from functools import cache
from typing import Final

from livefake.errors import BadRequest, LivefakeError
from livefake.media.push.address import Address

__all__ = ["SrtLink", "load_srt"]

_PAYLOAD: Final = 1316
"""Bytes of a message: seven packets of a transport stream, what live mode takes at most by default."""
_NAMES: Final = (
    "libsrt-gnutls.so.1.5",
    "libsrt-openssl.so.1.5",
    "libsrt.so.1.5",
    "libsrt-gnutls.so.1.4",
    "libsrt.so.1",
)
_SENDER, _CONNECT_TIMEOUT, _SEND_TIMEOUT, _PEER_IDLE = 21, 36, 13, 55
_LATENCY, _PASSPHRASE, _KEY_LENGTH, _STREAM_ID = 23, 26, 27, 46
_REJECTED: Final = 1002
_OPTIONS: Final = ("latency", "passphrase", "pbkeylen", "streamid")
_SILENT: Final = ("mode", "pkt_size", "transtype")
"""Options that may say what is done anyway."""
_USUAL: Final = {"mode": "caller", "pkt_size": "1316", "transtype": "live"}


@cache
def load_srt() -> ctypes.CDLL:
    """libsrt, started.

    Raises:
        LivefakeError: it is not on this computer.
    """
    for name in (*_NAMES, ctypes.util.find_library("srt") or ""):
        if not name:
            continue
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.srt_getlasterror_str.restype = ctypes.c_char_p
        library.srt_startup()
        return library
    raise LivefakeError("Pushing by SRT needs libsrt, and it is not here.", "Install it; on Debian: libsrt1.5-gnutls")


class SrtLink:
    """A connection to an SRT listener.

    Args:
        address: with the options ``latency`` (microseconds, as in OBS and FFmpeg), ``passphrase`` (10 to 79 letters),
            ``pbkeylen`` (16, 24 or 32) and ``streamid``.
        patience: seconds that connecting, and each sending, may take.

    Raises:
        BadRequest: an option is unknown or has a wrong value.
        LivefakeError: libsrt is not on this computer.
    """

    def __init__(self, address: Address, *, patience: float) -> None:
        self._address = address
        self._patience = patience
        self._rest = b""
        self._open = False
        self._options = _read(address)
        self._srt = load_srt()
        self._socket: int = self._srt.srt_create_socket()

    def open(self) -> None:
        """Connect.

        Raises:
            LivefakeError: nobody listens there, or they refuse.
        """
        place, wait = self._address.place, int(self._patience * 1000)
        for option, number in ((_SENDER, 1), (_CONNECT_TIMEOUT, wait), (_SEND_TIMEOUT, wait), (_PEER_IDLE, wait)):
            self._set(option, ctypes.c_int(number), 4)
        for option, value in self._options:
            if isinstance(value, int):
                self._set(option, ctypes.c_int(value), 4)
            else:
                self._set(option, ctypes.c_char_p(value), len(value))
        try:
            found = socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise LivefakeError(f"{place}: the name cannot be found.", "Check the address.") from error
        family, *_, where = found[0]
        packed = _pack(family, str(where[0]), self._address.port)
        if self._srt.srt_connect(self._socket, packed, len(packed)) < 0:
            if self._srt.srt_getlasterror(None) == _REJECTED:
                raise LivefakeError(
                    f"{place} refuses the connection.", "Check the passphrase and the streamid of the address."
                )
            raise LivefakeError(f"{place} does not answer.", "Check the address, and that somebody listens there.")
        self._open = True

    def write(self, data: bytes) -> int:
        """Send a piece of a transport stream; what does not fill a message waits for the next piece.

        Returns:
            Bytes that were sent.

        Raises:
            LivefakeError: the connection is lost.
        """
        data = self._rest + data
        whole = len(data) // _PAYLOAD * _PAYLOAD
        for start in range(0, whole, _PAYLOAD):
            if self._srt.srt_send(self._socket, data[start : start + _PAYLOAD], _PAYLOAD) < 0:
                raise LivefakeError(f"{self._address.place}: the connection is lost.")
        self._rest = data[whole:]
        return whole

    def finish(self) -> None:
        """Send what waits for more; a lost connection is no error any more."""
        if self._open and self._rest:
            self._srt.srt_send(self._socket, self._rest, len(self._rest))
            self._rest = b""

    def cut(self) -> None:
        """Close at once, from any thread; a call that waits ends with an error. Safe to call twice."""
        handle, self._socket = self._socket, -1
        if handle >= 0:
            self._srt.srt_close(handle)

    def _set(self, option: int, value: ctypes._SimpleCData[int] | ctypes.c_char_p, size: int) -> None:
        reference = value if isinstance(value, ctypes.c_char_p) else ctypes.byref(value)
        if self._srt.srt_setsockflag(self._socket, option, reference, size) < 0:
            raise BadRequest("An option of the SRT address is not taken by libsrt.", "Check the options.")


def _read(address: Address) -> list[tuple[int, int | bytes]]:
    """The options of an address, as libsrt wants them, in the order in which it wants them."""
    options = dict(address.options)
    for name, value in options.items():
        if name in _SILENT and value == _USUAL[name]:
            continue
        if name not in _OPTIONS:
            raise BadRequest(
                "An option of the SRT address is unknown, or says what is not done here.",
                f"Known are {', '.join(_OPTIONS)}; the mode is caller.",
            )
    chosen: list[tuple[int, int | bytes]] = []
    if text := options.get("latency"):
        chosen.append((_LATENCY, _whole("latency", text, 0, 60_000_000) // 1000))
    if text := options.get("passphrase"):
        if not 10 <= len(text.encode()) <= 79:
            raise BadRequest("The passphrase of the SRT address should have 10 to 79 letters.", "Correct it.")
        length = _whole("pbkeylen", options.get("pbkeylen", "16"), 16, 32)
        chosen += [(_KEY_LENGTH, length), (_PASSPHRASE, text.encode())]
    if text := options.get("streamid"):
        if len(text.encode()) > 512:
            raise BadRequest("The streamid of the SRT address should have up to 512 letters.", "Correct it.")
        chosen.append((_STREAM_ID, text.encode()))
    return chosen


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise BadRequest(
            f"The option {name} of the SRT address should be a number from {low} to {high}.", "Correct it."
        )
    return int(text)


def _pack(family: int, host: str, port: int) -> bytes:
    """A ``sockaddr`` as the C library lays it out."""
    # BSDs put the length where Linux has the first half of the family.
    head = family.to_bytes(2, sys.byteorder) if sys.platform == "linux" else bytes([16, family])
    packed = socket.inet_pton(family, host.partition("%")[0])
    if family == socket.AF_INET6:
        return head + port.to_bytes(2, "big") + bytes(4) + packed + bytes(4)
    return head + port.to_bytes(2, "big") + packed + bytes(8)
