"""Who gave consent here, and who is asked for it: what the routes about people need, in one object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from livefake.clock import Wall
from livefake.errors import ConsentError, LivefakeError
from livefake.server.enrolments import Enrolments
from livefake.trust.consent import Grant
from livefake.trust.erase import Erased, Revoker, packs_of
from livefake.trust.grants import GrantBook
from livefake.trust.handles import holder
from livefake.trust.invites import InviteBook

__all__ = ["People", "Standing"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A grant, and whether it holds.

    Attributes:
        grant: as it was signed.
        state: ``holds``, ``revoked``, ``expired`` or ``void``.
        reason: why it does not hold, one sentence; empty when it does.
        revoked_at: seconds since 1970 UTC; None when it was not taken back.
        packs: ids of the personas that were made under it and are still here.
    """

    grant: Grant
    state: str
    reason: str
    revoked_at: int | None
    packs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The grants, the invitations and the checks of a running service.

    Attributes:
        data: the data folder.
        book: the grants.
        invites: the invitations.
        enrolments: the checks.
        revoker: takes grants back.
        wall: the wall clock.
        missing: why nobody can be checked here, one sentence and what to do; None when they can.
    """

    data: Path
    book: GrantBook
    invites: InviteBook
    enrolments: Enrolments
    revoker: Revoker
    wall: Wall
    missing: LivefakeError | None = None

    def standing(self, grant: Grant) -> Standing:
        """Whether a grant holds for something at all; reads from disk.

        Raises:
            LivefakeError: something about it cannot be read.
        """
        now = self.wall()
        packs = tuple(path.name for path in packs_of(self.data / "personas", grant.id))
        if self.book.revoked(grant.id):
            try:
                at = self.book.revoked_at(grant.id)
            except ConsentError:
                # A damaged note still counts as a revocation; only its time is lost.
                at = None
            return Standing(grant, "revoked", "It was taken back.", at, packs)
        purpose, output = min(grant.purposes), min(grant.outputs, default=None)
        try:
            self.book.check(grant.id, now=now, purpose=purpose, output=output)
        except ConsentError as error:
            state = "expired" if now >= grant.valid_until else "void"
            return Standing(grant, state, error.problem, None, packs)
        return Standing(grant, "holds", "", None, packs)

    def mine(self, key: str) -> Standing:
        """The grant of the subject who has that key; reads from disk.

        Raises:
            NotFound: nobody's key.
            LivefakeError: the grant cannot be read.
        """
        return self.standing(holder(self.book, key))

    def take_back(self, key: str) -> Erased:
        """Take back the grant of the subject who has that key; writes to disk.

        Raises:
            NotFound: nobody's key.
            LivefakeError: something could not be written or deleted.
        """
        return self.revoker(holder(self.book, key).id, now=self.wall())
