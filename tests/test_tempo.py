from __future__ import annotations

import av
import numpy as np
import pytest

from livefake.frame import RTP_CLOCK
from livefake.media.encode.coder import Coder, Format, make_coder
from livefake.media.encode.tempo import Tempo
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.coders import LowDelayH264Encoder

RATE = 1_200_000


@pytest.mark.parametrize(("step", "share"), [(1500, 0.5), (1800, 0.5), (3000, 1.0), (6000, 1.0)])
def test_only_a_source_that_is_much_faster_counts(step: int, share: float) -> None:
    tempo = Tempo()
    shares = [tempo.share(number * step) for number in range(40)]
    assert shares[:15] == [1.0] * 15
    assert shares[-1] == share


def test_two_pictures_close_together_change_nothing() -> None:
    tempo = Tempo()
    ticks = [number * 3000 + (900 if number % 5 == 0 else 0) for number in range(60)]
    assert {tempo.share(each) for each in ticks} == {1.0}


def noise(number: int, step: int) -> av.VideoFrame:
    planes = np.random.default_rng(number).integers(90, 150, (540, 640), np.uint8)
    picture = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
    picture.pts, picture.time_base = number * step, RTP_CLOCK
    return picture


@pytest.mark.parametrize("fps", [30, 60])
def test_the_rate_holds_whatever_the_source_brings(fps: int) -> None:
    encoder, coder = LowDelayH264Encoder(Bitrate(at_360p=RATE)), make_coder(Format.H264, 640, 360, RATE)
    sent, spread = 0, 0
    for number in range(4 * fps):
        payloads, _ = encoder.encode(noise(number, 90_000 // fps))
        data = _encoded(coder, number, 90_000 // fps)
        if number >= 2 * fps:
            sent, spread = sent + sum(map(len, payloads)), spread + len(data)
    assert sent * 8 / 2 == pytest.approx(RATE, rel=0.15)
    assert spread * 8 / 2 == pytest.approx(RATE, rel=0.15)


def _encoded(coder: Coder, number: int, step: int) -> bytes:
    return coder.encode(noise(number, step), key=number == 0)[0]
