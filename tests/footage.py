"""The demo clip as frames or cut shorter, and how far a face in a picture is from the original."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path

import av
import numpy as np

from livefake.clock import FakeClock
from livefake.frame import Frame
from livefake.media.file import FileReader
from livefake.resources import models_folder

CLIP: Path = models_folder() / "demo" / "performer.mp4"


@cache
def _reel() -> tuple[Frame, ...]:
    with FileReader(CLIP, clock=FakeClock()) as reader:
        return tuple(item for item in reader if isinstance(item, Frame))


@cache
def _boxes() -> list[tuple[float, float, float, float]]:
    truth = json.loads(CLIP.with_suffix(".json").read_text())
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in truth["face_box"]]


def footage(count: int) -> list[Frame]:
    """The first frames of the demo clip, each with pixels of its own."""
    frames = islice(_reel(), count)
    return [Frame(frame.i420.copy(), index * 3000, index * 33_333_333) for index, frame in enumerate(frames)]


def cut(source: Path, target: Path, seconds: float, *, blank: tuple[float, float] | None = None) -> Path:
    """The beginning of a clip with its sound; the picture is grey between two times."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video, audio = reader.streams.video[0], reader.streams.audio[0]
        out = writer.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        sound = writer.add_stream_from_template(audio)
        for packet in reader.demux(video, audio):
            if packet.dts is None or float(packet.dts * packet.time_base) > seconds:
                continue
            if packet.stream is audio:
                packet.stream = sound
                writer.mux(packet)
                continue
            for picture in packet.decode():
                assert isinstance(picture, av.VideoFrame)
                if blank and blank[0] <= picture.time < blank[1]:
                    grey = av.VideoFrame.from_ndarray(np.full((video.height, video.width, 3), 128, np.uint8))
                    grey.pts, grey.time_base = picture.pts, picture.time_base
                    picture = grey  # noqa: PLW2901 - the rest of the loop means the one that is written
                writer.mux(out.encode(picture))
        writer.mux(out.encode(None))
    return target


def face_difference(picture: Frame, original: Frame) -> float:
    """Mean luma difference in the middle of the face, levels; the watermark alone makes about one.

    The clip's own truth says where the face is.
    """
    x0, y0, x1, y1 = _boxes()[original.pts // 3000]
    # Between brows and chin, away from the live eyes and the soft edge.
    rows = slice(round(y0 + 0.45 * (y1 - y0)), round(y0 + 0.95 * (y1 - y0)))
    columns = slice(round(x0 + 0.25 * (x1 - x0)), round(x0 + 0.75 * (x1 - x0)))
    return float(np.abs(picture.y[rows, columns].astype(int) - original.y[rows, columns]).mean())
