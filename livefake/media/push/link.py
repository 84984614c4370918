"""A connection to an RTMP server, around ``livefake.media.push.rtmp``, and what both kinds of link promise."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Final, Protocol

from livefake.clock import Clock, monotonic, nanos
from livefake.errors import LivefakeError
from livefake.media.push.address import Address, Scheme
from livefake.media.push.flv import Tags
from livefake.media.push.rtmp import Publisher

__all__ = ["Link", "RtmpLink"]

_PIECE: Final = 65_536
_GOOD_BYE: Final = 1.0


class Link(Protocol):
    """Carries a container's bytes to another machine. Everything but ``cut`` belongs on one thread that may wait."""

    def open(self) -> None:
        """Connect. Raises LivefakeError: it cannot be done."""
        ...

    def write(self, data: bytes) -> int:
        """Send; the bytes that were sent. Raises LivefakeError: the connection is lost."""
        ...

    def finish(self) -> None:
        """Say good-bye; a lost connection is no error any more."""
        ...

    def cut(self) -> None:
        """Close at once, from any thread; a call that waits ends with an error. Safe to call twice."""
        ...


class RtmpLink:
    """Publishes the bytes of an FLV file.

    Args:
        address: of the server.
        patience: seconds that connecting, and each sending, may take.
        trust: whose certificates count, for RTMPS; None takes the system's.
        clock: the deadline of connecting is counted on it.
    """

    def __init__(
        self, address: Address, *, patience: float, trust: ssl.SSLContext | None = None, clock: Clock = monotonic
    ) -> None:
        self._address = address
        self._patience = patience
        self._trust = trust
        self._clock = clock
        self._publisher = Publisher(address.app, address.key, address.server)
        self._tags = Tags()
        self._socket: socket.socket | None = None
        self._cut = False

    def open(self) -> None:
        """Connect and publish.

        Raises:
            LivefakeError: nobody answers, the certificate is wrong, or the server refuses the stream.
        """
        place = self._address.place
        try:
            self._connect()
            self._send(self._publisher.begin())
            end = self._clock() + nanos(self._patience * 1000)
            while not self._publisher.ready:
                if self._clock() > end:
                    raise TimeoutError
                self._hear()
        except socket.gaierror as error:
            raise LivefakeError(f"{place}: the name cannot be found.", "Check the address.") from error
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or "no TLS"
            raise LivefakeError(
                f"{place} cannot be trusted: {reason}.", "Check the host and port of the address."
            ) from error
        except TimeoutError as error:
            raise LivefakeError(
                f"{place} does not answer within {self._patience:.0f} s.", "Check the address."
            ) from error
        except OSError as error:
            raise LivefakeError(
                f"{place} cannot be reached: {error.strerror or 'the connection broke'}.", "Check the address."
            ) from error

    def write(self, data: bytes) -> int:
        """Send a piece of an FLV file.

        Raises:
            LivefakeError: the connection is lost, or the server ended the stream.
        """
        sent = b"".join(self._publisher.tag(*tag) for tag in self._tags.split(data))
        try:
            self._send(sent)
            self._listen()
        except TimeoutError as error:
            raise LivefakeError(
                f"{self._address.place} took nothing for {self._patience:.0f} s, and was left."
            ) from error
        except OSError as error:
            raise LivefakeError(f"{self._address.place}: the connection is lost.") from error
        return len(sent)

    def finish(self) -> None:
        """Tell the server that the stream ends."""
        with suppress(OSError):
            self._send(self._publisher.end())
            # A connection that is closed while an answer waits unread ends in an error on the other side.
            assert self._socket is not None
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(_GOOD_BYE)
            while self._socket.recv(_PIECE):
                continue

    def cut(self) -> None:
        """Close at once. Safe to call twice, and from any thread."""
        self._cut = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _connect(self) -> None:
        plain = socket.create_connection((self._address.host, self._address.port), timeout=self._patience)
        self._socket = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._address.scheme is Scheme.RTMPS:
            trust = self._trust or ssl.create_default_context()
            self._socket = trust.wrap_socket(plain, server_hostname=self._address.host)
        if self._cut:
            self.cut()

    def _send(self, data: bytes) -> None:
        if self._socket is None:
            raise OSError("not connected")
        self._socket.sendall(data)

    def _hear(self) -> None:
        """Wait for what the server says, and answer."""
        assert self._socket is not None
        data = self._socket.recv(_PIECE)
        if not data:
            raise ConnectionResetError
        if answer := self._publisher.receive(data):
            self._send(answer)

    def _listen(self) -> None:
        """Hear what the server has said already, without waiting for more."""
        assert self._socket is not None
        try:
            self._socket.settimeout(0)
            while True:
                data = self._socket.recv(_PIECE)
                if not data:
                    raise ConnectionResetError
                answer = self._publisher.receive(data)
                if answer:
                    self._socket.settimeout(self._patience)
                    self._send(answer)
                    self._socket.settimeout(0)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        finally:
            self._socket.settimeout(self._patience)
