"""A Linux desktop without a screen: D-Bus, PipeWire and the portal, all in a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

_LIBEXEC = Path("/usr/libexec")
_PORTAL, _PERMISSIONS = _LIBEXEC / "xdg-desktop-portal", _LIBEXEC / "xdg-permission-store"
_STORE = "org.freedesktop.impl.portal.PermissionStore"
# Nobody has to be asked where the answer is known, so no program needs to be behind this.
_BACKEND = f"[portal]\nDBusName={_STORE}\nInterfaces=org.freedesktop.impl.portal.Access\nUseIn=test\n"


def missing_desktop() -> str:
    """Why there can be no such desktop; empty when there can."""
    programs = ["dbus-daemon", "gdbus", "pipewire", "wireplumber", "pw-dump", "Xvfb", "cc", "pkg-config"]
    gone = [name for name in programs if shutil.which(name) is None]
    gone += [str(path) for path in (_PORTAL, _PERMISSIONS) if not path.exists()]
    return f"needs {', '.join(gone)}" if gone else ""


@contextmanager
def pipewire(folder: Path) -> Iterator[dict[str, str]]:
    """PipeWire and its session manager; the environment for programs that use them."""
    runtime, home, portals = folder / "run", folder / "home", folder / "portals"
    for path in (runtime, home, portals):
        path.mkdir(mode=0o700)
    (portals / "test.portal").write_text(_BACKEND)
    bus = runtime / "bus"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "DBUS_", "PIPEWIRE_"))},
        "XDG_RUNTIME_DIR": str(runtime),
        "HOME": str(home),
        "XDG_CURRENT_DESKTOP": "test",
        "XDG_DESKTOP_PORTAL_DIR": str(portals),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}",
        "DISPLAY": ":196",
    }
    with ExitStack() as stack:
        address = f"--address=unix:path={bus}"
        stack.enter_context(running(environment, "dbus-daemon", "--session", "--nofork", "--nopidfile", address))
        until(bus.exists)
        stack.enter_context(running(environment, "pipewire"))
        until((runtime / "pipewire-0").exists)
        stack.enter_context(running(environment, "wireplumber"))
        yield environment


@contextmanager
def portal(environment: Mapping[str, str]) -> Iterator[None]:
    """A screen, and the portal through which browsers ask for cameras; the answer is yes."""
    with ExitStack() as stack:
        stack.enter_context(running(environment, "Xvfb", environment["DISPLAY"], "-screen", "0", "1024x768x24"))
        stack.enter_context(running(environment, str(_PERMISSIONS)))
        path, method = "/org/freedesktop/impl/portal/PermissionStore", f"{_STORE}.SetPermission"
        for app in ("", "chromium", "org.chromium.Chromium"):
            answer = ["devices", "true", "camera", app, "['yes']"]
            call = ["gdbus", "call", "--session", "--dest", _STORE, "--object-path", path, "--method", method, *answer]
            until(partial(succeeds, environment, call))
        stack.enter_context(running(environment, str(_PORTAL)))
        ask = ["gdbus", "wait", "--session", "--timeout", "15", "org.freedesktop.portal.Desktop"]
        subprocess.run(ask, env=environment, check=True)
        yield


@contextmanager
def running(environment: Mapping[str, str], *command: str) -> Iterator[None]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def succeeds(environment: Mapping[str, str], command: list[str]) -> bool:
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def until(reached: Callable[[], bool], patience: float = 15) -> None:
    end = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)
