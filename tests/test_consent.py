from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import ConsentError
from livefake.trust.consent import LONGEST, Grant, Output, Purpose, decide, parse, render, sign, verify
from livefake.trust.keys import public_hex
from tests.grantkit import DURING, END, SERVICE, START, STRANGER, SUBJECT, draft, signed

OPERATOR = public_hex(SERVICE)

purposes = st.frozensets(st.sampled_from(Purpose), min_size=1)
outputs = st.frozensets(st.sampled_from(Output))


@given(
    granted=purposes,
    allowed=outputs,
    purpose=st.sampled_from(Purpose),
    output=st.none() | st.sampled_from(Output),
    now=st.one_of(
        st.sampled_from([START - 1, START - 0.001, START, END - 0.001, END, END + 1, math.nan, math.inf, -math.inf]),
        st.floats(START - 1e5, END + 1e5),
    ),
    here=st.booleans(),
    revoked=st.booleans(),
)
def test_a_grant_covers_what_it_says_and_nothing_else(
    *,
    granted: frozenset[Purpose],
    allowed: frozenset[Output],
    purpose: Purpose,
    output: Output | None,
    now: float,
    here: bool,
    revoked: bool,
) -> None:
    grant = signed(purposes=granted, outputs=allowed)
    operator = OPERATOR if here else public_hex(STRANGER)
    somewhere = purpose is Purpose.TRAIN if output is None else output in allowed
    covered = START <= now < END and here and not revoked and purpose in granted and somewhere
    if covered:
        decide(grant, now=now, operator=operator, purpose=purpose, output=output, revoked=revoked)
    else:
        with pytest.raises(ConsentError, match=r"^Zoë's grant 0123456789abcdef .*\.") as caught:
            decide(grant, now=now, operator=operator, purpose=purpose, output=output, revoked=revoked)
        assert "\n" not in caught.value.problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"now": START - 1}, "does not hold before 2027-01-15 08:00 UTC"),
        ({"now": END}, "expired on 2027-01-16 08:00 UTC"),
        ({"revoked": True}, "was revoked"),
        ({"operator": public_hex(STRANGER)}, "was given to another installation"),
        ({"purpose": Purpose.TRAIN}, "is for wear, not for train"),
        ({"output": Output.RECORDING}, "covers file, live, not recording"),
        ({"output": None}, "needs to know where the pictures go"),
    ],
)
def test_each_refusal_has_its_sentence(changes: dict[str, Any], problem: str) -> None:
    grant = signed(purposes=frozenset({Purpose.WEAR}), outputs=frozenset({Output.LIVE, Output.FILE}))
    asked: dict[str, Any] = {
        "now": DURING,
        "operator": OPERATOR,
        "purpose": Purpose.WEAR,
        "output": Output.LIVE,
        "revoked": False,
    }
    decide(grant, **asked)
    with pytest.raises(ConsentError, match=problem):
        decide(grant, **{**asked, **changes})


CHANGES: dict[str, Any] = {
    "id": "f" * 16,
    "subject": "Somebody else",
    "subject_key": public_hex(STRANGER),
    "operator": public_hex(STRANGER),
    "purposes": frozenset({Purpose.WEAR}),
    "outputs": frozenset({Output.LIVE}),
    "valid_from": START - 1,
    "valid_until": END + 1,
    "revocation": "0" * 32,
    "notice": "0" * 64,
    "template": "0" * 64,
    "evidence": {"method": "test", "views": 26},
    "subject_signature": "0" * 128,
    "service_signature": "",
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_any_field_is_noticed(name: str) -> None:
    changed = replace(signed(), **{name: CHANGES[name]})
    with pytest.raises(ConsentError, match="does not carry the signature of"):
        verify(changed)
    with pytest.raises(ConsentError, match="it was changed"):
        decide(changed, now=DURING, operator=changed.operator, purpose=Purpose.WEAR, output=Output.LIVE, revoked=False)


def test_the_changes_tried_are_all_there_are() -> None:
    assert {*CHANGES, "adult"} == {field.name for field in fields(Grant)}


def test_only_the_keys_that_it_names_sign_a_grant() -> None:
    for subject, service in ((STRANGER, SERVICE), (SUBJECT, STRANGER)):
        with pytest.raises(ConsentError, match="names other keys"):
            sign(draft(), subject=subject, service=service)
    verify(sign(draft(), subject=SUBJECT, service=SERVICE))


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)


@given(
    subject=names,
    granted=purposes,
    allowed=outputs,
    start=st.integers(0, 2_000_000_000),
    length=st.integers(1, LONGEST),
    evidence=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True), names | st.integers(-9, 2**53 - 1)),
)
def test_a_grant_that_was_written_reads_back_and_verifies(
    *,
    subject: str,
    granted: frozenset[Purpose],
    allowed: frozenset[Output],
    start: int,
    length: int,
    evidence: dict[str, str | int],
) -> None:
    grant = signed(
        subject=subject,
        purposes=granted,
        outputs=allowed,
        valid_from=start,
        valid_until=start + length,
        evidence=evidence,
    )
    again = parse(render(grant), "x.json")
    assert again == grant
    assert again.content == grant.content
    verify(again)


def test_the_content_of_a_known_grant_never_changes() -> None:
    # What older versions signed must stay verifiable.
    content = draft().content
    assert content.startswith(b'livefake grant 1\n{"adult":true,"evidence":{"method":"test","views":25},"id":"0123')
    assert b'"outputs":["file","live","recording","virtual-camera"]' in content
    assert '"subject":"Zoë"'.encode() in content
    assert b"signature" not in content


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("id", "../../etc/passwd", "16 hexadecimal digits"),
        ("id", "ABCDEF0123456789", "16 hexadecimal digits"),
        ("subject", "", "1 to 80 characters"),
        ("subject", "two\nlines", "1 to 80 characters"),
        ("subject_key", "ab", "64 hexadecimal digits"),
        ("valid_from", 1.5, "whole seconds"),
        ("valid_from", True, "whole seconds"),
        ("valid_until", START, "later than valid_from"),
        ("valid_until", START + LONGEST + 1, "by two years at most"),
        ("adult", False, "own declaration to be of age"),
        ("adult", 1, "own declaration to be of age"),
        ("evidence", {"score": 0.5}, "whole numbers"),
        ("evidence", {"score": True}, "whole numbers"),
        ("evidence", ["a"], "whole numbers"),
        ("evidence", {"text": "\ud800"}, "printable"),
        ("subject_signature", "zz", "128 hexadecimal digits"),
        ("purposes", [], "purposes should be some of train, wear"),
        ("purposes", ["sell"], "purpose or an output that there is not"),
        ("outputs", ["television"], "purpose or an output that there is not"),
        ("outputs", 5, "purpose or an output that there is not"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(name: str, value: object, expected: str) -> None:
    values = json.loads(render(signed()))
    values[name] = value
    with pytest.raises(ConsentError, match=expected) as caught:
        parse(json.dumps(values), "x.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.json should be a grant in JSON"),
        ("[" * 60_000, "x.json should be a grant"),
        ("[]", "schema 1"),
        ('{"schema": 2}', "schema 1"),
        ('{"schema": 1, "extra": 1}', "missing or foreign fields: .*extra"),
        ('{"schema": 1, "schema": 1}', "stands twice"),
        (" " * 70_000, "65536 characters at most"),
    ],
)
def test_what_is_not_a_grant_is_refused_in_one_sentence(text: str, expected: str) -> None:
    with pytest.raises(ConsentError, match=expected):
        parse(text, "x.json")


@given(
    st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(json.dumps)
)
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(ConsentError):
        parse(text, "x.json")
