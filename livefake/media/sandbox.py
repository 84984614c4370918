"""Looking into files that come from strangers: a program with hard limits decodes them, and only luma comes back.

A decoder that is talked into something by a crafted file can do little there: it may open nothing, connect nowhere,
start nothing, and it ends with its memory, its time or its deadline. Its pictures come through a pipe that holds some
kilobytes, so a decoder that is faster than its reader waits.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np

from livefake.clock import Clock
from livefake.errors import BadMedia, TooLarge
from livefake.frame import Bytes
from livefake.media.confine import Confined, Gone, Late
from livefake.media.decoding import DECODER, HEADER, MOST_A_PLACE, Fault, Order, Tag
from livefake.media.sniff import HEAD, Kind, claimed_size, sniff

__all__ = ["Limits", "Sandbox", "Sight", "read_kind"]

_LOOKS: Final = "JPEG, PNG, WebP, GIF, MP4, QuickTime, Matroska, WebM, AVI, Ogg or MPEG-TS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """With what a foreign file must manage.

    Attributes:
        size: bytes of the file.
        pixels: of one picture.
        seconds: of a clip.
        memory: bytes that the decoder may take beside its own code.
        cpu: seconds of processor time for the decoder.
        wall: seconds from its start to its last picture, however slow its reader is.
    """

    size: int = 8 << 30
    pixels: int = 1 << 26
    seconds: float = 12 * 3600.0
    memory: int = 1 << 30
    cpu: int = 20
    wall: float = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """One picture of a foreign file.

    Attributes:
        place: which place of the clip it belongs to, from 0; the pictures of one place follow each other.
        seconds: from the clip's beginning.
        luma: (height, width) uint8, upright.
    """

    place: int
    seconds: float
    luma: Bytes


def read_kind(source: Path, limits: Limits, name: str | None = None) -> Kind:
    """Check everything about a file that can be told without decoding it.

    Args:
        source: the file.
        limits: with what it must manage.
        name: what it is called in sentences; None takes its own name.

    Raises:
        BadMedia: it cannot be read, or is nothing that can be looked at, or its picture is too large.
        TooLarge: it is longer than it may be.
    """
    name = name or source.name
    try:
        if not source.exists():
            raise BadMedia(f"{name} should be a picture or a clip, and there is no such file.", "Check the name.")
        # A pipe or a device would make whoever opens it wait, or never end.
        if not source.is_file():
            raise BadMedia(f"{name} should be a picture or a clip, and is no file.", "Name a file.")
        with source.open("rb") as file:
            return _kind(name, file, limits)
    except OSError as error:
        raise BadMedia(f"{name} cannot be read: {error.strerror}.", "Make the file readable.") from error


class Sandbox:
    """A foreign file, open for looking.

    Iterating gives its ``Sight``s once, in the order of time; leaving the context ends the decoder at once.

    >>> with Sandbox(path, clock=monotonic) as file:  # doctest: +SKIP
    ...     for sight in file:
    ...         print(sight.place, sight.luma.shape)

    Args:
        source: the file.
        looks: in how many places of a clip to look, from 1; a still is one place.
        limits: with what it must manage.
        clock: the deadline is counted on it.
        name: what the file is called in sentences; None takes its own name.

    Raises:
        BadMedia: see ``read_kind``; entering and iterating raise it too, when the decoder refuses or fails.
        TooLarge: the file is longer than it may be.
    """

    def __init__(
        self, source: Path, *, clock: Clock, looks: int = 3, limits: Limits | None = None, name: str | None = None
    ) -> None:
        self._limits = limits or Limits()
        self.kind = read_kind(source, self._limits, name)
        self.seconds = 0.0
        self.size = (0, 0)
        self._source = source
        self._name = name or source.name
        self._looks = looks
        self._clock = clock
        self._decoder: Confined | None = None

    def __enter__(self) -> Self:
        limits = self._limits
        order = Order(
            demuxer=self.kind.demuxer,
            still=self.kind.still,
            looks=self._looks,
            pixels=limits.pixels,
            seconds=limits.seconds,
            memory=limits.memory,
            cpu=limits.cpu,
        )
        try:
            with self._source.open("rb") as file:
                self._decoder = Confined(DECODER, order.text(), file, clock=self._clock, wall=limits.wall)
        except OSError as error:
            reason = f"its decoder cannot be started: {error.strerror}"
            raise BadMedia(f"{self._name} cannot be looked at, because {reason}.", "Try again later.") from error
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def __iter__(self) -> Iterator[Sight]:
        place, most = 0, self._looks * MOST_A_PLACE
        for count in itertools.count():
            tag, number, width, height, seconds, length = self._header()
            if tag == Tag.END:
                return
            fits = width * height == length and 0 < length <= self._limits.pixels
            in_order = place <= number < self._looks and count < most and math.isfinite(seconds)
            if tag != Tag.PICTURE or not fits or not in_order:
                raise self._failed(tag, number)
            place = number
            luma = bytearray(length)
            self._fill(memoryview(luma))
            yield Sight(place, seconds, np.frombuffer(luma, np.uint8).reshape(height, width))

    def _begin(self) -> None:
        """Wait for the decoder's first word: it could open the file, or why not."""
        tag, number, width, height, seconds, _ = self._header()
        if tag != Tag.CLIP or not math.isfinite(seconds):
            raise self._failed(tag, number)
        self.size, self.seconds = (width, height), seconds

    def _header(self) -> tuple[int, int, int, int, float, int]:
        header = bytearray(HEADER.size)
        self._fill(memoryview(header))
        tag, number, width, height, seconds, length = HEADER.unpack(header)
        return tag, number, width, height, seconds, length

    def _fill(self, target: memoryview) -> None:
        assert self._decoder is not None
        name, limits = self._name, self._limits
        try:
            self._decoder.fill(target)
        except Late:
            problem = f"{name} took longer than {limits.wall:.0f} seconds to decode."
            raise BadMedia(problem, "Cut a piece out of it.") from None
        except Gone as end:
            if end.overspent:
                problem = f"{name} took more than {limits.cpu} seconds of processor time to decode."
                raise BadMedia(problem, "Cut a piece out of it.") from None
            problem = (
                f"{name}, which begins like {self.kind.name}, brought its decoder down: it is damaged, or made to harm."
            )
            raise BadMedia(problem, "Get the file again.") from None

    def _failed(self, tag: int, number: int) -> BadMedia:
        """What the decoder says is wrong, in our words."""
        name, limits = self._name, self._limits
        what = f"{name}, which begins like {self.kind.name},"
        hours, memory = limits.seconds / 3600, limits.memory >> 20
        again, smaller, shorter = "Get the file again.", "Make it smaller.", "Cut a piece out of it."
        faults = {
            Fault.UNREADABLE: (f"{what} cannot be read as that: it is damaged or cut off.", again),
            Fault.NO_PICTURE: (f"{name} has no picture in it.", "Name a file with pictures."),
            Fault.TOO_MANY_PIXELS: (_too_many_pixels(name, limits), smaller),
            Fault.TOO_LONG: (f"{name} says it lasts longer than the {hours:.0f} hours that a clip may have.", shorter),
            Fault.DAMAGED: (f"{what} has no picture that can be decoded.", again),
            Fault.MEMORY: (f"{name} needs more than {memory} MiB to decode.", smaller),
            Fault.UNKNOWN_CODEC: (f"{what} is in a coding that is not known here.", "Convert it to H.264."),
        }
        if tag == Tag.FAULT and number in set(Fault):
            return BadMedia(*faults[Fault(number)])
        return BadMedia(f"{name} had its decoder say what makes no sense, so nothing that it said is used.")

    def _end(self) -> None:
        if self._decoder is not None:
            self._decoder.close()


def _kind(name: str, file: BinaryIO, limits: Limits) -> Kind:
    size = os.fstat(file.fileno()).st_size
    if size > limits.size:
        raise TooLarge(
            f"{name} has {size >> 20} MiB, and a file may have {limits.size >> 20}.", "Cut a piece out of it."
        )
    if not size:
        raise BadMedia(f"{name} should be a picture or a clip, and is empty.", "Get the file again.")
    kind = sniff(file.read(HEAD))
    if kind is None:
        raise BadMedia(f"{name} should be {_LOOKS}, and by its content is none of them.", "Convert it first.")
    claimed = claimed_size(kind, file)
    if claimed is not None and claimed[0] * claimed[1] > limits.pixels:
        raise BadMedia(_too_many_pixels(name, limits, f"{claimed[0]} x {claimed[1]}"), "Make it smaller.")
    return kind


def _too_many_pixels(name: str, limits: Limits, found: str = "more") -> str:
    return f"{name} has {found} pixels, and a picture may have {limits.pixels / 1e6:.0f} million."
