"""The book of grants: a folder with one file a grant, one more for each that was taken back, and the templates.

What ``add`` and ``revoke`` have done stays done, whatever is killed or loses power afterwards.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.faces.identity import SAME_PERSON, distance
from livefake.frame import Floats
from livefake.trust.consent import Grant, Output, Purpose, decide, parse, render, verify
from livefake.trust.durable import make_folder, write_durably
from livefake.trust.entries import Kind
from livefake.trust.grantfile import Revocation, parse_revocation
from livefake.trust.grantindex import GrantIndex, Row
from livefake.trust.keys import installation_key, public_hex
from livefake.trust.ledger import Ledger
from livefake.trust.templates import TemplateStore

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["GrantBook", "read_grant", "write_grant", "write_text"]

_log = logging.getLogger(__name__)

_ID: Final = re.compile(r"[0-9a-f]{16}")
_HALF: Final = ".*.part"
_STALE: Final = 3600


def read_grant(path: Path) -> Grant:
    """Read a grant and check its signatures.

    Raises:
        ConsentError: the file cannot be read, is not a grant, or was changed.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsentError(f"{path} should be a grant and cannot be read: {error}.") from error
    grant = parse(text, path.name)
    verify(grant)
    return grant


def write_grant(grant: Grant, path: Path) -> None:
    """Write a grant; the file appears under its name when it is whole.

    Raises:
        ConsentError: its signatures are not right.
        LivefakeError: it cannot be written.
    """
    verify(grant)
    write_text(path, render(grant))


