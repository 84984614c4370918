"""What all bodies of the HTTP interface have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Asked", "Told"]


class Asked(BaseModel):
    """What a client sends: a field that does not exist is a mistake worth telling."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """What the service answers."""

    model_config = ConfigDict(frozen=True)
