"""Bodies of the verifier in the HTTP interface, as they appear in the OpenAPI document."""

from __future__ import annotations

from livefake.server.schemas import Told
from livefake.trust.provenance import State
from livefake.trust.verifier import Question, Report, Verdict

__all__ = [
    "AnswerText",
    "Examined",
    "FoundGrant",
    "FoundIssuer",
    "FoundMark",
    "FoundMatch",
    "FoundPlaces",
    "FoundProvenance",
    "FoundSession",
    "MatchedPlaces",
]


class AnswerText(Told):
    """One of the verifier's answers; ``verdict`` is alarm where something should be so and is not."""

    question: Question
    verdict: Verdict
    sentence: str


class FoundIssuer(Told):
    """Whose mark it says it is; ``number`` has six hexadecimal digits."""

    number: str
    known: bool
    name: str | None


class FoundPlaces(Told):
    """In how many places of a clip the mark was looked for, and found."""

    looked_at: int
    marked: int


class FoundMark(Told):
    """The invisible mark; ``score`` says how far its pilots stood out, in standard deviations."""

    present: bool
    payload: str | None
    issuer: FoundIssuer | None
    session: int | None
    score: float
    frames: int
    places: FoundPlaces
    mirrored: bool
    scale: float | None
    rotation: float | None


class FoundSession(Told):
    """What the ledger has about the session; times in UTC (RFC 3339)."""

    number: int
    started: str
    ended: str | None
    persona_kind: str


class MatchedPlaces(Told):
    """How many places of a clip were compared with the ledger, and fit."""

    compared: int
    fitting: int


class FoundMatch(Told):
    """How near the picture comes to what the ledger recorded: bits of 64 that differ, and the most that may."""

    fits: bool
    distance: int
    limit: int
    places: MatchedPlaces
    at: str


class FoundGrant(Told):
    """Whether a real person's face was worn, and whether their grant held then; null where that cannot be told."""

    needed: bool
    valid_then: bool | None


class FoundProvenance(Told):
    """What the file's signed statement says (C2PA)."""

    state: State
    signer: str | None
    reason: str
    session: int | None
    actions: tuple[str, ...]


class Examined(Told):
    """What can be said about a file."""

    summary: str
    answers: tuple[AnswerText, ...]
    mark: FoundMark
    session: FoundSession | None
    fingerprint: FoundMatch | None
    grant: FoundGrant | None
    c2pa: FoundProvenance

    @classmethod
    def of(cls, found: Report) -> Examined:
        """The verifier's report."""
        return cls.model_validate(found.document())
