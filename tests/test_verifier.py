"""The verifier's answers: separate, in plain words, and never that a picture is real."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.trust.evidence import Evidence, Held, Look
from livefake.trust.fingerprint import LIKELY
from livefake.trust.ledger import Segment, SessionRecord
from livefake.trust.provenance import Provenance, State
from livefake.trust.verifier import NOT_REAL, Question, Report, Verdict, judge
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.detect import Reading
from tests.grantkit import DURING, END, START, signed

OWN, OTHER = 0xABCDEF, 0x123456
PAYLOAD = Payload(1, OWN, 77)
FOREIGN = Payload(1, OTHER, 77)
NOTHING = Provenance(State.NONE, "", "The file carries no manifest.", None, ())
PRINTS = (0x0F0F_0F0F_0F0F_0F0F, 0x3333_3333_3333_3333)
ELSEWHERE = (0xF0F0_F0F0_F0F0_F0F0, 0xCCCC_CCCC_CCCC_CCCC)
PERSON = "0123456789abcdef"


def reading(payload: Payload | None = PAYLOAD, **changes: Any) -> Reading:
    return replace(Reading(payload is not None, payload, 30.0 if payload else 4.0, 30, False, 1.0, 0.0), **changes)


def look(payload: Payload | None = PAYLOAD, prints: tuple[int, ...] = PRINTS, **changes: Any) -> Look:
    return Look(0.0, reading(payload, **changes), prints, ELSEWHERE)


def record(grant: str | None = None, **changes: Any) -> SessionRecord:
    segment = Segment(DURING, DURING + 10, PRINTS, 300, 0, grant)
    kind = "fictional" if grant is None else "person"
    grants = () if grant is None else (grant,)
    return replace(SessionRecord(77, DURING - 1, DURING + 11, grant, kind, (segment,), grants), **changes)


def asked(*looks: Look, **changes: Any) -> Report:
    fields: dict[str, Any] = {"looks": looks, "own": OWN, "issuers": {}, "provenance": NOTHING}
    return judge(Evidence(**{**fields, **changes}))


def verdicts(report: Report) -> dict[str, str]:
    return {str(answer.question): str(answer.verdict) for answer in report.answers}


def sentence(report: Report, question: Question) -> str:
    [found] = [answer.sentence for answer in report.answers if answer.question is question]
    return found


def test_nothing_found_never_says_real() -> None:
    report = asked(look(None), look(None))
    assert report.summary == NOT_REAL == "No mark was found. That does not mean that the picture is real."
    assert not report.marked
    assert verdicts(report) == {
        "mark": "no",
        "issuer": "unknown",
        "session": "unknown",
        "fingerprint": "unknown",
        "grant": "unknown",
        "c2pa": "no",
    }
    document = report.document()
    assert document["mark"]["present"] is False
    assert document["mark"]["payload"] is None
    assert document["session"] is document["fingerprint"] is document["grant"] is None
    assert document["c2pa"]["state"] == "none"


def test_everything_fits() -> None:
    report = asked(look(), look(), record=record())
    assert verdicts(report) == dict.fromkeys(["mark", "issuer", "session", "fingerprint", "grant"], "yes") | {
        "c2pa": "no"
    }
    assert report.marked
    document = json.loads(json.dumps(report.document()))
    assert document["mark"] == {
        "present": True,
        "payload": "1abcdef00000004d",
        "issuer": {"number": "abcdef", "known": True, "name": "this installation"},
        "session": 77,
        "score": 30.0,
        "frames": 60,
        "places": {"looked_at": 2, "marked": 2},
        "mirrored": False,
        "scale": 1.0,
        "rotation": 0.0,
    }
    assert document["session"] == {
        "number": 77,
        "started": "2027-01-15T19:59:59Z",
        "ended": "2027-01-15T20:00:11Z",
        "persona_kind": "fictional",
    }
    assert document["fingerprint"]["fits"] is True
    assert document["fingerprint"]["distance"] == 0
    assert document["grant"] == {"needed": False, "valid_then": None}
    assert [answer["question"] for answer in document["answers"]] == [str(question) for question in Question]


def test_a_mark_in_some_places_is_told_as_that() -> None:
    report = asked(look(None), look(), look(None), record=record())
    assert "in 1 of 3 places" in sentence(report, Question.MARK)
    assert verdicts(report)["fingerprint"] == "yes", "places without the mark are not compared"


def test_two_marks_in_one_clip_do_not_fit_together() -> None:
    report = asked(look(), look(), look(Payload(1, OWN, 78)), record=record())
    assert verdicts(report)["mark"] == "alarm"
    assert report.marked
    assert report.document()["mark"]["session"] == 77
    assert "another session" in report.summary


def test_a_mirrored_picture_is_compared_as_it_was() -> None:
    turned = Look(0.0, reading(flipped=True), ELSEWHERE, PRINTS)
    report = asked(turned, record=record())
    assert verdicts(report)["fingerprint"] == "yes"
    assert "mirrored" in sentence(report, Question.MARK)


@pytest.mark.parametrize(
    ("payload", "issuers", "verdict", "words"),
    [
        (PAYLOAD, {}, "yes", "this installation"),
        (FOREIGN, {OTHER: "Studio North"}, "yes", "Studio North (123456)"),
        (FOREIGN, {}, "no", "123456, who is not known here"),
        (FOREIGN, {OWN: "Myself"}, "no", "not known"),
    ],
)
def test_the_issuer_is_named_by_number_and_known_by_name(
    payload: Payload, issuers: dict[int, str], verdict: str, words: str
) -> None:
    report = asked(look(payload), issuers=issuers)
    assert verdicts(report)["issuer"] == verdict
    assert words in sentence(report, Question.ISSUER)
    assert report.document()["mark"]["issuer"]["known"] is (verdict == "yes")
    if payload is FOREIGN:
        assert verdicts(report)["session"] == "unknown", "only the issuer knows its sessions"


def test_a_session_that_the_ledger_does_not_have_is_strange() -> None:
    report = asked(look())
    assert verdicts(report)["session"] == "alarm"
    assert "something does not fit" in report.summary


def test_a_ledger_that_was_changed_is_not_relied_upon() -> None:
    report = asked(look(), unread="The ledger has an entry that was changed.")
    assert verdicts(report)["session"] == "alarm"
    assert "entry that was changed" in sentence(report, Question.SESSION)


def test_a_mark_that_was_pasted_onto_another_picture_does_not_fit() -> None:
    report = asked(look(prints=ELSEWHERE), record=record())
    assert verdicts(report)["session"] == "yes"
    assert verdicts(report)["fingerprint"] == "alarm"
    assert "copied from another picture" in report.summary
    assert report.document()["fingerprint"]["fits"] is False


def test_a_picture_that_fits_in_part_is_strange() -> None:
    report = asked(look(), look(prints=ELSEWHERE), record=record())
    assert verdicts(report)["fingerprint"] == "alarm"
    assert "Only 1 of 2 places" in sentence(report, Question.FINGERPRINT)


@pytest.mark.parametrize("pose", [{"scale": 1.3}, {"rotation": 1.5}])
def test_a_picture_that_was_cut_is_not_accused(pose: dict[str, Any]) -> None:
    assert verdicts(asked(look(prints=ELSEWHERE, **pose), record=record()))["fingerprint"] == "unknown"
    assert verdicts(asked(look(**pose), record=record()))["fingerprint"] == "yes"


@pytest.mark.parametrize("wrong", [0, LIKELY, LIKELY + 1])
def test_the_picture_may_differ_by_as_much_as_compression_does(wrong: int) -> None:
    blurred = tuple(print ^ ((1 << wrong) - 1) for print in PRINTS)
    report = asked(look(prints=blurred), record=record())
    assert verdicts(report)["fingerprint"] == ("yes" if wrong <= LIKELY else "alarm")
    assert report.document()["fingerprint"]["distance"] == wrong


def test_a_session_without_fingerprints_cannot_be_compared() -> None:
    for empty in (record(segments=()), record(segments=(Segment(DURING, DURING + 10, (), 300, 0),))):
        report = asked(look(), record=empty)
        assert verdicts(report)["fingerprint"] == "unknown"
        assert report.document()["fingerprint"] is None


def test_a_session_that_was_cut_off_has_no_end() -> None:
    report = asked(look(), record=record(ended=None))
    assert report.document()["session"]["ended"] is None
    assert "ended" not in sentence(report, Question.SESSION)


@pytest.mark.parametrize(
    ("held", "verdict", "valid", "words"),
    [
        (Held(signed()), "yes", True, "held then."),
        (Held(signed(), revoked_at=int(DURING) + 3600), "yes", True, "taken it back since"),
        (Held(signed(), revoked_at=int(DURING) - 1), "alarm", False, "after they had taken"),
        (Held(None, revoked_at=int(DURING) - 1), "alarm", False, "after they had taken"),
        (Held(None, revoked_at=int(DURING) + 3600), "unknown", None, "no longer here"),
        (Held(None), "unknown", None, "no longer here"),
        (None, "unknown", None, "no longer here"),
        (Held(signed(valid_from=int(DURING) + 60)), "alarm", False, "did not hold then"),
        (Held(signed(valid_until=int(DURING) - 60)), "alarm", False, "did not hold then"),
    ],
)
def test_a_persons_grant_is_judged_at_the_time(held: Held | None, verdict: str, valid: bool | None, words: str) -> None:
    assert START < DURING < END
    grants = {} if held is None else {PERSON: held}
    report = asked(look(), record=record(PERSON), grants=grants)
    assert verdicts(report)["grant"] == verdict
    assert words in sentence(report, Question.GRANT)
    assert report.document()["grant"] == {"needed": True, "valid_then": valid}


def test_a_session_with_a_person_and_a_fictional_face_is_judged_by_what_is_seen() -> None:
    person = Segment(DURING + 10, DURING + 20, ELSEWHERE, 300, 0, PERSON)
    both = record(PERSON, segments=(replace(record().segments[0], grant=None), person))
    held = {PERSON: Held(signed(valid_until=int(DURING) + 5))}
    fictional, real = asked(look(), record=both, grants=held), asked(look(prints=ELSEWHERE), record=both, grants=held)
    assert verdicts(fictional)["grant"] == "yes"
    assert "belongs to nobody" in sentence(fictional, Question.GRANT)
    assert verdicts(real)["grant"] == "alarm"


@pytest.mark.parametrize(
    ("state", "payload", "verdict"),
    [
        (State.VALID, PAYLOAD, "yes"),
        (State.VALID, None, "yes"),
        (State.UNTRUSTED, PAYLOAD, "unknown"),
        (State.INVALID, PAYLOAD, "alarm"),
        (State.VALID, FOREIGN, "alarm"),
        (State.UNTRUSTED, Payload(1, OWN, 78), "alarm"),
    ],
)
def test_the_signed_statement_is_an_answer_of_its_own(state: State, payload: Payload | None, verdict: str) -> None:
    session = None if payload is None else payload.session
    provenance = Provenance(state, "somebody", "Some reason.", session, ("c2pa.created",), payload)
    report = asked(look(), record=record(), provenance=provenance)
    assert verdicts(report)["c2pa"] == verdict
    assert report.document()["c2pa"] == {
        "state": str(state),
        "signer": "somebody",
        "reason": "Some reason.",
        "session": session,
        "actions": ["c2pa.created"],
    }


@pytest.mark.parametrize("state", [State.VALID, State.UNTRUSTED, State.INVALID])
def test_a_signed_file_without_a_mark_says_both(state: State) -> None:
    report = asked(look(None), provenance=Provenance(state, "somebody", "", None, ()))
    assert report.summary.startswith(NOT_REAL)
    assert "by somebody" in report.summary


payloads = st.sampled_from([None, PAYLOAD, FOREIGN, Payload(1, OWN, 78)])


@given(
    st.lists(st.builds(look, payloads, st.sampled_from([PRINTS, ELSEWHERE, ()])), max_size=4),
    st.sampled_from([None, record(), record(PERSON), record(segments=())]),
    st.sampled_from(State),
    st.booleans(),
)
def test_every_case_has_six_plain_answers_and_no_name(
    looks: list[Look], found: SessionRecord | None, state: State, known: bool
) -> None:
    report = asked(
        *looks,
        record=found,
        provenance=Provenance(state, "", "", None, ()),
        issuers={OTHER: "Studio North"} if known else {},
        grants={PERSON: Held(signed())},
    )
    assert [answer.question for answer in report.answers] == list(Question)
    text = json.dumps(report.document())
    for forbidden in ("Zoë", "Zo\\u00eb", PERSON, signed().subject_key, signed().revocation):
        assert forbidden not in text
    for answer in report.answers:
        assert answer.sentence.endswith(".")
        words = answer.sentence.replace("does not mean that the picture is real", "").replace("real person", "")
        assert " real" not in words
    if any(look.reading.present for look in looks):
        assert report.marked
        assert report.answers[0].verdict in {Verdict.YES, Verdict.ALARM}


def test_a_signature_that_does_not_hold_says_why() -> None:
    provenance = Provenance(State.INVALID, "somebody", "The file was changed after it was signed.", None, ())
    told = sentence(asked(look(), provenance=provenance), Question.C2PA)
    assert told.endswith("does not hold (C2PA). The file was changed after it was signed.")


def test_an_alarm_is_always_in_the_summary() -> None:
    for prints, state in product((PRINTS, ELSEWHERE), (State.NONE, State.INVALID)):
        report = asked(look(prints=prints), record=record(), provenance=Provenance(state, "", "", None, ()))
        alarms = [answer.sentence for answer in report.answers if answer.verdict is Verdict.ALARM]
        assert bool(alarms) == ("does not fit" in report.summary)
        assert not alarms or alarms[0] in report.summary
