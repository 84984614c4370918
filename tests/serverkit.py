"""Stand-ins for the parts below the HTTP service: they keep their promises, without a camera or a network."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from livefake.clock import FakeClock, monotonic
from livefake.errors import BadRequest, Busy, NotFound
from livefake.examiner import Examiner
from livefake.flow.timing import Timing
from livefake.frame import Frame
from livefake.media.encode.hub import Broadcast
from livefake.media.ice import IceServer
from livefake.media.ports import Sink, Source
from livefake.media.recorder import Phase, Recording
from livefake.media.recordings import Recordings
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from livefake.outputs import OutputKind, Outputs, Reading, Taps
from livefake.server.app import build_app
from livefake.server.service import Service
from livefake.session import Others, Report, State
from livefake.sessions import Order
from livefake.settings import Settings
from livefake.swap.persona import Kind, PersonaCard
from livefake.trust.consent import Output as Shown
from livefake.trust.seal import Sealed
from tests.enrolkit import Cast

TOKEN = "token-for-the-tests-0123456789"
ORIGIN = "http://127.0.0.1:8848"
OFFER = "v=0\r\n"
SDP = {"Content-Type": "application/sdp"}
FRAMES = {"arrived": 10, "swapped": 7, "held": 1, "carded": 1, "dropped": 1}


class QuietSource:
    """A camera that shows nothing until it is closed."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        await self._over.wait()
        raise StopAsyncIteration

    async def close(self) -> None:
        self._over.set()


@dataclass(eq=False)
class QuietSink:
    """A way out that keeps nothing."""

    name: str = "quiet"

    def show(self, sealed: Sealed) -> None:
        del sealed

    async def close(self) -> None:
        return None


class QuietOutput:
    """A way out that sends nothing, and knows one address that it refuses."""

    def __init__(self, taps: Taps, target: str) -> None:
        del taps
        if not target.startswith("rtmp://"):
            raise BadRequest("The address should begin with rtmp://, and does not.")
        self.place = target
        self._over = asyncio.Event()

    def read(self) -> Reading:
        return Reading(frames=3, running=True)

    async def run(self) -> None:
        await self._over.wait()

    async def close(self) -> None:
        self._over.set()


class LocalPeer:
    """A peer whose other end is the test: ``leave`` is a browser that is closed, ``drop`` a network that fails."""

    def __init__(self) -> None:
        self.source: Source = QuietSource()
        self.sink: Sink | None = QuietSink()
        self.trickled: list[str] = []
        self.closed = self.hung_up = False
        self.offer = ""
        self._over = asyncio.Event()

    async def accept(self, sdp: str) -> str:
        await asyncio.sleep(0)
        self.offer = sdp
        if not sdp.startswith("v=0"):
            raise BadRequest("The offer should be SDP, and is not.")
        return "v=0\r\ns=answer\r\n"

    @property
    def has_microphone(self) -> bool:
        return "m=audio" in self.offer

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        self.listener = listener

    async def trickle(self, text: str) -> None:
        self.trickled.append(text)

    async def wait_closed(self) -> None:
        await self._over.wait()

    async def close(self) -> None:
        self.closed = True
        self._over.set()

    def leave(self) -> None:
        self.hung_up = True
        self._over.set()

    def drop(self) -> None:
        self._over.set()


@dataclass
class LocalSession:
    """A session that does what it is told and works on no pictures."""

    number: int
    persona: str
    others: Others
    tone: float = 0.0
    sinks: list[Sink] = field(default_factory=list)
    needs_resume: bool = True
    recording: Recording | None = None
    refuses: Exception | None = None

    def add(self, sink: Sink) -> None:
        self.sinks.append(sink)

    async def remove(self, sink: Sink) -> None:
        self.sinks.remove(sink)

    def allow(self, output: Shown) -> None:
        del output

    def disallow(self, output: Shown) -> None:
        del output

    def wear(self, persona: str) -> None:
        self.persona = persona

    def treat_others(self, how: Others) -> None:
        self.others = how

    def set_tone(self, share: float) -> None:
        self.tone = share

    def resume(self) -> None:
        self.needs_resume = False

    def start_recording(self) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.recording = Recording(Phase.RECORDING, 1.5, 4096, 0, "", "film.mp4")

    def stop_recording(self) -> None:
        if self.recording is not None:
            self.recording = replace(self.recording, phase=Phase.FINISHING)

    def snapshot(self) -> bytes:
        if self.refuses is not None:
            raise self.refuses
        return b"\xff\xd8picture"

    def report(self) -> Report:
        return Report(
            state=State.LIVE,
            reason="",
            needs_resume=self.needs_resume,
            persona=self.persona,
            others=self.others,
            source_fps=30.0,
            shown_fps=29.5,
            width=1280,
            height=720,
            frames=FRAMES,
            stages={"detect": Timing(p50_ms=2.0, p95_ms=3.0, cpu_ms=1.5)},
            frame=Timing(p50_ms=20.0, p95_ms=30.0, cpu_ms=18.0),
            server_ms=25.0,
            quality="mesh warp and network at 128 pixels",
            steps_down=2,
            queue_depth=1,
            tone=self.tone,
            recording=self.recording,
        )


@dataclass
class LocalEntry:
    """A session in the book."""

    session: LocalSession
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    view_key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    broadcast: Broadcast = field(default_factory=lambda: Broadcast(bitrate=Bitrate(), clock=FakeClock()))
    sound: SoundBus = field(default_factory=SoundBus)
    outputs: Outputs = field(init=False)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        taps = Taps(self.session, self.broadcast, self.sound, self.session.number)
        self.outputs = Outputs(taps, {OutputKind.PUSH: QuietOutput}, clock=FakeClock())


