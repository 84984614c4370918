from __future__ import annotations

from pathlib import Path

import pytest

from livefake.errors import LivefakeError
from livefake.resources import find_folder, models_folder, web_folder


def a_package(folder: Path) -> Path:
    package = folder / "livefake"
    package.mkdir()
    return package


def test_this_checkout_has_both_folders() -> None:
    assert (web_folder() / "index.html").is_file()
    assert (models_folder() / "manifest.toml").is_file()


def test_a_checkout_has_the_folder_beside_the_package(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "web").mkdir()
    assert find_folder("web", a_package(tmp_path)) == tmp_path / "web"


def test_a_wheel_carries_the_folder_inside(tmp_path: Path) -> None:
    package = a_package(tmp_path)
    (package / "_data" / "web").mkdir(parents=True)
    (tmp_path / "web").mkdir()
    assert find_folder("web", package) == package / "_data" / "web"


def test_what_lies_beside_an_installed_package_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with pytest.raises(LivefakeError, match="models/ of livefake should lie in") as caught:
        find_folder("models", a_package(tmp_path))
    assert caught.value.remedy == "Install livefake again."
