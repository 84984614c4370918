"""Puts the parts together that check people who are asked for consent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from livefake.cli.tools import open_revoker
from livefake.errors import EngineError
from livefake.settings import Settings

if TYPE_CHECKING:
    from livefake.media.webrtc.bitrate import Bitrate
    from livefake.server.people import People
    from livefake.studio import Studio
    from livefake.trust.enrol import Looker

__all__ = ["open_people"]


def open_people(chosen: Settings, studio: Studio, bitrate: Bitrate) -> People:
    """The grants, invitations and checks of a service.

    Args:
        chosen: names the data folder.
        studio: lends the networks; each check has its own.
        bitrate: what a person's camera is asked to aim for.

    Raises:
        LivefakeError: the installation's key cannot be made or read.
    """
    from livefake.clock import monotonic, wall
    from livefake.faces.describer import IdentityProcess
    from livefake.faces.identity import check_installed
    from livefake.media.webrtc.receiver import ReceiverPeer
    from livefake.server.enrolments import Enrolments
    from livefake.server.people import People
    from livefake.trust.enrol import COMPANY, Looker
    from livefake.trust.grants import GrantBook
    from livefake.trust.invites import InviteBook
    from livefake.trust.liveness import Liveness

    @contextmanager
    def look() -> Iterator[Looker]:
        with IdentityProcess() as identity:
            yield Looker(*studio.networks(COMPANY), studio.eyes(), identity)

    missing: EngineError | None = None
    try:
        check_installed()
    except EngineError as error:
        missing = error
    book, invites = GrantBook(chosen.data), InviteBook(chosen.data)
    revoker = open_revoker(chosen, book)
    enrolments = Enrolments(
        invites,
        book,
        revoker,
        peer=lambda: ReceiverPeer(clock=monotonic, bitrate=bitrate, ice=chosen.ice),
        look=look,
        judge=Liveness,
        clock=monotonic,
        wall=wall,
    )
    return People(
        data=chosen.data,
        book=book,
        invites=invites,
        enrolments=enrolments,
        revoker=revoker,
        wall=wall,
        missing=missing,
    )
