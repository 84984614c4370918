"""Bodies of the routes about stream keys."""

from __future__ import annotations

from pydantic import Field

from livefake.outputs import OutputKind
from livefake.server.schemas import Asked, Consent, OutputOrder, Told
from livefake.server.streamkeys import LONGEST_MINUTES, USUAL_MINUTES
from livefake.session import Others

__all__ = ["KeyEntry", "KeyMade", "KeyOrder"]


class KeyOrder(Asked):
    """A stream key to make."""

    persona: str = Field(min_length=1, max_length=64, description="Id of the persona to wear.")
    consent: Consent
    others: Others = Field(default=Others.BLUR, description="What happens to other people's faces.")
    tone: float = Field(default=0.0, ge=0, le=1, description="Skin tone: 0 the performer's, 1 the persona's.")
    outputs: tuple[OutputOrder, ...] = Field(default=(), max_length=8, description="Started with the session.")
    minutes: int = Field(
        default=USUAL_MINUTES, ge=1, le=LONGEST_MINUTES, description="How long it holds; the session ends with it."
    )


class KeyEntry(Told):
    """A stream key without its secret; ``session`` and ``view_url`` are there while somebody publishes with it."""

    id: str
    persona: str
    others: Others
    tone: float
    outputs: tuple[OutputKind, ...]
    left_s: int
    session: str | None
    view_url: str | None
    problems: tuple[str, ...]


class KeyMade(Told):
    """A stream key that was made: ``key`` goes into the program beside ``url``, and is told this once."""

    key: str
    url: str
    entry: KeyEntry
