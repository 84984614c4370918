"""Which kind of virtual camera this computer can have: tried in order, every refusal told."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from livefake.errors import LivefakeError
from livefake.media.virtualcam.build import build_helper, why_not
from livefake.media.virtualcam.classic import ClassicCamera
from livefake.media.virtualcam.device import Device
from livefake.media.virtualcam.pipewire import PipeWireCamera

__all__ = ["open_camera", "why_no_camera"]


def why_no_camera(cache: Path, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Why PipeWire and why pyvirtualcam cannot be used, as far as can be told without trying.

    Args:
        cache: livefake's cache folder.
        environment: tells where PipeWire listens.

    Returns:
        One sentence for each that cannot; a camera can be tried when there are fewer than two.
    """
    refusals = []
    problem = _no_pipewire(environment) or why_not(cache)
    if problem is not None:
        refusals.append(str(problem))
    if importlib.util.find_spec("pyvirtualcam") is None:
        refusals.append("pyvirtualcam is not installed. Run: pip install 'livefake[virtualcam]'")
    return tuple(refusals)


def open_camera(cache: Path, name: str, width: int, height: int) -> Device:
    """A camera: through PipeWire, or else through pyvirtualcam. May take seconds the first time.

    Args:
        cache: livefake's cache folder, for the compiled program.
        name: of the camera, where it can have one.
        width, height: of its pictures, pixels, even.

    Raises:
        LivefakeError: neither can be had; the sentence says why each cannot.
    """
    refusals = []
    for attempt in (partial(_pipewire, cache, name), ClassicCamera):
        try:
            return attempt(width, height)
        except LivefakeError as error:
            refusals.append(str(error))
    raise LivefakeError(f"There can be no virtual camera here. {' '.join(refusals)}")


def _pipewire(cache: Path, name: str, width: int, height: int) -> Device:
    if (problem := _no_pipewire(os.environ)) is not None:
        raise problem
    return PipeWireCamera(build_helper(cache), name, width, height)


def _no_pipewire(environment: Mapping[str, str]) -> LivefakeError | None:
    if sys.platform != "linux":
        return LivefakeError("PipeWire is a part of Linux desktops, and this is none.")
    folder = environment.get("PIPEWIRE_RUNTIME_DIR") or environment.get("XDG_RUNTIME_DIR", "")
    socket = Path(folder) / environment.get("PIPEWIRE_REMOTE", "pipewire-0")
    if folder and socket.exists():
        return None
    return LivefakeError("PipeWire does not run for this user.", "Install and start it: pipewire and wireplumber.")
