"""How the visible label may look: its words and its places. Settings read this before anything heavy is loaded."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["WORDS", "Corner", "Look"]

WORDS: Final = MappingProxyType(
    {
        "en": "AI-MODIFIED",
        "de": "KI-VERÄNDERT",
        "es": "MODIFICADO CON IA",
        "fr": "MODIFIÉ PAR IA",
        "zh": "AI修改",
    }
)
"""The label by language (ISO 639-1)."""


class Corner(enum.Enum):
    """Where in the picture."""

    TOP_LEFT = "top-left"
    TOP_RIGHT = "top-right"
    BOTTOM_LEFT = "bottom-left"
    BOTTOM_RIGHT = "bottom-right"


@dataclass(frozen=True, slots=True)
class Look:
    """How the label is written.

    Attributes:
        corner: where it stands.
        language: of its words, ISO 639-1.
    """

    corner: Corner = Corner.TOP_RIGHT
    language: str = "en"
