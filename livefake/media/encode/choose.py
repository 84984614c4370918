"""Which encoder a machine's streams get: graphics hardware that passed its trial, or else the processor.

Drivers crash and hang, so trials run in a program of their own with a time limit, once for each machine and driver.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av

from livefake.errors import BadRequest
from livefake.machine import describe_machine
from livefake.media.encode.coder import Coder, Format, MakeCoder, make_coder
from livefake.media.encode.hardware import HARDWARE, Hardware, hardware_coders, offered
from livefake.media.encode.trial import PROGRAM

__all__ = ["AUTO", "SOFTWARE", "Choice", "Trials", "choose_encoder", "coders_of", "falling_back", "run_trial"]

_log = logging.getLogger(__name__)

AUTO: Final = "auto"
SOFTWARE: Final = "x264"
_LIMIT: Final = 30.0
_DRIVERS: Final = (Path("/proc/driver/nvidia/version"), Path("/sys/module/i915/version"))


@dataclass(frozen=True, slots=True)
class Choice:
    """An encoder, and why.

    Attributes:
        name: as in the settings.
        refusals: why those that would have been taken first were not.
    """

    name: str
    refusals: tuple[str, ...] = ()


def run_trial(name: str, command: Sequence[str] = (sys.executable, "-m", PROGRAM)) -> str:
    """Try an encoder in another process; what is wrong with it, empty when nothing is.

    Args:
        name: of the encoder, as in the settings.
        command: the program that tries it.
    """
    try:
        done = subprocess.run([*command, name], capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"it did not end within {_LIMIT:.0f} s"
    except OSError as error:
        return f"its trial cannot be run: {error.strerror}"
    if done.returncode < 0:
        return f"its driver crashed with signal {-done.returncode}"
    try:
        return str(json.loads(done.stdout.strip().splitlines()[-1])["problem"])
    except (ValueError, LookupError, TypeError):
        return f"its trial ended with code {done.returncode}"


class Trials:
    """Results of trials, kept for as long as machine, driver and FFmpeg stay the same.

    Args:
        file: where they are kept; None keeps nothing.
        run: tries an encoder.
    """

    def __init__(self, file: Path | None, run: Callable[[str], str] = run_trial) -> None:
        self._file = file
        self._run = run

    def problem(self, name: str) -> str:
        """What is wrong with an encoder; empty when nothing is. May take seconds."""
        known = self._read()
        if name not in known:
            known[name] = self._run(name)
            self._write(known)
        return known[name]

    def _read(self) -> dict[str, str]:
        with suppress(OSError, ValueError, TypeError, AttributeError):
            if self._file is not None:
                kept = json.loads(self._file.read_text("utf-8"))
                if kept["machine"] == _machine():
                    return {str(name): str(problem) for name, problem in kept["trials"].items()}
        return {}

    def _write(self, known: dict[str, str]) -> None:
        if self._file is None:
            return
        # A cache that cannot be written costs another trial at the next start, nothing else.
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps({"machine": _machine(), "trials": known}, indent=1), "utf-8")
            fresh.replace(self._file)


def _machine() -> str:
    """What a result holds for."""
    drivers = [path.read_text("utf-8", "replace").strip() for path in _DRIVERS if path.exists()]
    return " | ".join([describe_machine(), f"PyAV {av.__version__}", *drivers])


def choose_encoder(wanted: str, trials: Trials, *, there: Callable[[Hardware], bool] = offered) -> Choice:
    """Choose the encoder of all H.264 streams.

    Args:
        wanted: ``auto``, ``x264`` or a name of ``HARDWARE``.
        trials: the results that count.
        there: whether an encoder can be tried at all.

    Raises:
        BadRequest: one was asked for by name that this computer does not have, or that does not work.
    """
    if wanted == SOFTWARE:
        return Choice(SOFTWARE)
    if wanted != AUTO:
        problem = trials.problem(wanted) if there(HARDWARE[wanted]) else "this computer or PyAV does not have it"
        if problem:
            raise BadRequest(
                f"The encoder {wanted} cannot be used: {problem}.", "Set LIVEFAKE_ENCODER=auto, or leave it unset."
            )
        return Choice(wanted)
    refusals: list[str] = []
    for name, hardware in HARDWARE.items():
        if not there(hardware):
            continue
        problem = trials.problem(name)
        if not problem:
            return Choice(name, tuple(refusals))
        refusals.append(f"{name}: {problem}")
    return Choice(SOFTWARE, tuple(refusals))


def coders_of(choice: Choice) -> MakeCoder:
    """The factory of coders for a choice."""
    if choice.name == SOFTWARE:
        return make_coder
    return falling_back(hardware_coders(HARDWARE[choice.name]), choice.name)


def falling_back(first: MakeCoder, name: str) -> MakeCoder:
    """A factory that uses another one until a coder of it fails, and the processor from then on.

    Hardware takes a limited number of streams, and may be taken away: a stream then goes on with its next picture.

    Args:
        first: the other factory.
        name: of its encoder, for the log.
    """
    failed = False

    def fail() -> None:
        nonlocal failed
        if not failed:
            _log.warning("The encoder %s failed; pictures are encoded on the processor from now on.", name)
        failed = True

    class Watched:
        """A coder whose failure is noticed."""

        def __init__(self, inner: Coder) -> None:
            self._inner = inner

        @property
        def size(self) -> tuple[int, int]:
            return self._inner.size

        def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
            try:
                return self._inner.encode(picture, key=key)
            except Exception:
                fail()
                raise

    def make(format: Format, width: int, height: int, rate: int) -> Coder:
        if failed or format is not Format.H264:
            return make_coder(format, width, height, rate)
        try:
            return Watched(first(format, width, height, rate))
        except Exception:
            fail()
            raise

    return make
