"""The folder of recordings: begins them, completes and signs them, and does that later for those a crash cut short."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

import av

from livefake.clock import Wall, wall
from livefake.errors import BadMedia, Busy, ConsentError, LivefakeError
from livefake.media.fragments import plain_copy, whole_length
from livefake.media.recorder import RESERVE, Recorder
from livefake.media.still import encode
from livefake.trust.consent import Grant, Output, Purpose
from livefake.trust.grants import GrantBook
from livefake.trust.provenance import Provenancer
from livefake.trust.seal import Sealed
from livefake.trust.watermark import Payload

__all__ = ["Recordings"]

_PART: Final = ".part.mp4"
_SCHEMA: Final = 1
_NOTE: Final = "The face in this video was replaced by AI (livefake)."
_STILL: Final = "A picture from a livefake session"
_FREE: Final = 4 * RESERVE

_log = logging.getLogger(__name__)


class Recordings:
    """Keeps the recordings of an installation; any thread may ask.

    A film that is being made is called ``NAME.part.mp4`` and can be played as it is. When it ends it is copied into
    ``NAME.mp4``, signed, and goes. What it needs for that, it carries in itself.

    Args:
        folder: where to; made at the first recording, for its user only.
        provenancer: signs.
        grants: the book of grants; without one no real person can be recorded.
        time_of_day: the wall clock.
        free: tells the bytes left on the disk of a folder.
    """

    def __init__(
        self,
        folder: Path,
        provenancer: Provenancer,
        grants: GrantBook | None = None,
        *,
        time_of_day: Wall = wall,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folder = folder
        self._provenancer = provenancer
        self._grants = grants
        self._time_of_day = time_of_day
        self._free = free
        self._lock = threading.Lock()
        self._running: list[Recorder] = []

    def start(self, payload: Payload, grant: str = "", *, sound: bool = False) -> Recorder:
        """Begin a recording.

        Args:
            payload: what the mark in the session's pictures says.
            grant: id of the consent of the real person whose face is worn; empty for a fictional persona.
            sound: whether the film has sound.

        Raises:
            ConsentError: the grant does not cover recordings now.
            Busy: there is too little room on the disk.
            LivefakeError: the folder cannot be written, or nothing could be signed.
        """
        self._covered(grant)
        # Told now, and not when the film is done.
        self._provenancer.chain()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (left := self._free(self._folder)) < _FREE:
                raise Busy(
                    f"A recording needs {_FREE >> 20} MB of room on the disk to begin, and there are {left >> 20}.",
                    "Make room, or choose another folder with LIVEFAKE_RECORDINGS.",
                )
            part, file = self._part(payload.session)
        except OSError as error:
            raise LivefakeError(
                f"The folder {self._folder} cannot be written: {error.strerror}.",
                "Choose another one with LIVEFAKE_RECORDINGS.",
            ) from error
        inside = {"livefake": _SCHEMA, "mark": payload.pack().hex(), "grant": grant}
        recorder = Recorder(
            file,
            _film(part),
            grant=grant,
            sound=sound,
            notes={"comment": _NOTE, "description": json.dumps(inside)},
            free=lambda: self._free(self._folder),
            finish=lambda: self._finish(part),
        )
        with self._lock:
            self._running = [one for one in self._running if not one.join(0)]
            self._running.append(recorder)
        return recorder

    def still(self, sealed: Sealed, payload: Payload) -> bytes:
        """A finished picture as a signed JPEG.

        Args:
            sealed: the picture.
            payload: what its mark says.

        Raises:
            ConsentError: it shows a real person whose grant does not cover keeping it now.
            LivefakeError: it cannot be signed.
        """
        grant = self._covered(sealed.frame.grant)
        return self._provenancer.sign_bytes(
            encode(sealed), ".jpg", session=sealed.session, payload=payload, grant=grant, title=_STILL
        )

    def recover(self) -> list[Path]:
        """Complete and sign what a crash left behind; what another program is recording is left alone.

        Returns:
            The films that were completed.
        """
        for half in (*self._folder.glob(".*.plain.mp4"), *self._folder.glob(".*.signing.mp4")):
            with suppress(OSError):
                half.unlink()
        saved = []
        for part in sorted(self._folder.glob(f"*{_PART}")):
            try:
                with part.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._finish(part)
                saved.append(_film(part))
                _log.info("The recording %s was cut short and is complete now.", _film(part))
            except BlockingIOError:
                continue
            except (OSError, LivefakeError) as error:
                _log.warning("The recording %s was cut short and cannot be completed: %s", part, error)
        return saved

    def settle(self, within: float) -> None:
        """Wait for films that are being finished; what is not done by then, the next start does.

        Args:
            within: seconds to wait at most.
        """
        with self._lock:
            running, self._running = self._running, []
        end = time.monotonic() + within
        for recorder in running:
            recorder.stop()
        for recorder in running:
            recorder.join(max(0.0, end - time.monotonic()))

    def _covered(self, grant: str) -> Grant | None:
        """The grant, if it covers recordings now; None for none."""
        if not grant:
            return None
        if self._grants is None:
            raise ConsentError("There is no book of grants here, so no real person can be recorded.")
        return self._grants.check(grant, now=self._time_of_day(), purpose=Purpose.WEAR, output=Output.RECORDING)

    def _part(self, session: int) -> tuple[Path, IO[bytes]]:
        """A new file with a name of its own, locked for as long as it is open."""
        day = datetime.fromtimestamp(self._time_of_day()).astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        number = 1
        while True:
            again = f"-{number}" if number > 1 else ""
            part = self._folder / f"{day}_session-{session:09x}{again}{_PART}"
            number += 1
            if _film(part).exists():
                continue
            with suppress(FileExistsError):
                handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
                fcntl.flock(handle, fcntl.LOCK_EX)
                return part, os.fdopen(handle, "wb", buffering=0)

    def _finish(self, part: Path) -> int:
        """Turn a part into a signed film.

        Returns:
            Bytes of the film.

        Raises:
            LivefakeError: there is nothing in it, or it cannot be completed or signed; the part stays then.
        """
        film = _film(part)
        plain = film.with_name(f".{film.stem}.plain.mp4")
        if not film.exists():
            if not _mend(part):
                part.unlink()
                raise BadMedia("There was no picture to record.")
            payload, grant = self._inside(part)
            try:
                plain_copy(part, plain, {"comment": _NOTE})
                self._provenancer.sign(plain, film, session=payload.session, payload=payload, grant=grant)
            finally:
                plain.unlink(missing_ok=True)
        part.unlink()
        return film.stat().st_size

    def _inside(self, part: Path) -> tuple[Payload, Grant | None]:
        """What a part says about its session. A grant that ended since is named all the same: it held then."""
        try:
            with av.open(str(part)) as container:
                values: dict[str, Any] = json.loads(container.metadata["description"])
            if values["livefake"] != _SCHEMA:
                raise ValueError("it is of another version")
            payload, grant = Payload.unpack(bytes.fromhex(values["mark"])), str(values["grant"])
        except (av.FFmpegError, OSError, ValueError, KeyError, TypeError) as error:
            raise BadMedia(
                f"{part} does not say which session it is of: {error}.", "Delete it, or move it away."
            ) from error
        if not grant:
            return payload, None
        if self._grants is None:
            raise ConsentError(f"{part} shows a real person, and there is no book of grants here.")
        return payload, self._grants.find(grant)


def _film(part: Path) -> Path:
    return part.with_name(part.name.removesuffix(_PART) + ".mp4")


def _mend(part: Path) -> bool:
    """Cut off what a crash left half written.

    Returns:
        False when nothing whole is left.

    Raises:
        BadMedia: it is none of our films, and is left as it is.
    """
    with part.open("r+b") as file:
        beginning = file.read(8)[4:]
        if beginning and beginning != b"ftyp"[: len(beginning)]:
            raise BadMedia(f"{part} should be a film in MP4, and is not.", "Delete it, or move it away.")
        whole = whole_length(file)
        if whole:
            file.truncate(whole)
    return whole > 0
