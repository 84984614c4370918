"""A finished picture as a file."""

from __future__ import annotations

from typing import Final

import cv2

from livefake.errors import BadMedia
from livefake.trust.seal import Sealed

__all__ = ["jpeg"]

_QUALITY: Final = 93


def jpeg(sealed: Sealed) -> bytes:
    """The picture as JPEG, not signed.

    Raises:
        BadMedia: the encoder failed.
    """
    done, content = cv2.imencode(".jpg", sealed.frame.bgr(), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise BadMedia("The picture cannot be turned into a JPEG.")
    return content.tobytes()
