"""Tiny .dfm files that keep DeepFaceLive's contract and draw one given face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from livefake.frame import Floats
from livefake.resources import models_folder
from livefake.swap.community.dfm import FACE, MORPH, OUTPUTS, aligned

SIZE = 128


def drawn_face(persona: str, size: int = SIZE) -> Floats:
    """A built-in persona in the whole-face crop, (1, S, S, 3) float32 BGR, 0..1."""
    folder = models_folder() / "personas" / persona
    picture = cv2.imread(str(folder / "face.png"))
    assert picture is not None
    matrix = aligned(np.load(folder / "landmarks.npy"), size)
    crop = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_AREA)
    return np.asarray(crop[None] / 255, np.float32)


def oval(size: int = SIZE, reach: float = 0.42) -> Floats:
    mask = np.zeros((size, size), np.float32)
    cv2.ellipse(mask, ((size * 0.49, size * 0.5), (size * reach * 1.5, size * reach * 2), 0), (1.0,), cv2.FILLED)
    return mask[None, :, :, None]


def dfm_model(face: Floats | None, mask: Floats, *, morph: bool = False) -> Any:
    """A model that gives this face and mask whatever it is shown; its own input where there is no face."""
    size = mask.shape[1]
    weights = [numpy_helper.from_array(mask, "mask"), numpy_helper.from_array(np.zeros(1, np.float32), "nothing")]
    nodes = [
        helper.make_node("Mul", [FACE, "nothing"], ["still"]),
        helper.make_node("ReduceMean", ["still"], ["zero"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Add", ["zero", "mask"], [OUTPUTS[0]]),
        helper.make_node("Add", ["zero", "mask"], [OUTPUTS[2]]),
    ]
    if face is None:
        nodes.append(helper.make_node("Identity", [FACE], [OUTPUTS[1]]))
    else:
        weights.append(numpy_helper.from_array(face, "face"))
        nodes.append(helper.make_node("Add", ["still", "face"], [OUTPUTS[1]]))
    inputs = [helper.make_tensor_value_info(FACE, TensorProto.FLOAT, ["N", size, size, 3])]
    if morph:
        inputs.append(helper.make_tensor_value_info(MORPH, TensorProto.FLOAT, [1]))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size, size, 3 if name == OUTPUTS[1] else 1])
        for name in OUTPUTS
    ]
    graph = helper.make_graph(nodes, "dfm", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def write_model(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def persona_dfm(path: Path, persona: str) -> Path:
    return write_model(path, dfm_model(drawn_face(persona), oval()))


__all__ = ["SIZE", "dfm_model", "drawn_face", "onnx", "oval", "persona_dfm", "write_model"]
