"""Which encoder is chosen: only one that passed its trial, and never one that fails, hangs or crashes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from livefake.errors import BadRequest
from livefake.media.encode.choose import Choice, Trials, choose_encoder, coders_of, falling_back, run_trial
from livefake.media.encode.coder import Coder, Format, make_coder
from livefake.media.encode.hardware import HARDWARE, Hardware, offered
from livefake.media.encode.trial import try_coder
from livefake.settings import ENCODERS

Twist = Callable[[int, bytes, bool], tuple[bytes, bool]]


class Twisted:
    """The real encoder, and a fault at its edge."""

    def __init__(self, twist: Twist, *, deaf: bool = False) -> None:
        self._twist = twist
        self._deaf = deaf

    def __call__(self, format: Format, width: int, height: int, rate: int) -> Coder:
        self._coder, self._count = make_coder(format, width, height, rate), 0
        return self

    @property
    def size(self) -> tuple[int, int]:
        return self._coder.size

    def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
        self._count += 1
        return self._twist(self._count, *self._coder.encode(picture, key=key and not (self._deaf and self._count > 1)))


def broken(count: int, data: bytes, key: bool) -> tuple[bytes, bool]:
    raise OSError(5, "Input/output error")


def test_x264_passes() -> None:
    assert try_coder(make_coder) == ""


@pytest.mark.parametrize(
    ("coder", "problem"),
    [
        (Twisted(broken), "it fails: Input/output error"),
        (Twisted(lambda count, data, key: (b"" if count == 7 else data, key)), "it holds pictures back"),
        (Twisted(lambda _, data, key: (data, key), deaf=True), "it makes no key frame when asked"),
        (Twisted(lambda count, data, key: (data, count in (1, 16)), deaf=True), "cannot be decoded|can be decoded"),
        (Twisted(lambda count, data, key: (data[: len(data) // 2], key)), "poor|decoded"),
        (lambda format, width, height, rate: make_coder(format, width, height, 20_000), "its pictures are poor"),
    ],
)
def test_a_faulty_coder_does_not(coder: Callable[[Format, int, int, int], Coder], problem: str) -> None:
    found = try_coder(coder)
    assert found
    assert any(part in found for part in problem.split("|")), found


def test_the_trial_runs_in_a_process_that_may_crash_or_talk_nonsense() -> None:
    def tries(code: str) -> str:
        return run_trial("nvenc", (sys.executable, "-c", code))

    assert tries('print(\'{"problem": ""}\')') == ""
    assert tries("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)") == "its driver crashed with signal 11"
    assert tries("print('hello')") == "its trial ended with code 0"
    assert "cannot be run" in run_trial("nvenc", ("/no/such/program",))


@pytest.mark.skipif(offered(HARDWARE["nvenc"]), reason="this machine may have the hardware")
def test_hardware_that_is_not_there_fails_its_real_trial() -> None:
    assert run_trial("nvenc")


def test_results_are_kept_for_the_machine(tmp_path: Path) -> None:
    ran: list[str] = []

    def run(name: str) -> str:
        ran.append(name)
        return "it fails" if name == "nvenc" else ""

    file = tmp_path / "cache" / "encoders.json"
    for _ in range(2):
        assert Trials(file, run).problem("nvenc") == "it fails"
        assert Trials(file, run).problem("qsv") == ""
    assert ran == ["nvenc", "qsv"]
    file.write_text(file.read_text().replace("PyAV", "another PyAV"))
    assert Trials(file, run).problem("qsv") == ""
    file.write_text("{")
    assert Trials(file, run).problem("qsv") == ""
    assert ran == ["nvenc", "qsv", "qsv", "qsv"]


def everything(_: Hardware) -> bool:
    return True


def test_the_first_that_passes_is_chosen_and_refusals_are_told() -> None:
    trials = Trials(None, lambda name: "" if name == "vaapi" else "it fails")
    refusals = ("nvenc: it fails", "videotoolbox: it fails")
    assert choose_encoder("auto", trials, there=everything) == Choice("vaapi", refusals)
    assert choose_encoder("x264", trials, there=everything) == Choice("x264")
    assert choose_encoder("vaapi", trials, there=everything) == Choice("vaapi")
    assert choose_encoder("auto", trials, there=lambda _: False) == Choice("x264")
    with pytest.raises(BadRequest, match="nvenc cannot be used: it fails"):
        choose_encoder("nvenc", trials, there=everything)
    with pytest.raises(BadRequest, match="does not have it"):
        choose_encoder("nvenc", trials, there=lambda _: False)
    assert coders_of(Choice("x264")) is make_coder
    assert set(ENCODERS) == {"auto", "x264", *HARDWARE}


def test_after_a_failure_the_processor_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    make = falling_back(Twisted(broken), "nvenc")
    picture = av.VideoFrame.from_ndarray(np.full((96, 64), 100, np.uint8), format="yuv420p")
    picture.pts = 0
    first = make(Format.H264, 64, 64, 100_000)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            first.encode(picture, key=True)
    assert caplog.text.count("on the processor from now on") == 1
    data, key = make(Format.H264, 64, 64, 100_000).encode(picture, key=True)
    assert (bool(data), key) == (True, True)
    assert make(Format.VP8, 64, 64, 100_000).size == (64, 64)
