"""Where the files that are not code lie: the ``web/`` and ``models/`` folders."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from livefake.errors import LivefakeError

__all__ = ["find_folder", "models_folder", "web_folder"]

PACKAGE: Final = Path(__file__).resolve().parent


def find_folder(name: str, package: Path = PACKAGE) -> Path:
    """The folder ``name`` that belongs to the package.

    An installed wheel carries it as ``livefake/_data/NAME``. In a checkout it lies beside the package; what lies
    beside an installed package is somebody else's, so that place counts only where a ``pyproject.toml`` does too.

    Args:
        name: ``web`` or ``models``.
        package: the folder of the package.

    Raises:
        LivefakeError: the folder is in neither place.
    """
    carried, checkout = package / "_data" / name, package.parent
    if carried.is_dir():
        return carried
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise LivefakeError(
        f"The folder {name}/ of livefake should lie in {package / '_data'} or beside {package}, and is in neither.",
        "Install livefake again.",
    )


def web_folder() -> Path:
    """The browser pages.

    Raises:
        LivefakeError: the installation lacks them.
    """
    return find_folder("web")


def models_folder() -> Path:
    """The weights manifest, persona packs and demo clips.

    Raises:
        LivefakeError: the installation lacks them.
    """
    return find_folder("models")
