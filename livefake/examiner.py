"""A file in, a report out: finds the mark, asks the ledger, the grants and the manifest, and lets the verifier judge.

Places of a clip are read one by one, each until its mark is found. Only when none of them has one that can be read as
it is, the place that came nearest is searched for one that was scaled, cut or turned: that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livefake.clock import Clock
from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.frame import Bytes
from livefake.media.credentials import CredentialsReader
from livefake.media.sandbox import Limits, Sandbox, Sight
from livefake.trust.chain import trusted_anchors
from livefake.trust.evidence import Evidence, Held, Look, chosen_payload
from livefake.trust.fingerprint import fingerprint
from livefake.trust.grants import GrantBook
from livefake.trust.issuer import issuer_number
from livefake.trust.issuers import IssuerBook
from livefake.trust.ledger import Ledger, SessionRecord
from livefake.trust.verifier import Report, judge
from livefake.trust.watermark.detect import Detector, Reading

if TYPE_CHECKING:
    from livefake.trust.watermark.code import Payload

__all__ = ["LOOKS", "Examiner", "Progress"]

LOOKS: Final = 3
"""Places of a clip that are looked at: its beginning, its middle, its end."""

Progress = Callable[[str, float], None]
"""Told what is being done, and which part of it is done: 0..1."""

_READ_EVERY: Final = 10
_PRINT_EVERY: Final = 10


def _untold(what: str, share: float) -> None:
    """Progress that nobody wants to see."""


class Examiner:
    """Examines files for one installation. Any thread may use it; what is written meanwhile counts from then on.

    Args:
        data: the data folder, with key, ledger, grants, known issuers and trusted certificates.
        clock: deadlines are counted on it.
        limits: with what a file must manage.

    Raises:
        LivefakeError: the installation's key cannot be made or read.
    """

    def __init__(self, data: Path, *, clock: Clock, limits: Limits | None = None) -> None:
        self._data = data
        self._clock = clock
        self._limits = limits or Limits()
        self._own = issuer_number(data)
        self._issuers = IssuerBook(data)
        self._grants = GrantBook(data)
        self._ledger = Ledger(data, self._grants.key)

    def examine(
        self, source: Path, *, name: str | None = None, looks: int = LOOKS, progress: Progress = _untold
    ) -> Report:
        """Say what can be said about a file.

        Args:
            source: the file; it is read and never changed.
            name: what it is called in sentences; None takes its own name.
            looks: in how many places of a clip to look.
            progress: told how far it is.

        Raises:
            BadMedia: it is no picture and no clip, or is damaged, or beyond the limits.
            TooLarge: it is longer than it may be.
            LivefakeError: the address book of issuers or the program for one of the steps cannot be used.
        """
        issuers = self._issuers.names()
        with ExitStack() as stack:
            # Opened first: what is no picture is not given to the reader of manifests either.
            file = Sandbox(source, clock=self._clock, looks=looks, limits=self._limits, name=name)
            credentials = stack.enter_context(self._credentials(source))
            found = tuple(_read(stack.enter_context(file), looks, progress))
            provenance = credentials.result()
        progress("Asking the ledger", 1.0)
        payload = chosen_payload(found)
        record, unread = self._record(payload)
        return judge(
            Evidence(
                looks=found,
                own=self._own,
                issuers=issuers,
                provenance=provenance,
                record=record,
                unread=unread,
                grants={} if record is None else {id: self._held(id) for id in record.grants},
            )
        )

    def examine_upload(self, source: Path) -> Report:
        """The same for a file that came without a name."""
        return self.examine(source, name="The file")

    def _credentials(self, source: Path) -> CredentialsReader:
        try:
            return CredentialsReader(source, trusted=trusted_anchors(self._data), clock=self._clock)
        except OSError as error:
            raise LivefakeError(f"The reader of manifests cannot be started: {error.strerror}.") from error

    def _record(self, payload: Payload | None) -> tuple[SessionRecord | None, str]:
        """What the ledger has about a session, and why it could not be asked."""
        if payload is None or payload.issuer != self._own:
            return None, ""
        try:
            return self._ledger.session(payload.session), ""
        except LivefakeError as error:
            return None, error.problem

    def _held(self, id: str) -> Held:
        """What is left of a grant. A damaged revocation counts as one from the beginning of time."""
        grant = None
        with suppress(NotFound, ConsentError):
            grant = self._grants.find(id)
        try:
            return Held(grant, self._grants.revoked_at(id))
        except ConsentError:
            return Held(grant, 0)


@dataclass(slots=True)
class _Place:
    """What is known about one place while it is being looked at."""

    seconds: float
    detector: Detector = field(default_factory=Detector)
    reading: Reading | None = None
    prints: list[int] = field(default_factory=list)
    mirrored: list[int] = field(default_factory=list)
    shape: tuple[int, ...] = ()
    more: bool = False

    def add(self, index: int, luma: Bytes) -> None:
        """Take one more picture; once the mark is read, only its fingerprint is of interest."""
        if self.shape != luma.shape:
            # Pictures of two shapes cannot be added up, so the place begins anew.
            self.shape, self.detector = luma.shape, Detector() if self.shape else self.detector
        if index % _PRINT_EVERY == 0:
            self.prints.append(fingerprint(luma))
            self.mirrored.append(fingerprint(luma[:, ::-1]))
        if self.reading is None or not self.reading.present:
            self.detector.add(luma)
            self.more = True
            if index % _READ_EVERY == _READ_EVERY - 1:
                self.read()

    def read(self, *, search: bool = False) -> Reading:
        """Read what has been added up so far, unless it was read already."""
        if self.reading is None or (not self.reading.present and (self.more or search)):
            self.reading, self.more = self.detector.read(search=search), False
        return self.reading

    def look(self) -> Look:
        return Look(self.seconds, self.read(), tuple(self.prints), tuple(self.mirrored))


def _read(file: Sandbox, looks: int, progress: Progress) -> Iterator[Look]:
    """What is seen in each place of a file."""
    places: list[_Place] = []
    progress("Looking for the mark", 0.0)
    for number, sights in groupby(file, key=_number):
        first = next(sights)
        place = _Place(first.seconds)
        place.add(0, first.luma)
        for index, sight in enumerate(sights, 1):
            place.add(index, sight.luma)
        place.read()
        places.append(place)
        progress("Looking for the mark", (number + 1) / looks)
    if places and not any(place.read().present for place in places):
        progress("Looking for a mark that was scaled, cut or turned", 0.0)
        max(places, key=lambda place: place.read().score).read(search=True)
    yield from (place.look() for place in places)


def _number(sight: Sight) -> int:
    return sight.place
