"""Models and packs from elsewhere, before anything of them runs."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="onnx is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from livefake.engine.onnxfile import summarise  # noqa: E402
from livefake.engine.wire import WireError, fields  # noqa: E402
from livefake.errors import BadPersona, EngineError  # noqa: E402
from livefake.resources import models_folder  # noqa: E402
from livefake.swap.community.bundle import LIMITS, decode_png, read_bundle  # noqa: E402
from livefake.swap.community.dfm import FACE, MORPH, OUTPUTS, read_dfm  # noqa: E402
from tests.modelmaker import SIZE, dfm_model, oval, write_model  # noqa: E402

FACE_PNG = (models_folder() / "personas" / "mara" / "face.png").read_bytes()


def plain() -> Any:
    return dfm_model(None, oval())


def test_a_model_is_summed_up_as_onnx_itself_reads_it(tmp_path: Path) -> None:
    path = write_model(tmp_path / "one.dfm", dfm_model(None, oval(), morph=True))
    found = summarise(path)
    assert found.inputs == {FACE: (None, SIZE, SIZE, 3), MORPH: (1,)}
    assert list(found.outputs) == list(OUTPUTS)
    assert found.kinds[FACE] == 1
    assert found.nodes == len(onnx.load(str(path)).graph.node)
    assert read_dfm(path) == {FACE: (1, SIZE, SIZE, 3), MORPH: (1,)}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("refine.onnx", {"planes": 14}, {"made": 4}),
        ("refine-int8.onnx", {"seen": None, "front": None, "cells": 6}, {"skin": 3, "fine": None, "mask": 1}),
    ],
)
def test_our_own_networks_pass(name: str, inputs: dict[str, int | None], outputs: dict[str, int | None]) -> None:
    found = summarise(models_folder() / "weights" / name)
    assert {port: sides[1] for port, sides in found.inputs.items()} == inputs
    assert {port: sides[1] for port, sides in found.outputs.items()} == outputs


def foreign(model: Any) -> None:
    model.graph.node[0].domain = "com.example"


def imported(model: Any) -> None:
    model.opset_import.append(helper.make_opsetid("com.example", 1))


def outside(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"


def not_a_number(model: Any) -> None:
    values = oval().copy()
    values[0, 3, 3, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "mask"))


def half_not_a_number(model: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([np.inf], np.float16), "half"))


def listed_not_a_number(model: Any) -> None:
    model.graph.initializer.append(helper.make_tensor("listed", TensorProto.FLOAT, [2], [1.0, float("nan")]))


def constant_not_a_number(model: Any) -> None:
    value = numpy_helper.from_array(np.array([np.nan], np.float32), "value")
    model.graph.node.append(helper.make_node("Constant", [], ["constant"], value=value))


def nested(model: Any) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["nothing"], ["x"], then_branch=inner, else_branch=inner))


def chance(model: Any) -> None:
    model.graph.node.append(helper.make_node("RandomNormal", [], ["x"], shape=[1]))


def functions(model: Any) -> None:
    model.functions.add().name = "f"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (foreign, "'com.example' are not ONNX's own"),
        (imported, "'com.example' are not ONNX's own"),
        (outside, "lie in another file"),
        (not_a_number, "no numbers"),
        (half_not_a_number, "no numbers"),
        (listed_not_a_number, "no numbers"),
        (constant_not_a_number, "no numbers"),
        (nested, "hold graphs"),
        (chance, "RandomNormal draws by chance"),
        (functions, "functions"),
    ],
)
def test_what_is_not_run_here_is_refused(tmp_path: Path, spoil: Callable[[Any], None], problem: str) -> None:
    model = plain()
    spoil(model)
    path = write_model(tmp_path / "one.dfm", model)
    with pytest.raises(EngineError, match=problem):
        summarise(path)
    with pytest.raises(BadPersona, match=problem):
        read_dfm(path)


def fewer(model: Any) -> None:
    model.graph.output.pop()


def oblong(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = SIZE // 2


def free(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "H"


def halves(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def renamed(model: Any) -> None:
    model.graph.input[0].name = "face"


@pytest.mark.parametrize("spoil", [fewer, oblong, free, halves, renamed])
def test_another_contract_is_told_with_what_was_expected_and_what_came(
    tmp_path: Path, spoil: Callable[[Any], None]
) -> None:
    model = plain()
    spoil(model)
    with pytest.raises(BadPersona, match=r"should take in_face:0 \(1, S, S, 3\)"):
        read_dfm(write_model(tmp_path / "one.dfm", model))


MODEL = plain().SerializeToString()


def refused_or_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.dfm"
        path.write_bytes(content)
        try:
            read_dfm(path)
        except BadPersona as error:
            assert error.problem  # noqa: PT017 - either outcome is right


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_with_a_sentence(content: bytes) -> None:
    refused_or_read(content)


@given(st.integers(0, len(MODEL) - 1), st.integers(0, 255))
def test_a_model_with_a_changed_byte_is_read_or_refused(place: int, value: int) -> None:
    refused_or_read(MODEL[:place] + bytes([value]) + MODEL[place + 1 :])


@given(st.integers(1, 400), st.integers(0, 255))
def test_a_header_with_a_changed_byte_is_read_or_refused(back: int, value: int) -> None:
    place = len(MODEL) - back
    refused_or_read(MODEL[:place] + bytes([value]) + MODEL[place + 1 :])


@given(st.integers(0, len(MODEL) - 1))
def test_a_model_that_is_cut_off_is_refused(length: int) -> None:
    refused_or_read(MODEL[:length])


@given(st.binary(max_size=60))
def test_fields_end_or_are_refused(content: bytes) -> None:
    try:
        assert all(number > 0 for number, _ in fields(memoryview(content)))
    except WireError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_pack_is_read_from_a_folder_and_from_a_zip(tmp_path: Path) -> None:
    files = {"face.png": FACE_PNG, "persona.toml": b"ignored", "portrait.jpg": b"ignored"}
    folder = tmp_path / "pack"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    wanted = {"face.png": FACE_PNG}
    assert read_bundle(folder) == wanted
    assert read_bundle(zipped(tmp_path / "one.zip", files)) == wanted
    assert read_bundle(zipped(tmp_path / "two.zip", {f"zoe/{name}": one for name, one in files.items()})) == wanted
    assert decode_png("face.png", FACE_PNG).shape == (1024, 1024, 3)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"../face.png": FACE_PNG}, "at its top or in one folder"),
        ({"/etc/face.png": FACE_PNG}, "at its top or in one folder"),
        ({"a/b/face.png": FACE_PNG}, "at its top or in one folder"),
        ({"a/face.png": FACE_PNG, "b/face.png": FACE_PNG}, "at its top or in one folder"),
        ({"face.png": FACE_PNG, "run.py": b"print()"}, "'run.py', which no pack has"),
        ({"face.png": b"0" * (LIMITS["face.png"] + 1)}, "bytes at most"),
        ({"persona.toml": b""}, "face.png is not in it"),
        ({"face.png": FACE_PNG, "refine-int8.onnx": b""}, "without the float16 one"),
    ],
)
def test_an_archive_with_anything_else_is_refused(tmp_path: Path, files: dict[str, bytes], problem: str) -> None:
    with pytest.raises(BadPersona, match=problem):
        read_bundle(zipped(tmp_path / "one.zip", files))


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face.png").symlink_to("/etc/hostname")
    with pytest.raises(BadPersona, match="no plain file"):
        read_bundle(tmp_path)


ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED) as made:
    made.writestr("face.png", b"picture" * 20)
    made.writestr("persona.toml", b"")


@given(st.one_of(st.binary(max_size=300), st.tuples(st.integers(0, len(ZIP.getvalue()) - 1), st.integers(0, 255))))
def test_any_archive_is_read_or_refused(change: bytes | tuple[int, int]) -> None:
    content = bytearray(ZIP.getvalue())
    if isinstance(change, tuple):
        content[change[0]] = change[1]
    else:
        content = bytearray(change)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.zip"
        path.write_bytes(content)
        try:
            assert set(read_bundle(path)) <= set(LIMITS)
        except BadPersona as error:
            assert error.problem  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a" + b"0" * 40,
        FACE_PNG[:2000],
        FACE_PNG[:16] + struct.pack(">II", 60_000, 60_000) + FACE_PNG[24:],
        FACE_PNG[:16] + struct.pack(">II", 100, 100) + FACE_PNG[24:],
    ],
    ids=["empty", "gif", "cut", "huge", "small"],
)
def test_a_picture_is_refused_before_it_is_decoded(content: bytes) -> None:
    with pytest.raises(BadPersona, match=r"face\.png should"):
        decode_png("face.png", content)
