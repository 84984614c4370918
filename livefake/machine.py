"""What this machine is."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

__all__ = ["describe_machine", "load_average", "machine_facts"]

_PACKAGES: Final = ("aiortc", "av", "numba", "numpy", "onnxruntime", "opencv-python", "openvino")
_TELLING: Final = (
    *("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16", "sve", "sve2"),
)
"""Names in /proc/cpuinfo of what decides how fast small networks run, on x86 and on Arm."""


def describe_machine() -> str:
    """This machine in words: processor, cores, system, Python."""
    system = f"{platform.system()} {platform.release()}"
    return f"{_processor()}, {_cores()} cores, {system}, Python {platform.python_version()}"


def machine_facts() -> Mapping[str, object]:
    """This machine as plain values for JSON: what somebody needs to tell why other figures came out elsewhere.

    Returns:
        ``description`` in words, ``processor``, ``flags`` of it that matter to networks, ``cores`` that this process
        may use, ``governor`` of the clock rate, ``memory_mib``, ``kernel``, ``python``, ``packages`` by name, and
        ``load``, the system's load averages at this moment. What the system does not tell is an empty text, or 0.
    """
    from livefake import __version__

    flags = set((_cpuinfo("flags") or _cpuinfo("Features")).split())
    return {
        "description": describe_machine(),
        "processor": _processor(),
        "flags": [name for name in _TELLING if name in flags],
        "cores": _cores(),
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "memory_mib": _memory_mib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {"livefake": __version__, **{name: _version(name) for name in _PACKAGES}},
        "load": load_average(),
    }


def load_average() -> list[float]:
    """Processes that want to run, averaged over 1, 5 and 15 minutes; empty where the system does not count them."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else []


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo(name: str) -> str:
    """The first value of that name in /proc/cpuinfo; empty where there is none."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _memory_mib() -> int:
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) // 1024
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return ""
