from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from livefake.frame import Bytes
from livefake.resources import models_folder
from livefake.trust.fingerprint import LIKELY, apart, fingerprint
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.embed import Embedder
from tests.footage import footage

prints = some.integers(0, (1 << 64) - 1)


def clip() -> list[Bytes]:
    return [frame.y for frame in footage(61)]


def others() -> list[Bytes]:
    pictures = [cv2.imread(str(path), 0) for path in sorted((models_folder() / "personas").glob("*/portrait.jpg"))]
    assert len(pictures) >= 8
    return [np.asarray(picture, np.uint8) for picture in pictures]


def marked(luma: Bytes) -> Bytes:
    copy = luma.copy()
    Embedder(Payload(version=1, issuer=0x123456, session=77), 44.0).mark(copy)
    return copy


def as_jpeg(luma: Bytes, quality: int) -> Bytes:
    done, data = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, 0), np.uint8)


def scaled(luma: Bytes, width: int, height: int) -> Bytes:
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def cropped(luma: Bytes, share: float) -> Bytes:
    rows, columns = (round(side * share / 2) for side in luma.shape)
    return luma[rows:-rows, columns:-columns]


def test_a_picture_is_known_after_what_happens_to_it_on_its_way() -> None:
    original = clip()[0]
    known = fingerprint(marked(original))
    for changed in (
        original,
        as_jpeg(marked(original), 30),
        scaled(as_jpeg(marked(original), 50), 426, 240),
        scaled(marked(original), 1920, 1080),
        np.clip(marked(original) * 1.15 + 12.0, 0, 255).astype(np.uint8),
        cropped(marked(original), 0.05),
    ):
        assert apart(known, fingerprint(changed)) <= LIKELY


def test_the_pictures_of_one_second_are_known_by_one_print() -> None:
    pictures = clip()
    known = fingerprint(marked(pictures[30]))
    assert max(apart(known, fingerprint(picture)) for picture in pictures[:61]) <= LIKELY


def test_other_pictures_are_other_pictures() -> None:
    known = [fingerprint(marked(picture)) for picture in clip()[::30]]
    for other in others():
        assert min(apart(one, fingerprint(other)) for one in known) > LIKELY
        assert min(apart(one, fingerprint(marked(other))) for one in known) > LIKELY


def test_a_mirrored_picture_is_another_one() -> None:
    picture = clip()[0]
    assert apart(fingerprint(picture), fingerprint(np.ascontiguousarray(picture[:, ::-1]))) > LIKELY


@given(arrays.arrays(np.uint8, some.tuples(some.integers(1, 300), some.integers(1, 300)), fill=some.integers(0, 255)))
def test_any_picture_has_one_print_of_64_bits(luma: Bytes) -> None:
    print = fingerprint(luma)
    assert 0 <= print < 1 << 64
    assert fingerprint(luma.copy()) == print


def test_a_view_will_do() -> None:
    tall = np.random.default_rng(1).integers(0, 256, (400, 600), np.uint8)
    assert fingerprint(tall[::2, ::3]) == fingerprint(tall[::2, ::3].copy())


@given(prints, prints, prints)
def test_the_distance_is_a_distance(a: int, b: int, c: int) -> None:
    assert apart(a, a) == 0
    assert 0 <= apart(a, b) == apart(b, a) <= 64
    assert apart(a, c) <= apart(a, b) + apart(b, c)


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8)]
)
def test_what_is_no_luma_is_refused(wrong: Bytes) -> None:
    with pytest.raises(ValueError, match="luma"):
        fingerprint(wrong)
