"""What a user installs: the wheel, built here, in an environment of its own, away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.swap.persona import list_personas

pytestmark = [pytest.mark.slow, pytest.mark.models]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the programs of a fresh environment with the wheel.

    The dependencies are those of the environment that runs the tests: a .pth file names its folder, so nothing is
    fetched. What stands in that folder's own .pth files, such as an editable livefake, does not count then.
    """
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    programs = place / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    variables = {"base": str(place), "platbase": str(place)}
    own = Path(sysconfig.get_path("purelib", vars=variables))
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "dependencies.pth").write_text("\n".join(sorted(shared)) + "\n")
    return programs


def ask(program: Path, *arguments: str, cwd: Path) -> str:
    """What a program of the environment prints; it must succeed without a word on standard error."""
    cache = read_settings(os.environ).cache.absolute()
    environment = {**os.environ, "LIVEFAKE_CACHE": str(cache), "LIVEFAKE_DATA": str(cwd / "data")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_wheel_holds_code_and_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wheel.name.endswith("-py3-none-any.whl")
    tops = {name.partition("/")[0] for name in names}
    assert len(tops) == 2
    assert "livefake" in tops
    assert {"livefake/_data/web/index.html", "livefake/_data/models/manifest.toml"} <= names
    for folder, carried in (("web", ROOT / "web"), ("models", ROOT / "models")):
        ours = {path.relative_to(carried).as_posix() for path in carried.rglob("*") if path.is_file()}
        prefix = f"livefake/_data/{folder}/"
        assert {name.removeprefix(prefix) for name in names if name.startswith(prefix)} == ours
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "livefake").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert not [name for name in names if {"tests", "__pycache__"} & set(name.split("/"))]
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} >= {"LICENSE", "NOTICE"}


def test_the_installed_program_finds_its_files_and_is_ready(installed: Path, studio: object, tmp_path: Path) -> None:
    where = ask(installed / "python", "-c", "import livefake; print(livefake.__file__)", cwd=tmp_path)
    assert installed.parent in Path(where).parents, "the wheel's livefake, not the checkout's"
    document = json.loads(ask(installed / "livefake", "doctor", "--json", cwd=tmp_path))
    assert document["ready"] is True


def test_the_installed_program_has_every_persona(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(ask(installed / "livefake", "personas", "list", "--json", cwd=tmp_path))
    ours = list_personas(models_folder() / "personas")
    assert [item["id"] for item in listed] == [card.id for card in ours]
