"""The program that shows pictures as a PipeWire camera, compiled from our source when it is first needed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from livefake.errors import LivefakeError

__all__ = ["build_helper", "find_helper", "why_not"]

_SOURCE: Final = Path(__file__).with_name("camera.c")
_LIBRARY: Final = "libpipewire-0.3"
_PATIENCE: Final = 60
_PACKAGES: Final = "on Debian: gcc pkg-config libpipewire-0.3-dev, on Fedora: gcc pkgconf pipewire-devel"


def find_helper(cache: Path) -> Path | None:
    """The compiled program in the cache folder; None where it has yet to be built."""
    path = _place(cache)
    return path if path.exists() else None


def why_not(cache: Path) -> LivefakeError | None:
    """Why the program is not there and cannot be built; None when it is, or can be."""
    if sys.platform != "linux":
        return LivefakeError("PipeWire is a part of Linux desktops, and this is none.")
    if find_helper(cache) is not None:
        return None
    missing = [name for name in (_compiler(), "pkg-config") if shutil.which(name) is None]
    if not missing and subprocess.run(["pkg-config", "--exists", _LIBRARY], check=False).returncode:
        missing = [f"the files of {_LIBRARY}"]
    if not missing:
        return None
    return LivefakeError(f"The camera for PipeWire needs {' and '.join(missing)}.", f"Install them; {_PACKAGES}")


def build_helper(cache: Path) -> Path:
    """Compile the program, where that was not done yet; takes a second or two.

    Args:
        cache: livefake's cache folder.

    Raises:
        LivefakeError: the compiler or a library is missing, or fails.
    """
    if (path := find_helper(cache)) is not None:
        return path
    if (problem := why_not(cache)) is not None:
        raise problem
    flags = _run(["pkg-config", "--cflags", "--libs", _LIBRARY]).split()
    path = _place(cache)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            _run([_compiler(), "-std=gnu11", "-O2", "-o", str(made), str(_SOURCE), *flags])
            made.replace(path)
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another cache folder.") from error
    return path


def _compiler() -> str:
    return os.environ.get("CC", "cc")


def _place(cache: Path) -> Path:
    # Another source is another program; an old one is left alone, somebody may be running it.
    digest = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    return cache / "virtualcam" / f"camera-{digest}"


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        reason = next((line for line in said if "error" in line), said[-1] if said else "it says nothing")
        raise LivefakeError(f"{command[0]} fails: {reason}.", f"Look at the packages; {_PACKAGES}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LivefakeError(f"{command[0]} cannot be run.", f"Look at the packages; {_PACKAGES}") from error
    return done.stdout
