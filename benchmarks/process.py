"""What a process takes, read from /proc (proc(5)): memory, threads, open files, processor time by thread."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cpu_by_thread", "cpu_of_family", "open_files", "resident_mib", "thread_count"]


def cpu_by_thread(pid: int) -> Mapping[str, float]:
    """Processor time in seconds by the names of a process's threads; those of one name together.

    A trailing number does not count as part of a name. What ended in the meantime is not in it.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for task in _below(Path(f"/proc/{pid}/task")):
        name, cpu = _stat(task)
        found[name.rstrip("0123456789-_/:") or name] += cpu
    return found


def cpu_of_family(pid: int) -> Mapping[str, float]:
    """Processor time in seconds of a process's children and their children, by program name."""
    parents: dict[int, int] = {}
    for folder in _below(Path("/proc")):
        if folder.name.isdigit() and (text := _read(folder / "stat")):
            parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    found: defaultdict[str, float] = defaultdict(float)
    for child in parents:
        ancestor = child
        while ancestor in parents and ancestor != pid:
            ancestor = parents[ancestor]
        if ancestor == pid and child != pid:
            name, cpu = _stat(Path(f"/proc/{child}"))
            found[name] += cpu
    return found


def resident_mib(pid: int) -> float:
    """Memory that a process has in use, MiB; 0 when it has ended."""
    fields = _read(Path(f"/proc/{pid}/statm")).split()
    return round(int(fields[1]) * os.sysconf("SC_PAGESIZE") / 2**20, 1) if fields else 0.0


def thread_count(pid: int) -> int:
    """How many threads it has."""
    return len(_below(Path(f"/proc/{pid}/task")))


def open_files(pid: int) -> int:
    """How many files and sockets it holds open."""
    return len(_below(Path(f"/proc/{pid}/fd")))


def _below(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _stat(folder: Path) -> tuple[str, float]:
    """Name, and processor time in user and kernel mode in seconds."""
    text = _read(folder / "stat")
    if not text:
        return "ended", 0.0
    fields = text.rpartition(")")[2].split()
    name = text.partition("(")[2].rpartition(")")[0]
    return name, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
