"""Which engines of the processor have passed their self-test here: the same file gives the same numbers every time.

A GPU's engine is tested at each start, because it depends on a driver and on what an earlier run has built.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from livefake.engine.base import Shapes
from livefake.machine import describe_machine

__all__ = ["Agreed"]


class Agreed:
    """A folder with an empty file for each engine that agreed with the plain one.

    Everything that the result depends on is in the file's name: the model, the shapes, the engine and its version, the
    precision, and the machine.

    Args:
        folder: may be written; made when it is needed. None remembers nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def key(self, model: Path, shapes: Shapes, *, engine: str, exact: bool) -> str:
        """The name of a test: 32 hexadecimal digits.

        Args:
            model: the file.
            shapes: of its inputs.
            engine: the name of a package that is installed, or of none.
            exact: see ``openvino.load``.

        Raises:
            OSError: the file cannot be read.
        """
        facts = {
            "model": hashlib.sha256(model.read_bytes()).hexdigest(),
            "shapes": sorted((name, list(shape)) for name, shape in shapes.items()),
            "engine": engine,
            "version": _version(engine),
            "exact": exact,
            "machine": describe_machine(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]

    def has(self, key: str) -> bool:
        """Whether that test was passed."""
        return self._folder is not None and (self._folder / key).is_file()

    def keep(self, key: str) -> None:
        """Remember a test that was passed. A folder that cannot be written costs another one at the next start."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / key).touch()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
