"""Bodies of the HTTP interface that are about sound."""

from __future__ import annotations

from pydantic import Field, StrictBool

from livefake.clock import milliseconds
from livefake.media.encode.hub import Broadcast
from livefake.media.sound.bus import SoundBus
from livefake.server.bodies import Asked, Told

__all__ = ["SoundChange", "SoundState"]


class SoundChange(Asked):
    """What to change about the sound; everything left out stays as it is."""

    muted: StrictBool | None = None
    offset_ms: float | None = Field(
        default=None, ge=-500, le=500, description="Added to the sound's time, milliseconds; positive makes it later."
    )


class SoundState(Told):
    """A session's microphone: ``level`` is the root mean square of what comes in, 0..1, muted or not.

    ``video_delay_ms`` is how long pictures take to those who share the encode, and so how long the sound waits for
    them; 0 while nobody does.
    """

    present: bool
    muted: bool
    offset_ms: float
    level: float
    video_delay_ms: float

    @classmethod
    def of(cls, sound: SoundBus, broadcast: Broadcast) -> SoundState:
        """The microphone at this moment."""
        return cls(
            present=sound.present,
            muted=sound.muted,
            offset_ms=sound.offset_ms,
            level=sound.level,
            video_delay_ms=milliseconds(max((hub.delay.nanos for hub in broadcast.hubs), default=0)),
        )
