"""The publisher's half of RTMP, without any network (Adobe, Real Time Messaging Protocol 1.0, 2012).

Bytes that came go in, bytes to send come out: handshake, connect, createStream, publish, then tags.
"""

from __future__ import annotations

import os
import re
import struct
from typing import Final

from livefake.errors import LivefakeError
from livefake.media.push.amf import Value, decode, encode

__all__ = ["Publisher", "Refused"]

_HANDSHAKE: Final = 1536
_CHUNK: Final = 4096
"""Bytes of a chunk that we send: fewer headers than with the 128 that count before anybody says otherwise."""
_LONGEST: Final = 1 << 20
"""Bytes of a message that we take; a server's answers have some hundred."""

_SET_CHUNK, _ACK, _CONTROL = 1, 3, 4
_DATA, _COMMAND = 18, 20
_PING, _PONG = 6, 7
_EXTENDED: Final = 0xFFFFFF
_LANES: Final = {8: 4, 9: 6, _DATA: 5}
"""Chunk streams for sound, pictures and data; 2 is for control and 3 for commands."""
_CREATE, _CONNECT = 4.0, 1.0


class Refused(LivefakeError):
    """The server does not take the stream."""


class _Partial:
    """A message of which some chunks have come."""

    def __init__(self) -> None:
        self.kind = self.length = 0
        self.extended = False
        self.data = bytearray()