class LocalSessions:
    """The book of sessions, in memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.entries: dict[str, LocalEntry] = {}
        self.orders: list[Order] = []
        self.fails: Exception | None = None

    async def open(self, order: Order, source: Source) -> LocalEntry:
        del source
        if self.fails is not None:
            raise self.fails
        if len(self) >= self.capacity:
            raise Busy("All places are taken.")
        self.orders.append(order)
        entry = LocalEntry(LocalSession(len(self) + 1, order.persona, order.others, order.tone))
        self.entries[entry.id] = entry
        return entry

    def find(self, id: str) -> LocalEntry:
        if id not in self.entries:
            raise NotFound("There is no such session.")
        return self.entries[id]

    def find_view(self, key: str) -> LocalEntry:
        for entry in self:
            if entry.view_key == key:
                return entry
        raise NotFound("There is no such session.")

    async def close(self, id: str) -> None:
        self.find(id).closed.set()
        del self.entries[id]

    async def close_all(self) -> None:
        for id in tuple(self.entries):
            await self.close(id)

    def __iter__(self) -> Iterator[LocalEntry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)


class House:
    """A service with everything in it, and the peers it made."""

    def __init__(
        self,
        folder: Path,
        capacity: int = 2,
        allowed_hosts: tuple[str, ...] = (),
        recordings: Recordings | None = None,
        *,
        web: Path | None = None,
        ice_servers: tuple[IceServer, ...] = (),
        turn_secret: str = "",
    ) -> None:
        self.sessions = LocalSessions(capacity)
        self.performers: list[LocalPeer] = []
        self.publishers: list[LocalPeer] = []
        self.viewers: list[LocalPeer] = []
        self.clock = FakeClock()
        self.cast = Cast(folder / "data")
        self.service = Service(
            settings=Settings(
                cache=folder / "cache",
                data=folder / "data",
                token=TOKEN,
                capacity=capacity,
                allowed_hosts=allowed_hosts,
                ice_servers=ice_servers,
                turn_secret=turn_secret,
            ),
            sessions=self.sessions,
            personas=(_persona(folder, "mara"), _persona(folder, "edgar")),
            performer=lambda: _kept(self.performers),
            publisher=lambda: _kept(self.publishers),
            viewer=lambda _broadcast, _sound: _kept(self.viewers),
            clock=self.clock,
            engine="none",
            web=web or _web(folder),
            demo=_demo(folder),
            recordings=recordings,
            people=self.cast.people,
            examine=Examiner(folder / "data", clock=monotonic).examine_upload,
        )
        self.app = build_app(self.service)

    def browser(self, **headers: str) -> httpx.AsyncClient:
        """A client without the token; keeps cookies, does not follow redirects."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN, headers=headers)

    def program(self, **headers: str) -> httpx.AsyncClient:
        """A client with the token."""
        return self.browser(Authorization=f"Bearer {TOKEN}", **headers)

    def order(self, **changes: object) -> dict[str, object]:
        """The body that opens a session."""
        consent = {"notice": self.service.notice.id, "accepted": True}
        return {"sdp": OFFER, "persona": "mara", "consent": consent, "source": "camera", **changes}

    async def settled(self) -> None:
        """Return when every room that must close has closed."""
        for _ in range(50):
            await asyncio.sleep(0)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """The app between its start and its end, and a client with the token."""
    async with house.app.router.lifespan_context(house.app), house.program() as client:
        yield client


async def opened(house: House, client: httpx.AsyncClient, **changes: object) -> dict[str, str]:
    """Open a session and return the body of the answer."""
    answer = await client.post("/api/sessions", json=house.order(**changes))
    assert answer.status_code == 201, answer.text
    body: dict[str, str] = answer.json()
    return body


def view_key(session: dict[str, str]) -> str:
    """The key in the viewer link of an opened session."""
    return session["view_url"].rpartition("/")[2]


def problem(answer: httpx.Response, status: int) -> str:
    """The sentence of an error, after checking that it has the one form that all errors have."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"problem", "remedy"}
    sentence: str = body["error"]["problem"]
    assert sentence.endswith(".")
    assert "Traceback" not in answer.text
    return sentence


def _kept(peers: list[LocalPeer]) -> LocalPeer:
    peers.append(LocalPeer())
    return peers[-1]


def _persona(folder: Path, id: str) -> PersonaCard:
    pack = folder / "personas" / id
    pack.mkdir(parents=True)
    (pack / "portrait.jpg").write_bytes(b"\xff\xd8" + id.encode())
    return PersonaCard(id, id.title(), Kind.FICTIONAL, "Nobody who lives.", "CC0-1.0", pack, {})


def _web(folder: Path) -> Path:
    web = folder / "web"
    web.mkdir()
    (web / "index.html").write_text("<title>performer</title>")
    (web / "view.html").write_text("<title>viewer</title>")
    (web / "enrol.html").write_text("<title>enrol</title>")
    (web / "grant.html").write_text("<title>grant</title>")
    (web / "verify.html").write_text("<title>verifier</title>")
    (web / "main.js").write_text("export {};")
    return web


def _demo(folder: Path) -> Path:
    demo = folder / "demo"
    demo.mkdir()
    (demo / "performer.mp4").write_bytes(bytes(range(100)))
    return demo
