"""What can be said about a picture or a clip: separate answers, each with its sentence. Pure logic.

Five things are asked one by one, because each of them can be true without the others. A mark can be copied onto another
picture, a number can be written by anybody, a record can be there for a picture that looks different, and a signature
can be intact and a stranger's. And nothing here ever says that a picture is real: a mark that is not found was never
there, was removed, or is too weak to be read.

No answer names a person: the record knows numbers and times, and a grant's name is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from livefake.trust.evidence import Evidence, Held, Look, Match, chosen_payload, compare
from livefake.trust.fingerprint import LIKELY
from livefake.trust.ledger import SessionRecord
from livefake.trust.provenance import Provenance, State
from livefake.trust.watermark.code import Payload

__all__ = ["NOT_REAL", "Answer", "Question", "Report", "Verdict", "judge"]

NOT_REAL: Final = "No mark was found. That does not mean that the picture is real."

_WHY_NOT: Final = "A mark may never have been there, may have been removed, or may be too weak to be read."
_NUMBER: Final = "A number can be copied, so this alone proves nothing."


class Question(StrEnum):
    """What is asked."""

    MARK = "mark"
    ISSUER = "issuer"
    SESSION = "session"
    FINGERPRINT = "fingerprint"
    GRANT = "grant"
    C2PA = "c2pa"


class Verdict(StrEnum):
    """How an answer comes out."""

    YES = "yes"
    """It is so."""
    NO = "no"
    """It is not so, and that is nothing strange."""
    UNKNOWN = "unknown"
    """It cannot be told."""
    ALARM = "alarm"
    """It is not so, and should be: something does not fit together."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the answers.

    Attributes:
        question: what was asked.
        verdict: how it comes out.
        sentence: the same for a person; one or two sentences.
    """

    question: Question
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class Report:
    """What can be said about a file.

    Attributes:
        summary: the most important of it in one or two sentences.
        answers: one a question, in the order of ``Question``.
        details: the same for programs, see ``document``.
    """

    summary: str
    answers: tuple[Answer, ...]
    details: Mapping[str, Any]

    @property
    def marked(self) -> bool:
        """Whether a mark was found."""
        return self.answers[0].verdict is not Verdict.NO

    def document(self) -> dict[str, Any]:
        """The report as JSON has it: ``summary``, ``answers``, and an object or null for each subject."""
        answers = [
            {"question": str(one.question), "verdict": str(one.verdict), "sentence": one.sentence}
            for one in self.answers
        ]
        return {"summary": self.summary, "answers": answers, **self.details}


def judge(evidence: Evidence) -> Report:
    """Answer every question from what is known."""
    payload = chosen_payload(evidence.looks)
    marked = [look for look in evidence.looks if payload is not None and look.reading.payload == payload]
    match = compare(marked, evidence.record) if evidence.record is not None else None
    answers = (
        _mark(evidence.looks, marked),
        _issuer(payload, evidence),
        _session(payload, evidence),
        _fingerprint(marked, match, evidence),
        _grant(match, evidence),
        _c2pa(payload, evidence.provenance),
    )
    details = {
        "mark": _mark_details(evidence, payload, marked),
        "session": _session_details(evidence.record),
        "fingerprint": _match_details(match),
        "grant": _grant_details(answers[4], match, evidence.record),
        "c2pa": _c2pa_details(evidence.provenance),
    }
    return Report(_summary(answers, evidence.provenance), answers, details)


def _summary(answers: Sequence[Answer], provenance: Provenance) -> str:
    alarms = [answer.sentence for answer in answers if answer.verdict is Verdict.ALARM]
    if answers[0].verdict is Verdict.NO:
        if alarms:
            return f"{NOT_REAL} {alarms[0]}"
        if provenance.state is not State.NONE:
            return f"{NOT_REAL} {answers[5].sentence}"
        return NOT_REAL
    if alarms:
        return f"A mark was found, but something does not fit. {alarms[0]}"
    found = "A mark was found: the picture says that it was made by livefake."
    if answers[3].verdict is Verdict.YES:
        return f"{found} It looks like what this installation recorded then."
    return found


def _mark(looks: Sequence[Look], marked: Sequence[Look]) -> Answer:
    if not marked:
        return Answer(Question.MARK, Verdict.NO, f"{NOT_REAL} {_WHY_NOT}")
    reading = marked[0].reading
    said = "It carries the invisible mark that livefake puts into every picture it makes"
    where = f", in {len(marked)} of {len(looks)} places that were looked at" if len(looks) > 1 else ""
    how = " The picture was mirrored." if reading.flipped else ""
    if not marked[0].straight:
        how += " It was cut, scaled or turned after it was marked."
    others = {look.reading.payload for look in looks} - {reading.payload, None}
    if others:
        return Answer(
            Question.MARK, Verdict.ALARM, f"{said}{where}, and other places carry the mark of another session."
        )
    return Answer(Question.MARK, Verdict.YES, f"{said}{where}.{how}")


def _issuer(payload: Payload | None, evidence: Evidence) -> Answer:
    if payload is None:
        return Answer(Question.ISSUER, Verdict.UNKNOWN, "Without a mark nobody is named as its issuer.")
    if payload.issuer == evidence.own:
        return Answer(Question.ISSUER, Verdict.YES, f"The mark names this installation. {_NUMBER}")
    name = evidence.issuers.get(payload.issuer)
    if name is not None:
        sentence = f"The mark names {name} ({payload.issuer:06x}), who is among the known issuers. {_NUMBER}"
        return Answer(Question.ISSUER, Verdict.YES, sentence)
    return Answer(
        Question.ISSUER, Verdict.NO, f"The mark names the issuer {payload.issuer:06x}, who is not known here."
    )


def _session(payload: Payload | None, evidence: Evidence) -> Answer:
    if payload is None:
        return Answer(Question.SESSION, Verdict.UNKNOWN, "Without a mark no session is named.")
    if payload.issuer != evidence.own:
        sentence = "Only the installation that the mark names can say whether it had this session."
        return Answer(Question.SESSION, Verdict.UNKNOWN, sentence)
    if evidence.unread:
        return Answer(Question.SESSION, Verdict.ALARM, f"The ledger cannot be relied upon: {evidence.unread}")
    record = evidence.record
    if record is None:
        sentence = (
            "This installation's ledger has no such session: the mark was made up, or the ledger began later or was"
            " put back."
        )
        return Answer(Question.SESSION, Verdict.ALARM, sentence)
    until = "" if record.ended is None else f", and it ended at {_time(record.ended)}"
    return Answer(
        Question.SESSION, Verdict.YES, f"The ledger has this session. It began at {_time(record.started)}{until}."
    )


def _fingerprint(marked: Sequence[Look], match: Match | None, evidence: Evidence) -> Answer:
    if evidence.record is None:
        return Answer(Question.FINGERPRINT, Verdict.UNKNOWN, "There is no record to compare the picture with.")
    if match is None:
        return Answer(Question.FINGERPRINT, Verdict.UNKNOWN, "The ledger has no fingerprints of this session.")
    if match.fits:
        sentence = (
            f"The picture looks like what was shown then, at {_time(match.at)}. It need not be the same in detail."
        )
        return Answer(Question.FINGERPRINT, Verdict.YES, sentence)
    if not all(look.straight for look in marked):
        sentence = "The picture was cut, scaled or turned too much to be compared with what was shown then."
        return Answer(Question.FINGERPRINT, Verdict.UNKNOWN, sentence)
    if match.fitting:
        sentence = f"Only {match.fitting} of {match.compared} places look like what was shown then."
        return Answer(Question.FINGERPRINT, Verdict.ALARM, sentence)
    sentence = "The picture looks like nothing that was shown then: the mark was probably copied from another picture."
    return Answer(Question.FINGERPRINT, Verdict.ALARM, sentence)


def _grant(match: Match | None, evidence: Evidence) -> Answer:
    record = evidence.record
    if record is None:
        return Answer(Question.GRANT, Verdict.UNKNOWN, "Without a record it is not known whose face was worn.")
    id = _grant_needed(match, record)
    if id is None:
        sentence = "The face that was worn then belongs to nobody, so no grant was needed."
        return Answer(Question.GRANT, Verdict.YES, sentence)
    then = match.at if match is not None and match.fits else record.started
    held = evidence.grants.get(id, Held(None))
    worn = "A real person's face was worn"
    if held.revoked_at is not None and held.revoked_at <= then:
        return Answer(Question.GRANT, Verdict.ALARM, f"{worn} after they had taken their grant back.")
    since = "" if held.revoked_at is None else " They have taken it back since."
    if held.grant is None:
        sentence = f"{worn}. Their grant is no longer here, so whether it held then cannot be checked.{since}"
        return Answer(Question.GRANT, Verdict.UNKNOWN, sentence)
    if not held.grant.valid_from <= then < held.grant.valid_until:
        return Answer(Question.GRANT, Verdict.ALARM, f"{worn}, and their grant did not hold then.")
    return Answer(Question.GRANT, Verdict.YES, f"{worn}, and their grant held then.{since}")


def _grant_needed(match: Match | None, record: SessionRecord) -> str | None:
    """Id of the grant that the picture needed; None where the face belongs to nobody."""
    if record.persona_kind != "person":
        return None
    # A session may change its persona, and its record says for each stretch under which grant it was.
    return match.grant if match is not None and match.fits else record.grant or ""


def _c2pa(payload: Payload | None, provenance: Provenance) -> Answer:
    signer = f" by {provenance.signer}" if provenance.signer else ""
    match provenance.state:
        case State.NONE:
            return Answer(
                Question.C2PA, Verdict.NO, "The file has no signed statement about where it comes from (C2PA)."
            )
        case State.INVALID:
            sentence = f"The signed statement of the file{signer} does not hold (C2PA). {provenance.reason}".rstrip()
            return Answer(Question.C2PA, Verdict.ALARM, sentence)
    if payload is not None and provenance.payload not in {None, payload}:
        sentence = f"The statement signed{signer} names another mark than the one in the picture (C2PA)."
        return Answer(Question.C2PA, Verdict.ALARM, sentence)
    if provenance.state is State.VALID:
        sentence = f"The file is as it was when it was signed{signer}, who is known here (C2PA)."
        return Answer(Question.C2PA, Verdict.YES, sentence)
    sentence = f"The file is as it was when it was signed{signer}, who is not known here (C2PA)."
    return Answer(Question.C2PA, Verdict.UNKNOWN, sentence)


def _mark_details(evidence: Evidence, payload: Payload | None, marked: Sequence[Look]) -> dict[str, Any]:
    readings = [look.reading for look in (marked or evidence.looks)]
    issuer = None
    if payload is not None:
        own = payload.issuer == evidence.own
        name = "this installation" if own else evidence.issuers.get(payload.issuer)
        issuer = {"number": f"{payload.issuer:06x}", "known": name is not None, "name": name}
    return {
        "present": payload is not None,
        "payload": None if payload is None else payload.pack().hex(),
        "issuer": issuer,
        "session": None if payload is None else payload.session,
        "score": round(max((reading.score for reading in readings), default=0.0), 2),
        "frames": sum(look.reading.frames for look in evidence.looks),
        "places": {"looked_at": len(evidence.looks), "marked": len(marked)},
        "mirrored": bool(marked) and marked[0].reading.flipped,
        "scale": round(marked[0].reading.scale, 4) if marked else None,
        "rotation": round(marked[0].reading.rotation, 2) if marked else None,
    }


def _session_details(record: SessionRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "number": record.number,
        "started": _iso(record.started),
        "ended": None if record.ended is None else _iso(record.ended),
        "persona_kind": record.persona_kind,
    }


def _match_details(match: Match | None) -> dict[str, Any] | None:
    if match is None:
        return None
    return {
        "fits": match.fits,
        "distance": match.distance,
        "limit": LIKELY,
        "places": {"compared": match.compared, "fitting": match.fitting},
        "at": _iso(match.at),
    }


def _grant_details(answer: Answer, match: Match | None, record: SessionRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    needed = _grant_needed(match, record) is not None
    valid = {Verdict.YES: True, Verdict.ALARM: False}.get(answer.verdict) if needed else None
    return {"needed": needed, "valid_then": valid}


def _c2pa_details(provenance: Provenance) -> dict[str, Any]:
    return {
        "state": str(provenance.state),
        "signer": provenance.signer or None,
        "reason": provenance.reason,
        "session": provenance.session,
        "actions": list(provenance.actions),
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
