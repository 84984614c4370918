"""Which engine is taken, with which options, and what happens when the best one is not there or wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.engine import factory, openvino
from livefake.engine import onnx as onnx_engine
from livefake.engine.agreed import Agreed
from livefake.engine.base import ANY, Choice, Engine, Loader, Registry, Shapes
from livefake.engine.cache import BuildKey, engine_folder, is_built, timing_folder
from livefake.engine.factory import (
    SwapFiles,
    engines,
    fixed_shapes,
    gpu_engines,
    open_swap_engine,
    tensorrt_is_built,
)
from livefake.engine.gpu import Gpu, Profile, build_key, cuda_options, gpu_is_likely, parse_smi, tensorrt_options
from livefake.engine.onnx import Bound, free_sides
from livefake.engine.selftest import check_engine, probe, psnr
from livefake.errors import EngineError
from livefake.frame import Floats
from tests.networks import write_dynamic

GPU = Gpu("NVIDIA L4", "8.9")
KEY = BuildKey("ab" * 32, "1.23.0", "10.13.2", GPU.name, GPU.capability, "float16", {"planes": (1, 14, 256, 256)})
SHAPES = {"planes": (1, 3, 16, 16)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dynamic(tmp_path_factory.mktemp("choice") / "small.onnx")


# Options


def test_tensorrt_is_asked_for_a_static_engine_in_float16_with_a_cuda_graph() -> None:
    cache = Path("cache")
    assert tensorrt_options(cache, KEY, None) == {
        "device_id": "0",
        "trt_fp16_enable": "True",
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engine_folder(cache, KEY)),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(timing_folder(cache, KEY)),
        "trt_builder_optimization_level": "3",
        "trt_cuda_graph_enable": "True",
    }


def test_tensorrt_is_asked_for_a_range_of_shapes_without_a_cuda_graph() -> None:
    profile = Profile(
        {"planes": (1, 14, 128, 128), "tone": (1, 3)},
        {"planes": (1, 14, 256, 256), "tone": (1, 3)},
        {"planes": (4, 14, 256, 256), "tone": (4, 3)},
    )
    options = tensorrt_options(Path("cache"), replace(KEY, precision="float32"), profile)
    assert options["trt_fp16_enable"] == options["trt_cuda_graph_enable"] == "False"
    assert options["trt_profile_min_shapes"] == "planes:1x14x128x128,tone:1x3"
    assert options["trt_profile_opt_shapes"] == "planes:1x14x256x256,tone:1x3"
    assert options["trt_profile_max_shapes"] == "planes:4x14x256x256,tone:4x3"


def test_cuda_options_are_plain_words() -> None:
    assert cuda_options() == {"device_id": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": "1"}


# The key

words = st.text(min_size=0, max_size=12)
shapes = st.dictionaries(words, st.lists(st.integers(1, 512), max_size=4).map(tuple), max_size=3)
keys = st.builds(
    BuildKey, model=words, onnxruntime=words, tensorrt=words, gpu=words, capability=words, precision=words,
    shapes=shapes,
)  # fmt: skip


@given(keys, keys)
def test_two_keys_share_a_folder_only_if_they_are_equal(one: BuildKey, other: BuildKey) -> None:
    cache = Path("cache")
    assert (engine_folder(cache, one) == engine_folder(cache, other)) == (one == other)
    assert engine_folder(cache, one) == engine_folder(cache, replace(one))


@given(keys, st.sampled_from([item.name for item in fields(BuildKey)]), words, shapes)
def test_any_changed_fact_changes_the_folder(key: BuildKey, name: str, word: str, other: Shapes) -> None:
    value: object = other if name == "shapes" else word
    changed = replace(key, **{name: value})  # type: ignore[arg-type]
    assert (changed.digest == key.digest) == (getattr(key, name) == value)


def test_facts_do_not_run_into_each_other() -> None:
    assert replace(KEY, gpu="a", capability="bc").digest != replace(KEY, gpu="ab", capability="c").digest


def test_timings_are_shared_by_models_on_the_same_gpu() -> None:
    cache = Path("cache")
    assert timing_folder(cache, KEY) == timing_folder(cache, replace(KEY, model="other", shapes={}))
    assert timing_folder(cache, KEY) != timing_folder(cache, replace(KEY, capability="9.0"))


def test_an_engine_is_built_once_its_file_lies_there(tmp_path: Path, model: Path) -> None:
    assert not is_built(tmp_path, KEY)
    assert not tensorrt_is_built(model, tmp_path, GPU, shapes=SHAPES)
    assert list(tmp_path.iterdir()) == [], "looking changes nothing"
    folder = engine_folder(tmp_path, KEY)
    folder.mkdir(parents=True)
    (folder / "TensorrtExecutionProvider_graph.engine").write_bytes(b"built")
    assert is_built(tmp_path, KEY)
    assert not is_built(tmp_path, replace(KEY, tensorrt="10.14"))


def test_the_key_holds_what_is_installed() -> None:
    key = build_key("ff", GPU, SHAPES)
    assert (key.gpu, key.capability, key.shapes, key.precision) == (GPU.name, GPU.capability, SHAPES, "float16")
    assert key.onnxruntime
    assert key.tensorrt


# The GPU


@pytest.mark.parametrize("sign", ["proc/driver/nvidia/version", "dev/nvidia0", "dev/dxg"])
def test_a_driver_on_linux_shows_itself(tmp_path: Path, sign: str) -> None:
    assert not gpu_is_likely(root=tmp_path, platform="linux")
    (tmp_path / sign).parent.mkdir(parents=True)
    (tmp_path / sign).touch()
    assert gpu_is_likely(root=tmp_path, platform="linux")


@pytest.mark.parametrize("found", [None, r"C:\Windows\System32\nvidia-smi.exe"])
def test_on_windows_the_drivers_program_is_the_sign(tmp_path: Path, found: str | None) -> None:
    assert gpu_is_likely(root=tmp_path, platform="win32", which=lambda name: found) is (found is not None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NVIDIA L4, 8.9\n", Gpu("NVIDIA L4", "8.9")),
        ("NVIDIA RTX, the big one, 12.0\nNVIDIA L4, 8.9\n", Gpu("NVIDIA RTX, the big one", "12.0")),
        ("", None),
        ("No devices were found", None),
        ("NVIDIA Quadro, [N/A]\n", None),
        (", 8.9", None),
    ],
)
def test_the_drivers_answer_is_read(text: str, expected: Gpu | None) -> None:
    assert parse_smi(text) == expected


@given(st.text())
def test_any_answer_of_the_driver_is_a_gpu_or_none(text: str) -> None:
    gpu = parse_smi(text)
    assert gpu is None or (gpu.name and gpu.capability)


# Shapes


each_engine = pytest.mark.parametrize("load", [openvino.load, onnx_engine.load], ids=["openvino", "onnxruntime"])


@each_engine
def test_a_free_model_is_made_static(load: Loader, model: Path) -> None:
    engine = load(model, shapes=SHAPES)
    assert engine.inputs == SHAPES
    assert engine.outputs == {"made": (1, 4, 16, 16)}
    assert engine.run(probe(SHAPES))["made"].shape == (1, 4, 16, 16)
    with pytest.raises(EngineError, match=r"shape \(1, 3, 16, 16\), got \(1, 3, 32, 32\)"):
        engine.run({"planes": np.zeros((1, 3, 32, 32), np.float32)})
    assert engine.sibling().outputs == engine.outputs


@each_engine
def test_a_free_model_takes_any_size_that_fits(load: Loader, model: Path) -> None:
    engine = load(model)
    assert engine.inputs == {"planes": (ANY, 3, ANY, ANY)}
    for side in (8, 16):
        assert engine.run({"planes": np.zeros((2, 3, side, side), np.float32)})["made"].shape == (2, 4, side, side)
    with pytest.raises(EngineError, match=r"has the shape \(-1, 3, -1, -1\), got \(1, 4, 8, 8\)"):
        engine.run({"planes": np.zeros((1, 4, 8, 8), np.float32)})


@each_engine
@pytest.mark.parametrize("wanted", [{"planes": (1, 4, 16, 16)}, {"other": (1, 3, 16, 16)}, {"planes": (1, 3, 16)}])
def test_shapes_that_do_not_fit_are_refused(load: Loader, model: Path, wanted: Shapes) -> None:
    with pytest.raises(EngineError):
        load(model, shapes=wanted)


def test_a_session_with_fixed_places_gives_the_same_and_takes_new_pictures(model: Path) -> None:
    def opened() -> Engine:
        session = onnxruntime.InferenceSession(str(model), providers=[onnx_engine.CPU])
        return Bound(session, {"N": 1, "S": 16}, "cpu", opened)

    engine, plain = opened(), onnx_engine.load(model, shapes=SHAPES)
    assert (engine.device, engine.inputs, engine.outputs) == (plain.device, plain.inputs, plain.outputs)
    assert check_engine(engine, plain) > 100
    first = engine.run(probe(SHAPES))["made"]
    kept = first.copy()
    engine.sibling().run(probe(SHAPES, 1.0))
    engine.run(probe(SHAPES, 2.0))
    assert np.array_equal(first, kept)
    assert np.array_equal(engine.run({"planes": probe(SHAPES)["planes"][..., ::-1]})["made"].shape, first.shape)
    with pytest.raises(EngineError, match="has the shape"):
        engine.run({"planes": np.zeros((1, 3, 8, 8), np.float32)})


def test_sides_of_one_name_have_one_length() -> None:
    declared: dict[str, tuple[int | str | None, ...]] = {"planes": ("N", 3, "S", "S"), "tone": ("N", None)}
    assert free_sides(declared, {"planes": (2, 3, 64, 64), "tone": (2, 9)}) == {"N": 2, "S": 64}
    for wrong in ({"planes": (2, 3, 64, 32), "tone": (2, 9)}, {"planes": (2, 3, 64, 64), "tone": (1, 9)}):
        with pytest.raises(EngineError, match="cannot be"):
            free_sides(declared, wrong)
    with pytest.raises(EngineError, match=r"takes \['planes', 'tone'\]"):
        free_sides(declared, {"planes": (2, 3, 64, 64)})


def test_the_manifests_free_sides_are_filled_in() -> None:
    assert fixed_shapes({"planes": (ANY, 14, ANY, ANY)}) == {"planes": (1, 14, 256, 256)}
    assert fixed_shapes({"planes": (ANY, 14, ANY, ANY)}, batch=2, side=96) == {"planes": (2, 14, 96, 96)}


# The self-test


class Altered:
    """The plain engine with its output changed on the way out: a GPU that computes nonsense."""

    device = "nonsense"

    def __init__(self, engine: Engine, change: Callable[[Floats], Floats]) -> None:
        self._engine, self._change = engine, change
        self.inputs, self.outputs = engine.inputs, engine.outputs

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        return {name: self._change(values.copy()) for name, values in self._engine.run(feeds).items()}

    def sibling(self) -> Engine:
        return Altered(self._engine.sibling(), self._change)


def test_the_probe_is_the_same_everywhere_in_range_and_not_flat() -> None:
    one, again = probe(SHAPES)["planes"], probe(SHAPES)["planes"]
    assert np.array_equal(one, again)
    assert one.dtype == np.float32
    assert one.min() >= 0
    assert one.max() <= 1
    assert all(np.ptp(one, axis=axis).max() > 0.1 for axis in (1, 2, 3))


def test_agreement_is_in_decibels() -> None:
    flat = np.zeros((4, 4), np.float32)
    assert psnr(flat, flat) == np.inf
    assert psnr(flat, flat + 0.1) == pytest.approx(20, abs=1e-4)


def test_an_engine_that_agrees_passes(model: Path) -> None:
    plain = openvino.load(model, shapes=SHAPES)
    assert check_engine(onnx_engine.load(model, shapes=SHAPES), plain) > 100


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda values: values * np.nan, "not finite"),
        (lambda values: values * 0 + 0.25, "one value everywhere"),
        (lambda values: values[..., ::-1], r"to 30 dB, it does to \d+\.\d dB"),
        (lambda values: values[:, :3], r"of the shape \(1, 4, 16, 16\), it gives \(1, 3, 16, 16\)"),
    ],
)
def test_an_engine_that_is_wrong_is_refused(model: Path, change: Callable[[Floats], Floats], problem: str) -> None:
    plain = openvino.load(model, shapes=SHAPES)
    with pytest.raises(EngineError, match=problem):
        check_engine(Altered(plain.sibling(), change), plain)


def test_an_engine_that_replays_old_pictures_is_refused(model: Path) -> None:
    plain = openvino.load(model, shapes=SHAPES)
    first: list[Floats] = []

    def stuck(values: Floats) -> Floats:
        first.append(values)
        return first[0]

    with pytest.raises(EngineError, match=r"to 30 dB, it does to"):
        check_engine(Altered(plain.sibling(), stuck), plain)


def test_the_registry_goes_on_after_a_failed_self_test_and_remembers_why(model: Path) -> None:
    def nonsense(path: Path, /, *, shapes: Shapes | None = None) -> Engine:
        return Altered(openvino.load(path, shapes=shapes), lambda values: values * np.nan)

    registry = Registry()
    registry.register("fast", nonsense)
    registry.register("plain", onnx_engine.load)
    plain = openvino.load(model, shapes=SHAPES)
    choice = registry.choose(model, shapes=SHAPES, test=lambda engine: check_engine(engine, plain))
    assert (choice.name, choice.engine.device) == ("plain", "onnxruntime cpu")
    [reason] = choice.refusals
    assert reason.startswith("'fast': nonsense gives numbers that are not finite")


# The whole choice


def test_without_a_gpu_the_processor_is_used_and_nothing_is_said(model: Path, tmp_path: Path) -> None:
    choice = open_swap_engine(SwapFiles(model, model), shapes=SHAPES, cache=tmp_path, gpu=None)
    assert (choice.name, choice.engine.device, choice.refusals) == ("openvino", "openvino cpu", ())
    assert not (tmp_path / "tensorrt").exists()


@pytest.mark.skipif(onnx_engine.CUDA in onnxruntime.get_available_providers(), reason="this onnxruntime can use a GPU")
def test_a_gpu_that_onnxruntime_cannot_use_is_passed_over_with_reasons(model: Path, tmp_path: Path) -> None:
    choice = open_swap_engine(SwapFiles(model, model), shapes=SHAPES, cache=tmp_path, gpu=GPU)
    assert choice.engine.device == "openvino cpu"
    assert "'tensorrt': " in choice.refusals[0]
    assert "'cuda': " in choice.refusals[0]


def test_the_order_is_tensorrt_cuda_openvino_onnxruntime(tmp_path: Path) -> None:
    assert (*gpu_engines(tmp_path, GPU).names, *engines(tmp_path, exact=True).names) == (
        "tensorrt", "cuda", "openvino", "onnxruntime",
    )  # fmt: skip


def test_gpu_engines_do_not_take_what_they_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"'tensorrt': TensorRT reads \.onnx files.*'cuda': onnxruntime reads"):
        gpu_engines(tmp_path, GPU).load(tmp_path / "net.tflite", shapes=SHAPES)
    with pytest.raises(EngineError, match="TensorRT needs the shapes of"):
        gpu_engines(tmp_path, GPU).load(write_dynamic(tmp_path / "net.onnx"))


def test_looking_for_a_gpu_does_not_load_onnxruntime() -> None:
    program = (
        "import sys; from livefake.engine import factory, gpu; gpu.gpu_is_likely();"
        "assert not {'onnxruntime', 'openvino'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_engine_of_the_processor_is_tested_once(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[Path] = []

    def choose(registry: Registry, path: Path, shapes: Shapes, cache: Path | None) -> Choice:
        tested.append(path)
        return real(registry, path, shapes, cache)

    real = factory._choose
    monkeypatch.setattr(factory, "_choose", choose)
    for _ in range(2):
        choice = open_swap_engine(SwapFiles(model, model), shapes=SHAPES, cache=tmp_path, gpu=None)
        assert choice.name == "openvino"
    other = write_dynamic(tmp_path / "other.onnx", scale=0.5)
    open_swap_engine(SwapFiles(other, other), shapes=SHAPES, cache=tmp_path, gpu=None)
    assert tested == [model, other]
    open_swap_engine(SwapFiles(model, model), shapes=SHAPES, cache=None, gpu=None)
    assert tested == [model, other, model]


def test_what_a_test_depends_on_is_in_its_name(model: Path, tmp_path: Path) -> None:
    agreed = Agreed(tmp_path / "agreed")
    key = agreed.key(model, SHAPES, engine="openvino", exact=False)
    assert not agreed.has(key)
    agreed.keep(key)
    assert agreed.has(key)
    others = {
        agreed.key(model, SHAPES, engine="openvino", exact=True),
        agreed.key(model, SHAPES, engine="no such package", exact=False),
        agreed.key(model, {"planes": (1, 3, 8, 8)}, engine="openvino", exact=False),
        agreed.key(write_dynamic(tmp_path / "other.onnx", scale=0.5), SHAPES, engine="openvino", exact=False),
    }
    assert len(others | {key}) == 5
    assert not any(map(agreed.has, others))
    Agreed(model / "no folder").keep(key)
