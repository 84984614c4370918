"""A camera through pyvirtualcam: v4l2loopback on Linux, OBS's or another driver on Windows and macOS."""

from __future__ import annotations

from typing import Any

from livefake.errors import LivefakeError
from livefake.frame import Bytes

__all__ = ["ClassicCamera"]


class ClassicCamera:
    """Shows pictures on a device that is there already.

    Args:
        width, height: of its pictures, pixels, even.

    Raises:
        LivefakeError: pyvirtualcam is not installed, or finds no device.
    """

    def __init__(self, width: int, height: int) -> None:
        try:
            import pyvirtualcam
        except ImportError as error:
            raise LivefakeError("pyvirtualcam is not installed.", "Run: pip install 'livefake[virtualcam]'") from error
        try:
            self._camera: Any = pyvirtualcam.Camera(width, height, 30, fmt=pyvirtualcam.PixelFormat.I420)
        except (RuntimeError, ValueError, OSError) as error:
            raise LivefakeError(
                "pyvirtualcam finds no camera device.",
                "Load v4l2loopback (Linux) or install OBS and its virtual camera (Windows, macOS).",
            ) from error

    def send(self, i420: Bytes) -> None:
        """Show a picture.

        Raises:
            LivefakeError: the device is gone.
        """
        try:
            self._camera.send(i420)
        except (RuntimeError, ValueError, OSError) as error:
            raise LivefakeError("The camera device takes no more pictures.", "Check that it is still there.") from error

    def close(self) -> None:
        """Let go of the device. Safe to call twice."""
        self._camera.close()
