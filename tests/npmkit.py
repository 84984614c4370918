"""A package of the npm registry, fetched once by npm itself into livefake's cache and checked."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from livefake.settings import read_settings


def unpacked(name: str, version: str, sha512: str, folder: Path) -> str:
    """Unpack a pinned package.

    Args:
        name, version: of the package.
        sha512: of its archive, in base64, as npm writes it.
        folder: empty; the package's files come to lie in ``folder / "package"``.

    Returns:
        Why it cannot be had here; empty when it is there.
    """
    kept = read_settings(os.environ).cache / "npm"
    archive = kept / f"{name}-{version}.tgz"
    if not archive.is_file() and (lacking := _fetch(f"{name}@{version}", kept)):
        return lacking
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == sha512, f"{archive} is not the archive that was pinned; delete it"
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return ""


def _fetch(what: str, kept: Path) -> str:
    npm = shutil.which("npm")
    if npm is None:
        return f"there is no npm to fetch {what}; on Debian: apt install npm"
    kept.mkdir(parents=True, exist_ok=True)
    command = [npm, "pack", what, "--pack-destination", str(kept), "--fetch-retries=0", "--fetch-timeout=20000"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=kept)
    except subprocess.TimeoutExpired:
        return f"npm could not fetch {what}: its registry does not answer"
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        return f"npm could not fetch {what}: {(lines or ['no reason given'])[0].removeprefix('npm error ')}"
    return ""
