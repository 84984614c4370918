"""Results on disk: one JSON file a run, with the machine, the settings and every raw sample.

A run that is stopped keeps what it has measured, and the file says that it is not complete.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from livefake.errors import BadInput, LivefakeError
from livefake.machine import load_average, machine_facts

__all__ = ["FOLDER", "FORMAT", "ROOT", "Record", "as_program", "commit", "read_records", "recording"]

FORMAT: Final = 1
"""Of the file; rises when a reader of the old form would misread the new one."""

ROOT: Final = Path(__file__).resolve().parents[1]
"""The checkout."""

FOLDER: Final = Path("out") / "lab"
"""Where results go when nobody says otherwise."""


class Record:
    """A run's file in the making.

    Attributes:
        results: what was measured so far; plain values, filled by the run.
        path: of the file.
    """

    def __init__(self, kind: str, path: Path, settings: Mapping[str, object]) -> None:
        self.results: dict[str, Any] = {}
        self.path = path
        self._head: dict[str, object] = {
            "kind": kind,
            "format": FORMAT,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(ROOT),
            "machine": machine_facts(),
            "settings": dict(settings),
        }

    def save(self, *, complete: bool) -> None:
        """Write the file as a whole, or not at all.

        Raises:
            LivefakeError: the disk is full, or the folder cannot be written.
        """
        document = {**self._head, "complete": complete, "load_after": load_average(), "results": self.results}
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(document) + "\n", "utf-8")
            part.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise LivefakeError(
                f"The result {self.path} cannot be written: {error.strerror}.", "Choose another folder with --out."
            ) from error


@contextmanager
def recording(
    kind: str, folder: Path, settings: Mapping[str, object], *, tell: Callable[[str], None]
) -> Iterator[Record]:
    """A record that is written at the end, or at Ctrl-C or an error as far as it got.

    Args:
        kind: of the measurement.
        folder: for the file, which is named for the kind and the time.
        settings: what was asked for, plain values.
        tell: told where the result lies.
    """
    record = Record(kind, folder / f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.json", settings)
    complete = False
    try:
        with _stoppable():
            yield record
        complete = True
    finally:
        if record.results:
            record.save(complete=complete)
            tell(f"{'Written to' if complete else 'Stopped; what was measured is in'} {record.path}")


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let whoever ends this process politely (SIGTERM) be heard like Ctrl-C, so that everything is cleaned up."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        # Only there can a program hear of signals.
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def as_program(act: Callable[[], None]) -> None:
    """Run a measurement as a program: problems are told in a sentence, Ctrl-C ends it quietly."""
    try:
        act()
    except LivefakeError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def read_records(folder: Path) -> list[dict[str, Any]]:
    """All results of a folder, the oldest first.

    Raises:
        BadInput: there are none, or a file is not one of ours.
    """
    records = []
    for path in sorted(folder.glob("*.json")):
        try:
            document = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} should be a result of the laboratory, and cannot be read: {error}.") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT or "results" not in document:
            raise BadInput(
                f"{path} should be a result of the laboratory in format {FORMAT}, and is something else.",
                "Move it elsewhere, or measure anew.",
            )
        records.append(document)
    if not records:
        raise BadInput(f"{folder} should hold results, and has none.", "Measure first: livefake bench stages")
    return sorted(records, key=lambda record: str(record["started"]))


def commit(folder: Path) -> str:
    """The short name of a checkout's commit, with a plus where files were changed since; empty without git."""
    try:
        name = _git(folder, "rev-parse", "--short=10", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
