"""Every address against its own description: what fits, what does not, and what nobody thought of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from livefake.clock import FakeClock
from livefake.errors import NotFound
from livefake.server.enrolnotice import ENROL_NOTICE
from livefake.server.routes import verify
from livefake.trust.consent import Output, Purpose
from livefake.trust.handles import Handle
from livefake.trust.invites import Ask
from tests.grantkit import START, enter
from tests.serverkit import OFFER, TOKEN, House
from tests.wirekit import asking, listening

EXAMPLES = 8
RUBBISH = b"\x89PNG\r\n\x1a\n and no more"


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def sdp(context: object, value: object) -> bytes:
    """How the generated text of an offer becomes bytes."""
    del context
    return str(value).encode("utf-8", "replace")


@dataclass
class Scene:
    """A running service with something behind every kind of address."""

    base: str
    house: House
    schema: Any
    invitation: str = ""
    stream_key: str = ""

    def known(self, path: str) -> dict[str, str]:
        """Parameters that lead somewhere, made anew where an earlier request ended it."""
        found = {"viewer": "nobody", "output": "nothing", "check": "none"}
        if path.startswith("/api/personas"):
            found["id"] = "mara"
        elif path.startswith("/api/enrol"):
            found["key"] = self._invite()
        elif path.startswith("/api/grant/"):
            found["key"] = self._grant()
        else:
            if not len(self.house.sessions):
                with asking(self.base) as client:
                    client.post("/api/sessions", json=self.house.order()).raise_for_status()
            entry = next(iter(self.house.sessions))
            found |= {"id": entry.id, "key": entry.view_key}
        return found

    def body(self, path: str, body: Any) -> Any:
        """The same body with what no description can say: the notices of this version, an offer, a persona."""
        if not isinstance(body, dict) or not isinstance(body.get("consent"), dict):
            return body
        notice = ENROL_NOTICE if path.startswith("/api/enrol") else self.house.service.notice
        consent = {**body["consent"], "notice": notice.id, "accepted": True}
        told = {"sdp": OFFER, "persona": "mara", "adult": True}
        return {**body, "consent": consent, **{name: told[name] for name in told if name in body}}

    def secret(self, path: str) -> str:
        """What gets in: the token, or a stream key that holds."""
        if not path.startswith("/whip"):
            return TOKEN
        if not self.stream_key:
            consent = {"notice": self.house.service.notice.id, "accepted": True}
            with asking(self.base) as client:
                answer = client.post("/api/keys", json={"persona": "mara", "consent": consent, "minutes": 1440})
            self.stream_key = answer.raise_for_status().json()["key"]
        return self.stream_key

    def _invite(self) -> str:
        people = self.house.service.people
        try:
            people.invites.find(self.invitation, now=START)
        except NotFound:
            ask = Ask(frozenset(Purpose), frozenset(Output), 3)
            self.invitation, _ = people.invites.make(ask, now=START)
        return self.invitation

    def _grant(self) -> str:
        handle = Handle()
        enter(self.house.service.people.book, handle=handle)
        return handle.key


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    house = House(tmp_path_factory.mktemp("house"), capacity=32, allowed_hosts=("127.0.0.1",))
    schema = schemathesis.openapi.from_dict(house.app.openapi())
    # What is described cannot say which SDP, address or file is one: 422 is a right answer to what fits. A program
    # that trickles without naming the exchange is told so with 428 or 412.
    accepted = schema.config.checks.positive_data_acceptance
    accepted.expected_statuses = [*accepted.expected_statuses, "412", "422", "428"]
    # 503 says that every place is taken, with the time to wait; 500 stays an error.
    well = schema.config.checks.not_a_server_error
    well.expected_statuses = [*well.expected_statuses, "503"]
    with listening(house) as base:
        yield Scene(base, house, schema)


def ask(scene: Scene, operation: Any, mode: GenerationMode, examples: int) -> None:
    """Ask an address a number of times, and compare each answer with what is described."""
    clock = scene.house.clock
    assert isinstance(clock, FakeClock)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def one(case: Any, known: bool) -> None:
        clock.advance(600_000)
        if known:
            # A transport stream of a session that lives has no end to wait for.
            places = {} if operation.path.startswith("/ts/") else scene.known(operation.path)
            case.path_parameters = {name: places.get(name, value) for name, value in case.path_parameters.items()}
            if mode.is_positive:
                case.body = scene.body(operation.path, case.body)
        if operation.path == verify.PATH:
            # A picture is looked at for seconds; the verifier's own tests do that.
            case.body = RUBBISH
        secret = scene.secret(operation.path) if known else TOKEN
        case.call_and_validate(base_url=scene.base, headers={"Authorization": f"Bearer {secret}"})

    one()


def varies(operation: Any) -> bool:
    """Whether there is anything to choose in a request."""
    return bool(operation.path_parameters or operation.body) and operation.path != verify.PATH


def test_what_fits_is_answered_as_described(scene: Scene, subtests: pytest.Subtests) -> None:
    for found in scene.schema.get_all_operations():
        operation = found.ok()
        with subtests.test(operation.label):
            ask(scene, operation, GenerationMode.POSITIVE, EXAMPLES if varies(operation) else 1)
    assert len(scene.house.sessions) > 0


def test_what_does_not_fit_is_refused_as_described(scene: Scene, subtests: pytest.Subtests) -> None:
    for found in scene.schema.get_all_operations():
        operation = found.ok()
        # Every text fits a parameter of a path, an offer and a file: only JSON can be described closely enough.
        if operation.body and set(operation.get_request_payload_content_types()) == {"application/json"}:
            with subtests.test(operation.label):
                ask(scene, operation, GenerationMode.NEGATIVE, EXAMPLES)


def test_everything_but_what_a_key_opens_asks_for_the_token(scene: Scene, subtests: pytest.Subtests) -> None:
    clock = scene.house.clock
    assert isinstance(clock, FakeClock)
    with httpx.Client(base_url=scene.base) as client:
        for found in scene.schema.get_all_operations():
            operation = found.ok()
            clock.advance(600_000)
            with subtests.test(operation.label):
                path = re.sub(r"\{\w+\}", "guess", operation.path)
                answer = client.request(operation.method, path)
                described = scene.schema.raw_schema["paths"][operation.path][operation.method]["security"]
                assert (answer.status_code == 401) == bool(described)
