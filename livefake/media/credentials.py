"""Reading a stranger's signed manifest in a program with hard limits, as its pictures are decoded.

``python -m livefake.media.credentials FILE`` gets the certificates that are known here on standard input and writes
one JSON object. The library that reads manifests is large and its input is anybody's.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from livefake.clock import Clock
from livefake.media.confine import Confined, Gone, Late, confine
from livefake.trust.provenance import Provenance, State, read_provenance
from livefake.trust.watermark.code import Payload

__all__ = ["CredentialsReader", "main"]

_READER: Final = "livefake.media.credentials"
_MOST: Final = 1 << 16
_MEMORY: Final = 1 << 30
_CPU: Final = 20
_DESCRIPTORS: Final = 16
_LONGEST: Final = 200


class CredentialsReader:
    """Reads the manifest of one file, beside what else is done meanwhile.

    >>> with CredentialsReader(path, trusted="", clock=monotonic) as reader:  # doctest: +SKIP
    ...     print(reader.result().state)

    Args:
        source: the file.
        trusted: PEM certificates of those whom this installation knows.
        clock: the deadline is counted on it.
        wall: seconds until the answer must be there.

    Raises:
        OSError: the program cannot be started.
    """

    def __init__(self, source: Path, *, trusted: str, clock: Clock, wall: float = 60.0) -> None:
        with tempfile.TemporaryFile() as order:
            order.write(trusted.encode())
            order.seek(0)
            self._reader = Confined(_READER, str(source.absolute()), order, clock=clock, wall=wall)

    def result(self) -> Provenance:
        """What the manifest says; one that brings its reader down counts as damaged."""
        try:
            return _provenance(json.loads(self._reader.rest(_MOST)))
        except Late:
            reason = "Reading the manifest took too long."
        except (Gone, ValueError, KeyError, TypeError, RecursionError):
            reason = "The manifest cannot be read: its reader gave up on it."
        return Provenance(State.INVALID, "", reason, None, ())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reader.close()


def main() -> None:
    """Read the manifest of the file in the first argument."""
    import c2pa

    trusted = sys.stdin.buffer.read().decode()
    c2pa.sdk_version()
    confine(memory=_MEMORY, cpu=_CPU, descriptors=_DESCRIPTORS)
    found = read_provenance(Path(sys.argv[1]), trusted=trusted)
    payload = None if found.payload is None else found.payload.pack().hex()
    said = {
        "state": str(found.state),
        "signer": found.signer,
        "reason": found.reason,
        "session": found.session,
        "actions": found.actions[:_LONGEST],
        "payload": payload,
    }
    sys.stdout.write(json.dumps(said))


def _provenance(said: dict[str, Any]) -> Provenance:
    """What the program wrote, checked as a stranger's words."""
    session, payload = said["session"], said["payload"]
    if not (session is None or type(session) is int):
        raise ValueError("a session is a number")
    return Provenance(
        State(said["state"]),
        str(said["signer"])[:_LONGEST],
        str(said["reason"])[:_LONGEST],
        session,
        tuple(str(action)[:_LONGEST] for action in said["actions"]),
        None if payload is None else Payload.unpack(bytes.fromhex(payload)),
    )


if __name__ == "__main__":
    main()
