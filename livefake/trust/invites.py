"""One-time invitations to give a grant: a folder with one small file each, named by the hash of the link's key.

The key itself is nowhere but in the link. An invitation asks for certain things, holds for a quarter of an hour, and
is gone once a grant was signed or three checks were refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from livefake.errors import Busy, ConsentError, LivefakeError, NotFound
from livefake.trust.consent import Output, Purpose
from livefake.trust.durable import make_folder, write_durably

__all__ = ["LIFE", "LONGEST_DAYS", "MOST", "TRIES", "Ask", "Invite", "InviteBook"]

LIFE: Final = 15 * 60
"""How long a link can be used, seconds: long enough to walk over to another device, too short to be passed around."""

TRIES: Final = 3
"""How many checks one link is good for: light and a fringe in the face are no reason to ask for a new one."""

MOST: Final = 20
"""How many invitations may be open at once."""

LONGEST_DAYS: Final = 732
"""The longest that a grant may be asked for; see ``livefake.trust.consent.LONGEST``."""

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_LARGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Ask:
    """What a person is asked for; they may give less, never more.

    Attributes:
        purposes: what the face may be used for, one at least.
        outputs: where the pictures may go.
        days: for how long, 1..732.

    Raises:
        ConsentError: it asks for nothing, for too long, or to wear a face nowhere.
    """

    purposes: frozenset[Purpose]
    outputs: frozenset[Output]
    days: int

    def __post_init__(self) -> None:
        if not self.purposes:
            raise ConsentError("An invitation should ask for something: to learn a face or to wear it.")
        if Purpose.WEAR in self.purposes and not self.outputs:
            raise ConsentError("A face that is worn is seen somewhere.", "Choose where the pictures may go.")
        if not 1 <= self.days <= LONGEST_DAYS:
            raise ConsentError(f"A grant may be asked for 1 to {LONGEST_DAYS} days, got {self.days}.")

    def covers(self, other: Ask) -> bool:
        """Whether the other one asks for nothing that this one does not."""
        return other.purposes <= self.purposes and other.outputs <= self.outputs and other.days <= self.days


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation as it is kept.

    Attributes:
        ask: what is asked for.
        made, until: seconds since 1970 UTC; the first second in which it can be used, and the first in which it no
            longer can.
        tries: checks that are left, 0..3.
    """

    ask: Ask
    made: int
    until: int
    tries: int = TRIES

    def open(self, now: float) -> bool:
        """Whether a check may begin at that instant."""
        # Written so that NaN fails too. A clock that was put back before the making brings nothing back.
        return self.made <= now < self.until and self.tries > 0


class InviteBook:
    """The invitations of an installation; another program may add some at any time.

    Args:
        data: the data folder. Invitations lie in ``invites/HASH.json``.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / "invites"

    def make(self, ask: Ask, *, now: float) -> tuple[str, Invite]:
        """Invite somebody.

        Args:
            ask: what for.
            now: seconds since 1970 UTC.

        Returns:
            The key for the link, 128 bits at random, and the invitation. The key cannot be had a second time.

        Raises:
            Busy: there are as many open invitations as there may be.
            LivefakeError: it cannot be written.
        """
        self._sweep(now)
        if len(self._paths()) >= MOST:
            raise Busy(
                f"There are {MOST} open invitations, which is as many as there may be.",
                f"Wait until one has run out, which takes {LIFE // 60} minutes at most.",
            )
        key = secrets.token_urlsafe(16)
        invite = Invite(ask, int(now), int(now) + LIFE)
        self._write(self._path(key), invite)
        return key, invite

    def find(self, key: str, *, now: float) -> Invite:
        """The invitation with that key.

        Raises:
            NotFound: there is none that can still be used; which of the possible reasons it is stays unsaid.
        """
        invite = self._read(key)
        if invite is None or not invite.open(now):
            raise NotFound(
                "This invitation cannot be used: it ran out, was used already, or was copied incompletely.",
                "Ask for a new one.",
            )
        return invite

    def spend(self, key: str, *, now: float) -> Invite:
        """Begin a check: one try is used up, whatever comes of it.

        Returns:
            The invitation, with the tries that are left.

        Raises:
            NotFound: see ``find``.
            LivefakeError: it cannot be written.
        """
        found = self.find(key, now=now)
        spent = replace(found, tries=found.tries - 1)
        self._write(self._path(key), spent)
        return spent

    def close(self, key: str) -> None:
        """End an invitation; one that is not there is left alone.

        Raises:
            LivefakeError: it cannot be deleted.
        """
        _delete(self._path(key))

    def _sweep(self, now: float) -> None:
        for path in self._paths():
            invite = _parse(path)
            if invite is None or not invite.open(now):
                _delete(path)

    def _paths(self) -> list[Path]:
        return [path for path in self._folder.glob("*.json") if _NAME.fullmatch(path.stem)]

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _read(self, key: str) -> Invite | None:
        return _parse(self._path(key)) if _KEY.fullmatch(key) else None

    def _write(self, path: Path, invite: Invite) -> None:
        text = json.dumps(
            {
                "purposes": sorted(invite.ask.purposes),
                "outputs": sorted(invite.ask.outputs),
                "days": invite.ask.days,
                "made": invite.made,
                "until": invite.until,
                "tries": invite.tries,
            }
        )
        try:
            make_folder(self._folder)
            write_durably(path, text.encode())
        except OSError as error:
            raise LivefakeError(
                f"The invitation cannot be kept in {self._folder}: {error.strerror}.",
                "Set LIVEFAKE_DATA to another folder.",
            ) from error


def _parse(path: Path) -> Invite | None:
    """What a file says; None for one that is not there or is damaged, which invites nobody."""
    with suppress(OSError, ValueError, KeyError, TypeError, ConsentError):
        with path.open(encoding="utf-8") as file:
            values = json.loads(file.read(_LARGEST))
        numbers = [values[name] for name in ("days", "made", "until", "tries")]
        if not all(type(number) is int for number in numbers):
            return None
        days, made, until, tries = numbers
        purposes = frozenset(Purpose(value) for value in values["purposes"])
        outputs = frozenset(Output(value) for value in values["outputs"])
        # What was lengthened by hand is no invitation of ours.
        if until - made == LIFE and 0 <= tries <= TRIES:
            return Invite(Ask(purposes, outputs, days), made, until, tries)
    return None


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LivefakeError(f"{path} cannot be deleted: {error.strerror}.", "Delete it.") from error
