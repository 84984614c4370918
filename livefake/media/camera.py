"""A camera of this computer, through FFmpeg's device inputs. A file can never stand in for one here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import av

from livefake.clock import Clock
from livefake.errors import BadMedia
from livefake.frame import Frame
from livefake.media.picture import to_frame

__all__ = ["Camera", "Device", "find_device"]

_SIZE: Final = {"video_size": "1280x720", "framerate": "30"}


@dataclass(frozen=True, slots=True)
class Device:
    """What FFmpeg opens.

    Attributes:
        format: its device input. It asks the system for a camera, so that the name of a file leads nowhere.
        name: of the device, as that input wants it.
        options: wishes; left out when the camera does not know them.
    """

    format: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)


def find_device(number: int, platform: str) -> Device:
    """The camera with that number, 0 for the first.

    Args:
        number: as the system counts them.
        platform: ``sys.platform``.

    Raises:
        BadMedia: the number is negative, there is no such camera, or cameras of this system are not known.
    """
    if number < 0:
        raise BadMedia(f"A camera's number should be 0 or more, got {number}.")
    if platform.startswith("linux"):
        return Device("v4l2", f"/dev/video{number}", _SIZE)
    if platform == "darwin":
        return Device("avfoundation", f"{number}:none", _SIZE)
    if platform == "win32":
        return Device("dshow", f"video={_directshow(number)}", _SIZE)
    raise BadMedia(f"livefake knows cameras of Linux, macOS and Windows, and this is {platform}.")


def _directshow(number: int) -> str:
    """The name of a camera; DirectShow knows no numbers."""
    try:
        found = [device.name for device in av.enumerate_input_devices("dshow") if "video" in device.media_types]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadMedia(f"The cameras of this computer cannot be listed: {error}.") from error
    if number >= len(found):
        raise BadMedia(f"There is no camera {number}; there are {len(found)}.", "Plug it in.")
    return found[number]


class Camera:
    """Reads a camera until it is closed. What is not taken in time, its driver drops.

    Args:
        device: the camera.
        clock: stamps each frame's arrival.

    Raises:
        BadMedia: it cannot be opened.
    """

    def __init__(self, device: Device, *, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._container = self._open()

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(self._device.name, format=self._device.format, options=dict(self._device.options))
        except (av.FFmpegError, OSError, ValueError) as wishes:
            if not self._device.options:
                raise self._broken(wishes) from wishes
        try:
            return av.open(self._device.name, format=self._device.format)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._broken(error) from error

    def __iter__(self) -> Iterator[Frame]:
        """Frames as they come.

        Raises:
            BadMedia: the camera stopped, or its pictures have an impossible size.
        """
        try:
            for picture in self._container.decode(video=0):
                yield to_frame(picture, self._clock())
        except (av.FFmpegError, OSError, IndexError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> BadMedia:
        reason = getattr(error, "strerror", None) or str(error)
        return BadMedia(
            f"The camera {self._device.name} cannot be read: {reason}.",
            "Plug it in, end other programs that use it, or choose another with --camera.",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()
