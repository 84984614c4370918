"""Which right answer a set of pairs gives: the choice alone, so that the command line can offer it quickly."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Answer"]


class Answer(StrEnum):
    """See ``livefake.training.synth`` for what each of them means."""

    SHAPE = "shape"
    MESH = "mesh"
