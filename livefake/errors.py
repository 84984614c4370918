"""Every error livefake raises on purpose.

    LivefakeError
    |-- BadInput            what came from outside cannot be used
    |   |-- BadMedia        a file, a stream, a picture
    |   |-- BadPersona      a persona pack
    |   |-- BadRequest      an SDP, a JSON body, a setting
    |   `-- TooLarge        an upload
    |-- WeightsError        a model file is missing, changed or cannot be fetched
    |-- EngineError         a model cannot be loaded or run
    |-- ConsentError        somebody's yes is missing, void or out of scope
    |-- SealError           a picture that is not swapped, labelled and marked was offered to a sink
    |-- NotFound            no such session, persona or page
    `-- Busy                every place is taken

The text of an error is one sentence for the person in front of the screen: what was expected and what
came. ``remedy`` says what to do next. Anything else that is raised is a bug.
"""

from __future__ import annotations

__all__ = [
    "BadInput",
    "BadMedia",
    "BadPersona",
    "BadRequest",
    "Busy",
    "ConsentError",
    "EngineError",
    "LivefakeError",
    "NotFound",
    "SealError",
    "TooLarge",
    "Unreachable",
    "WeightsError",
]


class LivefakeError(Exception):
    """Base of the tree.

    Args:
        problem: one sentence, what was expected and what came.
        remedy: what to do next, as an imperative sentence or a command; may be empty.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


class BadInput(LivefakeError):
    """What came from outside cannot be used."""


class BadMedia(BadInput):
    """A file, stream or picture cannot be read or written."""


class BadPersona(BadInput):
    """A persona pack is incomplete, damaged or not what it claims."""


class BadRequest(BadInput):
    """An SDP, a JSON body or a setting does not fit."""


class TooLarge(BadInput):
    """What came is longer than it may be."""


class WeightsError(LivefakeError):
    """A model file is missing, changed, or could not be fetched."""


class EngineError(LivefakeError):
    """A model could not be loaded or run."""


class ConsentError(LivefakeError):
    """Somebody's consent is missing, void, or does not cover what was asked."""


class SealError(LivefakeError):
    """A picture that lacks the swap, the label or the mark was offered as finished."""


class NotFound(LivefakeError):
    """No such session, persona or page."""


class Busy(LivefakeError):
    """Every place is taken."""


class Unreachable(LivefakeError):
    """Another program that a connection depends on does not answer."""
