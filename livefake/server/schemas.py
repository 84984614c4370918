"""Bodies of the HTTP interface, as they appear in the OpenAPI document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal

from pydantic import Field, StrictBool

from livefake.flow.timing import Timing
from livefake.media.ice import Ice
from livefake.media.recorder import Phase, Recording
from livefake.outputs import OutputKind, OutputReport, OutputState
from livefake.server.bodies import Asked, Told
from livefake.server.notice import Notice
from livefake.server.ports import OpenSession
from livefake.server.soundbodies import SoundChange, SoundState
from livefake.session import Others, State
from livefake.swap.persona import PersonaCard

__all__ = [
    "Answer",
    "Asked",
    "Consent",
    "Costs",
    "Frames",
    "Health",
    "IceEntry",
    "IceSettings",
    "MarkCounts",
    "NoticeText",
    "Offer",
    "Opened",
    "OutputEntry",
    "OutputOrder",
    "PersonaEntry",
    "ProblemBody",
    "ProblemText",
    "RecordingState",
    "Reoffer",
    "SessionChange",
    "SessionState",
    "Status",
    "Told",
]


class ProblemText(Told):
    """What went wrong, and what to do about it."""

    problem: str
    remedy: str


class ProblemBody(Told):
    """The body of every error."""

    error: ProblemText


class Health(Told):
    """The service is up."""

    status: Literal["ok"] = "ok"


class Status(Told):
    """The service at a glance: ``open`` of ``capacity`` places are taken."""

    version: str
    ready: bool
    capacity: int
    open: int
    engine: str


class NoticeText(Told):
    """What a performer must have read before a session starts."""

    id: str
    title: str
    paragraphs: tuple[str, ...]
    tick: str

    @classmethod
    def of(cls, notice: Notice) -> NoticeText:
        """The notice with its id."""
        return cls(id=notice.id, title=notice.title, paragraphs=notice.paragraphs, tick=notice.tick)


class PersonaEntry(Told):
    """A persona to choose; ``portrait`` is the path of its picture."""

    id: str
    title: str
    kind: str
    description: str
    portrait: str

    @classmethod
    def of(cls, card: PersonaCard) -> PersonaEntry:
        """The card as the page shows it."""
        return cls(
            id=card.id,
            title=card.title,
            kind=card.kind,
            description=card.description,
            portrait=f"/api/personas/{card.id}/portrait.jpg",
        )


class Consent(Asked):
    """A performer's yes: the id of the notice that was read, and whether the tick was set."""

    notice: str = Field(max_length=64)
    accepted: StrictBool


class Offer(Asked):
    """A session to open."""

    sdp: str = Field(min_length=1, description="The browser's WebRTC offer.")
    persona: str = Field(min_length=1, max_length=64, description="Id of the persona to wear.")
    consent: Consent
    source: Literal["camera", "clip"] = Field(description="What the browser sends: its camera or the demo clip.")
    others: Others = Field(default=Others.BLUR, description="What happens to other people's faces.")
    tone: float = Field(default=0.0, ge=0, le=1, description="Skin tone: 0 the performer's, 1 the persona's.")


class Reoffer(Asked):
    """Another connection for a session that is open."""

    sdp: str = Field(min_length=1, description="The browser's WebRTC offer.")


class Answer(Told):
    """The other half of an offer."""

    sdp: str


class IceEntry(Told):
    """A STUN or TURN server in the form of the browsers' ``RTCIceServer``."""

    urls: str
    username: str = ""
    credential: str = ""


class IceSettings(Told):
    """How a browser finds a path to the service; the sign-in is good for some hours."""

    ice_servers: tuple[IceEntry, ...]
    relay_only: bool

    @classmethod
    def of(cls, ice: Ice, now: float) -> IceSettings:
        """What a browser needs at that time, seconds since 1970."""
        entries = (
            IceEntry(urls=each.url, username=each.username, credential=each.credential) for each in ice.admitted(now)
        )
        return cls(ice_servers=tuple(entries), relay_only=ice.relay_only)


