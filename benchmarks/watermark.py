"""How well the invisible mark survives, what it costs, and how often it is seen where there is none.

    python benchmarks/watermark.py --frames 60 --out watermark.json [video ...]

Covers are drawn by this script; videos named on the command line are added to them. Each cover is marked once,
attacked, and read in windows of several lengths. The mark counts as recovered only if all 64 bits are right.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from livefake.frame import Bytes
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.detect import Detector, Reading
from livefake.trust.watermark.embed import Embedder

WIDTH: Final = 1280
HEIGHT: Final = 720
RATE: Final = 30
PAYLOAD: Final = Payload(version=1, issuer=0x5EED, session=0x9_8765_4321)

Clip = list[Bytes]
"""I420 pictures, each (height * 3 // 2, width) uint8."""

Reals = NDArray[np.floating[Any]]

Attack = Callable[[Clip], Clip]


def with_chroma(luma: Bytes) -> Bytes:
    """A (H, W) luma picture as I420 with smooth colour that follows the brightness."""
    small = cv2.GaussianBlur(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), (0, 0), 3)
    u = (128 + (small.astype(np.int16) - 128) // 6).astype(np.uint8)
    v = (128 - (small.astype(np.int16) - 128) // 5).astype(np.uint8)
    return np.concatenate([luma.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(-1, luma.shape[1])


def studio(picture: Reals) -> Bytes:
    """Rounded to whole studio-range luma."""
    return np.asarray(np.clip(np.rint(picture), 16, 235), np.uint8)


def field(rng: np.random.Generator, blur: float, height: int = HEIGHT, width: int = WIDTH) -> Reals:
    """Random texture of one coarseness, mean 0, standard deviation 1."""
    small = max(1.0, blur / 2)
    noise = rng.normal(size=(round(height / small), round(width / small))).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), blur / small) if blur else noise
    resized = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((resized - resized.mean()) / resized.std(), np.float64)


def gradients(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Smooth shades that drift slowly, with a little sensor noise: a wall."""
    yy, xx = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for index in range(count):
        yield studio(
            120 + 50 * np.sin(xx / 430 + index / 40) + 35 * np.cos(yy / 310) + rng.normal(0, 1.2, (HEIGHT, WIDTH))
        )


def texture(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Cloth, foliage, hair: texture of several coarsenesses under a panning camera."""
    wide = WIDTH + 4 * count
    scene = 125 + 22 * field(rng, 24, width=wide) + 14 * field(rng, 5, width=wide) + 9 * field(rng, 1.2, width=wide)
    for index in range(count):
        yield studio(scene[:, 3 * index : 3 * index + WIDTH])


def noise(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """A dim room through a noisy sensor."""
    scene = 55 + 14 * field(rng, 60)
    for _ in range(count):
        yield studio(scene + rng.normal(0, 5, scene.shape))


def shapes(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Hard-edged discs and boxes that move: a screen, a game."""
    size, speed = rng.uniform(30, 160, 16), rng.uniform(-9, 9, (16, 2))
    start, shade = rng.uniform(0, 1, (16, 2)) * (WIDTH, HEIGHT), rng.integers(30, 225, 16)
    for index in range(count):
        picture = np.full((HEIGHT, WIDTH), 90, np.uint8)
        for item in range(16):
            x, y = ((start[item] + speed[item] * index) % (WIDTH, HEIGHT)).astype(int).tolist()
            reach = int(size[item])
            if item % 2:
                cv2.circle(picture, (x, y), reach, int(shade[item]), -1, cv2.LINE_AA)
            else:
                cv2.rectangle(picture, (x - reach, y - reach // 2), (x + reach, y + reach // 2), int(shade[item]), -1)
        yield picture


def portrait(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """A smooth oval that sways before a blurred room."""
    room, skin = 100 + 30 * field(rng, 40), field(rng, 2.5)
    yy, xx = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for index in range(count):
        x, y = 640 + 40 * np.sin(index / 12), 380 + 15 * np.cos(index / 9)
        inside = np.clip(8 * (1 - np.hypot((xx - x) / 190, (yy - y) / 260)), 0, 1)
        face = 165 - 40 * ((xx - x) / 190) ** 2 + 3 * skin
        yield studio(room * (1 - inside) + face * inside + rng.normal(0, 1.5, room.shape))


COVERS: Final = (gradients, texture, noise, shapes, portrait)


def drawn(seed: int, count: int) -> dict[str, Clip]:
    """Every drawn cover, by name."""
    return {
        cover.__name__: [with_chroma(luma) for luma in cover(np.random.default_rng(seed), count)] for cover in COVERS
    }


def video(path: Path, count: int) -> Clip:
    """The first pictures of a video file, as I420."""
    clip: Clip = []
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            even = picture.reformat(picture.width & ~1, picture.height & ~1, "yuv420p")
            clip.append(np.asarray(even.to_ndarray(), np.uint8))
            if len(clip) == count:
                break
    return clip


def size_of(picture: Bytes) -> tuple[int, int]:
    """(width, height) of an I420 picture."""
    return picture.shape[1], picture.shape[0] * 2 // 3


def luma_of(picture: Bytes) -> Bytes:
    """(H, W) view of an I420 picture's luma."""
    return picture[: size_of(picture)[1]]


def resized(clip: Clip, size: tuple[int, int]) -> Clip:
    """Every plane at another size."""
    images = (av.VideoFrame.from_ndarray(picture, "yuv420p") for picture in clip)
    return [np.asarray(image.reformat(*size, interpolation="AREA").to_ndarray(), np.uint8) for image in images]


def coded(clip: Clip, codec: str, bits: int) -> Clip:
    """Through a live encoder at so many bits a second and back."""
    options = {
        "libx264": {"preset": "veryfast", "tune": "zerolatency", "maxrate": str(bits), "bufsize": str(bits)},
        "libvpx": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1"},
    }[codec]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size_of(clip[0])
        stream.pix_fmt, stream.bit_rate, stream.codec_context.gop_size = "yuv420p", bits, 60
        for index, picture in enumerate(clip):
            image = av.VideoFrame.from_ndarray(picture, "yuv420p")
            image.pts, image.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        return [np.asarray(image.to_ndarray(), np.uint8) for image in source.decode(video=0)]


def on_luma(change: Callable[[Bytes], Bytes]) -> Attack:
    """An attack that works on luma alone; colour is made anew, as the reader never looks at it."""
    return lambda clip: [with_chroma(np.ascontiguousarray(change(luma_of(picture)))) for picture in clip]


def jpeg(luma: Bytes) -> Bytes:
    """As JPEG of quality 50."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 0), np.uint8)


def rotate(luma: Bytes) -> Bytes:
    """Turned by two degrees."""
    height, width = luma.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 2, 1)
    return np.asarray(cv2.warpAffine(luma, matrix, (width, height)), np.uint8)


def crop(luma: Bytes) -> Bytes:
    """Without a tenth of each side's length, off centre."""
    height, width = luma.shape
    return luma[height // 25 : height // 25 + int(height * 0.9) // 2 * 2, width // 14 :][:, : int(width * 0.9) // 2 * 2]


ATTACKS: Final[dict[str, tuple[Attack, bool]]] = {
    "none": (lambda clip: clip, False),
    "h264 2.5 Mb/s": (lambda clip: coded(clip, "libx264", 2_500_000), False),
    "h264 1 Mb/s": (lambda clip: coded(clip, "libx264", 1_000_000), False),
    "h264 0.5 Mb/s": (lambda clip: coded(clip, "libx264", 500_000), False),
    "vp8 1 Mb/s": (lambda clip: coded(clip, "libvpx", 1_000_000), False),
    "vp8 0.5 Mb/s": (lambda clip: coded(clip, "libvpx", 500_000), False),
    "360p h264 0.5 Mb/s": (lambda clip: coded(resized(clip, (640, 360)), "libx264", 500_000), False),
    "jpeg 50": (on_luma(jpeg), False),
    "brighter": (on_luma(lambda luma: studio(1.3 * luma.astype(np.float32) - 20)), False),
    "mirrored": (on_luma(lambda luma: luma[:, ::-1]), False),
    "mirrored 360p h264 0.5 Mb/s": (
        lambda clip: coded(resized(on_luma(lambda luma: luma[:, ::-1])(clip), (640, 360)), "libx264", 500_000),
        False,
    ),
    "crop 10 %": (on_luma(crop), True),
    "crop 10 % h264 1 Mb/s": (lambda clip: coded(on_luma(crop)(clip), "libx264", 1_000_000), True),
    "rotation 2 degrees": (on_luma(rotate), True),
}
"""Name: what it does to a clip, and whether reading needs the geometric search."""


def marked(clip: Clip, psnr_db: float) -> Clip:
    """A marked copy."""
    embedder, copies = Embedder(PAYLOAD, psnr_db), [picture.copy() for picture in clip]
    for picture in copies:
        embedder.mark(luma_of(picture))
    return copies


def read(clip: Clip, *, search: bool) -> Reading:
    """What a detector finds in a clip."""
    detector = Detector()
    for picture in clip:
        detector.add(luma_of(picture))
    return detector.read(search=search)


def windows(clip: Clip, length: int) -> list[Clip]:
    """The clip cut into pieces of one length; a shorter rest is left out."""
    return [clip[start : start + length] for start in range(0, len(clip) - length + 1, length)]


def psnr(clip: Clip, other: Clip) -> float:
    """Mean PSNR of luma in decibels."""
    each = [cv2.PSNR(luma_of(a), luma_of(b)) for a, b in zip(clip, other, strict=True)]
    return float(np.mean(each))


def embed_cost(psnr_db: float, rounds: int = 100) -> dict[str, float]:
    """Process CPU milliseconds of one mark by picture size, the best of five runs."""
    result = {}
    for width, height in ((640, 360), (1280, 720), (1920, 1080)):
        luma = studio(125 + 30 * field(np.random.default_rng(1), 4, height, width))
        embedder = Embedder(PAYLOAD, psnr_db)
        embedder.mark(luma)
        costs = []
        for _ in range(5):
            start = time.process_time_ns()
            for _ in range(rounds):
                embedder.mark(luma)
            costs.append((time.process_time_ns() - start) / rounds / 1e6)
        result[f"{width}x{height}"] = round(min(costs), 3)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path, help="more covers")
    parser.add_argument("--frames", type=int, default=60, help="pictures of each cover")
    parser.add_argument("--windows", type=int, nargs="+", default=[10, 30, 60], help="window lengths in pictures")
    parser.add_argument("--psnr", type=float, default=44.0, help="strength of the mark, in decibels")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn covers")
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), default=list(ATTACKS), metavar="NAME")
    parser.add_argument("--out", type=Path, help="where the JSON goes; standard output if left out")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)

    covers = drawn(options.seed, options.frames)
    covers.update({path.stem: video(path, options.frames) for path in options.videos})
    recovery: dict[str, dict[str, str]] = {name: {} for name in options.attacks}
    failures: list[str] = []
    quality: dict[str, float] = {}
    unmarked: list[Reading] = []
    copies = {name: marked(clip, options.psnr) for name, clip in covers.items()}
    for name, clip in covers.items():
        quality[name] = round(psnr(clip, copies[name]), 2)
        unmarked += [read(piece, search=False) for length in options.windows for piece in windows(clip, length)]
        unmarked.append(read(clip[: min(options.windows)], search=True))
    for attack in options.attacks:
        change, search = ATTACKS[attack]
        results = {name: change(clip) for name, clip in copies.items()}
        for length in options.windows:
            good = total = 0
            for name, clip in results.items():
                # A search takes seconds: one window a cover says enough.
                for piece in windows(clip, length)[: 1 if search else None]:
                    right = read(piece, search=search).payload == PAYLOAD
                    good, total = good + right, total + 1
                    if not right:
                        failures.append(f"{attack}, {length} pictures: {name}")
            recovery[attack][str(length)] = f"{good}/{total}"
        print(attack, recovery[attack], file=sys.stderr)
    report = {
        "psnr_asked_db": options.psnr,
        "psnr_db": quality,
        "embed_cpu_ms": embed_cost(options.psnr),
        "recovered": recovery,
        "failures": failures,
        "unmarked": {
            "windows": len(unmarked),
            "read_as_marked": sum(reading.present for reading in unmarked),
            "highest_score": round(max(reading.score for reading in unmarked), 2),
        },
    }
    text = json.dumps(report, indent=2)
    if options.out:
        options.out.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
