"""Bodies of the HTTP interface that are about people and their consent, as they appear in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictBool, StringConstraints

from livefake.clock import milliseconds
from livefake.enrolment import State
from livefake.server.enrolments import Attempt
from livefake.server.notice import Notice
from livefake.server.people import Standing
from livefake.server.schemas import Asked, Consent, NoticeText, Told
from livefake.trust.consent import Output, Purpose
from livefake.trust.invites import LONGEST_DAYS, Ask, Invite
from livefake.trust.liveness import Prompt, Step

__all__ = [
    "CheckBegun",
    "CheckOffer",
    "CheckState",
    "CheckStep",
    "GrantEntry",
    "Invitation",
    "InvitationText",
    "Link",
    "OwnGrant",
    "Revoked",
    "Scope",
    "Signature",
    "Signed",
]


def _repeatable(schema: dict[str, Any]) -> None:
    """What is named twice counts once, so the description must not forbid it."""
    schema.pop("uniqueItems", None)


class Scope(Asked):
    """What a grant is to allow."""

    purposes: frozenset[Purpose] = Field(min_length=1, json_schema_extra=_repeatable)
    outputs: frozenset[Output] = Field(json_schema_extra=_repeatable)
    days: int = Field(ge=1, le=LONGEST_DAYS)

    def ask(self) -> Ask:
        """The same, checked.

        Raises:
            ConsentError: see ``Ask``.
        """
        return Ask(self.purposes, self.outputs, self.days)


class Link(Told):
    """A link that is a secret, and its QR code as the address of an SVG picture."""

    url: str
    qr: str


class Invitation(Told):
    """An invitation that was made; the link is told this once."""

    link: Link
    until: int = Field(description="Seconds since 1970 UTC.")


class GrantEntry(Told):
    """A grant as the list shows it."""

    id: str
    subject: str
    state: str
    reason: str
    since: int | None = Field(description="Seconds since 1970 UTC; null for a damaged grant.")
    until: int | None
    packs: tuple[str, ...]

    @classmethod
    def of(cls, standing: Standing) -> GrantEntry:
        """The grant and its standing."""
        grant = standing.grant
        return cls(
            id=grant.id,
            subject=grant.subject,
            state=standing.state,
            reason=standing.reason,
            since=grant.valid_from,
            until=grant.valid_until,
            packs=standing.packs,
        )

    @classmethod
    def damaged(cls, id: str, reason: str) -> GrantEntry:
        """A grant that cannot be read."""
        return cls(id=id, subject="", state="damaged", reason=reason, since=None, until=None, packs=())


class InvitationText(Told):
    """What the person who was invited is asked for."""

    purposes: tuple[Purpose, ...]
    outputs: tuple[Output, ...]
    days: int
    tries: int = Field(description="Checks that may still be begun.")
    until: int = Field(description="When the link runs out, seconds since 1970 UTC.")
    notice: NoticeText

    @classmethod
    def of(cls, invite: Invite, notice: Notice) -> InvitationText:
        """The invitation with the text to read."""
        return cls(
            purposes=tuple(sorted(invite.ask.purposes)),
            outputs=tuple(sorted(invite.ask.outputs)),
            days=invite.ask.days,
            tries=invite.tries,
            until=invite.until,
            notice=NoticeText.of(notice),
        )


class CheckOffer(Asked):
    """A check to begin."""

    sdp: str = Field(min_length=1, description="The browser's WebRTC offer, with camera and microphone.")
    consent: Consent
    adult: StrictBool


class CheckStep(Told):
    """What the person is asked to do now; ``code`` is there only while it is to be read."""

    index: int
    of: int
    prompt: Prompt | None
    hint: str
    left_ms: int
    code: str | None

    @classmethod
    def of_step(cls, step: Step, code: str) -> CheckStep:
        """The step, with the code when it is its turn."""
        return cls(
            index=step.index,
            of=step.of,
            prompt=step.prompt,
            hint=step.hint,
            left_ms=max(0, round(milliseconds(step.left))),
            code=code if step.prompt is Prompt.READ_CODE else None,
        )


class CheckState(Told):
    """A check at this moment."""

    state: State
    step: CheckStep
    problem: str
    remedy: str
    tries: int

    @classmethod
    def of(cls, attempt: Attempt) -> CheckState:
        """The check as its page shows it."""
        progress = attempt.progress
        return cls(
            state=progress.state,
            step=CheckStep.of_step(progress.step, attempt.challenge.code),
            problem=progress.problem,
            remedy=progress.remedy,
            tries=attempt.tries,
        )


class CheckBegun(Told):
    """A check that has begun; whoever has ``check`` can watch, sign and end it."""

    check: str
    sdp: str
    state: CheckState


class Signature(Scope):
    """A person's signature under what they allow: what was asked for, or less."""

    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    sign: StrictBool = Field(description="Whether the person pressed the button that says they sign.")


class OwnGrant(Told):
    """A grant as its subject sees it."""

    id: str
    subject: str
    state: str
    reason: str
    purposes: tuple[Purpose, ...]
    outputs: tuple[Output, ...]
    since: int
    until: int
    revoked_at: int | None
    packs: tuple[str, ...]
    evidence: dict[str, str | int]

    @classmethod
    def of(cls, standing: Standing) -> OwnGrant:
        """The grant and its standing."""
        grant = standing.grant
        return cls(
            id=grant.id,
            subject=grant.subject,
            state=standing.state,
            reason=standing.reason,
            purposes=tuple(sorted(grant.purposes)),
            outputs=tuple(sorted(grant.outputs)),
            since=grant.valid_from,
            until=grant.valid_until,
            revoked_at=standing.revoked_at,
            packs=standing.packs,
            evidence=dict(grant.evidence),
        )


class Signed(Told):
    """What was signed, and the subject's own link to it; the link is told this once."""

    grant: OwnGrant
    link: Link


class Revoked(Told):
    """A grant that was taken back, and what was deleted with it."""

    at: int
    packs: tuple[str, ...]