class Publisher:
    """Publishes one stream.

    Args:
        app: the application.
        key: the name of the stream; no sentence repeats it.
        server: scheme, host and port, as the server should know itself.

    Attributes:
        ready: whether the server has said that it takes the stream.
    """

    def __init__(self, app: str, key: str, server: str) -> None:
        self.ready = False
        self._app, self._key, self._server = app, key, server
        self._came = bytearray()
        self._shaken = 0
        self._their_chunk = 128
        self._partial: dict[int, _Partial] = {}
        self._stream = 0
        self._received = self._told = 0
        self._window = 0

    def begin(self) -> bytes:
        """What to send first."""
        return b"\x03" + bytes(8) + os.urandom(_HANDSHAKE - 8)

    def receive(self, data: bytes) -> bytes:
        """Take what came from the server; what to send in return.

        Raises:
            Refused: it does not take the stream, or does not speak RTMP.
        """
        self._came += data
        self._received += len(data)
        answer = self._shake() if self._shaken < 2 else b""
        if self._shaken == 2:
            try:
                while (message := self._next()) is not None:
                    answer += self._answer(*message)
            except (ValueError, struct.error, IndexError) as error:
                raise Refused("The server's answer is no RTMP.", "Check the address.") from error
            if self._window and self._received - self._told >= self._window:
                self._told = self._received
                answer += _message(2, _ACK, 0, 0, struct.pack(">I", self._received & 0xFFFFFFFF))
        return answer

    def tag(self, kind: int, at: int, body: bytes) -> bytes:
        """The bytes that send one tag of an FLV file.

        Args:
            kind: 8 sound, 9 picture, 18 data.
            at: milliseconds.
            body: what the tag holds.

        Raises:
            ValueError: the server has not said yet that it takes the stream.
        """
        if not self.ready:
            raise ValueError("nothing may be sent before the server takes the stream")
        if kind == _DATA:
            body = encode("@setDataFrame") + body
        return _message(_LANES[kind], kind, self._stream, at, body)

    def end(self) -> bytes:
        """What to send last."""
        if not self.ready:
            return b""
        return self._command("FCUnpublish", 6, None, self._key) + self._command("deleteStream", 7, None, self._stream)

    def _shake(self) -> bytes:
        if not self._shaken and len(self._came) >= 1 + _HANDSHAKE:
            if self._came[0] != 3:
                raise Refused("The server's answer is no RTMP.", "Check the address.")
            echo = bytes(self._came[1 : 1 + _HANDSHAKE])
            del self._came[: 1 + _HANDSHAKE]
            self._shaken = 1
            return echo + self._shake()
        if self._shaken == 1 and len(self._came) >= _HANDSHAKE:
            del self._came[:_HANDSHAKE]
            self._shaken = 2
            connect: dict[str, Value] = {
                "app": self._app,
                "type": "nonprivate",
                # Servers sort clients by this, and take an encoder's name for one.
                "flashVer": "FMLE/3.0 (compatible; livefake)",
                "tcUrl": f"{self._server}/{self._app}",
            }
            return _message(2, _SET_CHUNK, 0, 0, struct.pack(">I", _CHUNK)) + self._command(
                "connect", _CONNECT, connect
            )
        return b""

    def _command(self, name: str, transaction: float, *values: Value, stream: int = 0) -> bytes:
        return _message(3, _COMMAND, stream, 0, encode(name, transaction, *values))

    def _next(self) -> tuple[int, bytes] | None:
        """The next whole message that came: its kind and its body; None while there is none."""
        while True:
            came = self._came
            if not came:
                return None
            form, lane, at = came[0] >> 6, came[0] & 63, 1
            if lane < 2:
                at += lane + 1
                if len(came) < at:
                    return None
                lane = 64 + came[1] + (came[2] << 8 if lane else 0)
            head = (11, 7, 3, 0)[form]
            if len(came) < at + head:
                return None
            partial = self._partial.setdefault(lane, _Partial())
            kind, length, extended = partial.kind, partial.length, partial.extended
            if form < 3:
                extended = int.from_bytes(came[at : at + 3], "big") == _EXTENDED
            if form < 2:
                length, kind = int.from_bytes(came[at + 3 : at + 6], "big"), came[at + 6]
            if length > _LONGEST or len(self._partial) > 64:
                raise ValueError("a message is too long")
            at += head + (4 if extended else 0)
            count = min(self._their_chunk, length - len(partial.data))
            if len(came) < at + count:
                return None
            partial.kind, partial.length, partial.extended = kind, length, extended
            partial.data += came[at : at + count]
            del came[: at + count]
            if len(partial.data) == length:
                body, partial.data = bytes(partial.data), bytearray()
                return kind, body

    def _answer(self, kind: int, body: bytes) -> bytes:
        match kind:
            case 1:  # the size of the server's chunks
                self._their_chunk = max(1, struct.unpack(">I", body[:4])[0] & 0x7FFFFFFF)
            case 4 if struct.unpack(">H", body[:2])[0] == _PING:
                return _message(2, _CONTROL, 0, 0, struct.pack(">H", _PONG) + body[2:6])
            case 5:  # how many bytes may come before the server wants to be told
                self._window = struct.unpack(">I", body[:4])[0]
            case 20:
                return self._heed(decode(body))
        return b""

    def _heed(self, values: list[Value]) -> bytes:
        """Go on after an answer to a command."""
        # Some servers leave out what a command does not need.
        padded: list[Value] = [*values, None, None, None, None]
        name, transaction, _, info = padded[:4]
        if name == "_result" and transaction == _CONNECT:
            return (
                self._command("releaseStream", 2, None, self._key)
                + self._command("FCPublish", 3, None, self._key)
                + self._command("createStream", _CREATE, None)
            )
        if name == "_result" and transaction == _CREATE and isinstance(info, float):
            self._stream = int(info)
            return self._command("publish", 5, None, self._key, "live", stream=self._stream)
        if name == "_error" and transaction in (_CONNECT, _CREATE):
            raise _refusal(info)
        if name == "onStatus" and isinstance(info, dict):
            if info.get("level") == "error":
                raise _refusal(info)
            if info.get("code") == "NetStream.Publish.Start":
                self.ready = True
        if name == "close":
            raise Refused("The server ended the stream.")
        return b""


def _refusal(info: Value) -> Refused:
    """What the server said, by its code: its free text may repeat the key."""
    code = info.get("code") if isinstance(info, dict) else None
    known = isinstance(code, str) and re.fullmatch(r"[A-Za-z.]{1,60}", code)
    return Refused(
        f"The server does not take the stream{f' ({code})' if known else ''}.",
        "Check the address and the stream key, and that nobody streams with it already.",
    )


def _message(lane: int, kind: int, stream: int, at: int, body: bytes) -> bytes:
    """A message in chunks, with full headers, so that it stands for itself."""
    at &= 0xFFFFFFFF
    late = struct.pack(">I", at) if at >= _EXTENDED else b""
    head = min(at, _EXTENDED).to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind])
    parts = [bytes([lane]), head, struct.pack("<I", stream), late, body[:_CHUNK]]
    for start in range(_CHUNK, len(body), _CHUNK):
        parts += [bytes([0xC0 | lane]), late, body[start : start + _CHUNK]]
    return b"".join(parts)
