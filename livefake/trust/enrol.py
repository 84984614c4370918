"""From a person in front of a camera to a signed grant."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from livefake.clock import Nanos
from livefake.errors import LivefakeError
from livefake.faces.detect import Detector
from livefake.faces.expression import read_mouth
from livefake.faces.eyes import EyeNet
from livefake.faces.identity import Describer
from livefake.faces.landmarks import LandmarkNet, crop_for_box, crop_for_points
from livefake.faces.pose import head_turn
from livefake.frame import Box, Floats, Frame
from livefake.trust.consent import Grant, Output, Purpose, sign
from livefake.trust.grants import GrantBook
from livefake.trust.handles import Handle
from livefake.trust.keys import public_hex
from livefake.trust.liveness import Liveness
from livefake.trust.watch import Face, View, Watched

__all__ = ["COMPANY", "NOTICE", "Looker", "draw_up", "enrol"]

NOTICE: Final = """\
You are about to allow this livefake installation to use your face.

- What it may do: learn to draw your face, and let somebody appear with it, only where you choose below, only until
  the day you choose. Every picture carries a visible label and an invisible mark that say it was made by AI.
- What is kept: the grant you sign (your name, times, where pictures may go) and 128 numbers that describe your face,
  encrypted, to recognise it. Neither pictures nor sound of this check are kept. If a persona is trained from footage of
  you, its pictures and its network are kept in a folder of their own.
- How to take it back, at any time and without a reason: livefake grants revoke ID. The numbers and the personas made
  from your face are deleted then, and a running picture stops within five seconds. The signed grant stays as proof
  that you had agreed until then. What was recorded before is not called back by this.
- Nobody else can sign for you: do this alone, for your own face, and only if you are of age."""
"""What a person reads before they sign."""

COMPANY: Final = 0.35
"""Detector's threshold for somebody else in the picture. A second face beside a large one scores 0.39 to 0.53 where it
would score 0.9 alone, so the usual 0.6 overlooks it; the sampled frames of the demo clip have no false face down to
0.3."""

_OFTEN: Final[Nanos] = 100_000_000
_IDENTITY_OFTEN: Final[Nanos] = 400_000_000
_ROUNDS: Final = 2
_PRESENT: Final = 0.5


class Looker:
    """Says what is in a picture. One thread and one person at a time.

    Whose face it is takes nearly ten times as long to work out as all the rest, so it is done 2.5 times a second only.

    Args:
        detector: with ``COMPANY`` as its threshold.
        landmarks, eyes, identity: the other networks.
    """

    def __init__(self, detector: Detector, landmarks: LandmarkNet, eyes: EyeNet, identity: Describer) -> None:
        self._detector = detector
        self._landmarks = landmarks
        self._eyes = eyes
        self._identity = identity
        self._embedded: Nanos | None = None

    def __call__(self, frame: Frame) -> View:
        """What is in a frame.

        Raises:
            EngineError: a network failed.
        """
        at = frame.instant
        found = self._detector(frame)
        if len(found) != 1:
            return View(at, len(found))
        mesh = self._landmarks(frame, crop_for_box(found[0].box, (found[0].points[0], found[0].points[1])))
        for _ in range(_ROUNDS):
            # The first crop is only roughly in place.
            mesh = self._landmarks(frame, crop_for_points(mesh.points))
        box = Box.around(mesh.points).within(frame.width, frame.height)
        if mesh.presence < _PRESENT or not box.area:
            return View(at, 0)
        embedding = None
        # A clock that jumped back starts anew.
        if self._embedded is None or not 0 <= at - self._embedded < _IDENTITY_OFTEN:
            embedding, self._embedded = self._identity.embed(frame, mesh.points), at
        return View(at, 1, self._measure(frame, mesh.points, box, embedding))

    def _measure(self, frame: Frame, points: Floats, box: Box, embedding: Floats | None) -> Face:
        yaw, pitch = head_turn(points)
        mouth = read_mouth(points)
        left, right = self._eyes(frame, points)
        middle = points[:, :2].mean(0)
        return Face(
            embedding=embedding,
            yaw=yaw,
            pitch=pitch,
            mouth=mouth.gap,
            smile=mouth.width,
            lift=mouth.lift,
            left_eye=left,
            right_eye=right,
            middle=(float(middle[0]), float(middle[1])),
            width=float(np.ptp(points[:, 0])),
            light=float(frame.y[box.top : box.bottom, box.left : box.right].mean()),
        )


def enrol(
    frames: Iterable[Frame], look: Callable[[Frame], View], liveness: Liveness, *, tell: Callable[[str], None]
) -> Watched:
    """Watch a person for as long as it takes, ten pictures a second.

    Args:
        frames: of a live camera.
        look: says what is in a frame: a ``Looker``.
        liveness: asks and decides.
        tell: told what the person should do, whenever that changes.

    Raises:
        ConsentError: no grant can come of this, for the reason given.
        BadMedia: the camera failed.
    """
    due: Nanos | None = None
    told = ""
    for frame in frames:
        if due is not None and frame.instant < due:
            continue
        due = frame.instant + _OFTEN
        enough = liveness.see(look(frame))
        hint = liveness.step.hint
        if hint != told:
            told = hint
            tell(told)
        if enough:
            break
    return liveness.result()


def draw_up(
    book: GrantBook,
    watched: Watched,
    *,
    subject: str,
    purposes: frozenset[Purpose],
    outputs: frozenset[Output],
    now: float,
    days: int,
    notice: str,
    adult: bool,
    handle: Handle | None = None,
) -> Grant:
    """Sign a grant for a person who was watched, and put it into the book with the template.

    The person's key is made for this one grant and forgotten once it has signed: nobody can use it for another.

    Args:
        book: of the installation that may use the grant.
        watched: the person.
        subject: the name they want to be called.
        purposes, outputs: what they allow.
        now: seconds since 1970 UTC; the grant holds from now on.
        days: for how long.
        notice: the text they read.
        adult: their declaration to be of age.
        handle: what the grant is called and how it is taken back; a new one, whose key nobody learns, if None.

    Raises:
        ConsentError: a field is not what it should be.
        LivefakeError: the grant or the template cannot be written; nothing is left behind then.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    handle = handle or Handle()
    id, person = handle.id, Ed25519PrivateKey.generate()
    try:
        grant = Grant(
            id=id,
            subject=subject,
            subject_key=public_hex(person),
            operator=book.operator,
            purposes=purposes,
            outputs=outputs,
            valid_from=int(now),
            valid_until=int(now) + days * 86_400,
            revocation=handle.revocation,
            notice=hashlib.sha256(notice.encode()).hexdigest(),
            template=book.templates.keep(id, watched.template),
            adult=adult,
            evidence=watched.evidence,
        )
        grant = sign(grant, subject=person, service=book.key)
        book.add(grant)
    except LivefakeError:
        book.templates.delete(id)
        raise
    return grant