class GrantBook:
    """The grants of an installation; any thread may ask, and what another program writes counts from then on.

    Args:
        data: the data folder. Grants lie in ``grants/ID.json``, revocations in ``grants/ID.revoked.json``.
        key: the installation's key; ``None`` takes the one in the data folder, making it where there is none.

    Raises:
        LivefakeError: the key cannot be made or read.
    """

    def __init__(self, data: Path, key: Ed25519PrivateKey | None = None) -> None:
        self._folder = data / "grants"
        self._key = key or installation_key(data)
        self._index = GrantIndex(self._folder, self.find)
        self.templates = TemplateStore(data)
        self.ledger = Ledger(data, self._key)

    @property
    def key(self) -> Ed25519PrivateKey:
        """The installation's key: signs grants and persona packs."""
        return self._key

    @property
    def operator(self) -> str:
        """The public half of it, as grants name it."""
        return public_hex(self._key)

    def ids(self) -> tuple[str, ...]:
        """The grants that there are, damaged ones too."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.json") if _ID.fullmatch(path.stem)))

    def __iter__(self) -> Iterator[Grant]:
        """Every grant, revoked ones too, by id.

        Raises:
            ConsentError: one of them is damaged.
        """
        return (self.find(id) for id in self.ids())

    def find(self, id: str) -> Grant:
        """The grant with that id, its signatures checked; whether it covers anything is for ``check``.

        Raises:
            NotFound: there is none.
            ConsentError: it is damaged, or lies under another's name.
        """
        path = self._path(id)
        if not path.exists():
            raise NotFound(f"There is no grant {id!r}.", "See: livefake grants list")
        grant = read_grant(path)
        if grant.id != id:
            raise ConsentError(f"{path} holds the grant {grant.id} and should hold {id}.", "Import it again.")
        return grant

    def add(self, grant: Grant) -> None:
        """Put a grant into the book.

        Raises:
            ConsentError: its signatures are not right, or another grant has its id.
            LivefakeError: it cannot be written.
        """
        path = self._path(grant.id)
        if path.exists():
            if self.find(grant.id) != grant:
                raise ConsentError(f"There is another grant with the id {grant.id} already.")
            return
        write_grant(grant, path)
        self._note(Kind.GRANT, grant.id)

    def check(self, id: str, *, now: float, purpose: Purpose, output: Output | None) -> Grant:
        """The grant with that id, if it covers what is to be done with it here and now.

        Args:
            id: of the grant.
            now: seconds since 1970 UTC.
            purpose, output: see ``livefake.trust.consent.decide``.

        Raises:
            NotFound: there is none.
            ConsentError: it does not cover it, or is damaged.
        """
        grant = self.find(id)
        decide(grant, now=now, operator=self.operator, purpose=purpose, output=output, revoked=self.revoked(id))
        return grant

    def revoked(self, id: str) -> bool:
        """Whether a grant was taken back; a damaged revocation counts as one."""
        return self._tombstone(id).exists()

    def revocation(self, id: str) -> Revocation | None:
        """By which a grant was taken back; None when it was not.

        Raises:
            ConsentError: the revocation was changed or was not written by this installation.
        """
        path = self._tombstone(id)
        try:
            revocation = parse_revocation({"grant": id, **json.loads(path.read_text("utf-8"))}, str(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise ConsentError(f"{path} should be a revocation and cannot be read: {error!r}.") from error
        if revocation.grant != id or not revocation.holds(self.operator):
            raise ConsentError(f"{path} does not carry this installation's signature; the grant counts as revoked.")
        return revocation

    def revoked_at(self, id: str) -> int | None:
        """When a grant was taken back, seconds since 1970 UTC; None when it was not.

        Raises:
            ConsentError: the revocation was changed or was not written by this installation.
        """
        revocation = self.revocation(id)
        return None if revocation is None else revocation.at

    def revoke(self, id: str, *, now: float) -> None:
        """Take a grant back for good and delete its template. Taking it back twice changes nothing.

        It needs no readable grant, so that a damaged one can be ended too.

        Args:
            id: of the grant.
            now: seconds since 1970 UTC.

        Raises:
            NotFound: there is none.
            LivefakeError: the revocation cannot be written or the template cannot be deleted.
        """
        if not self._path(id).exists():
            raise NotFound(f"There is no grant {id!r}.", "See: livefake grants list")
        self.end(Revocation.sign(id, int(now), self._key))

    def matches(self, embedding: Floats) -> Grant | None:
        """The grant of the person whose face it is: the nearest of those that were not revoked.

        Args:
            embedding: (128,) float32.

        Returns:
            None when no template is near enough. Whether the grant covers anything is for ``check``.

        Raises:
            ConsentError: a grant is damaged.
            LivefakeError: a template is damaged.
        """
        away = {id: distance(embedding, template) for id, (template, _) in self.faces().items()}
        nearest = min(away, key=lambda id: (away[id], id), default=None)
        return None if nearest is None or not away[nearest] < SAME_PERSON else self.find(nearest)

    def faces(self) -> dict[str, tuple[Floats, str]]:
        """The template, (128,) float32, and its salted hash of every grant that was not revoked, by the grant's id.

        Raises:
            ConsentError: a grant is damaged.
            LivefakeError: a template is damaged.
        """
        found: dict[str, tuple[Floats, str]] = {}
        for row in self._index.rows():
            if row.revoked:
                continue
            if row.problem:
                raise ConsentError(row.problem)
            template = self.templates.load(row.id, row.template)
            if template is not None:
                found[row.id] = template, row.template
        return found

    def rows(self) -> tuple[Row, ...]:
        """Every grant as far as a list needs it, by id; from the index, whose files were checked when they changed."""
        return self._index.rows()

    def settle(self, *, now: float) -> int:
        """Finish what a crash interrupted: delete revoked grants' templates, tell the ledger what it does not know.

        Args:
            now: seconds since 1970 UTC; half-written files of an hour ago are deleted.

        Returns:
            How many entries the ledger got.

        Raises:
            LivefakeError: a template cannot be deleted, or the ledger cannot be read or written.
        """
        known = {(entry.kind, entry.fields.get("grant")) for entry in self.ledger.entries(Kind.GRANT, Kind.REVOCATION)}
        count = 0
        for row in self.rows():
            if row.revoked:
                self.templates.delete(row.id)
            for kind, due in ((Kind.GRANT, True), (Kind.REVOCATION, row.revoked)):
                if due and (kind, row.id) not in known:
                    self.ledger.append(kind, {"grant": row.id})
                    count += 1
        for half in self._folder.glob(_HALF):
            with suppress(OSError):
                if half.stat().st_mtime < now - _STALE:
                    half.unlink()
        return count

    def export(self, id: str, path: Path) -> None:
        """Write a grant to one file, for its subject or another folder; the template stays here.

        Raises:
            NotFound: there is none.
            ConsentError: it is damaged.
            LivefakeError: the file cannot be written.
        """
        write_grant(self.find(id), path)

    def take(self, path: Path) -> Grant:
        """Read a grant from a file and put it into the book; one that was revoked here stays revoked.

        Raises:
            ConsentError: it is damaged, or was given to another installation.
            LivefakeError: it cannot be written.
        """
        grant = read_grant(path)
        if grant.operator != self.operator:
            raise ConsentError(
                f"{grant.subject}'s grant {grant.id} was given to another installation.",
                "Ask for a new grant: livefake grants sign",
            )
        self.add(grant)
        return grant

    def end(self, revocation: Revocation) -> None:
        """Put a revocation into the book, whether or not its grant is here, and delete the template.

        Raises:
            ConsentError: this installation did not sign it.
            LivefakeError: it cannot be written or the template cannot be deleted.
        """
        if not revocation.holds(self.operator):
            raise ConsentError(f"The revocation of {revocation.grant} does not carry this installation's signature.")
        if not self.revoked(revocation.grant):
            write_text(self._tombstone(revocation.grant), revocation.render())
            self._note(Kind.REVOCATION, revocation.grant)
        self.templates.delete(revocation.grant)

    def _note(self, kind: Kind, id: str) -> None:
        """Tell the ledger. What was given or taken back is so even if that fails; ``settle`` makes up for it."""
        try:
            self.ledger.append(kind, {"grant": id})
        except LivefakeError as error:
            _log.warning("The %s of %s is not in the ledger yet: %s", kind, id, error)

    def _path(self, id: str) -> Path:
        # What is not an id never becomes part of a path.
        if not _ID.fullmatch(id):
            raise NotFound(f"A grant's id has 16 hexadecimal digits, got {id!r}.", "See: livefake grants list")
        return self._folder / f"{id}.json"

    def _tombstone(self, id: str) -> Path:
        return self._path(id).with_suffix(".revoked.json")


def write_text(path: Path, text: str) -> None:
    """Write a text file durably, for its user only.

    Raises:
        LivefakeError: it cannot be written; nothing is left behind then.
    """
    try:
        make_folder(path.parent)
        write_durably(path, text.encode())
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
