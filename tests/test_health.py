"""What ``livefake doctor`` says of the swap network's engine and of the GPU."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from livefake import health
from livefake.engine.gpu import Gpu
from livefake.engine.weights import Weights
from livefake.health import Finding, Verdict, examine
from tests.networks import write_dynamic


def models(folder: Path, *, networks: bool) -> Path:
    """A models folder with nothing but the swap network, or not even that."""
    (folder / "weights").mkdir(parents=True)
    entries = []
    for name in ("refine", "refine-int8") if networks else ():
        path = write_dynamic(folder / "weights" / f"{name}.onnx")
        entries.append(
            f'[weights.{name}]\ntitle = "The swap network"\nfile = "weights/{path.name}"\n'
            f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\nbytes = {path.stat().st_size}\n'
            'licence = "CC0-1.0"\ninputs = { planes = [-1, 3, -1, -1] }\noutputs = { made = [-1, 4, -1, -1] }\n'
        )
    (folder / "manifest.toml").write_text("\n".join(entries) or "[weights]\n")
    return folder


def look(folder: Path, name: str, *, networks: bool = True) -> Finding:
    home = models(folder / "models", networks=networks)
    weights = Weights(home / "manifest.toml", folder / "cache" / "weights")
    [found] = [item for item in examine(home, weights, folder / "cache") if item.name == name]
    return found


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine that runs the tests may have one; what is said of it is asked for by name."""
    monkeypatch.setattr(health, "find_gpu", lambda: None)


def test_the_engine_of_the_swap_network_is_named(tmp_path: Path) -> None:
    found = look(tmp_path, "swap engine")
    assert (found.verdict, found.found, found.remedy) == (Verdict.GOOD, "openvino cpu", "")
    assert not (tmp_path / "cache").exists(), "looking changes nothing"


def test_a_livefake_without_the_network_says_so(tmp_path: Path) -> None:
    found = look(tmp_path, "swap engine", networks=False)
    assert found.verdict is Verdict.OPTIONAL
    assert "without the swap network" in found.found


def test_with_a_gpu_an_engine_that_is_not_built_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "find_gpu", lambda: Gpu("NVIDIA L4", "8.9"))
    found = look(tmp_path, "swap engine")
    assert found.verdict is Verdict.OPTIONAL
    assert found.found == "openvino cpu; the TensorRT engine for NVIDIA L4 is not built yet"
    assert found.remedy == "Run: livefake warm"
    assert not (tmp_path / "cache").exists(), "looking changes nothing"


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    home = models(tmp_path / "models", networks=True)
    (home / "weights" / "refine-int8.onnx").write_bytes(b"half a file")
    weights = Weights(home / "manifest.toml", tmp_path / "cache" / "weights")
    found = {item.name: item for item in examine(home, weights, tmp_path / "cache")}
    for name in ("weights", "swap engine"):
        assert found[name].verdict is Verdict.BROKEN
        assert found[name].remedy == "Install livefake again."


def test_a_machine_without_a_gpu_is_not_urged_to_get_one(tmp_path: Path) -> None:
    found = look(tmp_path, "gpu", networks=False)
    assert (found.verdict, found.remedy) == (Verdict.OPTIONAL, "")
    assert found.use == "the processor runs the networks"


def test_a_gpu_is_named_with_what_onnxruntime_can_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "find_gpu", lambda: Gpu("NVIDIA L4", "8.9"))
    found = look(tmp_path, "gpu", networks=False)
    assert found.found.startswith("NVIDIA L4; onnxruntime")
    assert (found.verdict is Verdict.GOOD) == (found.remedy == "")
