"""Sealed pictures and folders for tests of what is kept."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from livefake.frame import RTP_CLOCK, Frame
from livefake.media.encode.coder import Coder, Format, make_coder
from livefake.media.encode.feed import Encoded
from livefake.media.recordings import Recordings
from livefake.trust.grants import GrantBook
from livefake.trust.provenance import Provenancer
from livefake.trust.seal import Seal, Sealed
from livefake.trust.watermark import Payload
from tests.album import a_face
from tests.grantkit import DURING, SERVICE

MARK = Payload(version=1, issuer=0x123456, session=77)
RATE = 30


def sealed(number: int, *, width: int = 160, height: int = 96, grant: str = "") -> Sealed:
    """Picture ``number`` of a stream with 30 a second: its brightness tells which one it is, within 64."""
    level = 24 + number % 64 * 3
    i420 = np.full((height * 3 // 2, width), 128, np.uint8)
    i420[:height] = level
    frame = Frame(i420, pts=number * 90_000 // RATE, arrived=10**9 + number * 10**9 // RATE, grant=grant)
    frame.done |= {"blend", "label", "watermark"}
    frame.faces = (a_face(),)
    return Seal(MARK.session)(frame)


class Encoding:
    """A shared encode in small: sealed pictures in, encoded ones out, the first of which stands on its own."""

    def __init__(self) -> None:
        self._coder: Coder | None = None

    def __call__(self, picture: Sealed, *, key: bool = False) -> Encoded:
        frame = picture.frame
        if self._coder is None or self._coder.size != (frame.width, frame.height):
            self._coder = make_coder(Format.H264, frame.width, frame.height, 1_000_000)
        image = av.VideoFrame.from_ndarray(frame.i420, format="yuv420p")
        image.pts, image.time_base = frame.pts, RTP_CLOCK
        data, stands = self._coder.encode(image, key=key)
        return Encoded(data, stands, frame.pts, frame.arrived, frame.width, frame.height, frame.grant)


def numbers(path: Path) -> list[int]:
    """Which pictures a film shows, each by its brightness, within 64."""
    with av.open(str(path)) as container:
        means = [float(np.mean(picture.to_ndarray()[: picture.height])) for picture in container.decode(video=0)]
    return [round((mean - 24) / 3) for mean in means]


def seconds(path: Path) -> float:
    """When a film shows its last picture."""
    with av.open(str(path)) as container:
        return max(float(picture.time or 0) for picture in container.decode(video=0))


def recordings(folder: Path, *, free: int = 10**12, book: GrantBook | None = None) -> Recordings:
    """A folder of recordings with a signing chain and a book of grants, on a disk with that much room."""
    data = folder / "data"
    return Recordings(
        folder / "recordings",
        Provenancer(data),
        book or GrantBook(data, SERVICE),
        time_of_day=lambda: DURING,
        free=lambda _: free,
    )