class Opened(Told):
    """A session that has started; whoever has one of its addresses can watch it.

    ``view_url`` is a page with the picture alone, ``whep_url`` is for players that speak WHEP, ``feed_url`` is a
    transport stream; ``outputs`` are the kinds that can be added.
    """

    id: str
    sdp: str
    view_url: str
    whep_url: str
    feed_url: str
    persona: str
    outputs: tuple[OutputKind, ...]


class SessionChange(Asked):
    """What to change; everything left out stays as it is."""

    persona: str | None = Field(default=None, min_length=1, max_length=64)
    others: Others | None = None
    tone: float | None = Field(default=None, ge=0, le=1)
    sound: SoundChange = Field(default_factory=SoundChange)
    resume: StrictBool = Field(default=False, description="Show the picture again after a session that held.")


class Costs(Told):
    """Milliseconds a frame: median and 95th percentile of the wall clock, and mean processor time."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float

    @classmethod
    def of(cls, timing: Timing) -> Costs:
        """The timing of a stage or of the whole frame."""
        return cls(p50_ms=timing.p50_ms, p95_ms=timing.p95_ms, cpu_ms=timing.cpu_ms)


class Frames(Told):
    """Frames since the session started, by what became of them."""

    arrived: int = 0
    swapped: int = 0
    held: int = 0
    carded: int = 0
    dropped: int = 0
    late: int = 0
    failed: int = 0


class RecordingState(Told):
    """A session's latest recording: where it stands, how long and large it is, and what went wrong with it."""

    phase: Phase
    seconds: float
    bytes: int
    dropped: int
    problem: str
    file: str

    @classmethod
    def of(cls, recording: Recording) -> RecordingState:
        """The recording at this moment."""
        return cls(
            phase=recording.phase,
            seconds=recording.seconds,
            bytes=recording.bytes,
            dropped=recording.dropped,
            problem=recording.problem,
            file=recording.file,
        )


class MarkCounts(Told):
    """Times a session looked for its own mark in what it had sent, by result."""

    read: int = 0
    missed: int = 0
    early: int = 0
    skipped: int = 0


class SessionState(Told):
    """A session at this moment."""

    id: str
    state: State
    reason: str
    needs_resume: bool
    persona: str
    others: Others
    tone: float
    source_fps: float
    shown_fps: float
    width: int
    height: int
    frames: Frames
    frame: Costs
    stages: dict[str, Costs]
    server_ms: float
    quality: str
    steps_down: int
    queue_depth: int
    recording: RecordingState | None
    mark: MarkCounts
    sound: SoundState

    @classmethod
    def of(cls, entry: OpenSession) -> SessionState:
        """The session as it reports itself, under its id."""
        report = entry.session.report()
        return cls(
            id=entry.id,
            state=report.state,
            reason=report.reason,
            needs_resume=report.needs_resume,
            persona=report.persona,
            others=report.others,
            tone=report.tone,
            source_fps=report.source_fps,
            shown_fps=report.shown_fps,
            width=report.width,
            height=report.height,
            frames=Frames(**report.frames),
            frame=Costs.of(report.frame),
            stages={name: Costs.of(timing) for name, timing in report.stages.items()},
            server_ms=report.server_ms,
            quality=report.quality,
            steps_down=report.steps_down,
            queue_depth=report.queue_depth,
            recording=None if report.recording is None else RecordingState.of(report.recording),
            mark=MarkCounts(**report.mark.counts()),
            sound=SoundState.of(entry.sound, entry.broadcast),
        )


class OutputOrder(Asked):
    """An output to start."""

    kind: OutputKind
    target: str = Field(default="", max_length=2048, description="An address, a name, or nothing, as the kind needs.")


class OutputEntry(Told):
    """An output at this moment."""

    id: str
    kind: OutputKind
    place: str
    state: OutputState
    frames: int
    dropped: int
    fps: float
    bitrate: int
    delay_ms: float
    restarts: int
    problem: str

    @classmethod
    def of(cls, report: OutputReport) -> OutputEntry:
        """The report as the page shows it."""
        return cls(**asdict(report))
